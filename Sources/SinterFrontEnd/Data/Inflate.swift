import SinterCore
internal import CZlib

/// Data compressed by deflate (RFC 1951), unpacked by zlib.
enum Inflate {
  /// What compressed bytes stand in: nothing in a zip archive, a header and a sum of its own in a gzip file.
  enum Wrapping: Int32 {
    case raw = -15
    case gzip = 31
  }

  /// Deflate makes at most this many bytes of one: a match of 258 bytes takes two bits.
  private static let largestRatio = 1032

  /// Whether so many compressed bytes may hold so many others; what an archive states is not believed otherwise, so that no small file asks for
  /// all memory.
  static func isPossible(_ size: Int, from compressed: Int) -> Bool {
    size >= 0 && size / largestRatio <= compressed + 1
  }

  /// Exactly `size` bytes from raw deflate data.
  static func bytes(_ compressed: UnsafeRawBufferPointer, size: Int, fail: (String) -> DiagnosticError) throws
    -> TensorBytes
  {
    try TensorBytes(count: size) { target in
      let filled = try unpack(compressed, .raw, fail: fail) { filled in
        UnsafeMutableRawBufferPointer(rebasing: target[filled...])
      }
      guard filled == size else { throw fail("has \(filled) bytes, but \(size) are announced") }
    }
  }

  /// All of a gzip file, whose parts may follow one another.
  static func gzip(_ compressed: UnsafeRawBufferPointer, fail: (String) -> DiagnosticError) throws -> [UInt8] {
    var result: [UInt8] = []
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    defer { chunk.deallocate() }
    var kept = 0
    let total = try unpack(compressed, .gzip, fail: fail) { filled in
      result += chunk[..<(filled - kept)]
      kept = filled
      return chunk
    }
    result += chunk[..<(total - kept)]
    return result
  }

  /// Unpacks into the memory that `next` gives for what comes after so many bytes, and gives the number of all of them. Memory of no bytes
  /// says that there must be no more.
  private static func unpack(
    _ compressed: UnsafeRawBufferPointer, _ wrapping: Wrapping, fail: (String) -> DiagnosticError,
    next: (Int) -> UnsafeMutableRawBufferPointer
  ) throws -> Int {
    var stream = z_stream()
    guard inflateInit2_(&stream, wrapping.rawValue, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw fail("cannot be unpacked: there is no memory")
    }
    defer { inflateEnd(&stream) }
    var (read, filled) = (0, 0)
    while true {
      let target = next(filled)
      let input = UnsafeRawBufferPointer(rebasing: compressed[read..<min(compressed.count, read + 1 << 30)])
      // zlib wants a place to write to even where nothing may come.
      var spare: UInt8 = 0
      let room = min(target.count, 1 << 30)
      let status = withUnsafeMutablePointer(to: &spare) { spare in
        stream.next_in = UnsafeMutablePointer(
          mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? UnsafePointer(spare))
        stream.avail_in = UInt32(input.count)
        stream.next_out = room > 0 ? target.baseAddress?.assumingMemoryBound(to: UInt8.self) : spare
        stream.avail_out = UInt32(max(room, 1))
        return CZlib.inflate(&stream, Z_NO_FLUSH)
      }
      let (taken, made) = (input.count - Int(stream.avail_in), max(room, 1) - Int(stream.avail_out))
      read += taken
      if room == 0, made > 0 { throw fail("has more bytes than are announced") }
      filled += made
      switch status {
      case Z_STREAM_END:
        guard wrapping == .gzip, read < compressed.count else { return filled }
        guard inflateReset(&stream) == Z_OK else { throw fail("cannot be unpacked") }
      case Z_OK where taken > 0 || made > 0: continue
      case Z_OK, Z_BUF_ERROR:
        if made == 0, taken == 0 { throw fail("is cut off after \(filled) bytes") }
      default:
        let reason = stream.msg.map { String(cString: $0) } ?? "status \(status)"
        throw fail("is damaged after \(filled) bytes: \(reason)")
      }
    }
  }

  /// The sum by which zip archives check their entries.
  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    guard let base = bytes.baseAddress else { return 0 }
    return UInt32(truncatingIfNeeded: crc32_z(0, base.assumingMemoryBound(to: UInt8.self), bytes.count))
  }
}
