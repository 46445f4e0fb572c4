import SinterCore
import SinterForms
import SinterKernelIR

/// Writes the reduction of a body over inner axes, at outer indices that are bound.
struct ReduceWriter {
  let scope: KernelScope
  let emitter: BodyEmitter
  let combiner: Combiner
  /// The axes reduced over, the last one innermost.
  let inner: [LoopSpace.Axis]
  /// The position among the elements reduced, for positions.
  let position: Dim
  /// A sum of products takes each in by one multiply-add.
  private let isProduct: Bool
  /// Elements take an instruction or two.
  private let isCheap: Bool
  /// Where the values of one more expression go, element by element.
  private let keeping: (memory: Memory, flat: Dim)?

  private static let longVector = 16

  private var builder: KernelBuilder { scope.builder }

  /// - Parameters:
  ///   - axes: the body's axes over the symbols of loops.
  ///   - keeping: an expression of the body whose values are stored on the way, and where.
  init(
    _ body: Body, combine: Combine, scope: KernelScope, axes: [Dim], inner: [LoopSpace.Axis], position: Dim,
    extents: [Symbol: Dim], keeping: (expr: ExprID, memory: Memory, flat: Dim)? = nil
  ) {
    self.scope = scope
    self.inner = inner
    self.keeping = keeping.map { ($0.memory, $0.flat) }
    self.position = position
    var body = body
    let result = body.results[0]
    var isProduct = false
    if combine == .sum, scope.machine.hasMultiplyAdd, body[result].type == .f32 || body[result].type == .f64,
      case .binary(.multiply, let a, let b) = body[result].node
    {
      isProduct = true
      combiner = Combiner(combine, element: body[result].type, builder: scope.builder)
      body.results = [a, b]
    } else {
      combiner = Combiner(combine, element: body[result].type, builder: scope.builder)
    }
    self.isProduct = isProduct
    isCheap = body.cost <= 2
    if let keeping { body.results.append(keeping.expr) }
    emitter = BodyEmitter(body, scope: scope, axes: axes, extents: extents)
  }

  /// Takes in the element, or vector of elements, at the bound indices.
  ///
  /// - Parameter mask: the lanes whose elements count for what is combined in the end; nil: all.
  private func take(_ state: [Register], lanes: BodyEmitter.Lanes?, mask: Register?) -> [Register] {
    let values = emitter.emit(lanes: lanes)
    if let keeping { emitter.store(values[values.count - 1], to: keeping.memory, at: keeping.flat, lanes: lanes) }
    if isProduct {
      guard let mask else { return [builder.multiplyAdd(values[0], values[1], state[0])] }
      // A lane that does not count may hold anything times zero.
      let sum = builder.multiplyAdd(values[0], values[1], state[0])
      return [builder.select(mask, sum, state[0])]
    }
    return combiner.take(
      state, values[0],
      position: {
        emitter.scoped {
          emitter.lanes = lanes
          return lanes == nil ? scope.index(position) : emitter.laneIndex(position)
        }
      }, mask: mask)
  }

  // MARK: One lane per result

  /// The combination at each lane of an outer axis: the inner axes are plain loops.
  ///
  /// `starts` are the first indices of the vectors of lanes; all of them go through the inner loops together.
  ///
  /// - Parameter together: how many vectors most calls along this axis have. It decides the order of the combination, which then is the same
  ///   for all results: equal numbers give equal results wherever they lie.
  func acrossOuter(_ symbol: Symbol, starts: [Register], together: Int, count: Int, mask: Register?) -> [Register] {
    let states = starts.flatMap { _ in combiner.initial(lanes: count) }
    let width = combiner.combine.isIndex ? 2 : 1
    let isVector = count > 1 || mask != nil
    func takeAll(_ current: [Register]) -> [Register] {
      starts.indices.flatMap { copy in
        emitter.scoped {
          scope.bind(symbol, to: starts[copy])
          // Each lane is a result of its own: what those hold that do not count is never stored.
          return take(
            Array(current[(copy * width)..<((copy + 1) * width)]),
            lanes: isVector ? .init(symbol, count: count, mask: mask) : nil, mask: nil)
        }
      }
    }
    let condition = starts.count > 1 ? emitter.commonCondition(apartFrom: symbol) : nil
    func leaf(_ current: [Register]) -> [Register] {
      guard let condition else { return takeAll(current) }
      return builder.branch(
        emitter.scalar(condition), then: { emitter.deciding(condition, true) { takeAll(current) } },
        otherwise: { emitter.deciding(condition, false) { takeAll(current) } })
    }
    let total = inner.reduce(Dim(1)) { $0 * $1.extent }.value
    let isUnrolled = total.map { $0 * starts.count <= 16 } ?? false
    // A single chain of additions waits for each one: long reductions of few vectors run several chains side by side.
    let chains = isUnrolled || width == 2 || total.map({ $0 < 64 }) == true ? 1 : Swift.max(1, 4 / together)
    let single = states.count
    let initial = (0..<chains).flatMap { _ in states }

    func nest(_ position: Int, _ current: [Register]) -> [Register] {
      guard position < inner.count else { return leaf(current) }
      let axis = inner[position]
      func step(_ index: Register, _ state: [Register]) -> [Register] {
        emitter.scoped {
          scope.bind(axis.symbol, to: index)
          return nest(position + 1, state)
        }
      }
      if isUnrolled, let extent = axis.extent.value {
        return (0..<extent).reduce(current) { step(builder.index($1), $0) }
      }
      let zero = builder.index(0)
      let end = scope.dim(axis.extent)
      if position < inner.count - 1 || chains == 1 {
        return builder.loop("k\(position)", from: zero, to: end, carrying: current) { step($0, $1) }
      }
      let whole = builder.multiply(builder.binary(.floorDivide, end, builder.index(chains)), chains)
      let most = builder.loop("k\(position)", from: zero, to: whole, step: chains, carrying: current) { index, state in
        (0..<chains).flatMap { chain in
          step(builder.add(index, chain), Array(state[(chain * single)..<((chain + 1) * single)]))
        }
      }
      if let extent = axis.extent.value, extent % chains == 0 { return most }
      let rest = builder.loop("k\(position).rest", from: whole, to: end, carrying: Array(most[..<single])) {
        step($0, $1)
      }
      return rest + most[single...]
    }
    var final = nest(0, initial)
    while final.count > single {
      let half = final.count / 2
      final = stride(from: 0, to: half, by: width).flatMap {
        combiner.join(Array(final[$0..<($0 + width)]), Array(final[(half + $0)..<(half + $0 + width)]))
      }
    }
    return starts.indices.map { combiner.final(Array(final[($0 * width)..<(($0 + 1) * width)])) }
  }

  // MARK: All lanes one result

  /// The combination as a scalar: the last inner axis runs along the lanes of several vectors.
  ///
  /// - Parameter last: the part of the last inner axis to take; nil: all.
  func alongInner(lanes: Int, last: KernelScope.Stretch? = nil) -> Register {
    combiner.final(state(lanes: lanes, last: last))
  }

  /// The state before `final`.
  func state(lanes: Int, last: KernelScope.Stretch? = nil) -> [Register] {
    guard let axis = inner.last else { return take(combiner.initial(lanes: 1), lanes: nil, mask: nil) }
    let stretch = last ?? scope.stretch(axis.extent)
    // Twice as many sums where vectors are short: each takes in fewer elements, and errs less.
    let isShort = isCheap && lanes < Self.longVector
    var count = combiner.combine.isIndex ? 1 : isShort ? 8 : 4
    var lanes = lanes
    if let length = stretch.count {
      lanes = scope.machine.lanes(lanes, along: length)
      count = Swift.max(1, Swift.min(count, length / Swift.max(1, lanes)))
    }
    let width = combiner.combine.isIndex ? 2 : 1
    let hasRest = lanes > 1 && !scope.machine.hasMasks && (stretch.count.map { $0 % lanes != 0 } ?? true)
    let vectors = (0..<count).flatMap { _ in combiner.initial(lanes: lanes) }
    let initial = vectors + (hasRest ? combiner.initial(lanes: 1) : [])

    func nest(_ position: Int, _ current: [Register]) -> [Register] {
      if position < inner.count - 1 {
        let axis = inner[position]
        return builder.loop(
          "k\(position)", from: builder.index(0), to: scope.dim(axis.extent), carrying: current
        ) { index, state in
          emitter.scoped {
            scope.bind(axis.symbol, to: index)
            return nest(position + 1, state)
          }
        }
      }
      return innermost(stretch, axis.symbol, lanes: lanes, count: count, width: width, hasRest: hasRest, current)
    }
    let final = nest(0, initial)
    var states = (0..<count).map { Array(final[($0 * width)..<(($0 + 1) * width)]) }
    while states.count > 1 {
      let half = (states.count + 1) / 2
      states = (0..<half).map { $0 + half < states.count ? combiner.join(states[$0], states[$0 + half]) : states[$0] }
    }
    var state = combiner.acrossLanes(states[0])
    if hasRest { state = combiner.join(state, Array(final[(count * width)...])) }
    return state
  }

  private func innermost(
    _ stretch: KernelScope.Stretch, _ symbol: Symbol, lanes: Int, count: Int, width: Int, hasRest: Bool,
    _ initial: [Register]
  ) -> [Register] {
    func step(_ state: [Register], _ index: Register, _ lanes: Int, _ mask: Register?) -> [Register] {
      emitter.scoped {
        scope.bind(symbol, to: index)
        return take(
          state, lanes: lanes == 1 && mask == nil ? nil : .init(symbol, count: lanes, mask: mask), mask: mask)
      }
    }
    func block(_ n: Int, _ all: [Register]) -> [Register] { Array(all[(n * width)..<((n + 1) * width)]) }
    func replacing(_ n: Int, _ all: [Register], _ new: [Register]) -> [Register] {
      var all = all
      all.replaceSubrange((n * width)..<((n + 1) * width), with: new)
      return all
    }
    var current = initial
    var at = stretch.from
    let length = stretch.count.map { builder.index($0) } ?? builder.subtract(stretch.to, stretch.from)
    func whole(_ step: Int) -> Register {
      builder.add(stretch.from, builder.multiply(builder.binary(.floorDivide, length, builder.index(step)), step))
    }
    // All accumulators at each iteration.
    let end = whole(lanes * count)
    let iterations = stretch.count.map { $0 / (lanes * count) }
    if iterations == 1 {
      for n in 0..<count {
        current = replacing(n, current, step(block(n, current), builder.add(at, n * lanes), lanes, nil))
      }
    } else if iterations != 0 {
      current = builder.loop("k", from: at, to: end, step: lanes * count, carrying: current) { index, state in
        var state = state
        for n in 0..<count {
          state = replacing(n, state, step(block(n, state), builder.add(index, n * lanes), lanes, nil))
        }
        return state
      }
    }
    at = end
    // What is left, a vector at a time.
    if count > 1, stretch.count.map({ $0 % (lanes * count) >= lanes }) ?? true {
      let end = whole(lanes)
      let first = builder.loop("k.more", from: at, to: end, step: lanes, carrying: block(0, current)) { index, state in
        step(state, index, lanes, nil)
      }
      current = replacing(0, current, first)
      at = end
    }
    if lanes == 1 { return current }
    // The last part of a vector.
    if hasRest {
      let rest = builder.loop("k.rest", from: at, to: stretch.to, carrying: Array(current[(count * width)...])) {
        step($1, $0, 1, nil)
      }
      return Array(current[..<(count * width)]) + rest
    }
    guard stretch.count.map({ $0 % lanes != 0 }) ?? true else { return current }
    func tail() -> [Register] {
      step(block(0, current), at, lanes, scope.prefixMask(builder.subtract(stretch.to, at), lanes: lanes))
    }
    if stretch.count != nil { return replacing(0, current, tail()) }
    let before = block(0, current)
    let after = builder.branch(builder.compare(.less, at, stretch.to), then: tail, otherwise: { before })
    return replacing(0, current, after)
  }
}
