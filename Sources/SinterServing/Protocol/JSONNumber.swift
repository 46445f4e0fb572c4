internal import Glibc

/// A number as its text says it: digits, a power of ten, and the text itself for where these do not suffice.
///
/// A body may be millions of these and nothing else, so what most of them need is inlined: up to 19 digits, eight of them at a time.
struct JSONNumber {
  private let bytes: UnsafeRawBufferPointer
  private let text: Range<Int>
  private let isNegative: Bool
  /// The digits without the point; nothing where `fits` is false.
  private let digits: UInt64
  /// Whether 64 bits hold the digits.
  private let fits: Bool
  private let exponent: Int
  /// Whether it has neither point nor exponent.
  private let isWhole: Bool
  /// `NaN`, `Infinity` or `-Infinity`.
  private let special: Double?

  /// Reads one from `at`; nil where none stands there.
  @inline(__always)
  init?(_ bytes: UnsafeRawBufferPointer, at: inout Int) {
    var scan = DigitScan(bytes, at)
    let isNegative = scan.byte == UInt8(ascii: "-")
    if isNegative { scan.place += 1 }
    let first = scan.place
    scan.run()
    if scan.place == first {
      guard let (value, count) = Self.special(bytes, first) else { return nil }
      self.bytes = bytes
      text = at..<first + count
      special = isNegative ? -value : value
      self.isNegative = isNegative
      (digits, fits, exponent, isWhole) = (0, false, 0, false)
      at = first + count
      return
    }
    // A leading zero stands alone, and is not one of the digits that count.
    if bytes[first] == UInt8(ascii: "0") {
      guard scan.place == first + 1 else { return nil }
      scan.count = 0
    }
    var power = 0
    let wholeEnd = scan.place
    if scan.byte == UInt8(ascii: ".") {
      scan.place += 1
      let fraction = scan.place
      if scan.count == 0 { scan.skipZeros() }
      scan.run()
      guard scan.place > fraction else { return nil }
      power = fraction - scan.place
    }
    if scan.byte | 0x20 == UInt8(ascii: "e") {
      guard let (size, end) = DigitScan.exponent(bytes, scan.place + 1) else { return nil }
      power += size
      scan.place = end
    }
    self.bytes = bytes
    text = at..<scan.place
    self.isNegative = isNegative
    special = nil
    exponent = power
    isWhole = scan.place == wholeEnd
    if scan.count <= 19 {
      (digits, fits) = (scan.value, true)
    } else {
      (digits, fits) = Self.manyDigits(bytes, first)
    }
    at = scan.place
  }

  /// The digits from `place` on, a point among them left out, where 64 bits hold them.
  @inline(never)
  private static func manyDigits(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> (value: UInt64, fits: Bool) {
    var value: UInt64 = 0
    for byte in bytes[place...] where byte != UInt8(ascii: ".") {
      guard byte &- 48 < 10 else { break }
      let (tenfold, overflows) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflowsToo) = tenfold.addingReportingOverflow(UInt64(byte &- 48))
      if overflows || overflowsToo { return (0, false) }
      value = sum
    }
    return (value, true)
  }

  @inline(never)
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
    guard isWhole, fits else { return nil }
    if isNegative { return digits <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- digits) : nil }
    return Int64(exactly: digits)
  }

  var uint64: UInt64? {
    guard isWhole, fits, !isNegative || digits == 0 else { return nil }
    return digits
  }

  /// The nearest float of 64 bits.
  var double: Double {
    if let special { return special }
    // Both are exact, so that the one operation rounds right.
    if fits, digits <= 1 << 53, abs(exponent) <= 22 {
      let size = exponent < 0 ? Double(digits) / Self.powers[-exponent] : Double(digits) * Self.powers[exponent]
      return isNegative ? -size : size
    }
    return parsed
  }

  /// The nearest float of 32 bits to the nearest of 64, which is what readers of JSON give that know floats of 64 bits only.
  @inline(__always)
  var float: Float {
    if let special { return Float(special) }
    if fits, abs(exponent) <= 22 {
      // Off by two units in the last place at most, which matters near the middle of two floats only.
      let size = exponent < 0 ? Double(digits) / Self.powers[-exponent] : Double(digits) * Self.powers[exponent]
      let rest = size.bitPattern & 0x1fff_ffff
      if size >= 0x1p-120, size < 0x1p120, rest < 0x1000_0000 - 8 || rest > 0x1000_0000 + 8 {
        return Float(isNegative ? -size : size)
      }
    }
    return Float(double)
  }

  @inline(never)
  private var parsed: Double {
    let text = bytes[text]
    var copy = [CChar](unsafeUninitializedCapacity: text.count + 1) { buffer, count in
      for (index, byte) in text.enumerated() { buffer.initializeElement(at: index, to: CChar(bitPattern: byte)) }
      buffer.initializeElement(at: text.count, to: 0)
      count = text.count + 1
    }
    return strtod(&copy, nil)
  }

  /// As it stands in the text, for messages.
  var description: String { String(decoding: bytes[text].prefix(40), as: UTF8.self) }

  private static let powers: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
  ]
}

/// Reads runs of digits.
private struct DigitScan {
  private let bytes: UnsafeRawBufferPointer
  var place: Int
  /// The digits so far, modulo 2⁶⁴.
  var value: UInt64 = 0
  /// How many they are.
  var count = 0

  @inline(__always)
  init(_ bytes: UnsafeRawBufferPointer, _ place: Int) {
    self.bytes = bytes
    self.place = place
  }

  /// What comes next; 0 at the end.
  @inline(__always)
  var byte: UInt8 { place < bytes.count ? bytes[place] : 0 }

  /// Takes all digits that come next.
  @inline(__always)
  mutating func run() {
    let start = place
    while place + 8 <= bytes.count {
      // The first digit is the lowest byte. Digits become 0 to 9; of what is none, or comes behind it, a bit 7 is set.
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
      let shifted = word ^ 0x3030_3030_3030_3030
      let others = (shifted &+ 0x7676_7676_7676_7676 | shifted) & 0x8080_8080_8080_8080
      guard others != 0 else {
        value = value &* 100_000_000 &+ Self.eight(shifted)
        place += 8
        continue
      }
      let some = others.trailingZeroBitCount >> 3
      if some > 0 {
        value = value &* Self.powers[some] &+ Self.eight(shifted &<< (64 - 8 * UInt64(some)))
        place += some
      }
      count += place - start
      return
    }
    while place < bytes.count, bytes[place] &- 48 < 10 {
      value = value &* 10 &+ UInt64(bytes[place] &- 48)
      place += 1
    }
    count += place - start
  }

  /// The number that eight digits make, one a byte, the first of them the lowest: neighbours are joined, then pairs, then fours.
  @inline(__always)
  private static func eight(_ digits: UInt64) -> UInt64 {
    let pairs = (digits &* 10 &+ (digits >> 8)) & 0x00ff_00ff_00ff_00ff
    let fours = (pairs &* 100 &+ (pairs >> 16)) & 0x0000_ffff_0000_ffff
    return (fours &* 10_000 &+ (fours >> 32)) & 0xffff_ffff
  }

  /// Zeros in front of all digits that count.
  @inline(__always)
  mutating func skipZeros() {
    while byte == UInt8(ascii: "0") { place += 1 }
  }

  /// The power of ten that stands behind an `e`, and its end; nil where there is none. Sizes from a million on are a million.
  @inline(never)
  static func exponent(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> (size: Int, end: Int)? {
    var scan = DigitScan(bytes, place)
    let isDown = scan.byte == UInt8(ascii: "-")
    if isDown || scan.byte == UInt8(ascii: "+") { scan.place += 1 }
    let first = scan.place
    var size = 0
    while scan.byte &- 48 < 10 {
      size = min(size * 10 + Int(scan.byte &- 48), 1_000_000)
      scan.place += 1
    }
    return scan.place == first ? nil : (isDown ? -size : size, scan.place)
  }

  private static let powers: [UInt64] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000]
}
