import SinterCore
import SinterForms
import SinterKernelIR

/// A processor as a table of numbers: all that schedules know of it.
///
/// Known processors have rows of their own (`Machine+Table.swift`); `sinter inspect --machine` prints one, `sinter tune-machine` measures
/// the one at hand and writes a file that `--machine` reads (`Machine+Numbers.swift` names what may stand in it).
package struct Machine: Hashable, Sendable {
  /// The row's name: a processor as `--cpu` has it, or what a file calls itself.
  package var name: String

  // MARK: Instructions

  /// Bits of a vector register.
  package var vectorBits: Int
  /// How many vector registers there are.
  package var vectorRegisters: Int
  /// Loads and stores of part of a vector cost no more than whole ones.
  package var hasMasks: Bool
  /// Multiply-add in one instruction, rounded once.
  package var hasMultiplyAdd: Bool
  /// How tiles multiply and add.
  package var tileOperations: [TileOperation]
  /// The operation by whose registers tiles are chosen (`tiling(with:)`): that of f32, where nothing else is said.
  var tiledOperation: TileOperation

  // MARK: The core

  /// Multiply-adds of whole vectors that begin in a cycle; schedules count time in cycles of so many.
  package var multiplyAddsPerCycle = 2
  /// Multiply-adds of whole vectors of f32 in the time of one vector of sums of pairs of bf16: below 2, bf16 is faster.
  package var multiplyAddsPerPairDot = 2.0
  /// Cycles from one sum of products of tiles to the next.
  package var cyclesPerTileDot = 16.0
  /// Cycles until a sum can be added to again.
  package var multiplyAddLatency = 4
  /// Loads of whole vectors, or of one element for all lanes, that begin in a cycle.
  package var loadsPerCycle = 2

  // MARK: Caches and memory

  /// Bytes of the caches of one core, and of the share that a core has of the last one.
  package var level1, level2, level3: Int
  /// Lines that one set of the first-level cache holds.
  package var level1Ways = 8
  /// Bytes of weights in a cache for which a task of transforms is charged a cycle: arithmetic hides most of what they take to come.
  package var weightBytesPerCycle = 64.0
  /// What one core reads in a cycle from the second-level cache, from the last one, and from memory.
  package var level2BytesPerCycle: Double
  package var level3BytesPerCycle: Double
  package var memoryBytesPerCycle = 8.0

  // MARK: Threads

  /// Cycles of work that another thread must have to be worth waking: about three microseconds.
  package var threadCycles = 7813
  /// Cycles that a task takes to begin.
  package var taskCycles = 313

  // MARK: What measuring has shown

  /// How often an element of a computed side of a product must be multiplied for packing to pay.
  package var packedReuse = 64
  /// How many bytes ahead of what is read a stream of packed integers asks for: what the processor foresees by itself ends with a page.
  package var streamAhead = 8 << 10
  /// How many bytes ahead a few rows ask for weights of 16 bits, which they read from memory; 0: they do not.
  package var halfStreamAhead = 0
  /// How fast register tiles of f32 are beside what counting their instructions tells; none: as counted.
  package var tileRates: [TileRate] = []

  package init(
    name: String, vectorBits: Int, vectorRegisters: Int, hasMasks: Bool, hasMultiplyAdd: Bool, level1: Int = 32 << 10,
    level2: Int = 1 << 20, level3: Int = 4 << 20
  ) {
    self.name = name
    self.vectorBits = vectorBits
    self.vectorRegisters = vectorRegisters
    self.hasMasks = hasMasks
    self.hasMultiplyAdd = hasMultiplyAdd
    self.level1 = level1
    self.level2 = level2
    self.level3 = level3
    // Two places: a file gives back what was written.
    level2BytesPerCycle = (Double(vectorBits) / 0.18).rounded() / 100
    level3BytesPerCycle = Double(vectorBits) / 16
    tiledOperation = .multiplyAdd(.f32, isFused: hasMultiplyAdd)
    tileOperations = [
      tiledOperation, .multiplyAdd(.f64, isFused: hasMultiplyAdd), .multiplyAdd(.i32), .widenedByteDot, .widenedPairDot,
    ]
  }

  /// Floating-point operations in the time that a byte of weights takes to come from the last-level cache: what products of few rows wait for.
  var operationsPerByte: Int {
    Swift.max(1, Int((Double(2 * lanes(.f32) * multiplyAddsPerCycle) / level3BytesPerCycle).rounded()))
  }

  /// How many elements of a type fill a vector.
  package func lanes(_ element: ElementType) -> Int { Swift.max(1, vectorBits / Swift.max(8, element.bits)) }

  /// Lanes for rows of so many elements: of vectors no longer than need be, since some processors take twice as long for their longest.
  func lanes(_ element: ElementType, columns: Int?) -> Int {
    var lanes = lanes(element)
    while let columns, columns > 0, columns <= lanes / 2 { lanes /= 2 }
    return lanes
  }

  /// Lanes for so many elements, at least one: a vector no longer than it must be to hold them all, or, without masks, one that they fill.
  ///
  /// - Parameter most: as many lanes at most.
  func lanes(_ most: Int, along count: Int) -> Int {
    var lanes = most
    while lanes > 1 && lanes / 2 >= count { lanes /= 2 }
    return lanes > count && lanes > 1 && !hasMasks ? lanes / 2 : lanes
  }

  /// Bytes of a cache's line.
  static let lineBytes = 64
  /// Lines so many bytes apart share a set of the first-level cache.
  var level1Stride: Int { Swift.max(Self.lineBytes, level1 / Swift.max(1, level1Ways)) }

  /// The rate of a tile: that of the measured tile with as many vectors whose rows are nearest; 1 where there is none.
  func rate(rows: Int, vectors: Int) -> Double {
    tileRates.filter { $0.vectors == vectors }.min { abs($0.rows - rows) < abs($1.rows - rows) }?.rate ?? 1
  }
}

/// How fast a register tile is beside the fastest, both as measured and by what counting instructions tells of them.
package struct TileRate: Hashable, Sendable, Codable {
  package var rows, vectors: Int
  /// 1: as the fastest; 0.9: takes 1.11 times as long as counted.
  package var rate: Double

  package init(_ rows: Int, _ vectors: Int, _ rate: Double) {
    (self.rows, self.vectors, self.rate) = (rows, vectors, rate)
  }
}
