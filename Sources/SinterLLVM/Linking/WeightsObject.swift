import Glibc
import SinterCore

/// A relocatable object for x86-64 whose one section holds a program's constants, written byte by byte, so that neither
/// memory nor time grow with anything but the bytes themselves.
///
/// The section is `.lrodata`, which linkers place beyond everything that code reaches with 32-bit distances: weights of
/// any size do not keep a library from linking. Its first byte is the hidden symbol `sinter_weights`.
struct WeightsObject {
  let weights: WeightLayout

  // The file: header, section headers, names, symbols, then the weights on a page of their own.
  private static let headerBytes = 64
  private static let sectionBytes = 64
  private static let symbolBytes = 24
  private static let sectionNames = "\0.lrodata\0.symtab\0.strtab\0.shstrtab\0.note.GNU-stack\0"
  private static let symbolNames = "\0\(ProgramEmitter.weightsSymbol)\0"
  private static let dataOffset = 4096
  private static let sectionCount = 6

  func write(to path: String) throws {
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
    let symbolNames = names + Self.sectionNames.utf8.count
    let symbols = (symbolNames + Self.symbolNames.utf8.count + 7) / 8 * 8

    var bytes = ElfBytes()
    bytes.append([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])  // 64 bits, little-endian, System V
    bytes.append(UInt16(1))  // relocatable
    bytes.append(UInt16(62))  // x86-64
    bytes.append(UInt32(1))
    bytes.append(UInt64(0))  // no entry
    bytes.append(UInt64(0))  // no segments
    bytes.append(UInt64(sections))
    bytes.append(UInt32(0))
    for value in [Self.headerBytes, 0, 0, Self.sectionBytes, Self.sectionCount, 4] { bytes.append(UInt16(value)) }

    let large: UInt64 = 0x1000_0000
    let allocated: UInt64 = 2
    bytes.appendSection(name: 0, type: 0, flags: 0, offset: 0, size: 0, alignment: 0)
    bytes.appendSection(
      name: 1, type: 1, flags: allocated | large, offset: Self.dataOffset, size: weights.byteCount,
      alignment: WeightLayout.alignment)
    bytes.appendSection(
      name: 10, type: 2, flags: 0, offset: symbols, size: 2 * Self.symbolBytes, link: 3, info: 1, alignment: 8,
      entrySize: Self.symbolBytes)
    bytes.appendSection(
      name: 18, type: 3, flags: 0, offset: symbolNames, size: Self.symbolNames.utf8.count, alignment: 1)
    bytes.appendSection(name: 26, type: 3, flags: 0, offset: names, size: Self.sectionNames.utf8.count, alignment: 1)
    bytes.appendSection(name: 36, type: 1, flags: 0, offset: Self.dataOffset, size: 0, alignment: 1)

    bytes.append(Array(Self.sectionNames.utf8))
    bytes.append(Array(Self.symbolNames.utf8))
    bytes.pad(to: symbols)
    bytes.append([UInt8](repeating: 0, count: Self.symbolBytes))
    bytes.append(UInt32(1))
    bytes.append([0x11, 2])  // global object, hidden
    bytes.append(UInt16(1))  // in .lrodata
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
