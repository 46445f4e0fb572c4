internal import CLLVM
import SinterCPU
import SinterCore

/// A processor to write code for: what LLVM must know of it, what schedules must, and what a library checks before it
/// runs.
public struct Target: Hashable, Sendable {
  /// As `--cpu` has it: `x86-64-v3`, `znver4`, or `host`.
  public var name: String
  /// The instruction set's family, which decides the registers and the C library's name.
  public let architecture: Architecture
  /// The instruction set, as an LLVM processor name.
  var instructionSet: String
  /// Further LLVM features, without the plus.
  var extensions: [String]
  /// The processor whose latencies LLVM schedules for.
  var tuning: String
  /// The numbers that schedules work with.
  package var machine: Machine
  /// What the processor must have beyond the base of its architecture, in the spelling of /proc/cpuinfo.
  public var requiredFeatures: [String]

  init(name: String, level: Level, tuning: String, extensions: [Extension] = [], machine: Machine? = nil) {
    self.name = name
    architecture = .x86_64
    self.tuning = tuning
    instructionSet = level.rawValue
    self.extensions = extensions.map(\.llvm)
    self.machine = machine ?? Machine.row(of: tuning, on: level.machine)
    requiredFeatures = level.features + extensions.map(\.cpuinfo)
    if byteDotLanes.contains(self.machine.lanes(.i32)) {
      self.machine.tileOperations = self.machine.tileOperations.map { $0 == .shortPairDot ? .byteDot : $0 }
    }
    if pairDotLanes.contains(self.machine.lanes(.f32)) {
      self.machine.tileOperations = self.machine.tileOperations.map { $0 == .widenedPairDot ? .pairDot : $0 }
    }
    self.machine.tileOperations += [.byteTileDot, .pairTileDot].filter { tileDot($0.left, $0.right) != nil }
  }

  init(_ processor: Processor, of architecture: Architecture) {
    name = processor.name
    self.architecture = architecture
    instructionSet = processor.instructionSet
    tuning = processor.tuning
    extensions = processor.features.map(\.llvm)
    requiredFeatures = processor.features.map(\.cpuinfo)
    machine = processor.machine
  }

  /// What LLVM calls the architecture, system and ABI, as in `x86_64-unknown-linux-gnu`.
  public var triple: String { architecture.triple }

  /// What LLVM is told to make use of: `+avx512vnni,+gfni`.
  var featureString: String { (architecture.baseFeatures + extensions).map { "+" + $0 }.joined(separator: ",") }

  /// What a library says it was built for: the system, the processor, and the row of the table of machines that schedules went by.
  public var description: String { "\(triple) \(processor), scheduled for \(machine.name)" }
  package var processor: String { name == "host" ? tuning : name }

  /// Half-precision conversion is an instruction.
  var hasHalfConversion: Bool { architecture == .aarch64 || requiredFeatures.contains("f16c") }
  var hasMultiplyAdd: Bool { architecture != .x86_64 || requiredFeatures.contains("fma") }
  /// a · 2^b is an instruction.
  var hasScaling: Bool { requiredFeatures.contains("avx512f") && requiredFeatures.contains("avx512vl") }

  /// Lanes of the vectors of 32-bit sums for which four products of unsigned bytes and signed ones a lane are one instruction.
  var byteDotLanes: [Int] {
    if requiredFeatures.contains("i8mm") { return [2, 4] }
    if requiredFeatures.contains("avx512_vnni") { return [4, 8, 16] }
    return requiredFeatures.contains("avx_vnni") ? [4, 8] : []
  }

  /// The same for two sides of signed bytes.
  var signedByteDotLanes: [Int] { requiredFeatures.contains("asimddp") ? [2, 4] : [] }

  /// Lanes of the vectors of f32 sums for which two products of bf16 a lane are one instruction.
  var pairDotLanes: [Int] { requiredFeatures.contains("avx512_bf16") ? [4, 8, 16] : [] }

  /// LLVM's name of the instruction that sums products of two types in tiles; nil where there is none.
  func tileDot(_ left: ElementType, _ right: ElementType) -> String? {
    switch (left, right) {
    case (.bf16, .bf16) where requiredFeatures.contains("amx_bf16"): "llvm.x86.tdpbf16ps"
    case (.u8, .i8) where requiredFeatures.contains("amx_int8"): "llvm.x86.tdpbusd"
    case (.i8, .i8) where requiredFeatures.contains("amx_int8"): "llvm.x86.tdpbssd"
    default: nil
    }
  }

  /// Whether vectors of 512 bits are narrowed within the bounds of 16-bit numbers and of bytes.
  var packsBytes: Bool { requiredFeatures.contains("avx512bw") && machine.lanes(.f32) == 16 }

  /// An instruction that picks bytes of registers by bytes.
  enum BytePermutation {
    /// Of two registers of 64 bytes; of four of 16; of one of 16, repeated to `width` bytes.
    case pairs, fours
    case ones(width: Int, instruction: String)
  }

  /// How `lanes` bytes are looked up in a table of 256; nil where loading each of them is as fast.
  func bytePermutation(lanes: Int) -> BytePermutation? {
    func has(_ feature: String) -> Bool { requiredFeatures.contains(feature) }
    if architecture == .aarch64 { return .fours }
    if has("avx512vbmi") { return .pairs }
    // Sixteen parts of the table take 64 instructions.
    switch lanes {
    case 64... where has("avx512bw"): return .ones(width: 64, instruction: "llvm.x86.avx512.pshuf.b.512")
    case 32... where has("avx2"): return .ones(width: 32, instruction: "llvm.x86.avx2.pshuf.b")
    case 16... where has("ssse3") && !has("avx2"): return .ones(width: 16, instruction: "llvm.x86.ssse3.pshuf.b.128")
    default: return nil
    }
  }

  /// LLVM's name of the instruction that rounds `lanes` f32 to 32-bit integers, halves to even; nil where there is none.
  func roundingConversion(lanes: Int) -> String? {
    switch lanes {
    case _ where architecture != .x86_64: nil
    case 4: "llvm.x86.sse2.cvtps2dq"
    case 8 where requiredFeatures.contains("avx2"): "llvm.x86.avx.cvt.ps2dq.256"
    case 16 where requiredFeatures.contains("avx512f"): "llvm.x86.avx512.mask.cvtps2dq.512"
    default: nil
    }
  }

  /// LLVM's name of the instruction that multiplies 16-bit numbers and adds neighbours into `lanes` 32-bit sums; nil where there is none.
  func pairSums(lanes: Int) -> String? {
    switch lanes {
    case _ where architecture != .x86_64: nil
    case 4: "llvm.x86.sse2.pmadd.wd"
    case 8 where requiredFeatures.contains("avx2"): "llvm.x86.avx2.pmadd.wd"
    case 16 where requiredFeatures.contains("avx512bw"): "llvm.x86.avx512.pmaddw.d.512"
    default: nil
    }
  }

  /// The processor that this process runs on.
  public static var host: Target {
    let features = hostFeatures()
    let level = Level.allCases.last { $0.llvmFeatures.isSubset(of: features) } ?? .v1
    let extensions = Extension.all.filter { features.contains($0.llvm) && $0.least <= level }
    let tuning = hostName()
    var machine = Machine.row(of: tuning, on: level.machine)
    for (cache, bytes) in hostCaches() {
      switch cache {
      case 1: machine.level1 = bytes
      case 2: machine.level2 = bytes
      default: machine.level3 = bytes
      }
    }
    return Target(name: "host", level: level, tuning: tuning, extensions: extensions, machine: machine)
  }

  private static func hostName() -> String {
    guard let name = LLVMGetHostCPUName() else { return Level.v1.rawValue }
    defer { LLVMDisposeMessage(name) }
    return String(cString: name)
  }

  private static func hostFeatures() -> Set<String> {
    guard let text = LLVMGetHostCPUFeatures() else { return [] }
    defer { LLVMDisposeMessage(text) }
    let names = String(cString: text).split(separator: ",").filter { $0.hasPrefix("+") }.map { String($0.dropFirst()) }
    // A process may use tiles once the system has let it.
    let hasTiles = names.contains("amx-tile") && sinter_permit_tiles() == 0
    return Set(names.filter { hasTiles || !$0.hasPrefix("amx-") })
  }
}
