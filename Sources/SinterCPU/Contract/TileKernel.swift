import SinterCore
import SinterKernelIR

/// What sums the tiles of a product.
protocol TileSums {
  var scope: KernelScope { get }
  /// The type of the sums.
  var accumulate: ElementType { get }
  /// The reduced axes, from the outermost to the innermost.
  var reductions: [TileKernel.Reduction] { get set }

  /// Sums a tile.
  ///
  /// - Parameters:
  ///   - lhsBase: the offset of the first row's first element on the left.
  ///   - rows: what each row adds to it.
  ///   - column: the offset of the tile's first column on the right.
  ///   - masks: for each vector of columns, the lanes that exist; nil where all do.
  /// - Returns: the sums, row by row, a vector of columns each.
  func accumulators(
    tile: RegisterTile, lhsBase: Register, rows: [Register], column: Register, masks: [Register?]
  ) -> [Register]

  /// Has each step ask for a line of what is to be read later.
  mutating func ask(_ request: TileRequest)
}

extension TileSums {
  /// The right side is small.
  mutating func ask(_ request: TileRequest) {}
}

/// What the steps of a tile ask for, while they multiply something else: weights then come from memory meanwhile.
struct TileRequest {
  /// Nil: the right side.
  var memory: Memory?
  /// The element that the first step asks for.
  var first: Register
  /// Elements from one step's to the next one's.
  var advance: Register
  /// The same number in most blocks, where it is one.
  var usualAdvance: Int?
}

/// Writes the inner part of a product: a register tile that runs down the reduced axes, then hands its accumulators on.
///
/// The left side is read one element per row and broadcast; the right side whole vectors at a time. Both are addressed in elements, from
/// offsets that the caller has computed.
struct TileKernel: TileSums {
  /// One loop over a reduced axis, with what a step adds to the offsets of either side. In packed panels a step on the right counts as one,
  /// whatever the width of the panel. Extents and strides may hold bound symbols.
  struct Reduction {
    var extent: Dim
    var lhsStride: Dim
    var rhsStride: Dim
    /// The iterations that are taken, where not all are: what the others add is zero. They may be none.
    var iterations: Iterations?

    struct Iterations {
      var from: Register
      var to: Register
    }

    func iterations(_ scope: KernelScope) -> Iterations {
      iterations ?? Iterations(from: scope.builder.index(0), to: scope.index(extent))
    }
  }

  let scope: KernelScope
  let lhs: Memory
  let rhs: Memory
  /// The type in which products are summed; operands of other types are converted.
  let accumulate: ElementType
  let lanes: Int
  var reductions: [Reduction]
  /// The right side is packed: a step moves by the tile's own width, or by `panelWidth`.
  let isPacked: Bool
  /// Elements of one step in a panel, where the last panel is as wide as all others.
  var panelWidth: Int?
  /// The size of most tiles. It decides the order of the sums also in smaller ones at the edges: equal rows and columns give equal results
  /// wherever they lie.
  let usualTile: RegisterTile
  /// How a step multiplies and adds.
  let operation: TileOperation
  /// Whether the right side comes from memory: a few rows then ask for weights of 16 bits themselves.
  var asksStream = false
  /// Elements along the innermost reduced axis behind its last whole step.
  private var tail: Int
  private var request: TileRequest?

  init(
    scope: KernelScope, lhs: Memory, rhs: Memory, accumulate: ElementType, lanes: Int, reductions: [Reduction],
    isPacked: Bool,
    usualTile: RegisterTile, operation: TileOperation? = nil, tail: Int = 0
  ) {
    self.scope = scope
    self.lhs = lhs
    self.rhs = rhs
    self.accumulate = accumulate
    self.lanes = lanes
    self.reductions = reductions
    self.isPacked = isPacked
    self.usualTile = usualTile
    self.operation = operation ?? scope.machine.multiplyAdd(accumulate)
    self.tail = tail
  }

  private var builder: KernelBuilder { scope.builder }

  /// Elements on the right from one step to the next.
  private func stepWidth(_ tile: RegisterTile) -> Int {
    isPacked ? (panelWidth ?? tile.vectors * lanes) * operation.depth : 1
  }

  mutating func ask(_ request: TileRequest) { self.request = request }

  private func ask(in step: Register?) {
    guard let request, let step else { return }
    builder.prefetch(
      request.memory ?? rhs, at: builder.add(request.first, builder.multiply(step, request.advance)))
  }

  /// Has a few rows ask for weights of 16 bits that lie further on in their panels. These come from memory, and half as many lines as for f32 are
  /// on their way where only the processor foresees them.
  private func askStream(_ tile: RegisterTile, at rhsOffset: Register) {
    let bytes = scope.machine.halfStreamAhead
    guard bytes > 0, asksStream, request == nil, isPacked, tile.rows <= RegisterTile.fewRows,
      builder.element(of: rhs).bits == 16
    else { return }
    let line = Machine.lineBytes / 2
    for first in stride(from: 0, to: tile.vectors * lanes, by: line) {
      builder.prefetch(rhs, at: builder.add(rhsOffset, bytes / 2 + first))
    }
  }

  func accumulators(
    tile: RegisterTile, lhsBase: Register, rows: [Register], column: Register, masks: [Register?]
  ) -> [Register] {
    accumulators(
      tile: tile, lhsBase: lhsBase, rows: rows, column: column, masks: masks, initial: zeros(tile))
  }

  /// Sums that nothing was added to yet.
  func zeros(_ tile: RegisterTile) -> [Register] {
    let zero = builder.constant(accumulate.isFloat ? .float(0) : .int(0), accumulate, lanes: lanes)
    return [Register](repeating: zero, count: tile.accumulators)
  }

  /// The same as without `initial`, added to given sums.
  func accumulators(
    tile: RegisterTile, lhsBase: Register, rows: [Register], column: Register, masks: [Register?], initial: [Register]
  ) -> [Register] {
    let place = Place(left: lhsBase, right: column, step: builder.index(0))
    guard operation.takesSignedLeft else { return descend(reductions[...], tile, rows, place, masks, initial) }
    // Behind the tile's own sums those of its columns, times -128.
    let none = builder.constant(.int(0), accumulate, lanes: lanes)
    let sums = descend(
      reductions[...], tile, rows, place, masks,
      initial + [Register](repeating: none, count: tile.vectors))
    return (0..<tile.accumulators).map { index in
      builder.subtract(sums[index], sums[tile.accumulators + index % tile.vectors])
    }
  }

  /// Where a step's elements lie on either side, and how many steps come before it; nil where it asks for nothing.
  private struct Place {
    var left: Register
    var right: Register
    var step: Register?
  }

  /// The place of iteration `k` of a loop.
  private func place(_ place: Place, _ loop: Reduction, _ tile: RegisterTile, iteration k: Register) -> Place {
    Place(
      left: builder.add(builder.multiply(k, scope.index(loop.lhsStride)), place.left),
      right: builder.add(builder.multiply(k, scope.index(loop.rhsStride * Dim(stepWidth(tile)))), place.right),
      step: request == nil
        ? place.step : place.step.map { builder.add(builder.multiply(k, scope.index(loop.rhsStride)), $0) })
  }

  private func descend(
    _ loops: ArraySlice<Reduction>, _ tile: RegisterTile, _ rows: [Register], _ at: Place, _ masks: [Register?],
    _ sums: [Register]
  ) -> [Register] {
    guard let first = loops.first else { return multiply(tile, rows, at, masks, sums) }
    if tail > 0, loops.count == 1 {
      var whole = self
      whole.tail = 0
      let sums = first.extent == 0 ? sums : whole.descend(loops, tile, rows, at, masks, sums)
      return dots(tile, rows, place(at, first, tile, iteration: scope.index(first.extent)), sums, count: tail)
    }
    if first.extent == 1 { return descend(loops.dropFirst(), tile, rows, at, masks, sums) }
    let count = first.iterations == nil ? first.extent.value : nil
    if loops.count == 1, let count, let streams = streams(usualTile, depth: count) {
      return multiply(tile, count, streams, first, rows, at, masks, sums)
    }
    // A short loop is not worth its iterations.
    let isShort =
      loops.count == 1 && !operation.addsProducts && count.map { $0 <= 8 && $0 * tile.accumulators <= 112 } ?? false
    if loops.count == 1, !isShort, let count, stepsPerRequest > 1 {
      return multiply(tile, count, first, rows, at, masks, sums)
    }
    let iterations = first.iterations(scope)
    return builder.loop(
      "k", from: iterations.from, to: iterations.to, unroll: isShort ? count ?? 1 : 1, carrying: sums
    ) { k, current in
      descend(loops.dropFirst(), tile, rows, place(at, first, tile, iteration: k), masks, current)
    }
  }

  /// For how many steps one line is enough that is asked for: a request of each would cost instructions, and places where lines are awaited.
  private var stepsPerRequest: Int {
    guard let request, let advance = request.usualAdvance, !operation.addsProducts else { return 1 }
    let line = Machine.lineBytes * 8 / builder.element(of: request.memory ?? rhs).bits
    return Swift.max(1, Swift.min(Self.mostStepsPerRequest, line / advance))
  }
  static let mostStepsPerRequest = 4

  /// `depth` steps, of which the first of several asks for a line.
  private func multiply(
    _ tile: RegisterTile, _ depth: Int, _ reduction: Reduction, _ rows: [Register], _ at: Place,
    _ masks: [Register?], _ sums: [Register]
  ) -> [Register] {
    let every = stepsPerRequest
    func step(_ k: Register, asks: Bool, _ sums: [Register]) -> [Register] {
      let from = asks ? at : Place(left: at.left, right: at.right)
      return multiply(tile, rows, place(from, reduction, tile, iteration: k), masks, sums)
    }
    let whole = depth / every * every
    let all = builder.loop("k", from: builder.index(0), to: builder.index(whole), step: every, carrying: sums) {
      k, current in
      (0..<every).reduce(current) { step(builder.add(k, $1), asks: $1 == 0, $0) }
    }
    return (whole..<depth).reduce(all) { step(builder.index($1), asks: $1 == whole, $0) }
  }

  /// The sums that a tile keeps apart, if several.
  private func streams(_ tile: RegisterTile, depth: Int) -> Int? {
    let streams = tile.streams(scope.machine.tiling(with: operation))
    return streams > 1 && depth >= 4 * streams ? streams : nil
  }

  /// `depth` steps in `streams` interleaved sums, which are added at the end, neighbours first.
  private func multiply(
    _ tile: RegisterTile, _ depth: Int, _ streams: Int, _ reduction: Reduction, _ rows: [Register], _ at: Place,
    _ masks: [Register?], _ sums: [Register]
  ) -> [Register] {
    func step(_ k: Register, _ sums: [Register]) -> [Register] {
      multiply(tile, rows, place(at, reduction, tile, iteration: k), masks, sums)
    }
    let zero = builder.constant(accumulate.isFloat ? .float(0) : .int(0), accumulate, lanes: lanes)
    let zeros = [Register](repeating: zero, count: sums.count)
    let whole = depth / streams * streams
    let all = builder.loop(
      "k", from: builder.index(0), to: builder.index(whole), step: streams,
      carrying: sums + (1..<streams).flatMap { _ in zeros }
    ) { k, current in
      (0..<streams).flatMap { step(builder.add(k, $0), Array(current[($0 * sums.count)..<(($0 + 1) * sums.count)])) }
    }
    var parts = (0..<streams).map { Array(all[($0 * sums.count)..<(($0 + 1) * sums.count)]) }
    for rest in whole..<depth { parts[rest - whole] = step(builder.index(rest), parts[rest - whole]) }
    while parts.count > 1 {
      let pairs = stride(from: 0, to: parts.count - 1, by: 2).map { zip(parts[$0], parts[$0 + 1]).map(builder.add) }
      parts = pairs + (parts.count % 2 == 1 ? [parts[parts.count - 1]] : [])
    }
    return parts[0]
  }

  private func multiply(
    _ tile: RegisterTile, _ rows: [Register], _ at: Place, _ masks: [Register?], _ sums: [Register]
  ) -> [Register] {
    if operation.depth > 1 { return dots(tile, rows, at, sums, count: operation.depth) }
    let columns = (0..<tile.vectors).map { vector in
      builder.cast(
        builder.load(rhs, at: builder.add(at.right, vector * lanes), lanes: lanes, mask: masks[vector]), to: accumulate
      )
    }
    ask(in: at.step)
    askStream(tile, at: at.right)
    var result: [Register] = []
    for row in 0..<tile.rows {
      let element = builder.cast(builder.load(lhs, at: builder.add(at.left, rows[row])), to: accumulate)
      let factor = builder.broadcast(element, lanes: lanes)
      for vector in 0..<tile.vectors {
        let sum = sums[row * tile.vectors + vector]
        if accumulate.isFloat {
          result.append(builder.multiplyAdd(factor, columns[vector], sum))
        } else {
          result.append(builder.add(builder.multiply(factor, columns[vector]), sum))
        }
      }
    }
    return result
  }

  /// Unsigned bytes less 128.
  private func signed(_ bytes: Register) -> Register {
    let width = lanes * operation.depth
    return builder.bitcast(builder.binary(.xor, bytes, builder.constant(.int(128), .u8, lanes: width)), to: .i8)
  }

  /// What a step adds to the sums of columns times -128, where the operation needs them.
  private func columnSums(_ tile: RegisterTile, _ columns: [Register], _ sums: [Register]) -> [Register] {
    guard operation.takesSignedLeft else { return [] }
    let factor = builder.constant(.int(-128), .i8, lanes: lanes * operation.depth)
    return columns.indices.map { builder.dot(factor, columns[$0], sums[tile.accumulators + $0]) }
  }

  /// A step of neighbouring elements, of which `count` exist on the left; what the panel has beyond them is zero.
  private func dots(
    _ tile: RegisterTile, _ rows: [Register], _ at: Place, _ sums: [Register], count: Int
  ) -> [Register] {
    let (depth, width) = (operation.depth, lanes * operation.depth)
    let columns = (0..<tile.vectors).map { vector in
      let lying = builder.load(rhs, at: builder.add(at.right, vector * width), lanes: width)
      return operation.widened.map { builder.cast(lying, to: $0) } ?? lying
    }
    ask(in: at.step)
    let mask = count < depth ? scope.prefixMask(builder.index(count), lanes: depth) : nil
    return (0..<tile.rows).flatMap { row -> [Register] in
      let few = builder.load(lhs, at: builder.add(at.left, rows[row]), lanes: depth, mask: mask)
      let factor = builder.repeated(few, lanes: width)
      return columns.indices.map {
        builder.dot(operation.takesSignedLeft ? signed(factor) : factor, columns[$0], sums[row * tile.vectors + $0])
      }
    } + columnSums(tile, columns, sums)
  }
}
