import Foundation
import SinterCore

/// The safetensors format: eight bytes with the length of a JSON header, the header (name to type, shape and range), then the bytes.
extension ParameterStore {
  private static let types: [String: ElementType] = [
    "F64": .f64, "F32": .f32, "F16": .f16, "BF16": .bf16, "I64": .i64, "I32": .i32, "I16": .i16, "I8": .i8, "U8": .u8,
    "U16": .u16, "U32": .u32, "U64": .u64, "BOOL": .bool, "C64": .c64, "F8_E4M3": .f8e4m3fn, "F8_E5M2": .f8e5m2,
    "F8_E8M0": .f8e8m0,
  ]

  /// Whether a file can hold tensors of a type.
  package static func canSave(_ element: ElementType) -> Bool { types.values.contains(element) }

  private struct Entry: Codable {
    var dtype: String
    var shape: [Int]
    var data_offsets: [Int]
  }

  /// Reads a file of safetensors, or one that `torch.save` wrote; which one, the file tells. Its contents stay mapped. Throws what is wrong with it,
  /// tensor by tensor.
  public init(reading path: String) throws {
    self.init()
    let file = try MappedFile(path)
    if TorchFile.isOne(file) {
      self = try TorchFile(file).parameters()
      return
    }
    let (length, header) = try Self.header(file, path)
    var problems: [Diagnostic] = []
    let start = 8 + length
    let ordered = header.sorted {
      ($0.value.data_offsets.first ?? 0, $0.key) < ($1.value.data_offsets.first ?? 0, $1.key)
    }
    for (name, entry) in ordered {
      func wrong(_ text: String) {
        problems.append(Diagnostic(.user, "safetensors.tensor", "tensor \(name): \(text)", at: [path]))
      }
      guard let element = Self.types[entry.dtype] else {
        wrong("element type \(entry.dtype) is unknown")
        continue
      }
      var count = 1
      var overflows = entry.shape.contains { $0 < 0 }
      for size in entry.shape {
        let (product, overflow) = count.multipliedReportingOverflow(by: size)
        overflows = overflows || overflow || product > 1 << 48
        count = overflow ? 0 : product
      }
      guard !overflows else {
        wrong("shape \(entry.shape) is impossible")
        continue
      }
      guard entry.data_offsets.count == 2, entry.data_offsets[0] >= 0, entry.data_offsets[0] <= entry.data_offsets[1],
        entry.data_offsets[1] <= file.count - start
      else {
        wrong("the range \(entry.data_offsets) does not lie in the \(file.count - start) bytes of data")
        continue
      }
      let size = entry.data_offsets[1] - entry.data_offsets[0]
      guard size == element.byteCount(count) else {
        wrong("\(element)\(entry.shape) takes \(element.byteCount(count)) bytes, but the range has \(size)")
        continue
      }
      self[name] = HostTensor(
        element, entry.shape, bytes: file.bytes((start + entry.data_offsets[0])..<(start + entry.data_offsets[1])))
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
  }

  private static func header(_ file: MappedFile, _ path: String) throws -> (Int, [String: Entry]) {
    let raw = file.contents
    do {
      func fail(_ text: String) -> DiagnosticError {
        DiagnosticError(.user, "safetensors.header", text, at: [path], hint: "is it a safetensors file?")
      }
      guard raw.count >= 8 else { throw fail("the file has only \(raw.count) bytes") }
      let length = UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self))
      guard length <= UInt64(raw.count - 8), length < 100 << 20 else {
        throw fail("the header is said to have \(length) bytes, but the file has \(raw.count)")
      }
      let data = Data(raw[8..<(8 + Int(length))])
      guard let object = try? JSONSerialization.jsonObject(with: data), var entries = object as? [String: Any] else {
        throw fail("the header is no JSON object")
      }
      entries["__metadata__"] = nil
      do {
        let json = try JSONSerialization.data(withJSONObject: entries)
        return (Int(length), try JSONDecoder().decode([String: Entry].self, from: json))
      } catch {
        throw fail("the header does not give each tensor a dtype, a shape and data_offsets")
      }
    }
  }

  /// Writes all parameters. A file that was there is replaced only when all went well.
  public func save(_ path: String) throws {
    var header: [String: Entry] = [:]
    var at = 0
    for name in names {
      guard let tensor = self[name], let type = Self.types.first(where: { $0.value == tensor.element })?.key else {
        throw DiagnosticError(
          .limit, "safetensors.type", "parameter \(name) has a type that safetensors does not know", at: [path])
      }
      try tensor.demandSound("\(path): the parameter \(name)")
      header[name] = Entry(dtype: type, shape: tensor.shape, data_offsets: [at, at + tensor.bytes.count])
      at += tensor.bytes.count
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    var json = try encoder.encode(header)
    while json.count % 8 != 0 { json.append(UInt8(ascii: " ")) }
    let file = try AtomicFile(path)
    try withUnsafeBytes(of: UInt64(json.count).littleEndian) { try file.append($0) }
    try json.withUnsafeBytes { try file.append($0) }
    for name in names { try self[name]?.bytes.withBytes { try file.append($0) } }
    try file.commit()
  }
}
