import Glibc
import SinterCore

/// The headers of a library's file, looked at before the loader is asked: that says of a library for another processor that there is no such
/// file, and takes one that was cut short for whole.
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

  /// Throws where the file is a library for another processor than this process runs on, or only the beginning of one: the loader would map
  /// what is missing, and touching that ends the process. What cannot be read is left to the loader.
  static func check(_ path: String) throws(DiagnosticError) {
    guard let file = fopen(path, "r") else { return }
    defer { fclose(file) }
    guard let machine = machine(of: file), let name = processors[machine] else { return }
    if own != 0, machine != own {
      throw DiagnosticError(
        .user, "library.machine",
        "\(path) is a library for \(name), which does not run in a process for \(processors[own] ?? "this processor")",
        hint: "run it on such a machine, or compile the model again without --target")
    }
    var status = stat()
    guard fstat(fileno(file), &status) == 0, status.st_mode & S_IFMT == S_IFREG, let end = endOfSegments(in: file),
      end > status.st_size
    else { return }
    throw DiagnosticError(
      .user, "library.size", "\(path) is cut short: it has \(status.st_size) bytes of at least \(end)",
      hint: "copy it again, or compile the model again")
  }

  /// Where the last part that the loader maps ends in the file, by the table of segments of an ELF file of 64 bits.
  private static func endOfSegments(in file: UnsafeMutablePointer<FILE>) -> Int? {
    var header = [UInt8](repeating: 0, count: 64)
    guard fseek(file, 0, SEEK_SET) == 0, fread(&header, 1, header.count, file) == header.count, header[4] == 2,
      header[5] == 1
    else {
      return nil
    }
    let (table, width, count) = (
      number(header, at: 32, bytes: 8), number(header, at: 54, bytes: 2), number(header, at: 56, bytes: 2)
    )
    guard width >= 56, table <= Int.max / 2 else { return nil }
    var end = table + width * count
    for index in 0..<count {
      var entry = [UInt8](repeating: 0, count: 56)
      // A table that ends early is one, too.
      guard fseek(file, table + index * width, SEEK_SET) == 0, fread(&entry, 1, entry.count, file) == entry.count else {
        return end
      }
      let (offset, size) = (number(entry, at: 8, bytes: 8), number(entry, at: 32, bytes: 8))
      let isMapped = number(entry, at: 0, bytes: 4) == 1
      if isMapped, offset <= Int.max / 2, size <= Int.max / 2 { end = max(end, offset + size) }
    }
    return end
  }

  /// A number of a little-endian file; `Int.max` where it is greater.
  private static func number(_ bytes: [UInt8], at offset: Int, bytes count: Int) -> Int {
    let value = (0..<count).reduce(UInt64(0)) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    return Int(clamping: value)
  }

  private static func machine(of file: UnsafeMutablePointer<FILE>) -> UInt16? {
    var header = [UInt8](repeating: 0, count: 20)
    guard fread(&header, 1, header.count, file) == header.count, header.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else {
      return nil
    }
    let isBigEndian = header[5] == 2
    return isBigEndian
      ? UInt16(header[18]) << 8 | UInt16(header[19]) : UInt16(header[18]) | UInt16(header[19]) << 8
  }
}
