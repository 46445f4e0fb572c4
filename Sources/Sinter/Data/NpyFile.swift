import Foundation
import SinterCore

/// NumPy's files: `.npy` holds one array, `.npz` several by name in a zip archive.
public enum NpyFile {
  private static let types: [(String, ElementType)] = [
    ("<f4", .f32), ("<f8", .f64), ("<f2", .f16), ("<i8", .i64), ("<i4", .i32), ("<i2", .i16), ("|i1", .i8),
    ("<u8", .u64),
    ("<u4", .u32), ("<u2", .u16), ("|u1", .u8), ("|b1", .bool), ("<c8", .c64), ("<c16", .c128),
  ]

  /// Reads an array of row-major order.
  public static func read(_ path: String) throws -> HostTensor {
    let file = try MappedFile(path)
    return try tensor(file, 0..<file.count, path)
  }

  /// Writes an array; a file that was there is replaced only when all went well.
  public static func write(_ tensor: HostTensor, to path: String) throws {
    let text = tensor.element == .string ? NpyText.written(tensor.strings) : nil
    guard let type = text?.description ?? types.first(where: { $0.1 == tensor.element })?.0 else {
      throw DiagnosticError(.limit, "npy.type", "NumPy has no element type for \(tensor.element)", at: [path])
    }
    let sizes = tensor.shape.map { "\($0)," }.joined(separator: " ")
    var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }"
    while (header.utf8.count + 11) % 64 != 0 { header += " " }
    header += "\n"
    var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
    bytes += [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)] + Array(header.utf8)
    let file = try AtomicFile(path)
    try bytes.withUnsafeBytes { try file.append($0) }
    if let text {
      try text.bytes.withUnsafeBytes { try file.append($0) }
    } else {
      try tensor.bytes.withBytes { try file.append($0) }
    }
    try file.commit()
  }

  /// Reads all arrays of an archive whose entries are stored as they are, which is how `numpy.savez` writes them.
  public static func readArchive(_ path: String) throws -> [String: HostTensor] {
    let file = try MappedFile(path)
    var tensors: [String: HostTensor] = [:]
    for entry in try ZipDirectory.entries(of: file, path) {
      let name = entry.name.hasSuffix(".npy") ? String(entry.name.dropLast(4)) : entry.name
      tensors[name] = try tensor(file, entry.range, "\(path): \(entry.name)")
    }
    return tensors
  }

  private static func tensor(_ file: MappedFile, _ range: Swift.Range<Int>, _ path: String) throws -> HostTensor {
    func fail(_ text: String) -> DiagnosticError { DiagnosticError(.user, "npy.format", text, at: [path]) }
    let raw = UnsafeRawBufferPointer(rebasing: file.contents[range])
    guard raw.count >= 12, raw[0] == 0x93, String(decoding: raw[1..<6], as: UTF8.self) == "NUMPY" else {
      throw fail("this is no .npy file")
    }
    let isLong = raw[6] > 1
    let start = isLong ? 12 : 10
    let length = (0..<(isLong ? 4 : 2)).reduce(0) { $0 | Int(raw[8 + $1]) << (8 * $1) }
    guard start + length <= raw.count else { throw fail("the header is cut off") }
    let header = String(decoding: raw[start..<(start + length)], as: UTF8.self)
    func value(_ key: String) -> Substring? {
      guard let found = header.range(of: "'\(key)':") else { return nil }
      return header[found.upperBound...].drop { $0 == " " }
    }
    guard let type = value("descr")?.dropFirst().prefix(while: { $0 != "'" }),
      let sizes = value("shape")?.dropFirst().prefix(while: { $0 != ")" })
    else { throw fail("the header has no descr and shape") }
    let text = NpyText.layout(type)
    guard let element = text == nil ? types.first(where: { $0.0 == type })?.1 : .string else {
      let hint = type == "O" ? "save the array as text, with astype(str)" : "save the array in little-endian order"
      throw fail("element type \(type) is not supported; \(hint)")
    }
    if value("fortran_order")?.hasPrefix("True") == true {
      throw fail("the array is in column-major order; save numpy.ascontiguousarray of it")
    }
    let shape = sizes.split(separator: ",").compactMap { Int($0.filter { $0 != " " }) }
    var count = 1
    for size in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow, size >= 0, product < 1 << 48 else { throw fail("shape \(shape) is impossible") }
      count = product
    }
    let (bytes, overflow) = (text?.width ?? 0).multipliedReportingOverflow(by: count)
    guard !overflow, text?.width != 0 || count == 0 else { throw fail("shape \(shape) of \(type) is impossible") }
    let size = text == nil ? element.byteCount(count) : bytes
    guard raw.count - start - length >= size else {
      throw fail("\(element)\(shape) takes \(size) bytes, but the file has \(raw.count - start - length)")
    }
    if let text {
      let elements = UnsafeRawBufferPointer(rebasing: raw[(start + length)..<(start + length + size)])
      return HostTensor(
        strings: NpyText.texts(elements, count: count, width: text.width, isWide: text.isWide), shape: shape)
    }
    let from = range.lowerBound + start + length
    return HostTensor(element, shape, bytes: file.bytes(from..<(from + size)))
  }
}

/// The directory of a zip archive whose entries are stored.
enum ZipDirectory {
  static func entries(of file: MappedFile, _ path: String) throws -> [(name: String, range: Swift.Range<Int>)] {
    let raw = file.contents
    func fail(_ text: String) -> DiagnosticError { DiagnosticError(.user, "npz.format", text, at: [path]) }
    func number(_ at: Int, _ bytes: Int) throws -> Int {
      guard at >= 0, at + bytes <= raw.count else { throw fail("the archive is cut off") }
      return (0..<bytes).reduce(0) { $0 | Int(raw[at + $1]) << (8 * $1) }
    }
    guard raw.count >= 22,
      let end = stride(from: raw.count - 22, through: max(0, raw.count - 66_000), by: -1).first(where: {
        raw[$0] == 0x50 && raw[$0 + 1] == 0x4b && raw[$0 + 2] == 5 && raw[$0 + 3] == 6
      })
    else { throw fail("this is no zip archive") }
    var at = try number(end + 16, 4)
    var entries: [(String, Swift.Range<Int>)] = []
    for _ in 0..<(try number(end + 10, 2)) {
      guard try number(at, 4) == 0x0201_4b50 else { throw fail("the archive's directory is damaged") }
      let (method, size) = (try number(at + 10, 2), try number(at + 20, 4))
      let (nameLength, extra, comment) = (try number(at + 28, 2), try number(at + 30, 2), try number(at + 32, 2))
      let local = try number(at + 42, 4)
      guard at + 46 + nameLength <= raw.count else { throw fail("the archive is cut off") }
      let name = String(decoding: raw[(at + 46)..<(at + 46 + nameLength)], as: UTF8.self)
      guard method == 0 else {
        throw fail("\(name) is compressed; write the archive with numpy.savez instead of savez_compressed")
      }
      let start = local + 30 + (try number(local + 26, 2)) + (try number(local + 28, 2))
      guard start <= raw.count, size <= raw.count - start else { throw fail("\(name) is cut off") }
      entries.append((name, start..<(start + size)))
      at += 46 + nameLength + extra + comment
    }
    return entries
  }
}
