import SinterCore

/// Walks over the bytes of an ONNX file before protobuf-c sees them.
///
/// protobuf-c has no limit on nesting and copies every field. The scan therefore
/// - checks that each tag, length and integer is well formed and stays inside the message around it,
/// - checks that messages nest at most `depthLimit` deep and that a field which may occur once does,
/// - checks that identifying text is UTF-8 and free of NUL,
/// - drops fields that Sinter does not read, and
/// - takes the contents of tensors out: `structure` holds in their place where they lie in the file (`TensorProto.lifted`).
///
/// What is left can be given to protobuf-c whatever the file was.
struct WireScan {
  /// As deep as messages may nest: protobuf's own customary limit, 33 subgraphs inside each other.
  static let depthLimit = 100

  /// The number of `TensorProto.lifted`.
  static let liftedField = 100_000

  /// The rewritten file without the contents of tensors.
  private(set) var structure: [UInt8]

  private let input: UnsafeRawBufferPointer

  /// Scans a whole `ModelProto`. Throws `DiagnosticError`.
  init(_ input: UnsafeRawBufferPointer) throws {
    self.input = input
    structure = []
    do throws(WireError) {
      try scan(.model, 0..<input.count, depth: 1)
    } catch {
      throw error.diagnostic
    }
  }

  /// One message in `range`, appended to `structure` without tag and length.
  private mutating func scan(_ message: WireMessage, _ range: Range<Int>, depth: Int) throws(WireError) {
    guard depth <= Self.depthLimit else {
      throw WireError(
        id: "onnx.depth", at: range.lowerBound, "messages nest more than \(Self.depthLimit) deep",
        hint: "flatten the nested subgraphs")
    }
    var cursor = WireCursor(input, range)
    var counts = InlineArray<32, UInt32>(repeating: 0)
    while !cursor.isAtEnd {
      let start = cursor.position
      let (number, wireType) = try cursor.tag()
      guard number < WireMessage.fieldLimit, let field = message.field(number) else {
        try cursor.skip(wireType)
        continue
      }
      let occurrence = Int(counts[number])
      counts[number] &+= 1
      do throws(WireError) {
        if !field.isRepeated, occurrence > 0 {
          throw WireError(id: "onnx.duplicate-field", at: start, "the field occurs twice")
        }
        try scan(field, number, wireType, from: start, &cursor, depth: depth)
      } catch {
        throw error.inside(field, occurrence)
      }
    }
  }

  /// The value of one field, whose tag was read.
  private mutating func scan(
    _ field: WireField, _ number: Int, _ wireType: WireType, from start: Int, _ cursor: inout WireCursor, depth: Int
  ) throws(WireError) {
    func require(_ expected: WireType) throws(WireError) {
      if wireType != expected {
        throw WireError(at: start, "the field is stored as \(wireType), not as \(expected)")
      }
    }
    switch field.kind {
    case .varint:
      if field.isRepeated, wireType == .lengthPrefixed {
        let body = try cursor.lengthPrefixed()
        try checkVarints(body)
      } else {
        try require(.varint)
        _ = try cursor.varint()
      }
      copy(start..<cursor.position)
    case .fixed32:
      if field.isRepeated, wireType == .lengthPrefixed {
        let body = try cursor.lengthPrefixed()
        try check(body, isMultipleOf: 4)
      } else {
        try require(.fixed32)
        try cursor.skip(.fixed32)
      }
      copy(start..<cursor.position)
    case .bytes, .note:
      try require(.lengthPrefixed)
      _ = try cursor.lengthPrefixed()
      copy(start..<cursor.position)
    case .text:
      try require(.lengthPrefixed)
      let body = try cursor.lengthPrefixed()
      try checkText(body)
      copy(start..<cursor.position)
    case .message(let kind):
      try require(.lengthPrefixed)
      let body = try cursor.lengthPrefixed()
      // The length is written last, in five bytes however small it is.
      appendVarint(UInt64(number << 3 | Int(WireType.lengthPrefixed.rawValue)))
      let lengthPosition = structure.count
      structure.append(contentsOf: repeatElement(0, count: 5))
      try scan(kind, body, depth: depth + 1)
      var length = structure.count - lengthPosition - 5
      for offset in 0..<5 {
        structure[lengthPosition + offset] = UInt8(length & 0x7f) | (offset < 4 ? 0x80 : 0)
        length >>= 7
      }
    case .rawPayload:
      try require(.lengthPrefixed)
      lift(number, try cursor.lengthPrefixed())
    case .packedPayload(let element):
      if wireType == .lengthPrefixed {
        let body = try cursor.lengthPrefixed()
        switch element {
        case .varint: try checkVarints(body)
        case .fixed32: try check(body, isMultipleOf: 4)
        case .fixed64: try check(body, isMultipleOf: 8)
        case .lengthPrefixed: break
        }
        lift(number, body)
      } else {
        try require(element)
        try cursor.skip(element)
        copy(start..<cursor.position)
      }
    }
  }

  private func check(_ body: Range<Int>, isMultipleOf size: Int) throws(WireError) {
    guard body.count % size == 0 else {
      throw WireError(at: body.lowerBound, "\(body.count) bytes are no whole number of elements of \(size) bytes")
    }
  }

  private func checkVarints(_ body: Range<Int>) throws(WireError) {
    var cursor = WireCursor(input, body)
    while !cursor.isAtEnd { _ = try cursor.varint() }
  }

  private func checkText(_ body: Range<Int>) throws(WireError) {
    let bytes = UnsafeRawBufferPointer(rebasing: input[body])
    var isPlain = true
    for byte in bytes {
      if byte == 0 { throw WireError(at: body.lowerBound, "text holds a NUL character") }
      if byte >= 0x80 { isPlain = false }
    }
    if !isPlain, String(validating: bytes, as: UTF8.self) == nil {
      throw WireError(at: body.lowerBound, "text is not UTF-8")
    }
  }

  private mutating func copy(_ range: Range<Int>) {
    structure.append(contentsOf: input[range])
  }

  private mutating func appendVarint(_ value: UInt64) {
    structure.appendVarint(value)
  }

  /// Appends `TensorProto.lifted`, saying where the contents lie that were left out.
  private mutating func lift(_ number: Int, _ body: Range<Int>) {
    guard !body.isEmpty else { return }
    structure.appendVarint(UInt64(Self.liftedField << 3 | Int(WireType.lengthPrefixed.rawValue)))
    structure.append(contentsOf: [20, 1 << 3, UInt8(number)])
    for (field, value) in [(UInt8(2), body.lowerBound), (3, body.count)] {
      structure.append(field << 3 | WireType.fixed64.rawValue)
      withUnsafeBytes(of: UInt64(value).littleEndian) { structure.append(contentsOf: $0) }
    }
  }
}

extension [UInt8] {
  mutating func appendVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }
}

/// What is wrong with the bytes of a file, and where.
struct WireError: Error {
  var id = "onnx.malformed"
  var message: String
  var offset: Int
  var hint: String?
  /// The fields on the way to it, outermost first.
  var path: [String] = []

  init(id: String = "onnx.malformed", at offset: Int, _ message: String, hint: String? = nil) {
    self.id = id
    self.offset = offset
    self.message = message
    self.hint = hint
  }

  func inside(_ field: WireField, _ occurrence: Int) -> WireError {
    var copy = self
    copy.path.insert(field.isRepeated ? "\(field.name)[\(occurrence)]" : "\(field.name)", at: 0)
    return copy
  }

  var diagnostic: DiagnosticError {
    // The outermost and the innermost fields of a long way say enough.
    let shown = path.count <= 12 ? path : path.prefix(6) + ["…"] + path.suffix(5)
    var places = ["byte \(offset)"]
    if !shown.isEmpty { places.append("in " + shown.joined(separator: ".")) }
    return DiagnosticError(
      .user, id, "the file is damaged or no ONNX model: \(message)", at: places,
      hint: hint ?? "fetch or export the file again")
  }
}
