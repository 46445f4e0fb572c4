import SinterCore
import SinterForms
import SinterKernelIR

extension ElementPlan {
  /// A way to run bodies that read along another axis than they write.
  struct Transposition {
    enum Way {
      /// Lanes along the axis before `inner`.
      case interleaved
      /// Squares are loaded as they lie along axis `position` and transposed in registers, so that both sides move whole vectors: `transposed`
      /// loads each, or, nil, the results.
      case squares(position: Int, side: Int, transposed: [ExprID]?)
    }
    var way: Way
    /// The last axes, whose results are interleaved.
    var inner: [LoopSpace.Axis]
    var lanes: Int
    let emitter: BodyEmitter
  }

  /// Nil where the body reads as it writes.
  func transposition(_ element: ElementType) -> Transposition? {
    let most = Swift.min(16, body.lanes(scope.machine, result: element))
    let emitter = BodyEmitter(body, scope: scope, axes: space.given, extents: space.extents)
    if most == 1 { return nil }
    let inner = interleavedAxes(emitter, lanes: most)
    let outer = axes.dropLast(inner.count)
    guard let across = outer.last else { return nil }
    func interleaved(_ inner: [LoopSpace.Axis]) -> Transposition? {
      inner.isEmpty ? nil : Transposition(way: .interleaved, inner: inner, lanes: most, emitter: emitter)
    }
    guard let (position, transposed) = transposedLoads(emitter, outer: outer, lanes: most) else {
      return interleaved(inner)
    }
    let along = axes[position]
    if inner.isEmpty, position == axes.count - 2, let width = across.extent.value, width <= 4,
      isDense([across], emitter)
    {
      return interleaved([across])
    }
    var side = most
    while let extent = across.extent.value, side > extent { side /= 2 }
    if let extent = along.extent.value {
      while side / 2 >= extent { side /= 2 }
      if side > extent && !scope.machine.hasMasks { side /= 2 }
    }
    if side < 4 { return interleaved(inner) }
    let transposesResult =
      !inner.isEmpty
      || transposed.count > 1 && runs(emitter, alongAll: along.symbol, except: transposed, lanes: side)
    return Transposition(
      way: .squares(position: position, side: side, transposed: transposesResult ? nil : transposed), inner: inner,
      lanes: most,
      emitter: emitter)
  }

  /// The number of tasks that `write` makes.
  func tasks(_ transposition: Transposition) -> Dim {
    let (others, parts) = grid(transposition)
    return others.reduce(parts) { $0 * $1.extent }
  }

  /// The axes that tasks stand for, and into how many parts another one is cut.
  func grid(_ transposition: Transposition) -> (others: [LoopSpace.Axis], parts: Dim) {
    var others = Array(axes.dropLast(transposition.inner.count + 1))
    switch transposition.way {
    case .interleaved:
      let extent = axes[others.count].extent
      return (others, extent.ceilDivided(by: Dim(Self.run)))
    case .squares(let position, let side, _):
      let along = others.remove(at: position)
      return (others, along.extent.ceilDivided(by: Dim(Self.squares * side)))
    }
  }

  /// Elements of the axis before the interleaved ones that a task takes.
  static var run: Int { 1024 }
  /// Squares beside each other that a task takes, so that both sides move runs of some length.
  static var squares: Int { 4 }

  /// Writes the loops. `task` is the number of the task, the kernel's unless given.
  func write(_ transposition: Transposition, to output: Memory, task: Register? = nil) -> (count: Dim, grain: Int) {
    let (others, parts) = grid(transposition)
    let numbers = scope.unflatten(task ?? scope.builder.task, others.map(\.extent) + [parts])
    for (axis, register) in zip(others, numbers) { scope.bind(axis.symbol, to: register) }
    let elements =
      switch transposition.way {
      case .interleaved: writeInterleaved(transposition, to: output, part: numbers[others.count])
      case .squares(let position, let side, let transposed):
        writeSquares(transposition, transposed, to: output, position: position, side: side, part: numbers[others.count])
      }
    let width = transposition.inner.reduce(1) { $0 * ($1.extent.value ?? 1) }
    return (
      tasks(transposition), TaskSplit.grain(elementsPerTask: elements * width, cost: Swift.max(2, body.cost))
    )
  }

  /// What a load's place grows by along an axis; nil where the steps differ, -1 where they are sizes.
  func stride(_ emitter: BodyEmitter, _ flat: Dim, along symbol: Symbol, lanes: Int) -> Int? {
    emitter.scoped {
      emitter.lanes = .init(symbol, count: lanes)
      return emitter.stride(of: flat).map { $0.value ?? -1 }
    }
  }

  /// Whether all loads read runs, or the same element, along an axis.
  private func runs(_ emitter: BodyEmitter, alongAll symbol: Symbol, except transposed: [ExprID], lanes: Int) -> Bool {
    emitter.indices.flats.allSatisfy { id, flat in
      let own = stride(emitter, flat, along: symbol, lanes: lanes)
      return transposed.contains(id) || own == 0 || own == 1
    }
  }

  /// The axis along which most loads that do not follow the last of the outer axes lie side by side, and those loads.
  private func transposedLoads(_ emitter: BodyEmitter, outer: ArraySlice<LoopSpace.Axis>, lanes: Int) -> (
    position: Int, loads: [ExprID]
  )? {
    guard let across = outer.last else { return nil }
    var best: (position: Int, loads: [ExprID])?
    for position in outer.indices.dropLast() {
      let loads = body.exprs.indices.map { ExprID($0) }.filter { id in
        guard case .load = body[id].node, let flat = emitter.indices.flats[id] else { return false }
        let own = stride(emitter, flat, along: across.symbol, lanes: lanes)
        if own == 0 || own == 1 { return false }
        return stride(emitter, flat, along: outer[position].symbol, lanes: lanes) == 1
      }
      if loads.count > best?.loads.count ?? 0 { best = (position, loads) }
    }
    return best
  }
}
