import SinterCore
internal import SinterRuntime

/// Constants one after another, each at a multiple of 64 bytes. Bytes that are given twice are kept once.
package struct WeightLayout: Sendable {
  package struct Piece: Sendable {
    package var offset: Int
    package var bytes: TensorBytes
  }

  package private(set) var pieces: [Piece] = []
  package private(set) var byteCount = 0
  private var offsets: [ObjectIdentifier: Int] = [:]

  package static let alignment = 64

  /// The offset of some bytes, behind which zeros fill up to `count`.
  mutating func add(_ bytes: TensorBytes, count: Int) -> Int {
    if let known = offsets[ObjectIdentifier(bytes)] { return known }
    let offset = byteCount
    pieces.append(Piece(offset: offset, bytes: bytes))
    offsets[ObjectIdentifier(bytes)] = offset
    byteCount = (offset + count + Self.alignment - 1) / Self.alignment * Self.alignment
    return offset
  }

  /// What a library knows these bytes by, in a file beside it.
  func hash() throws -> UInt64 {
    var hash = SinterWeightHash()
    sinter_weight_hash_begin(&hash)
    try write { sinter_weight_hash_add(&hash, $0.baseAddress, $0.count) }
    return sinter_weight_hash_end(&hash)
  }

  /// Hands out all bytes in order, zeros between the pieces included.
  package func write(_ append: (UnsafeRawBufferPointer) throws -> Void) throws {
    let zeros = [UInt8](repeating: 0, count: 4096)
    var position = 0
    func fill(to end: Int) throws {
      while position < end {
        let count = min(zeros.count, end - position)
        try zeros.withUnsafeBytes { try append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        position += count
      }
    }
    for piece in pieces {
      try fill(to: piece.offset)
      try piece.bytes.withBytes { try append($0) }
      position += piece.bytes.count
    }
    try fill(to: byteCount)
  }
}
