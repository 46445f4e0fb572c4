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
    for axis in [across, along] {
      while let extent = axis.extent.value, side > extent { side /= 2 }
    }
    return side < 4 ? nil : writeSquares(emitter, turned, to: output, along: along, position: position, side: side)
  }

  /// The axis along which most loads that do not follow the result's last axis lie side by side, and those loads.
  private func turnedLoads(_ emitter: BodyEmitter, across: Symbol, lanes: Int) -> (position: Int, loads: [ExprID])? {
    func stride(_ flat: Dim, _ symbol: Symbol) -> Int? {
      emitter.scoped {
        emitter.lanes = .init(symbol, count: lanes)
        return emitter.stride(of: flat).map { $0.value ?? 2 }
      }
    }
    var best: (position: Int, loads: [ExprID])?
    for position in axes.indices.dropLast() {
      let loads = body.exprs.indices.map { ExprID($0) }.filter { id in
        guard case .load = body[id].node, let flat = emitter.indices.flats[id], !emitter.indices.isOpaque(flat),
          let own = stride(flat, across), own != 0, own != 1
        else { return false }
        return stride(flat, axes[position].symbol) == 1
      }
      if loads.count > best?.loads.count ?? 0 { best = (position, loads) }
    }
    return best
  }

  /// The tasks, and the registers of the axes that they stand for, for loops whose last numbers are parts of one axis.
  private func bindOthers(_ others: [LoopSpace.Axis], parts: Dim) -> Register {
    let numbers = scope.unflatten(scope.builder.task, others.map(\.extent) + [parts])
    for (axis, register) in zip(others, numbers) { scope.bind(axis.symbol, to: register) }
    return numbers[others.count]
  }

  private func writeSquares(
    _ emitter: BodyEmitter, _ turned: [ExprID], to output: Memory, along: LoopSpace.Axis, position: Int, side: Int
  ) -> (count: Dim, grain: Int)? {
    guard let across = axes.last else { return nil }
    let builder = scope.builder
    var others = Array(axes.dropLast())
    others.remove(at: position)
    // Four squares beside each other a task, so that both sides move runs of some length.
    let size = 4 * side
    let parts = along.extent.ceilDivided(by: Dim(size))
    let rows = scope.stretch(along.extent, part: bindOthers(others, parts: parts), size: size)
    let whole = scope.stretch(across.extent)
    func rounded(_ stretch: KernelScope.Stretch) -> Register {
      let length = builder.subtract(stretch.to, stretch.from)
      return builder.add(
        stretch.from, builder.multiply(builder.binary(.floorDivide, length, builder.index(side)), side))
    }

    /// Row by row, for what is left beside the squares.
    func plain(_ row: Register, _ stretch: KernelScope.Stretch) {
      emitter.scoped {
        scope.bind(along.symbol, to: row)
        scope.vectorLoop("rest", over: stretch, lanes: side) { index, width, mask in
          scope.bind(across.symbol, to: index)
          put(width == 1 && mask == nil ? nil : .init(across.symbol, count: width, mask: mask))
        }
      }
    }
    func put(_ lanes: BodyEmitter.Lanes?) {
      emitter.store(emitter.emit(lanes: lanes)[0], to: output, at: flat, lanes: lanes)
    }
    func square(_ first: Register, _ column: Register) {
      var turnedRows: [[Register]] = []
      for load in turned {
        let columns = (0..<side).map { offset in
          emitter.scoped {
            scope.bind(along.symbol, to: first)
            scope.bind(across.symbol, to: builder.add(column, offset))
            emitter.lanes = .init(along.symbol, count: side)
            return emitter.vector(load)
          }
        }
        turnedRows.append(builder.turned(columns))
      }
      scope.bind(across.symbol, to: column)
      for row in 0..<side {
        emitter.scoped {
          scope.bind(along.symbol, to: builder.add(first, row))
          for (number, load) in turned.enumerated() { emitter.loaded[load] = turnedRows[number][row] }
          put(.init(across.symbol, count: side))
          emitter.loaded = [:]
        }
      }
    }
    let rowsEnd = rounded(rows)
    let columnsEnd = rounded(whole)
    builder.loop("columns", from: whole.from, to: columnsEnd, step: side) { column in
      builder.loop("rows", from: rows.from, to: rowsEnd, step: side) { square($0, column) }
    }
    if whole.count.map({ $0 % side != 0 }) ?? true {
      let rest = KernelScope.Stretch(from: columnsEnd, to: whole.to, count: whole.count.map { $0 % side })
      builder.loop("row", from: rows.from, to: rowsEnd) { plain($0, rest) }
    }
    if rows.count.map({ $0 % side != 0 }) ?? true {
      builder.loop("row", from: rowsEnd, to: rows.to) { plain($0, whole) }
    }
    let count = others.reduce(parts) { $0 * $1.extent }
    return (
      count,
      TaskSplit.grain(elementsPerTask: size * TaskSplit.estimate(across.extent), cost: Swift.max(2, body.cost))
    )
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
