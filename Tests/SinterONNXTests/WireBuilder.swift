/// Bytes of the wire format as no decent writer makes them.
struct WireBuilder {
  var bytes: [UInt8] = []

  static func varint(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  static func integer(_ field: Int, _ value: UInt64) -> [UInt8] { varint(UInt64(field << 3)) + varint(value) }
  static func block(_ field: Int, _ body: [UInt8]) -> [UInt8] {
    varint(UInt64(field << 3 | 2)) + varint(UInt64(body.count)) + body
  }
  static func text(_ field: Int, _ text: String) -> [UInt8] { block(field, Array(text.utf8)) }

  /// A model that holds one initializer with these fields.
  static func model(tensor: [UInt8]) -> [UInt8] {
    integer(1, 9) + block(7, block(5, text(8, "w") + tensor)) + block(8, integer(2, 20))
  }
}
