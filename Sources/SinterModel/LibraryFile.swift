import Glibc
import SinterCore

/// The header of a library's file, looked at before the loader is asked: that says of a library for another processor that there is no such file.
enum LibraryFile {
  /// Processors by their numbers in the headers of ELF files, those of 64 bits.
  private static let processors: [UInt16: String] = [
    62: "x86_64", 183: "aarch64", 243: "riscv64", 22: "s390x", 21: "ppc64",
  ]

  /// That of this process.
  private static let own: UInt16 = {
    #if arch(x86_64)
      62
    #elseif arch(arm64)
      183
    #else
      0
    #endif
  }()

  /// Throws where the file is a library for another processor than this process runs on. What cannot be read is left to the loader.
  static func check(_ path: String) throws(DiagnosticError) {
    guard let machine = machine(of: path), let name = processors[machine], own != 0, machine != own else { return }
    throw DiagnosticError(
      .user, "library.machine",
      "\(path) is a library for \(name), which does not run in a process for \(processors[own] ?? "this processor")",
      hint: "run it on such a machine, or compile the model again without --target")
  }

  private static func machine(of path: String) -> UInt16? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var header = [UInt8](repeating: 0, count: 20)
    guard fread(&header, 1, header.count, file) == header.count, header.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else {
      return nil
    }
    let isBigEndian = header[5] == 2
    return isBigEndian
      ? UInt16(header[18]) << 8 | UInt16(header[19]) : UInt16(header[18]) | UInt16(header[19]) << 8
  }
}
