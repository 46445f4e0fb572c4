internal import SinterCore

/// The protocol's BYTES as bytes: each element a length of 32 bits, little-endian, and that many bytes, one behind the other.
enum BytesCodec {
  /// - Parameter place: what is read, as in `input 'words' of model 'tagger'`.
  static func decode(
    _ bytes: UnsafeRawBufferPointer, count: Int, _ place: @autoclosure () -> String
  ) throws(Refusal) -> [String] {
    // Each takes four bytes at least.
    guard count <= bytes.count / 4 else {
      throw .badRequest("\(place()): its shape has \(count) elements, but its \(bytes.count) bytes hold fewer")
    }
    var texts: [String] = []
    texts.reserveCapacity(count)
    var at = 0
    for index in 0..<count {
      guard bytes.count - at >= 4 else {
        throw .badRequest("\(place()): expected \(count) elements, given \(index) in \(bytes.count) bytes")
      }
      let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
      at += 4
      guard bytes.count - at >= length else {
        throw .badRequest(
          "\(place()): element \(index) has a length of \(length), but only \(bytes.count - at) bytes are left")
      }
      texts.append(try text(bytes[at..<at + length], index, place()))
      at += length
    }
    guard at == bytes.count else {
      throw .badRequest("\(place()): \(bytes.count - at) bytes are left behind its \(count) elements")
    }
    return texts
  }

  /// A text of a model is a Swift string, so bytes that are no UTF-8 are refused rather than changed.
  static func text(
    _ bytes: some Collection<UInt8>, _ index: Int, _ place: @autoclosure () -> String
  ) throws(Refusal) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .badRequest("\(place()): element \(index) is no text in UTF-8")
    }
    return text
  }

  static func encode(_ texts: [String], into bytes: inout [UInt8]) {
    for text in texts {
      let length = UInt32(text.utf8.count).littleEndian
      withUnsafeBytes(of: length) { bytes.append(contentsOf: $0) }
      bytes.append(contentsOf: text.utf8)
    }
  }
}
