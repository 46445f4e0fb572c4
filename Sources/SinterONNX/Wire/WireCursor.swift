/// Reads tags, integers and lengths in one range of a file, never beyond it.
struct WireCursor {
  private let input: UnsafeRawBufferPointer
  private let end: Int
  private(set) var position: Int

  /// `range` must lie inside `input`.
  init(_ input: UnsafeRawBufferPointer, _ range: Range<Int>) {
    self.input = input
    position = range.lowerBound
    end = range.upperBound
  }

  var isAtEnd: Bool { position == end }

  /// At most ten bytes, seven bits each, low bits first. Bits above the 64th are dropped, as protobuf does.
  mutating func varint() throws(WireError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    let start = position
    while shift < 70 {
      guard position < end else { throw WireError(id: "onnx.truncated", at: start, "the data ends inside an integer") }
      let byte = input[position]
      position += 1
      if shift < 64 { value |= UInt64(byte & 0x7f) &<< shift }
      if byte < 0x80 { return value }
      shift += 7
    }
    throw WireError(at: start, "an integer has more than ten bytes")
  }

  mutating func tag() throws(WireError) -> (number: Int, type: WireType) {
    let start = position
    let value = try varint()
    guard value >> 3 > 0, value <= UInt64(UInt32.max) else {
      throw WireError(at: start, "\(value) is no field tag")
    }
    guard let type = WireType(rawValue: UInt8(value & 7)) else {
      throw WireError(at: start, "field \(value >> 3) is stored in a way (\(value & 7)) that ONNX files never use")
    }
    return (Int(value >> 3), type)
  }

  /// Steps over a length and as many bytes, and returns where they lie.
  mutating func lengthPrefixed() throws(WireError) -> Range<Int> {
    let start = position
    let length = try varint()
    guard length <= UInt64(end - position) else {
      throw WireError(
        id: "onnx.truncated", at: start, "a length says \(length) bytes, but only \(end - position) are left")
    }
    let body = position..<(position + Int(length))
    position = body.upperBound
    return body
  }

  mutating func skip(_ type: WireType) throws(WireError) {
    switch type {
    case .varint: _ = try varint()
    case .fixed64: try skip(bytes: 8)
    case .fixed32: try skip(bytes: 4)
    case .lengthPrefixed: _ = try lengthPrefixed()
    }
  }

  private mutating func skip(bytes: Int) throws(WireError) {
    guard end - position >= bytes else {
      throw WireError(
        id: "onnx.truncated", at: position, "the data ends inside a number of \(bytes) bytes")
    }
    position += bytes
  }
}
