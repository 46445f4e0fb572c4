import SinterCore
import SinterKernelIR

/// The rows of one tile on its way through a product.
struct TileRows {
  /// Rows that are multiplied.
  let count: Int
  let first: Register
  /// How many of them exist, where these may be fewer: what is summed of others is not stored.
  let existing: Register?
  /// Where the sums of a row, counted from the first, are among those of the block; nil: in the same order.
  var place: ((_ row: Register) -> Register)?

  /// The rows that are read: in place of one that does not exist, the last one that does. Nil where all exist and lie evenly.
  ///
  /// They are lanes of a vector, of which LLVM asks no more than that: it searches long for ways to address sums and minima.
  func clamped(_ b: KernelBuilder) -> [Register]? {
    guard let existing else { return nil }
    var lanes = 1
    while lanes < count { lanes *= 2 }
    let last = b.broadcast(b.subtract(b.add(first, existing), b.index(1)), lanes: lanes)
    let rows = b.binary(.minimum, b.add(b.broadcast(first, lanes: lanes), b.laneNumbers(lanes)), last)
    return (0..<count).map { b.extract(rows, lane: $0) }
  }

  /// Writes something for row after row, of those that exist.
  func forEach(_ b: KernelBuilder, _ work: (Int) -> Void) {
    for row in 0..<count {
      // The first one always does.
      if let existing, row > 0 { b.when(b.compare(.less, b.index(row), existing)) { work(row) } } else { work(row) }
    }
  }
}

/// The sums of a tile, row by row, a vector of columns each.
enum TileResult {
  case registers([Register])
  case memory(Memory)
}

extension RegisterTile {
  /// Rows of the tile that does what whole tiles leave over, where their number is known only at run time: just enough accumulators to begin
  /// multiply-adds all the time. So one small piece of code serves any number of rows, and loses no more than the rows that it has too many.
  func restRows(_ machine: Machine) -> Int {
    Swift.max(1, Swift.min(rows - 1, (Self.leastAccumulators(machine) + vectors - 1) / vectors))
  }

  /// Walks rows a tile at a time. What is left is one smaller tile, or several of `restRows` where its size is known only at run time.
  ///
  /// - Parameters:
  ///   - count: the number of rows all together, of which `from` to `to` may be a part that begins with a whole tile, and ends with one unless
  ///     it is the last; nil where parts are not cut so.
  ///   - isBrief: all rows by small tiles: for places where little is to be done, and not worth much code.
  ///   - mayBeFew: whether the rows may be so few that one that is left alone is most of the work.
  func forEachTile(
    in scope: KernelScope, from: Register, to: Register, count: Dim?, isBrief: Bool = false,
    mayBeFew: Bool = true, _ work: (TileRows) -> Void
  ) {
    let b = scope.builder
    let isWhole = count?.exactQuotient(by: Dim(rows)) != nil
    var end = from
    if isWhole || !isBrief {
      end = isWhole ? to : b.add(from, b.multiply(b.binary(.floorDivide, b.subtract(to, from), b.index(rows)), rows))
      b.loop("row", from: from, to: end, step: rows) { work(TileRows(count: rows, first: $0, existing: nil)) }
    }
    if isWhole { return }
    if !isBrief, let rest = count?.value.map({ $0 % rows }) {
      return b.when(b.compare(.less, end, to)) { work(TileRows(count: rest, first: end, existing: nil)) }
    }
    let step = restRows(scope.machine)
    guard step > 1 else {
      return b.loop("rest", from: end, to: to) { work(TileRows(count: 1, first: $0, existing: nil)) }
    }
    // One row alone is what a decoder has in every step: it waits for the right side only.
    let last = mayBeFew ? b.subtract(to, b.index(1)) : to
    b.loop("rest", from: end, to: last, step: step) { row in
      work(TileRows(count: step, first: row, existing: b.binary(.minimum, b.subtract(to, row), b.index(step))))
    }
    guard mayBeFew else { return }
    let iterations = b.binary(.floorDivide, b.add(b.subtract(last, end), step - 1), b.index(step))
    let alone = b.add(end, b.multiply(iterations, step))
    b.when(b.compare(.less, alone, to)) { work(TileRows(count: 1, first: alone, existing: nil)) }
  }
}

extension RegisterTile {
  /// The same as `forEachTile` for a number of rows that is known only at run time, with one piece of code for what follows on the sums of
  /// whole tiles and of those for what is left: sums go through memory.
  func forEachTileJoined(
    in scope: KernelScope, from: Register, to: Register, lanes: Int, accumulate: ElementType,
    _ sums: (TileRows) -> [Register], finish: (TileRows, Memory) -> Void
  ) {
    let b = scope.builder
    let restRows = restRows(scope.machine)
    let scratch = b.local("tile", accumulate, count: accumulators * lanes)
    let wholes = b.binary(.floorDivide, b.subtract(to, from), b.index(rows))
    let rest = b.add(from, b.multiply(wholes, rows))
    let rests = b.binary(.floorDivide, b.add(b.subtract(to, rest), restRows - 1), b.index(restRows))
    func hold(_ tile: TileRows) {
      for (index, sum) in sums(tile).enumerated() { b.store(sum, scratch, at: b.index(index * lanes)) }
    }
    b.loop("tile", from: b.index(0), to: b.add(wholes, rests)) { iteration in
      let place = b.branch(
        b.compare(.less, iteration, wholes),
        then: {
          let first = b.add(from, b.multiply(iteration, rows))
          hold(TileRows(count: rows, first: first, existing: nil))
          return [first, b.index(rows)]
        },
        otherwise: {
          let first = b.add(rest, b.multiply(b.subtract(iteration, wholes), restRows))
          let existing = b.binary(.minimum, b.subtract(to, first), b.index(restRows))
          let alone = TileRows(count: 1, first: first, existing: nil)
          if restRows == 1 {
            hold(alone)
          } else {
            b.branch(
              b.compare(.equal, existing, b.index(1)),
              then: {
                hold(alone)
                return []
              },
              otherwise: {
                hold(TileRows(count: restRows, first: first, existing: existing))
                return []
              })
          }
          return [first, existing]
        })
      finish(TileRows(count: rows, first: place[0], existing: place[1]), scratch)
    }
  }
}
