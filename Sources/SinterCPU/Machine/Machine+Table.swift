/// The rows of known processors.
extension Machine {
  /// AVX-512.
  package static let x86_64_v4 = Machine(
    name: "x86-64-v4", vectorBits: 512, vectorRegisters: 32, hasMasks: true, hasMultiplyAdd: true
  ).summingShorts
  /// AVX2 and FMA.
  package static let x86_64_v3 = Machine(
    name: "x86-64-v3", vectorBits: 256, vectorRegisters: 16, hasMasks: false, hasMultiplyAdd: true, level2: 512 << 10
  ).summingShorts
  /// SSE4.2.
  package static let x86_64_v2 = Machine(
    name: "x86-64-v2", vectorBits: 128, vectorRegisters: 16, hasMasks: false, hasMultiplyAdd: false,
    level2: 256 << 10
  ).summingShorts
  /// NEON. Caches as Cortex-A72's, the smallest that servers have.
  package static let aarch64: Machine = {
    var machine = Machine(
      name: "aarch64", vectorBits: 128, vectorRegisters: 32, hasMasks: false, hasMultiplyAdd: true, level2: 512 << 10,
      level3: 1 << 20)
    machine.tileOperations = machine.tileOperationsWithoutPairs.map {
      $0 == .widenedByteDot ? .pairedByteDot : $0.onLoadedRows
    }
    machine.tiledOperation = machine.tiledOperation.onLoadedRows
    return machine
  }()
  /// RV64GC, which has no vectors: four scalars count as one, and 32 registers as eight. A cycle of the table is four multiply-adds of its own.
  package static let riscv64: Machine = {
    var machine = Machine(
      name: "riscv64", vectorBits: 128, vectorRegisters: 8, hasMasks: false, hasMultiplyAdd: true, level2: 512 << 10,
      level3: 1 << 20)
    (machine.multiplyAddsPerCycle, machine.loadsPerCycle, machine.multiplyAddLatency) = (1, 1, 1)
    machine.tileOperations = machine.tileOperationsWithoutPairs
    return machine
  }()
  /// Any 64-bit processor with vectors of 128 bits.
  package static let generic = Machine(
    name: "generic", vectorBits: 128, vectorRegisters: 16, hasMasks: false, hasMultiplyAdd: false, level2: 256 << 10)

  /// With an instruction that adds products of 16-bit numbers in pairs.
  private var summingShorts: Machine {
    var machine = self
    machine.tileOperations = tileOperations.map { $0 == .widenedByteDot ? .shortPairDot : $0 }
    return machine
  }

  /// Without pairs of bf16: as two multiply-adds they gain nothing, and take registers that tiles need. Weights are widened instead.
  private var tileOperationsWithoutPairs: [TileOperation] { tileOperations.filter { $0 != .widenedPairDot } }

  /// The row of a processor by LLVM's name, on the instruction set that is compiled for; that instruction set's own row where the processor
  /// is not in the table.
  package static func row(of processor: String, on base: Machine) -> Machine {
    guard let change = rows[processor] ?? armRows[processor] else { return base }
    var machine = base
    machine.name = processor
    change(&machine)
    return machine
  }

  /// Processors of x86-64 that have a row of their own, sorted.
  package static var processors: [String] { rows.keys.sorted() }

  /// What a row says that its instruction set's does not.
  private static let rows: [String: @Sendable (inout Machine) -> Void] = [
    "haswell": haswell, "broadwell": haswell, "skylake": haswell,
    // Zen 4 begins one multiply-add of 512 bits or two of 256 in a cycle: a cycle of the table is two of its own there, and its caches give
    // twice the bytes. Sums of pairs of bf16 begin as often as multiply-adds, by AMD's optimization guide. The general rows were measured on it (117 GFLOP/s of f32, 100 GB/s from the last level, 30 from memory).
    "znver4": { $0.multiplyAddsPerPairDot = 1 },
    // Two multiply-adds of 512 bits in a cycle; caches by AMD's optimization guide, bandwidths as Zen 4's: not measured.
    "znver5": {
      $0.level1(48 << 10, ways: 12)
      $0.multiplyAddsPerPairDot = 1
    },
    "skylake-avx512": cascadeLake, "cascadelake": cascadeLake, "cooperlake": cascadeLake,
    "icelake-server": { sapphireRapids(&$0, level2: 1280 << 10) },
    "sapphirerapids": { sapphireRapids(&$0, level2: 2 << 20) },
    "emeraldrapids": { sapphireRapids(&$0, level2: 2 << 20) },
  ]

  /// The same of AArch64: pipes and caches by Arm's guides to software optimization; bandwidths as counted for any processor: not measured.
  private static let armRows: [String: @Sendable (inout Machine) -> Void] = [
    "neoverse-n1": {
      $0.level1(64 << 10, ways: 4)
      $0.level2 = 1 << 20
    },
    "neoverse-v1": {
      $0.neoverseV()
      $0.level2 = 1 << 20
    },
    "neoverse-v2": {
      $0.neoverseV()
      $0.level2 = 2 << 20
    },
  ]

  /// Four pipes of 128 bits.
  private mutating func neoverseV() {
    level1(64 << 10, ways: 4)
    (multiplyAddsPerCycle, loadsPerCycle) = (4, 3)
  }

  private static let haswell: @Sendable (inout Machine) -> Void = { $0.level2 = 256 << 10 }

  /// Measured at 2.5 GHz: 152 GFLOP/s of f32, 23 GB/s from the last level, 11 from memory. Tiles of 128 rows of a product, weights of 40 layers
  /// in turn: 8 rows by 48 columns are fastest.
  private static let cascadeLake: @Sendable (inout Machine) -> Void = {
    ($0.level2, $0.level3) = (1 << 20, 1408 << 10)
    ($0.level3BytesPerCycle, $0.memoryBytesPerCycle) = (9.2, 4.4)
    $0.tileRates = [
      TileRate(14, 2, 0.93), TileRate(12, 2, 0.92), TileRate(9, 3, 0.98), TileRate(8, 3, 1), TileRate(6, 4, 0.94),
      TileRate(5, 5, 0.9), TileRate(4, 6, 0.84),
    ]
  }

  /// Measured on a virtual machine at 2.8 GHz: 179 GFLOP/s of f32, 30 GB/s from the last level, 15.6 from memory; tiles by `sinter tune-machine`.
  @Sendable private static func sapphireRapids(_ machine: inout Machine, level2: Int) {
    machine.level1(48 << 10, ways: 12)
    machine.level2 = level2
    // One sum of pairs in two cycles: 82 GFLOP/s of bf16 where f32 gives 165.
    machine.multiplyAddsPerPairDot = 4
    // Tiles that lie in the first-level cache: 3.7 Tops of bytes.
    machine.cyclesPerTileDot = 25
    machine.halfStreamAhead = 8 << 10
    (machine.level3BytesPerCycle, machine.memoryBytesPerCycle) = (10.8, 5.6)
    machine.tileRates = [
      TileRate(16, 1, 0.78), TileRate(14, 2, 0.93), TileRate(13, 2, 0.87), TileRate(9, 3, 0.99), TileRate(8, 3, 1),
      TileRate(6, 4, 0.93), TileRate(5, 5, 0.9), TileRate(4, 6, 0.91),
    ]
  }

  private mutating func level1(_ bytes: Int, ways: Int) { (level1, level1Ways) = (bytes, ways) }
}
