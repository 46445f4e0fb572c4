import SinterCore
import SinterForms
import SinterKernelIR

extension ElementPlan {
  /// The elements of a square along one of its sides.
  private struct Side {
    var start: Register
    /// How many count; nil: those before `end`.
    var count: Int?
    var end: Register
  }

  /// Squares of results whose loads lie along another axis, part `part` of it. Gives the number of elements that a task takes.
  func writeSquares(
    _ transposition: Transposition, _ transposed: [ExprID]?, to output: Memory, position: Int, side: Int, part: Register
  ) -> Int {
    let builder = scope.builder
    let (emitter, inner) = (transposition.emitter, transposition.inner)
    let (along, across) = (axes[position], axes[axes.count - inner.count - 1])
    let others = grid(transposition).others
    let size = Self.squares * side
    let rows = scope.stretch(along.extent, part: part, size: size)
    let whole = scope.stretch(across.extent)
    emitter.hoist(Set(others.map(\.symbol)), loads: true)

    func put(_ lanes: BodyEmitter.Lanes?) {
      let results = forEachInterleaved(inner) { emitter.emit(lanes: lanes)[0] }
      storeInterleaved(results, emitter, to: output, inner: inner, lanes: lanes)
    }
    /// The side's lanes that count; nil: all.
    func mask(_ part: Side) -> Register? {
      if part.count == side { return nil }
      let count = part.count.map { builder.index($0) } ?? builder.subtract(part.end, part.start)
      return scope.prefixMask(count, lanes: side)
    }
    /// What `work` gives for each column, with lanes along the rows; a column that does not count is one that does.
    func columns(_ rows: Side, _ columns: Side, _ work: (BodyEmitter.Lanes) -> Register) -> [Register] {
      let lanes = BodyEmitter.Lanes(along.symbol, count: side, mask: mask(rows))
      var found: [Register] = []
      for offset in 0..<(columns.count ?? side) {
        var column = builder.add(columns.start, offset)
        if columns.count == nil { column = builder.binary(.minimum, column, builder.add(columns.end, -1)) }
        found.append(
          emitter.scoped {
            scope.bind(along.symbol, to: rows.start)
            scope.bind(across.symbol, to: column)
            return work(lanes)
          })
      }
      return builder.transposed(found + [Register](repeating: found[0], count: side - found.count))
    }
    func square(_ rows: Side, _ places: Side) {
      let results =
        transposed == nil ? forEachInterleaved(inner) { columns(rows, places) { emitter.emit(lanes: $0)[0] } } : []
      let loads = (transposed ?? []).map { load in
        columns(rows, places) { lanes in
          emitter.lanes = lanes
          return emitter.vector(load)
        }
      }
      scope.bind(across.symbol, to: places.start)
      let lanes = BodyEmitter.Lanes(across.symbol, count: side, mask: mask(places))
      func row(_ number: Int, _ register: Register) {
        emitter.scoped {
          scope.bind(along.symbol, to: register)
          if transposed == nil {
            return storeInterleaved(results.map { $0[number] }, emitter, to: output, inner: inner, lanes: lanes)
          }
          for (load, rows) in zip(transposed ?? [], loads) { emitter.loaded[load] = rows[number] }
          put(lanes)
          emitter.loaded = [:]
        }
      }
      for number in 0..<(rows.count ?? side) {
        let register = builder.add(rows.start, number)
        guard rows.count == nil else {
          row(number, register)
          continue
        }
        builder.when(builder.compare(.less, register, rows.end)) { row(number, register) }
      }
    }

    /// Where the last whole side ends.
    func rounded(_ stretch: KernelScope.Stretch) -> Register {
      let length = builder.subtract(stretch.to, stretch.from)
      return builder.add(
        stretch.from, builder.multiply(builder.binary(.floorDivide, length, builder.index(side)), side))
    }
    /// Side by side over a stretch, and what is left where there are masks.
    func sides(_ name: String, _ stretch: KernelScope.Stretch, _ work: (Side) -> Void) {
      let end = rounded(stretch)
      if stretch.count.map({ $0 >= side }) ?? true {
        builder.loop(name, from: stretch.from, to: end, step: side) { start in
          work(Side(start: start, count: side, end: builder.add(start, side)))
        }
      }
      guard scope.machine.hasMasks, stretch.count.map({ $0 % side != 0 }) ?? true else { return }
      if let count = stretch.count { return work(Side(start: end, count: count % side, end: stretch.to)) }
      builder.when(builder.compare(.less, end, stretch.to)) { work(Side(start: end, count: nil, end: stretch.to)) }
    }
    sides("columns", whole) { places in
      sides("rows", rows) { square($0, places) }
    }
    if !scope.machine.hasMasks {
      // Row by row, what is left beside the squares.
      func plain(_ row: Register, _ stretch: KernelScope.Stretch) {
        emitter.scoped {
          scope.bind(along.symbol, to: row)
          scope.vectorLoop("rest", over: stretch, lanes: side) { index, width, mask in
            scope.bind(across.symbol, to: index)
            put(width == 1 && mask == nil ? nil : .init(across.symbol, count: width, mask: mask))
          }
        }
      }
      let (rowsEnd, columnsEnd) = (rounded(rows), rounded(whole))
      if whole.count.map({ $0 % side != 0 }) ?? true {
        let rest = KernelScope.Stretch(from: columnsEnd, to: whole.to, count: whole.count.map { $0 % side })
        builder.loop("row", from: rows.from, to: rowsEnd) { plain($0, rest) }
      }
      if rows.count.map({ $0 % side != 0 }) ?? true {
        builder.loop("row", from: rowsEnd, to: rows.to) { plain($0, whole) }
      }
    }
    return size * TaskSplit.estimate(across.extent)
  }
}
