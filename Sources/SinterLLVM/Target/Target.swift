internal import CLLVM
import SinterCPU
import SinterCore

/// A processor to write code for: what LLVM must know of it, what schedules must, and what a library checks before it
/// runs.
public struct Target: Hashable, Sendable {
  /// As `--cpu` has it: `x86-64-v3`, `znver4`, or `host`.
  public var name: String
  public var triple: String
  /// The instruction set, as an LLVM processor name.
  var instructionSet: String
  /// Further LLVM features, without the plus.
  var extensions: [String]
  /// The processor whose latencies LLVM schedules for.
  var tuning: String
  /// The numbers that schedules work with.
  package var machine: Machine
  /// What the processor must have, in the spelling of /proc/cpuinfo.
  public var requiredFeatures: [String]

  init(name: String, level: Level, tuning: String, extensions: [Extension] = [], machine: Machine? = nil) {
    self.name = name
    self.triple = Self.linuxTriple
    self.tuning = tuning
    instructionSet = level.rawValue
    self.extensions = extensions.map(\.llvm)
    self.machine = machine ?? Machine.row(of: tuning, on: level.machine)
    requiredFeatures = level.features + extensions.map(\.cpuinfo)
    if byteDotLanes.contains(self.machine.lanes(.i32)) {
      self.machine.tileOperations = self.machine.tileOperations.map { $0 == .widenedByteDot ? .byteDot : $0 }
    }
    if pairDotLanes.contains(self.machine.lanes(.f32)) {
      self.machine.tileOperations = self.machine.tileOperations.map { $0 == .widenedPairDot ? .pairDot : $0 }
    }
  }

  static let linuxTriple = "x86_64-unknown-linux-gnu"

  /// LLVM's spelling of `extensions`: `+avx512vnni,+gfni`.
  var featureString: String { extensions.map { "+" + $0 }.joined(separator: ",") }

  /// What a library says it was built for: the system, the processor, and the row of the table of machines that schedules went by.
  public var description: String { "\(triple) \(processor), scheduled for \(machine.name)" }
  package var processor: String { name == "host" ? tuning : name }

  /// Half-precision conversion is an instruction.
  var hasHalfConversion: Bool { requiredFeatures.contains("f16c") }
  var hasMultiplyAdd: Bool { requiredFeatures.contains("fma") }
  /// a · 2^b is an instruction.
  var hasScaling: Bool { requiredFeatures.contains("avx512f") && requiredFeatures.contains("avx512vl") }

  /// Lanes of the vectors of 32-bit sums for which four products of bytes a lane are one instruction.
  var byteDotLanes: [Int] {
    if requiredFeatures.contains("avx512_vnni") { return [4, 8, 16] }
    return requiredFeatures.contains("avx_vnni") ? [4, 8] : []
  }

  /// Lanes of the vectors of f32 sums for which two products of bf16 a lane are one instruction.
  var pairDotLanes: [Int] { requiredFeatures.contains("avx512_bf16") ? [4, 8, 16] : [] }

  /// Whether vectors of 512 bits are narrowed within the bounds of 16-bit numbers and of bytes.
  var packsBytes: Bool { requiredFeatures.contains("avx512bw") && machine.lanes(.f32) == 16 }

  /// LLVM's name of the instruction that rounds `lanes` f32 to 32-bit integers, halves to even; nil where there is none.
  func roundingConversion(lanes: Int) -> String? {
    switch lanes {
    case 4: "llvm.x86.sse2.cvtps2dq"
    case 8 where requiredFeatures.contains("avx2"): "llvm.x86.avx.cvt.ps2dq.256"
    case 16 where requiredFeatures.contains("avx512f"): "llvm.x86.avx512.mask.cvtps2dq.512"
    default: nil
    }
  }

  /// LLVM's name of the instruction that multiplies 16-bit numbers and adds neighbours into `lanes` 32-bit sums; nil where there is none.
  func pairSums(lanes: Int) -> String? {
    switch lanes {
    case 4: "llvm.x86.sse2.pmadd.wd"
    case 8 where requiredFeatures.contains("avx2"): "llvm.x86.avx2.pmadd.wd"
    case 16 where requiredFeatures.contains("avx512bw"): "llvm.x86.avx512.pmaddw.d.512"
    default: nil
    }
  }

  /// The target that a name of `--cpu` stands for; nil where it is not known.
  public init?(named name: String) {
    if name == "host" || name == "native" {
      self = .host
    } else if let level = Level(rawValue: name) {
      self.init(name: name, level: level, tuning: level.rawValue)
    } else if let level = Level.ofProcessor[name] {
      self.init(name: name, level: level, tuning: name, extensions: Self.dots(ofProcessor: name))
    } else {
      return nil
    }
  }

  /// All names that `init(named:)` knows, for help and messages.
  public static var names: [String] {
    ["host"] + Level.allCases.map(\.rawValue) + Level.ofProcessor.keys.sorted()
  }

  /// The target that a name stands for, or an error that lists the names.
  public static func named(_ name: String) throws -> Target {
    guard let target = Target(named: name) else {
      throw DiagnosticError(
        .user, "target.unknown", "no processor is named \"\(name)\"",
        hint: "known are " + names.joined(separator: ", "))
    }
    return target
  }

  /// The targets of a list of names with commas between, the most demanding first, as a library's variants must be.
  public static func list(_ names: String) throws -> [Target] {
    var errors: [Diagnostic] = []
    var targets: [Target] = []
    for name in names.split(separator: ",", omittingEmptySubsequences: false) {
      do {
        let target = try named(String(name))
        if !targets.contains(target) { targets.append(target) }
      } catch let error as DiagnosticError { errors += error.diagnostics }
    }
    if !errors.isEmpty { throw DiagnosticError(errors) }
    return targets.sorted { $0.requiredFeatures.count > $1.requiredFeatures.count }
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
    return Set(String(cString: text).split(separator: ",").filter { $0.hasPrefix("+") }.map { String($0.dropFirst()) })
  }
}
