import SinterCore
import SinterKernelIR

/// Sums tiles of few columns: the lanes of a vector lie along the innermost reduced axis, so that a product with three columns fills vectors as
/// well as one with sixteen. At the end the lanes of each sum are added, in a fixed tree.
///
/// The right side is packed column after column (`PanelLayout` with one lane and one vector). Both sides are dense along the innermost axis.
struct DotKernel: TileSums {
  let scope: KernelScope
  let lhs: Memory
  let rhs: Memory
  let accumulate: ElementType
  /// Lanes of a whole vector.
  let lanes: Int
  let columns: Int
  /// Elements from one column of the right side to the next.
  let columnStep: Register
  /// The innermost extent is a number, and its strides are 1.
  var reductions: [TileKernel.Reduction]

  private var b: KernelBuilder { scope.builder }

  /// Lanes of the vector that holds the columns of one row.
  static func storeLanes(_ columns: Int) -> Int { columns < 2 ? 1 : columns < 3 ? 2 : 4 }

  /// Whether a product with so many columns is better off than on a `TileKernel`; `run` is the innermost reduced extent.
  static func serves(columns: Int, run: Int, lanes: Int, machine: Machine) -> Bool {
    columns <= 4 && storeLanes(columns) * 2 <= lanes && run >= lanes && (run % lanes == 0 || machine.hasMasks)
  }

  /// Rows that are summed at once.
  static func tile(rows: Int?, columns: Int, machine: Machine) -> RegisterTile {
    let fitting = [8, 4, 2, 1].first { count in
      count <= rows ?? 8
        && count * columns + columns + 1 <= machine.vectorRegisters - machine.tiledOperation.temporaries
    }
    return RegisterTile(rows: fitting ?? 1, vectors: 1)
  }

  func accumulators(
    tile: RegisterTile, lhsBase: Register, rows: [Register], column: Register, masks: [Register?]
  ) -> [Register] {
    let zero = b.constant(.float(0), accumulate, lanes: lanes)
    let sums = descend(
      reductions[...], rows, lhsBase, column, [Register](repeating: zero, count: tile.rows * columns))
    let width = Self.storeLanes(columns)
    let perVector = lanes / width
    return stride(from: 0, to: tile.rows, by: perVector).flatMap { first -> [Register] in
      let own = first..<Swift.min(first + perVector, tile.rows)
      // What has no column of its own repeats the last one's.
      let padded = own.flatMap { row in (0..<width).map { sums[row * columns + Swift.min($0, columns - 1)] } }
      let totals = laneSums(padded)
      return own.indices.map { row in
        let at = (row - first) * width
        return width == 1 ? b.extract(totals, lane: at) : b.shuffle(totals, totals, Array(at..<(at + width)))
      }
    }
  }

  private func descend(
    _ loops: ArraySlice<TileKernel.Reduction>, _ rows: [Register], _ left: Register, _ right: Register,
    _ sums: [Register]
  ) -> [Register] {
    guard let first = loops.first else { return sums }
    if loops.count == 1 { return run(first.extent.value ?? 0, rows, left, right, sums) }
    if first.extent == 1 { return descend(loops.dropFirst(), rows, left, right, sums) }
    let iterations = first.iterations(scope)
    return b.loop("k", from: iterations.from, to: iterations.to, carrying: sums) { k, current in
      descend(
        loops.dropFirst(), rows, b.add(left, b.multiply(k, scope.index(first.lhsStride))),
        b.add(right, b.multiply(k, scope.index(first.rhsStride))), current)
    }
  }

  /// The innermost axis, a vector at a time.
  private func run(_ count: Int, _ rows: [Register], _ left: Register, _ right: Register, _ sums: [Register])
    -> [Register]
  {
    func step(_ k: Register, _ mask: Register?, _ current: [Register]) -> [Register] {
      let factors = (0..<columns).map { column in
        b.cast(
          b.load(rhs, at: b.add(b.add(right, k), b.multiply(columnStep, column)), lanes: lanes, mask: mask),
          to: accumulate)
      }
      return rows.indices.flatMap { row -> [Register] in
        let value = b.load(lhs, at: b.add(b.add(left, k), rows[row]), lanes: lanes, mask: mask)
        return factors.indices.map { b.multiplyAdd(value, factors[$0], current[row * columns + $0]) }
      }
    }
    let whole = count / lanes * lanes
    var result = sums
    if whole > 0 {
      result = b.loop("lane", from: b.index(0), to: b.index(whole), step: lanes, carrying: result) { k, current in
        step(k, nil, current)
      }
    }
    if count > whole { result = step(b.index(whole), scope.prefixMask(b.index(count - whole), lanes: lanes), result) }
    return result
  }

  /// The sum of each vector's lanes, side by side; as many lanes as there are vectors, rounded up to a power of two.
  private func laneSums(_ vectors: [Register]) -> Register {
    func even(_ count: Int) -> [Int] { (0..<count).map { 2 * $0 } }
    func neighbours(_ a: Register, _ b: Register, count: Int) -> Register {
      self.b.add(self.b.shuffle(a, b, even(count)), self.b.shuffle(a, b, even(count).map { $0 + 1 }))
    }
    var level = vectors
    var parts = lanes
    while level.count > 1 {
      if level.count % 2 == 1 { level.append(level[level.count - 1]) }
      level = stride(from: 0, to: level.count, by: 2).map { neighbours(level[$0], level[$0 + 1], count: lanes) }
      parts /= 2
    }
    // What is left of each sum lies side by side.
    var (total, width) = (level[0], lanes)
    while parts > 1 {
      width /= 2
      total = neighbours(total, total, count: width)
      parts /= 2
    }
    return total
  }
}
