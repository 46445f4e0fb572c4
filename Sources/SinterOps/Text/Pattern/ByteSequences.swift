/// The UTF-8 of a range of code points, as sequences of ranges of bytes. Surrogates have none.
enum ByteSequences {
  static func of(_ range: ClosedRange<UInt32>) -> [[ClosedRange<UInt8>]] {
    var result: [[ClosedRange<UInt8>]] = []
    append(range.lowerBound, range.upperBound, to: &result)
    return result
  }

  private static func append(_ low: UInt32, _ high: UInt32, to result: inout [[ClosedRange<UInt8>]]) {
    if low > high { return }
    // Both ends have as many bytes, and none of what lies between is a surrogate.
    for last: UInt32 in [0x7f, 0x7ff, 0xd7ff, 0xdfff, 0xffff] where low <= last && last < high {
      append(low, last, to: &result)
      return append(last + 1, high, to: &result)
    }
    if (0xd800...0xdfff).contains(low) { return }
    let first = bytes(low)
    // All bytes behind the first one that differs take all values.
    for place in 1..<max(first.count, 1) {
      let mask: UInt32 = 1 << (6 * UInt32(place)) - 1
      if low & ~mask == high & ~mask { continue }
      if low & mask != 0 {
        append(low, low | mask, to: &result)
        return append((low | mask) + 1, high, to: &result)
      }
      if high & mask != mask {
        append(low, (high & ~mask) - 1, to: &result)
        return append(high & ~mask, high, to: &result)
      }
    }
    result.append(zip(first, bytes(high)).map { $0...$1 })
  }

  private static func bytes(_ code: UInt32) -> [UInt8] { Unicode.Scalar(code).map { Array(String($0).utf8) } ?? [] }
}
