import SinterKernelIR

extension KernelBuilder {
  /// Vectors as the rows of a square, transposed: each round interleaves the first half of the rows with the second.
  func transposed(_ rows: [Register]) -> [Register] {
    let side = rows.count
    let low = (0..<side).map { $0 % 2 == 0 ? $0 / 2 : side + $0 / 2 }
    let high = low.map { $0 + side / 2 }
    var rows = rows
    var round = 1
    while round < side {
      rows = (0..<(side / 2)).flatMap { row in
        [shuffle(rows[row], rows[row + side / 2], low), shuffle(rows[row], rows[row + side / 2], high)]
      }
      round *= 2
    }
    return rows
  }
}
