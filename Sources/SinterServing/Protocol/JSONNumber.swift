internal import Glibc

/// A number as its text says it: digits, a power of ten, and the text itself for where these do not suffice.
struct JSONNumber {
  private let text: Slice<UnsafeRawBufferPointer>
  private let isNegative: Bool
  /// The digits without the point, where 64 bits hold them.
  private let digits: UInt64?
  private let exponent: Int
  /// Whether it has neither point nor exponent.
  private let isWhole: Bool
  /// `NaN`, `Infinity` or `-Infinity`.
  private let special: Double?

  /// Reads one from `at`; nil where none stands there.
  init?(_ bytes: UnsafeRawBufferPointer, at: inout Int) {
    let start = at
    var place = at
    let end = bytes.count
    isNegative = place < end && bytes[place] == UInt8(ascii: "-")
    if isNegative { place += 1 }
    if let (value, count) = Self.special(bytes, place) {
      special = isNegative ? -value : value
      at = place + count
      (text, digits, exponent, isWhole) = (bytes[start..<at], nil, 0, false)
      return
    }
    special = nil
    var value: UInt64 = 0
    var fits = true
    func digit(_ byte: UInt8) -> UInt64? { byte &- 48 < 10 ? UInt64(byte &- 48) : nil }
    func add(_ digit: UInt64) {
      guard fits else { return }
      let (tenfold, overflows) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflowsToo) = tenfold.addingReportingOverflow(digit)
      fits = !overflows && !overflowsToo
      value = sum
    }
    let first = place
    while place < end, let next = digit(bytes[place]) {
      add(next)
      place += 1
    }
    // A leading zero stands alone.
    guard place > first, place == first + 1 || bytes[first] != UInt8(ascii: "0") else { return nil }
    var power = 0
    var whole = true
    if place < end, bytes[place] == UInt8(ascii: ".") {
      whole = false
      place += 1
      let fraction = place
      while place < end, let next = digit(bytes[place]) {
        add(next)
        place += 1
      }
      if place == fraction { return nil }
      power = fraction - place
    }
    if place < end, bytes[place] | 0x20 == UInt8(ascii: "e") {
      whole = false
      place += 1
      var isDown = false
      if place < end, bytes[place] == UInt8(ascii: "-") || bytes[place] == UInt8(ascii: "+") {
        isDown = bytes[place] == UInt8(ascii: "-")
        place += 1
      }
      let first = place
      var size = 0
      while place < end, let next = digit(bytes[place]) {
        size = min(size * 10 + Int(next), 1_000_000)
        place += 1
      }
      if place == first { return nil }
      power += isDown ? -size : size
    }
    at = place
    text = bytes[start..<place]
    digits = fits ? value : nil
    exponent = power
    isWhole = whole
  }

  private static func special(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> (Double, Int)? {
    guard place < bytes.count, bytes[place] == UInt8(ascii: "N") || bytes[place] == UInt8(ascii: "I") else {
      return nil
    }
    let rest = bytes[place...]
    if rest.starts(with: "NaN".utf8) { return (.nan, 3) }
    return rest.starts(with: "Infinity".utf8) ? (.infinity, 8) : nil
  }

  /// As an integer; nil where it is none of 64 bits.
  var int64: Int64? {
    guard isWhole, let digits else { return nil }
    if isNegative { return digits <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- digits) : nil }
    return Int64(exactly: digits)
  }

  var uint64: UInt64? {
    guard isWhole, let digits, !isNegative || digits == 0 else { return nil }
    return digits
  }

  /// The nearest float of 64 bits.
  var double: Double {
    if let special { return special }
    // Both are exact, so that the one operation rounds right.
    if let digits, digits <= 1 << 53, abs(exponent) <= 22 {
      let size = exponent < 0 ? Double(digits) / Self.powers[-exponent] : Double(digits) * Self.powers[exponent]
      return isNegative ? -size : size
    }
    return parsed
  }

  /// The nearest float of 32 bits to the nearest of 64, which is what readers of JSON give that know floats of 64 bits only.
  var float: Float {
    if let special { return Float(special) }
    if let digits, abs(exponent) <= 22 {
      // Off by two units in the last place at most, which matters near the middle of two floats only.
      let size = exponent < 0 ? Double(digits) / Self.powers[-exponent] : Double(digits) * Self.powers[exponent]
      let rest = size.bitPattern & 0x1fff_ffff
      if size >= 0x1p-120, size < 0x1p120, rest < 0x1000_0000 - 8 || rest > 0x1000_0000 + 8 {
        return Float(isNegative ? -size : size)
      }
    }
    return Float(double)
  }

  private var parsed: Double {
    var copy = [CChar](unsafeUninitializedCapacity: text.count + 1) { buffer, count in
      for (index, byte) in text.enumerated() { buffer.initializeElement(at: index, to: CChar(bitPattern: byte)) }
      buffer.initializeElement(at: text.count, to: 0)
      count = text.count + 1
    }
    return strtod(&copy, nil)
  }

  /// As it stands in the text, for messages.
  var description: String { String(decoding: text.prefix(40), as: UTF8.self) }

  private static let powers: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
  ]
}
