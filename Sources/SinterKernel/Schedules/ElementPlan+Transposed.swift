import SinterCore

extension ElementPlan {
  /// Loops for bodies that read along another axis than they write: squares are loaded as they lie and turned in
  /// registers, so that both sides move whole vectors. Nil where the body is no such thing.
  func writeTransposed(to output: Memory, element: ElementType) -> (count: Dim, grain: Int)? {
    let most = Swift.min(16, body.lanes(scope.machine, result: element))
    let emitter = BodyEmitter(body, scope: scope, axes: space.given, extents: space.extents)
    if most == 1 { return nil }
    let woven = wovenAxes(emitter, lanes: most)
    let outer = axes.dropLast(woven.count)
    guard outer.count >= 1, let across = outer.last else { return nil }
    guard let (position, turned) = turnedLoads(emitter, outer: outer, lanes: most) else {
      return woven.isEmpty ? nil : writeInterleaved(emitter, to: output, woven: woven, lanes: most)
    }
    let along = axes[position]
    if woven.isEmpty, position == axes.count - 2, let width = across.extent.value, width <= 4 {
      return writeInterleaved(emitter, to: output, woven: [across], lanes: most)
    }
    var side = most
    while let extent = across.extent.value, side > extent { side /= 2 }
    if let extent = along.extent.value {
      while side / 2 >= extent { side /= 2 }
      if side > extent && !scope.machine.hasMasks { side /= 2 }
    }
    if side < 4 { return woven.isEmpty ? nil : writeInterleaved(emitter, to: output, woven: woven, lanes: most) }
    let turnsResult =
      !woven.isEmpty
      || turned.count > 1 && runs(emitter, alongAll: along.symbol, except: turned, lanes: side)
    return writeSquares(
      emitter, turnsResult ? nil : turned, to: output, along: along, position: position, woven: woven, side: side)
  }

  /// What a load's place grows by along an axis; nil where the steps differ, -1 where they are sizes.
  func stride(_ emitter: BodyEmitter, _ flat: Dim, along symbol: Symbol, lanes: Int) -> Int? {
    emitter.scoped {
      emitter.lanes = .init(symbol, count: lanes)
      return emitter.stride(of: flat).map { $0.value ?? -1 }
    }
  }

  /// Whether all loads read runs, or the same element, along an axis.
  private func runs(_ emitter: BodyEmitter, alongAll symbol: Symbol, except turned: [ExprID], lanes: Int) -> Bool {
    emitter.indices.flats.allSatisfy { id, flat in
      let own = stride(emitter, flat, along: symbol, lanes: lanes)
      return turned.contains(id) || own == 0 || own == 1
    }
  }

  /// The axis along which most loads that do not follow the last of the outer axes lie side by side, and those loads.
  private func turnedLoads(_ emitter: BodyEmitter, outer: ArraySlice<LoopSpace.Axis>, lanes: Int) -> (
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

  /// The tasks, and the registers of the axes that they stand for, for loops whose last numbers are parts of one axis.
  func bindOthers(_ others: [LoopSpace.Axis], parts: Dim) -> Register {
    let numbers = scope.unflatten(scope.builder.task, others.map(\.extent) + [parts])
    for (axis, register) in zip(others, numbers) { scope.bind(axis.symbol, to: register) }
    return numbers[others.count]
  }
}
