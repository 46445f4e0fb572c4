/// A message of Protocol Buffers, written field by field.
struct WireMessage {
  private(set) var bytes: [UInt8] = []

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func key(_ field: Int, _ wireType: UInt64) { varint(UInt64(field) << 3 | wireType) }

  mutating func integer(_ field: Int, _ value: Int) {
    key(field, 0)
    varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func double(_ field: Int, _ value: Double) {
    key(field, 1)
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
  }

  mutating func float(_ field: Int, _ value: Float) {
    key(field, 5)
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
  }

  mutating func data(_ field: Int, _ value: [UInt8]) {
    key(field, 2)
    varint(UInt64(value.count))
    bytes += value
  }

  mutating func text(_ field: Int, _ value: String) { data(field, Array(value.utf8)) }

  mutating func doubles(_ field: Int, _ values: [Double]) {
    data(field, values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } })
  }

  mutating func message(_ field: Int, _ fill: (inout WireMessage) -> Void) {
    var message = WireMessage()
    fill(&message)
    data(field, message.bytes)
  }
}

/// The sum that records of TensorFlow are checked by (CRC-32C of Castagnoli), masked as they want it.
enum RecordChecksum {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0x82f6_3b78 : sum >> 1 }
  }

  static func masked(_ bytes: [UInt8]) -> UInt32 {
    let sum = ~bytes.reduce(UInt32.max) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
    return (sum >> 15 | sum << 17) &+ 0xa282_ead8
  }
}
