import SinterCore

/// Puts the contents of tensors into a packed file where `TensorProto.lifted` stands for them: the way back of
/// `WireScan`.
///
/// The lengths of all messages around change. A first walk finds them, a second one writes.
struct WireSplice {
  private static let rawTag = UInt64(TensorField.raw << 3) | UInt64(WireType.lengthPrefixed.rawValue)

  private let packed: [UInt8]
  private let payloads: [TensorBytes]
  /// The new lengths of messages that may hold tensors, in the order in which a walk enters them.
  private var lengths: [Int] = []
  private var nextLength = 0
  private var pieces: [FilePiece] = []
  private var pending: [UInt8] = []

  /// `packed` is a `ModelProto` as protobuf-c packs it; `lifted.offset` counts in `payloads`.
  static func pieces(_ packed: [UInt8], _ payloads: [TensorBytes]) throws(WireError) -> [FilePiece] {
    var splice = WireSplice(packed: packed, payloads: payloads)
    _ = try splice.measure(.model, 0..<packed.count)
    try splice.write(.model, 0..<packed.count)
    splice.flush()
    return splice.pieces
  }

  private init(packed: [UInt8], payloads: [TensorBytes]) {
    self.packed = packed
    self.payloads = payloads
  }

  /// The length that the message in `range` will have.
  private mutating func measure(_ message: WireMessage, _ range: Range<Int>) throws(WireError) -> Int {
    let slot = lengths.count
    lengths.append(0)
    var total = 0
    for field in try fields(message, range) {
      switch field.content {
      case .copied: total += field.whole.count
      case .message(let kind, let body):
        let length = try measure(kind, body)
        total += Self.size(field.tag) + Self.size(UInt64(length)) + length
      case .payload(let payload):
        let length = payloads[payload].count
        total += Self.size(Self.rawTag) + Self.size(UInt64(length)) + length
      }
    }
    lengths[slot] = total
    return total
  }

  private mutating func write(_ message: WireMessage, _ range: Range<Int>) throws(WireError) {
    nextLength += 1
    for field in try fields(message, range) {
      switch field.content {
      case .copied: pending.append(contentsOf: packed[field.whole])
      case .message(let kind, let body):
        pending.appendVarint(field.tag)
        pending.appendVarint(UInt64(lengths[nextLength]))
        try write(kind, body)
      case .payload(let number):
        let payload = payloads[number]
        pending.appendVarint(Self.rawTag)
        pending.appendVarint(UInt64(payload.count))
        flush()
        pieces.append(.payload(payload))
      }
    }
  }

  private mutating func flush() {
    if !pending.isEmpty { pieces.append(.structure(pending)) }
    pending = []
  }

  private struct Field {
    enum Content {
      case copied
      case message(WireMessage, Range<Int>)
      case payload(Int)
    }
    var tag: UInt64
    var whole: Range<Int>
    var content: Content
  }

  private func fields(_ message: WireMessage, _ range: Range<Int>) throws(WireError) -> [Field] {
    let result = packed.withUnsafeBytes { bytes in
      Result { () throws(WireError) in try Self.fields(message, range, of: bytes) }
    }
    return try result.get()
  }

  private static func fields(
    _ message: WireMessage, _ range: Range<Int>, of bytes: UnsafeRawBufferPointer
  ) throws(WireError) -> [Field] {
    var cursor = WireCursor(bytes, range)
    var fields: [Field] = []
    while !cursor.isAtEnd {
      let start = cursor.position
      let (number, type) = try cursor.tag()
      let tag = UInt64(number << 3) | UInt64(type.rawValue)
      var content = Field.Content.copied
      if type == .lengthPrefixed {
        let body = try cursor.lengthPrefixed()
        if message == .tensor, number == WireScan.liftedField {
          content = .payload(try payloadNumber(body, of: bytes))
        } else if case .message(let kind)? = message.field(number)?.kind, kind.mayHoldTensors {
          content = .message(kind, body)
        }
      } else {
        try cursor.skip(type)
      }
      fields.append(Field(tag: tag, whole: start..<cursor.position, content: content))
    }
    return fields
  }

  private static func payloadNumber(_ body: Range<Int>, of bytes: UnsafeRawBufferPointer) throws(WireError) -> Int {
    var cursor = WireCursor(bytes, body)
    while !cursor.isAtEnd {
      let (number, type) = try cursor.tag()
      let position = cursor.position
      try cursor.skip(type)
      if number == 2, type == .fixed64 {
        return Int(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
      }
    }
    throw WireError(at: body.lowerBound, "a payload has no number")
  }

  private static func size(_ value: UInt64) -> Int {
    (64 - (value | 1).leadingZeroBitCount + 6) / 7
  }
}
