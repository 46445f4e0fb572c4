import Glibc
import SinterCore

/// A relocatable object whose one section holds a program's constants, written byte by byte, so that neither
/// memory nor time grow with anything but the bytes themselves.
///
/// For x86-64 the section is `.lrodata`, which linkers place beyond everything that code reaches with 32-bit distances: weights of
/// any size do not keep a library from linking. Elsewhere it is `.rodata`, and they may (`mostWeightBytes`). Its first byte is the hidden symbol `sinter_weights`.
///
/// Many weights begin at a multiple of a huge page in the library and so in its file: systems whose page cache holds such pages then map them whole, and
/// processors need not look for the address of each 4 KiB.
struct WeightsObject {
  let weights: WeightLayout
  var architecture = Architecture.host

  // The file: header, section headers, names, symbols, then the weights on a page of their own.
  private static let headerBytes = 64
  private static let sectionBytes = 64
  private static let symbolBytes = 24
  private var sectionNames: [String] {
    [architecture.weightSection.name, ".symtab", ".strtab", ".shstrtab", ".note.GNU-stack"]
  }
  private static let symbolNames = "\0\(ProgramEmitter.weightsSymbol)\0"
  private static let dataOffset = 4096
  private static let hugePage = 2 << 20
  /// What stays empty before a huge page is then a sixteenth at most.
  private static let leastHugePages = 16
  private static let sectionCount = 6

  private var alignment: Int {
    weights.byteCount >= Self.leastHugePages * Self.hugePage ? Self.hugePage : WeightLayout.alignment
  }

  func write(to path: String) throws {
    if let most = architecture.mostWeightBytes, weights.byteCount > most {
      throw DiagnosticError(
        .limit, "link.weights",
        "a library for \(architecture.name) holds \(most >> 20) MiB of weights at most, but the model has "
          + "\(weights.byteCount >> 20)",
        hint: "keep them in a file of their own with --weights-beside")
    }
    let file = try AtomicFile(path)
    var head = header()
    head += [UInt8](repeating: 0, count: Self.dataOffset - head.count)
    try head.withUnsafeBytes { try file.append($0) }
    try weights.write { try file.append($0) }
    try file.commit()
  }

  private func header() -> [UInt8] {
    let sections = Self.headerBytes
    let names = sections + Self.sectionCount * Self.sectionBytes
    var nameBytes: [UInt8] = [0]
    let places = sectionNames.map { name in
      defer { nameBytes += Array(name.utf8) + [0] }
      return nameBytes.count
    }
    let symbolNames = names + nameBytes.count
    let symbols = (symbolNames + Self.symbolNames.utf8.count + 7) / 8 * 8

    var bytes = ElfBytes()
    bytes.append([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])  // 64 bits, little-endian, System V
    bytes.append(UInt16(1))  // relocatable
    bytes.append(architecture.elfMachine)
    bytes.append(UInt32(1))
    bytes.append(UInt64(0))  // no entry
    bytes.append(UInt64(0))  // no segments
    bytes.append(UInt64(sections))
    bytes.append(architecture.elfFlags)
    for value in [Self.headerBytes, 0, 0, Self.sectionBytes, Self.sectionCount, 4] { bytes.append(UInt16(value)) }

    let allocated: UInt64 = 2
    bytes.appendSection(name: 0, type: 0, flags: 0, offset: 0, size: 0, alignment: 0)
    bytes.appendSection(
      name: places[0], type: 1, flags: allocated | architecture.weightSection.flags, offset: Self.dataOffset,
      size: weights.byteCount,
      alignment: alignment)
    bytes.appendSection(
      name: places[1], type: 2, flags: 0, offset: symbols, size: 2 * Self.symbolBytes, link: 3, info: 1, alignment: 8,
      entrySize: Self.symbolBytes)
    bytes.appendSection(
      name: places[2], type: 3, flags: 0, offset: symbolNames, size: Self.symbolNames.utf8.count, alignment: 1)
    bytes.appendSection(name: places[3], type: 3, flags: 0, offset: names, size: nameBytes.count, alignment: 1)
    bytes.appendSection(name: places[4], type: 1, flags: 0, offset: Self.dataOffset, size: 0, alignment: 1)

    bytes.append(nameBytes)
    bytes.append(Array(Self.symbolNames.utf8))
    bytes.pad(to: symbols)
    bytes.append([UInt8](repeating: 0, count: Self.symbolBytes))
    bytes.append(UInt32(1))
    bytes.append([0x11, 2])  // global object, hidden
    bytes.append(UInt16(1))  // in the section of weights
    bytes.append(UInt64(0))
    bytes.append(UInt64(weights.byteCount))
    return bytes.bytes
  }
}

/// Little-endian fields one after another.
private struct ElfBytes {
  var bytes: [UInt8] = []

  mutating func append<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
  mutating func append(_ more: [UInt8]) { bytes += more }
  mutating func pad(to count: Int) { bytes += [UInt8](repeating: 0, count: max(0, count - bytes.count)) }

  mutating func appendSection(
    name: Int, type: Int, flags: UInt64, offset: Int, size: Int, link: Int = 0, info: Int = 0, alignment: Int,
    entrySize: Int = 0
  ) {
    append(UInt32(name))
    append(UInt32(type))
    append(flags)
    append(UInt64(0))
    append(UInt64(offset))
    append(UInt64(size))
    append(UInt32(link))
    append(UInt32(info))
    append(UInt64(alignment))
    append(UInt64(entrySize))
  }
}
