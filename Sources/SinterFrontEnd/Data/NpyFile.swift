import Foundation
import SinterCore

/// NumPy's files: `.npy` holds one array, `.npz` several by name in a zip archive.
public enum NpyFile {
  private static let types: [(String, ElementType)] = [
    ("<f4", .f32), ("<f8", .f64), ("<f2", .f16), ("<i8", .i64), ("<i4", .i32), ("<i2", .i16), ("|i1", .i8),
    ("<u8", .u64),
    ("<u4", .u32), ("<u2", .u16), ("|u1", .u8), ("|b1", .bool), ("<c8", .c64), ("<c16", .c128),
  ]

  /// Reads an array. One in row-major order and the machine's order of bytes stays mapped; others are copied into it.
  public static func read(_ path: String) throws -> HostTensor {
    let file = try MappedFile(path)
    return try tensor(file.bytes(0..<file.count), path)
  }

  /// An array that lies in a file as it is, and the place of its first element.
  static func place(_ path: String) throws -> (tensor: HostTensor, start: Int) {
    let file = try MappedFile(path)
    let found = try tensor(file.bytes(0..<file.count), path)
    guard found.bytes.count > 0, let base = file.contents.baseAddress else { return (found, 0) }
    let start = found.bytes.withBytes { $0.baseAddress.map { $0 - base } ?? 0 }
    guard file.contents.indices.contains(start), found.element != .string else {
      throw DiagnosticError(
        .user, "npy.format", "the array does not lie in the file as it is used", at: [path],
        hint: "save numpy.ascontiguousarray of it, in little-endian order")
    }
    return (found, start)
  }

  /// Writes an array; a file that was there is replaced only when all went well.
  public static func write(_ tensor: HostTensor, to path: String) throws {
    try tensor.demandSound("\(path): the array to be written")
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

  /// Reads all arrays of an archive, as `numpy.savez` and `numpy.savez_compressed` write them.
  public static func readArchive(_ path: String) throws -> [String: HostTensor] {
    let archive = try ZipArchive(try MappedFile(path))
    var tensors: [String: HostTensor] = [:]
    for entry in archive.entries {
      let name = entry.name.hasSuffix(".npy") ? String(entry.name.dropLast(4)) : entry.name
      tensors[name] = try tensor(try archive.contents(entry, checksStored: true), "\(path): \(entry.name)")
    }
    return tensors
  }

  private static func tensor(_ file: TensorBytes, _ path: String) throws -> HostTensor {
    try file.withBytes { try tensor($0, of: file, path) }
  }

  private static func tensor(_ raw: UnsafeRawBufferPointer, of file: TensorBytes, _ path: String) throws -> HostTensor {
    func fail(_ text: String) -> DiagnosticError { DiagnosticError(.user, "npy.format", text, at: [path]) }
    guard raw.count >= 12, raw[0] == 0x93, String(decoding: raw[1..<6], as: UTF8.self) == "NUMPY" else {
      throw DiagnosticError(
        .user, "npy.format", "this is no .npy file", at: [path], hint: "write one with numpy.save")
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
      let tuple = value("shape"), tuple.first == "(", let end = tuple.firstIndex(of: ")")
    else { throw fail("the header has no descr and shape") }
    let sizes = tuple[..<end].dropFirst()
    let text = NpyText.layout(type)
    let isSwapped = type.hasPrefix(">")
    let little = isSwapped ? "<" + type.dropFirst() : String(type)
    guard let element = text == nil ? types.first(where: { $0.0 == little })?.1 : .string else {
      let hint =
        type == "O"
        ? "save the array as text, with astype(str)" : "save it with astype of a number, or as little-endian text"
      throw fail("element type \(type) is not supported; \(hint)")
    }
    let isColumnMajor = value("fortran_order")?.hasPrefix("True") == true
    let parts = sizes.split(separator: ",").map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
    let shape = parts.compactMap { Int($0) }
    guard shape.count == parts.count else { throw fail("shape (\(sizes)) is not one of integers") }
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
      let texts = NpyText.texts(elements, count: count, width: text.width, isWide: text.isWide)
      let order = isColumnMajor ? columnMajorPlaces(shape) : nil
      return HostTensor(strings: order.map { $0.map { texts[$0] } } ?? texts, shape: shape)
    }
    guard size > 0, let base = raw.baseAddress else {
      return HostTensor(element, shape, bytes: TensorBytes(count: 0) { _ in })
    }
    let elements = base + start + length
    guard isSwapped || isColumnMajor else {
      return HostTensor(element, shape, bytes: TensorBytes(at: elements, count: size, owner: file))
    }
    let width = size / count
    // Of a complex number both parts have an order of their own.
    let part = element == .c64 || element == .c128 ? width / 2 : width
    let order = isColumnMajor ? columnMajorPlaces(shape) : nil
    return HostTensor(
      element, shape,
      bytes: TensorBytes(count: size) { target in
        for place in 0..<count {
          let from = elements + (order?[place] ?? place) * width
          for byte in 0..<width {
            let source = isSwapped ? byte / part * part + (part - 1 - byte % part) : byte
            target[place * width + byte] = from.load(fromByteOffset: source, as: UInt8.self)
          }
        }
      })
  }

  /// Where each element, in row-major order, stands in a column-major array.
  private static func columnMajorPlaces(_ shape: [Int]) -> [Int] {
    var places = [0]
    var stride = 1
    var strides: [Int] = []
    for size in shape {
      strides.append(stride)
      stride *= size
    }
    for (size, stride) in zip(shape, strides) {
      places = places.flatMap { place in (0..<size).map { place + $0 * stride } }
    }
    return places
  }
}
