import SinterCore
import SinterForms
import SinterKernelIR

/// The loops of one reduction.
struct ReducePlan {
  let scope: KernelScope
  let form: ReduceForm
  let space: LoopSpace
  let flat: Dim
  let outer: [LoopSpace.Axis]
  let inner: [LoopSpace.Axis]
  private let position: Dim
  private let outerGiven: [Dim]
  private let lanes: Int

  init(_ form: ReduceForm, shape: [Dim], scope: KernelScope) {
    self.scope = scope
    self.form = form
    var space = LoopSpace(groups: [shape, form.inner], newSymbol: scope.newSymbol)
    func walk(_ axes: ArraySlice<Dim>, _ extents: [Dim]) -> Dim {
      zip(axes, TensorType.strides(extents)).reduce(Dim(0)) { $0 + $1.0 * $1.1 }
    }
    let store = walk(space.given[..<shape.count], shape)
    var roots: [Dim] = []
    func add(_ body: Body, _ axes: [Dim]) {
      let indices = BodyIndices(
        body, axes: axes, values: scope.values, simplifier: space.simplifier, newSymbol: scope.newSymbol)
      roots += indices.roots
    }
    add(form.body, space.given)
    if let epilogue = form.epilogue { add(epilogue, Array(space.given.prefix(shape.count))) }
    if form.combine.isIndex { roots.append(walk(space.given[shape.count...], form.inner)) }
    space.rearrange(for: roots + [store])
    self.space = space
    flat = space.roots.last ?? 0
    outer = space.axes(inGroup: 0)
    inner = space.axes(inGroup: 1)
    outerGiven = Array(space.given.prefix(shape.count))
    position = space.simplifier.simplified(walk(space.given[shape.count...], form.inner))
    let body = form.body
    lanes = body.lanes(scope.machine, result: body[body.results[0]].type)
  }

  /// The type in which elements are combined.
  var accumulator: ElementType {
    Combiner(form.combine, element: form.body[form.body.results[0]].type, builder: scope.builder).element
  }

  func name(_ kind: String, _ combine: Combine, _ type: TensorType) -> String {
    func sizes(_ axes: [LoopSpace.Axis]) -> String {
      axes.isEmpty ? "1" : axes.map { Symbol.sanitizedName("\($0.extent)") }.joined(separator: "x")
    }
    return "\(kind)_\(combine.rawValue)_\(type.element)_\(sizes(outer))_over_\(sizes(inner))"
  }

  private func writer() -> ReduceWriter {
    ReduceWriter(
      form.body, combine: form.combine, scope: scope, axes: space.given, inner: inner, position: position,
      extents: space.extents)
  }

  /// Whether results are computed with a lane each.
  var runsAcross: Bool { prefersOuter(writer().emitter) }

  /// Whether a lane for each result walks memory better than lanes along the last inner axis.
  private func prefersOuter(_ emitter: BodyEmitter) -> Bool {
    guard let across = outer.last else { return false }
    guard let along = inner.last else { return true }
    if lanes == 1 { return false }
    func score(_ symbol: Symbol) -> Int {
      emitter.scoped {
        emitter.lanes = .init(symbol, count: lanes)
        return emitter.indices.flats.values.reduce(0) { sum, flat in
          switch emitter.stride(of: flat)?.value {
          case 1: sum + 2
          case 0: sum + 1
          case 2: sum
          default: sum - 4
          }
        }
      }
    }
    let a = score(across.symbol)
    var b = score(along.symbol)
    // A short axis fills no vector, and joining its lanes costs more than walking it.
    if let extent = along.extent.value, extent < lanes, across.extent.value.map({ 2 * $0 >= lanes }) ?? true {
      b -= 4 * emitter.indices.flats.count
    }
    if a != b {
      // A narrow axis fills no vector.
      if a > b, let extent = across.extent.value, extent * 4 < lanes, (along.extent.value ?? lanes) >= lanes {
        return false
      }
      return a > b
    }
    return (along.extent.value ?? lanes) < lanes && (across.extent.value ?? lanes) >= lanes
  }

  func write(output: Memory, element: ElementType) -> (count: Dim, grain: Int) {
    let builder = scope.builder
    let writer = writer()
    let epilogue = form.epilogue.map { BodyEmitter($0, scope: scope, axes: outerGiven, extents: space.extents) }
    let isPacked = element.bits < 8
    let isAcross = prefersOuter(writer.emitter)
    let innerCount = inner.reduce(1) { $0 * TaskSplit.estimate($1.extent) }
    let cost = Swift.max(1, form.body.cost)

    func store(_ value: Register, _ lanes: BodyEmitter.Lanes?) {
      let emitter = epilogue ?? writer.emitter
      let result = epilogue.map { $0.emit(lanes: lanes, accumulators: [value])[0] } ?? value
      emitter.store(builder.cast(result, to: element), to: output, at: flat, lanes: lanes)
    }

    // Axes that tasks stand for, outermost first; the last one only where it is not the vector's.
    var taskAxes = isPacked ? 0 : outer.count - (isAcross ? 1 : 0)
    var perTask = innerCount * (isAcross ? outer.last.map { TaskSplit.estimate($0.extent) } ?? 1 : 1)
    while taskAxes > 0, perTask * TaskSplit.estimate(outer[taskAxes - 1].extent) <= 2048 {
      taskAxes -= 1
      perTask *= TaskSplit.estimate(outer[taskAxes].extent)
    }
    var part = 0
    if isAcross, !isPacked, taskAxes == outer.count - 1, let across = outer.last,
      TaskSplit.estimate(across.extent) * innerCount > 16384 || across.extent.value == nil
    {
      part = Swift.max(4 * lanes, 4096 / Swift.max(1, innerCount) / (4 * lanes) * (4 * lanes))
      if let extent = across.extent.value, extent <= part { part = 0 }
    }
    let parts = part > 0 ? outer[outer.count - 1].extent.ceilDivided(by: Dim(part)) : Dim(1)
    let numbers = scope.unflatten(builder.task, outer[..<taskAxes].map(\.extent) + (part > 0 ? [parts] : []))
    for (axis, register) in zip(outer[..<taskAxes], numbers) { scope.bind(axis.symbol, to: register) }

    func nest(_ position: Int) {
      if isAcross, position == outer.count - 1 {
        let axis = outer[position]
        let stretch =
          part > 0 ? scope.stretch(axis.extent, part: numbers[taskAxes], size: part) : scope.stretch(axis.extent)
        across(axis, stretch, writer, store)
        return
      }
      guard position < outer.count else {
        store(writer.alongInner(lanes: lanes), nil)
        return
      }
      let axis = outer[position]
      builder.loop("m\(position)", from: builder.index(0), to: scope.dim(axis.extent)) { index in
        writer.emitter.scoped {
          scope.bind(axis.symbol, to: index)
          nest(position + 1)
        }
      }
    }
    nest(taskAxes)
    let count = outer[..<taskAxes].reduce(parts) { $0 * $1.extent }
    return (count, TaskSplit.grain(elementsPerTask: part > 0 ? part * innerCount : perTask, cost: cost))
  }

  /// A lane per result: four vectors at a time while there are as many.
  private func across(
    _ axis: LoopSpace.Axis, _ stretch: KernelScope.Stretch, _ writer: ReduceWriter,
    _ store: (Register, BodyEmitter.Lanes?) -> Void
  ) {
    let builder = scope.builder
    let lanes = stretch.count.map { scope.machine.lanes(self.lanes, along: $0) } ?? self.lanes
    let group = form.combine.isIndex || form.body.cost > 12 ? 2 : 4
    let hasGroups = lanes > 1 && (stretch.count.map { $0 >= group * lanes } ?? true)
    func work(_ starts: [Register], _ width: Int, _ mask: Register?) {
      let values = writer.acrossOuter(
        axis.symbol, starts: starts, together: hasGroups ? group : 1, count: width, mask: mask)
      for (start, value) in zip(starts, values) {
        writer.emitter.scoped {
          scope.bind(axis.symbol, to: start)
          store(value, width == 1 && mask == nil ? nil : .init(axis.symbol, count: width, mask: mask))
        }
      }
    }
    var rest = stretch
    if hasGroups {
      let step = lanes * group
      let length = stretch.count.map { builder.index($0) } ?? builder.subtract(stretch.to, stretch.from)
      let end = builder.add(
        stretch.from, builder.multiply(builder.binary(.floorDivide, length, builder.index(step)), step))
      builder.loop("n", from: stretch.from, to: end, step: step) { index in
        writer.emitter.scoped { work((0..<group).map { builder.add(index, $0 * lanes) }, lanes, nil) }
      }
      rest = KernelScope.Stretch(from: end, to: stretch.to, count: stretch.count.map { $0 % step })
      if rest.count == 0 { return }
    }
    scope.vectorLoop("n.rest", over: rest, lanes: lanes) { index, width, mask in
      writer.emitter.scoped { work([index], width, mask) }
    }
  }

  /// One part of a long reduction a task: `task` is result · parts + part.
  func writePart(to partial: Memory, parts: Dim, part: Int) {
    let builder = scope.builder
    let writer = writer()
    let numbers = scope.unflatten(builder.task, outer.map(\.extent) + [parts])
    for (axis, register) in zip(outer, numbers) { scope.bind(axis.symbol, to: register) }
    guard let axis = inner.last, let number = numbers.last else { return }
    let state = writer.state(lanes: lanes, last: scope.stretch(axis.extent, part: number, size: part))
    builder.store(state[0], partial, at: builder.task)
  }
}
