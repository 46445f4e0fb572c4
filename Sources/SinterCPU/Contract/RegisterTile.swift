import SinterCore
import SinterKernelIR

/// The part of a matrix product that stays in registers: `rows` by `vectors` accumulators, each a whole vector of columns.
package struct RegisterTile: Hashable, Sendable {
  package var rows: Int
  package var vectors: Int

  /// The tile for a product of `rows` by `columns` elements, where known, on a machine.
  ///
  /// The model: a step along k costs the greater of its multiply-adds and its loads (one per row and one per vector), and no less than the latency of
  /// one multiply-add asks for. Edges count as whole tiles of what is left. What measuring has shown of a tile beyond that is its rate.
  /// - Parameters:
  ///   - period: rows after which the left side's offsets are no longer evenly spaced: tiles that cross one cost more to address.
  ///   - rowBytes: from one row of the left side to the next, where known.
  ///   - multiple: what the number of vectors has to be a multiple of; so many have to fit.
  ///   - factor: what tiles of so many rows cost, as a part of what the model says.
  static func choose(
    rows: Int?, columns: Int?, lanes: Int, machine: Machine, depth: Int = 512, period: Int? = nil, rowBytes: Int? = nil,
    multiple: Int = 1, factor: (_ rows: Int) -> Double = { _ in 1 }
  ) -> RegisterTile {
    let rowCount = rows ?? 192
    let columnVectors = ((columns ?? 768) + lanes - 1) / lanes
    // With few rows the right side's way through the caches is all that counts: narrow panels make enough tasks.
    if let rows, rows <= Self.fewRows {
      let fitting = Swift.max(
        Swift.min(columnVectors / 4, 8, mostVectors(rows: rows, machine)), Swift.min(2, columnVectors), 1)
      let vectors = Swift.max(fitting / multiple * multiple, multiple)
      return RegisterTile(rows: Swift.max(1, Swift.min(rows, mostRows(vectors: vectors, machine))), vectors: vectors)
    }
    var best = RegisterTile(rows: 1, vectors: multiple)
    var bestCost = Double.infinity
    let tiles = all(rows: rowCount, columnVectors: columnVectors, machine: machine)
    let factors = (1...rowLimit).map(factor)
    for tile in tiles where tile.vectors % multiple == 0 && tile.fitsCacheSets(rowBytes, machine) {
      var cost = tile.cost(rows: rowCount, columnVectors: columnVectors, machine) * factors[tile.rows - 1]
      if let period, period % tile.rows != 0 { cost *= 1 + 12 / Double(Swift.max(depth * tile.vectors, 1)) }
      if cost < bestCost * 0.995 {
        bestCost = cost
        best = tile
      }
    }
    return best
  }

  /// Tiles of more rows or vectors are not looked at.
  static let rowLimit = 16
  static let vectorLimit = 8

  /// Registers that a machine's operation leaves to a tile's sums and columns.
  private static func registers(_ machine: Machine) -> Int {
    machine.vectorRegisters - 1 - machine.tiledOperation.temporaries
  }

  /// The most vectors of columns beside so many rows, and the most rows beside so many vectors, that registers hold.
  private static func mostVectors(rows: Int, _ machine: Machine) -> Int {
    registers(machine) / (rows + machine.tiledOperation.columnRegisters)
  }
  private static func mostRows(vectors: Int, _ machine: Machine) -> Int {
    registers(machine) / vectors - machine.tiledOperation.columnRegisters
  }

  /// All tiles that the registers hold, no larger than the product.
  static func all(rows: Int = rowLimit, columnVectors: Int = vectorLimit, machine: Machine) -> [RegisterTile] {
    (1...vectorLimit).flatMap { vectors in
      (1...rowLimit).map { RegisterTile(rows: $0, vectors: vectors) }.filter {
        $0.rows <= Swift.min(rows, mostRows(vectors: vectors, machine)) && vectors <= Swift.max(1, columnVectors)
      }
    }
  }

  /// The tiles that leave few registers unused: for each number of vectors the one with most rows, and the one with one row less.
  package static func filling(_ machine: Machine) -> [RegisterTile] {
    (1...vectorLimit).flatMap { vectors -> [RegisterTile] in
      let most = Swift.min(rowLimit, mostRows(vectors: vectors, machine))
      return [most, most - 1].filter { $0 * vectors >= machine.vectorRegisters / 2 }.map {
        RegisterTile(rows: $0, vectors: vectors)
      }
    }
  }

  /// Tiles for a product of `rows` by `columns` elements, those that the model likes best first.
  static func candidates(rows: Int, columns: Int, lanes: Int, machine: Machine) -> [RegisterTile] {
    let columnVectors = (columns + lanes - 1) / lanes
    let costs = all(rows: rows, columnVectors: columnVectors, machine: machine).map {
      (tile: $0, cost: $0.cost(rows: rows, columnVectors: columnVectors, machine))
    }
    return costs.sorted { $0.cost < $1.cost }.map(\.tile)
  }

  /// The tile for panels that are packed already.
  static func choose(rows: Int?, vectors: Int, machine: Machine, rowBytes: Int? = nil) -> RegisterTile {
    let most = Swift.max(1, mostRows(vectors: vectors, machine))
    let rowCount = rows ?? 192
    let candidates = (1...Swift.min(most, rowLimit)).map { RegisterTile(rows: $0, vectors: vectors) }.filter {
      $0.rows <= rowCount && $0.fitsCacheSets(rowBytes, machine)
    }
    return candidates.min { a, b in
      a.cost(rows: rowCount, columnVectors: vectors, machine) < b.cost(rows: rowCount, columnVectors: vectors, machine)
    } ?? RegisterTile(rows: 1, vectors: vectors)
  }

  var accumulators: Int { rows * vectors }

  /// A sum can be added to only every few cycles, in each of which several multiply-adds begin: with fewer accumulators than that, some cycles
  /// begin none.
  static func leastAccumulators(_ machine: Machine) -> Int { machine.multiplyAddLatency * machine.multiplyAddsPerCycle }

  /// The sums that a tile keeps of each element: a tile of few accumulators sums every second step along k, or every third and so on, apart, as
  /// far as registers hold the sums.
  func streams(_ machine: Machine) -> Int {
    let wanted = (Self.leastAccumulators(machine) + accumulators - 1) / accumulators
    // A single row reads columns as it needs them.
    let columns = (rows == 1 ? 1 : vectors) * machine.tiledOperation.columnRegisters
    return Swift.max(1, Swift.min(wanted, (Self.registers(machine) - columns) / accumulators))
  }

  /// Rows up to which a product is bound by reading its right side.
  static let fewRows = 4

  /// Whether the lines that a step reads on the left stay in the first-level cache until the next step. Lines a multiple of `level1Stride`
  /// apart share one of its sets; a set that one more than it holds crowd still serves well.
  private func fitsCacheSets(_ rowBytes: Int?, _ machine: Machine) -> Bool {
    guard let rowBytes, rowBytes > 0 else { return true }
    let stride = machine.level1Stride
    var (a, b) = (rowBytes, stride)
    while b > 0 { (a, b) = (b, a % b) }
    let apart = stride / Swift.min(a, stride)
    return (rows + apart - 1) / apart <= machine.level1Ways + 1
  }

  /// Cycles for one step along k over the whole product.
  package func cost(rows: Int, columnVectors: Int, _ machine: Machine) -> Double {
    func step(_ r: Int, _ v: Int) -> Double {
      let arithmetic = Double(r * v) / Double(machine.multiplyAddsPerCycle)
      let loads = Double(r + v) / Double(machine.loadsPerCycle)
      return Swift.max(arithmetic, loads, Double(machine.multiplyAddLatency)) + 0.25
    }
    let rate = machine.rate(rows: self.rows, vectors: vectors)
    func column(_ v: Int) -> Double {
      // Rows that do not fill a tile are done all at once.
      let left = rows % self.rows
      return (Double(rows / self.rows) * step(self.rows, v) + (left > 0 ? step(left, v) : 0)) / rate
    }
    var total = Double(columnVectors / vectors) * column(vectors)
    let tail = columnVectors % vectors
    if tail > 0 { total += column(tail) }
    return total
  }
}

extension RegisterTile {
  /// Whether `rows` make enough tiles to ask for all lines of what is needed next, each step for one.
  func asksAhead(rows count: Int) -> Bool { count > rows && count > rows * (vectors - 1) }

  /// What the tile whose first row is `row` asks for: its share of `count` elements that begin at `place`, which all tiles ask for together,
  /// evenly, so that memory is asked no faster than it gives.
  ///
  /// - Parameters:
  ///   - rows: how many rows all tiles have.
  ///   - usual: how many they have in most blocks, where that is a number: steps that share a line then ask for it once. In a last block of fewer rows
  ///     some lines are left out.
  ///   - step: elements that a step of a tile reads on the right. As many steps as read the tile's own part read `count` elements.
  func request(
    _ b: KernelBuilder, row: Register, of rows: Register, usual: Int?, at place: Register, count: Int, step: Int,
    in memory: Memory? = nil
  ) -> TileRequest {
    let tiles = b.binary(.floorDivide, b.add(rows, self.rows - 1), b.index(self.rows))
    let advance = b.binary(.floorDivide, b.add(tiles, step - 1), tiles)
    let share = b.multiply(advance, (count + step - 1) / step)
    let number = b.binary(.minimum, b.binary(.floorDivide, row, b.index(self.rows)), b.subtract(tiles, b.index(1)))
    return TileRequest(
      memory: memory, first: b.add(place, b.multiply(number, share)), advance: advance,
      usualAdvance: usual.map { usual in
        let tiles = (usual + self.rows - 1) / self.rows
        return (step + tiles - 1) / tiles
      })
  }
}
