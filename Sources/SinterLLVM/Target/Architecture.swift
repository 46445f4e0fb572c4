import SinterCore

/// A family of instruction sets that libraries are written for, on Linux with the GNU C library, and what linking for it takes.
///
/// Kernels and tables count in 64 bits and are little-endian; all of these are.
public enum Architecture: String, Hashable, Sendable, CaseIterable {
  case x86_64
  case aarch64
  case riscv64

  /// That of this process.
  package static let host = Architecture.x86_64

  /// As `--target` and the tools of a cross compiler have it.
  public var name: String { "\(rawValue)-linux-gnu" }

  /// As LLVM and a library's table have it.
  var triple: String { "\(rawValue)-unknown-linux-gnu" }

  // MARK: Code

  /// What the base of the architecture has and LLVM does not take for granted.
  var baseFeatures: [String] { self == .riscv64 ? ["m", "a", "f", "d", "c"] : [] }

  /// LLVM's name of the convention by which functions are called; empty: the only one.
  var callingConvention: String { self == .riscv64 ? "lp64d" : "" }

  // MARK: Objects

  /// The architecture's number in the header of an ELF file.
  var elfMachine: UInt16 {
    switch self {
    case .x86_64: 62
    case .aarch64: 183
    case .riscv64: 243
    }
  }

  /// What the header says besides: of RISC-V that instructions may be of 16 bits and that floats are passed in registers of 64.
  var elfFlags: UInt32 { self == .riscv64 ? 5 : 0 }

  /// The section of weights, and its flags beyond being loaded: of x86-64 the one that linkers place beyond all code.
  var weightSection: (name: String, flags: UInt64) {
    self == .x86_64 ? (".lrodata", 0x1000_0000) : (".rodata", 0)
  }

  /// Bytes that a library may have between code and its tables; nil where weights do not lie between them. A sixteenth is left for all else.
  var mostWeightBytes: Int? {
    switch self {
    case .x86_64: nil
    case .aarch64: (1 << 32) / 16 * 15
    case .riscv64: (1 << 31) / 16 * 15
    }
  }

  // MARK: Tools

  /// The dynamic loader, which is the part of the C library that finds variables of threads.
  var loader: String {
    switch self {
    case .x86_64: "ld-linux-x86-64.so.2"
    case .aarch64: "ld-linux-aarch64.so.1"
    case .riscv64: "ld-linux-riscv64-lp64d.so.1"
    }
  }

  /// What a C compiler has to be told beside the runtime's own flags: atomics are instructions, not calls of a library that nobody links.
  var compilerFlags: [String] { self == .aarch64 ? ["-mno-outline-atomics"] : [] }

  /// A tool of binutils or a compiler, as Debian and its kin name it: `ld`, and `aarch64-linux-gnu-ld` elsewhere.
  func tool(_ name: String) -> String {
    if self == .host { return name }
    return "\(self.name)-\(name == "cc" ? "gcc" : name)"
  }

  /// What to install for a tool that is missing.
  var toolHint: String {
    self == .host ? "binutils" : "gcc-\(rawValue.replacing("_", with: "-"))-linux-gnu"
  }

  // MARK: Names

  /// The architecture of a triple such as `aarch64-linux-gnu` or `riscv64-unknown-linux-gnu`, or an error that says what is not supported
  /// about it.
  public static func named(_ triple: String) throws(DiagnosticError) -> Architecture {
    let parts = triple.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
    let known = "known are " + allCases.map(\.name).joined(separator: ", ")
    let processor = parts[0]
    if Self.bigEndian.contains(processor) {
      throw DiagnosticError(
        .limit, "target.endian", "the target \(triple) is big-endian: libraries are for little-endian processors",
        hint: known)
    }
    if Self.narrow.contains(processor) {
      throw DiagnosticError(
        .limit, "target.bits", "the target \(triple) has 32 bits or fewer: libraries are for processors of 64",
        hint: known)
    }
    guard let found = Self.spellings[processor] ?? Architecture(rawValue: processor) else {
      throw DiagnosticError(.user, "target.unknown", "no target is named \"\(triple)\"", hint: known)
    }
    guard parts.count == 3 || parts.count == 4, Array(parts.suffix(2)) == ["linux", "gnu"] else {
      throw DiagnosticError(
        .limit, "target.system",
        "the target \"\(triple)\" is not Linux with the GNU C library, which libraries are for",
        hint: known)
    }
    return found
  }

  private static let spellings: [String: Architecture] = ["amd64": .x86_64, "x86-64": .x86_64, "arm64": .aarch64]

  // Processors that triples name and libraries cannot be for.

  private static let bigEndian: Set<String> = [
    "aarch64_be", "armeb", "thumbeb", "mips", "mips64", "powerpc", "ppc", "powerpc64", "ppc64", "s390", "s390x",
    "sparc",
    "sparc64", "sparcv9", "m68k", "hppa", "or1k",
  ]
  private static let narrow: Set<String> = [
    "i386", "i486", "i586", "i686", "x86", "arm", "armhf", "armv6", "armv6l", "armv7", "armv7a", "armv7l", "armv8l",
    "thumb", "thumbv7", "thumbv7em", "riscv32", "mipsel", "powerpcle", "ppcle", "wasm32", "xtensa", "avr", "arc",
  ]
}
