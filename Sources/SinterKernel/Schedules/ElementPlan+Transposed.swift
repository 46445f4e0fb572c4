import SinterCore

extension ElementPlan {
  /// Loops for bodies that read along another axis than they write: squares are loaded as they lie and turned in
  /// registers, so that both sides move whole vectors. Nil where the body is no such thing.
  func writeTransposed(to output: Memory, element: ElementType) -> (count: Dim, grain: Int)? {
    guard axes.count >= 2, let across = axes.last else { return nil }
    var side = Swift.min(16, body.lanes(scope.machine, result: element))
    let emitter = BodyEmitter(body, scope: scope, axes: space.given, extents: space.extents)
    guard side > 1, let (position, turned) = turnedLoads(emitter, across: across.symbol, lanes: side) else {
      return nil
    }
    let along = axes[position]
    if position == axes.count - 2, let width = across.extent.value, width <= 4 {
      return writeInterleaved(emitter, to: output, along: along, width: width, lanes: side)
    }
    while let extent = across.extent.value, side > extent { side /= 2 }
    if let extent = along.extent.value {
      while side / 2 >= extent { side /= 2 }
      if side > extent && !scope.machine.hasMasks { side /= 2 }
    }
    if side < 4 { return nil }
    let turnsResult = turned.count > 1 && runs(emitter, alongAll: along.symbol, except: turned, lanes: side)
    return writeSquares(
      emitter, turnsResult ? nil : turned, to: output, along: along, position: position, side: side)
  }

  /// What a load's place grows by along an axis; nil where the steps differ, -1 where they are sizes.
  private func stride(_ emitter: BodyEmitter, _ flat: Dim, along symbol: Symbol, lanes: Int) -> Int? {
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

  /// The axis along which most loads that do not follow the result's last axis lie side by side, and those loads.
  private func turnedLoads(_ emitter: BodyEmitter, across: Symbol, lanes: Int) -> (position: Int, loads: [ExprID])? {
    var best: (position: Int, loads: [ExprID])?
    for position in axes.indices.dropLast() {
      let loads = body.exprs.indices.map { ExprID($0) }.filter { id in
        guard case .load = body[id].node, let flat = emitter.indices.flats[id] else { return false }
        let own = stride(emitter, flat, along: across, lanes: lanes)
        if own == 0 || own == 1 { return false }
        return stride(emitter, flat, along: axes[position].symbol, lanes: lanes) == 1
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

  /// A last axis of two to four elements, with lanes along the axis before it: the results for each of the elements are
  /// woven together, since they lie side by side.
  private func writeInterleaved(
    _ emitter: BodyEmitter, to output: Memory, along: LoopSpace.Axis, width: Int, lanes: Int
  ) -> (count: Dim, grain: Int)? {
    guard let across = axes.last else { return nil }
    let builder = scope.builder
    let others = Array(axes.dropLast(2))
    let size = 1024
    let parts = along.extent.ceilDivided(by: Dim(size))
    let part = bindOthers(others, parts: parts)
    scope.vectorLoop("woven", over: scope.stretch(along.extent, part: part, size: size), lanes: lanes) {
      index, count, mask in
      scope.bind(along.symbol, to: index)
      let isVector = count > 1 || mask != nil
      func bindColumn(_ column: Int) { scope.bind(across.symbol, to: builder.index(column)) }
      let results = (0..<width).map { column in
        emitter.scoped {
          bindColumn(column)
          return emitter.emit(lanes: isVector ? .init(along.symbol, count: count, mask: mask) : nil)[0]
        }
      }
      guard count == lanes, mask == nil else {
        for (column, value) in results.enumerated() {
          bindColumn(column)
          emitter.store(
            value, to: output, at: flat, lanes: isVector ? .init(along.symbol, count: count, mask: mask) : nil)
        }
        return
      }
      bindColumn(0)
      let start = scope.index(flat)
      for piece in 0..<width {
        // Element `at` of the woven run is lane at / width of result at % width.
        var woven = results[0]
        for column in 1..<width {
          let positions = (0..<count).map { lane -> Int in
            let at = piece * count + lane
            if at % width == column { return count + at / width }
            return column == 1 && at % width == 0 ? at / width : lane
          }
          woven = builder.shuffle(woven, results[column], positions)
        }
        builder.store(woven, output, at: builder.add(start, piece * count))
      }
    }
    return (
      others.reduce(parts) { $0 * $1.extent },
      TaskSplit.grain(elementsPerTask: size * width, cost: Swift.max(2, body.cost))
    )
  }
}
