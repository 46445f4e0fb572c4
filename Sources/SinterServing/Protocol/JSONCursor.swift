internal import Glibc

/// Reads a JSON text from front to back, by what the reader expects next, so that no tree of values is built and numbers go to where they belong.
///
/// The text may come from anybody: nothing recurses deeper than the reader's own code, and what is wrong is a refusal with the place. `NaN` and
/// `Infinity`, which are no JSON but which Python writes, are read as numbers.
struct JSONCursor {
  let bytes: UnsafeRawBufferPointer
  private(set) var at: Int

  init(_ bytes: UnsafeRawBufferPointer, at: Int = 0) {
    self.bytes = bytes
    self.at = at
  }

  func refusal(_ expected: String, at place: Int? = nil) -> Refusal {
    let place = place ?? at
    let given =
      place < bytes.count ? "'\(Unicode.Scalar(bytes[place]).escaped(asASCII: true))'" : "the end of the text"
    return .badRequest("invalid JSON: expected \(expected) at byte \(place), given \(given)")
  }

  /// The first byte of what comes next; 0 at the end.
  @inline(__always)
  mutating func peek() -> UInt8 {
    while at < bytes.count {
      let byte = bytes[at]
      guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return byte }
      at += 1
    }
    return 0
  }

  /// Takes `byte` where it comes next.
  @inline(__always)
  mutating func take(_ byte: UInt8) -> Bool {
    guard peek() == byte, at < bytes.count else { return false }
    at += 1
    return true
  }

  mutating func expect(_ byte: UInt8) throws(Refusal) {
    if !take(byte) { throw refusal("'\(Unicode.Scalar(byte))'") }
  }

  /// Nothing may follow.
  mutating func expectEnd() throws(Refusal) {
    _ = peek()
    if at != bytes.count { throw refusal("the end of the text") }
  }

  /// An object: `body` reads the value of each name. A name that comes twice is refused.
  mutating func object(
    _ body: (_ name: String, _ cursor: inout JSONCursor) throws(Refusal) -> Void
  ) throws(Refusal) {
    try expect(UInt8(ascii: "{"))
    if take(UInt8(ascii: "}")) { return }
    var seen: Set<String> = []
    repeat {
      _ = peek()
      let place = at
      let name = try string()
      guard seen.insert(name).inserted else { throw refusal("another name than \"\(name)\" again", at: place) }
      try expect(UInt8(ascii: ":"))
      try body(name, &self)
    } while take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "}"))
  }

  /// An array: `body` reads each element.
  mutating func array(_ body: (_ cursor: inout JSONCursor) throws(Refusal) -> Void) throws(Refusal) {
    try expect(UInt8(ascii: "["))
    if take(UInt8(ascii: "]")) { return }
    repeat { try body(&self) } while take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "]"))
  }

  mutating func bool() throws(Refusal) -> Bool {
    if takeWord("true") { return true }
    if takeWord("false") { return false }
    throw refusal("true or false")
  }

  mutating func takeWord(_ word: StaticString) -> Bool {
    _ = peek()
    let count = word.utf8CodeUnitCount
    guard at + count <= bytes.count, let base = bytes.baseAddress, memcmp(base + at, word.utf8Start, count) == 0 else {
      return false
    }
    if at + count < bytes.count, isWord(bytes[at + count]) { return false }
    at += count
    return true
  }

  private func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  @inline(__always)
  mutating func number() throws(Refusal) -> JSONNumber {
    _ = peek()
    guard let number = JSONNumber(bytes, at: &at) else { throw refusal("a number") }
    return number
  }

  mutating func integer() throws(Refusal) -> Int {
    _ = peek()
    let place = at
    guard let value = try number().int64 else { throw refusal("an integer of 64 bits", at: place) }
    return Int(value)
  }

  mutating func string() throws(Refusal) -> String {
    try expect(UInt8(ascii: "\""))
    let start = at
    while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: "\""):
        let text = String(validating: bytes[start..<at], as: UTF8.self)
        guard let text else { throw refusal("text in UTF-8", at: start) }
        at += 1
        return text
      case UInt8(ascii: "\\"): return try escapedString(from: start)
      case ..<0x20: throw refusal("an escape for a control character")
      default: at += 1
      }
    }
    throw refusal("'\"'")
  }

  /// A string of which the part before the first escape is read.
  private mutating func escapedString(from start: Int) throws(Refusal) -> String {
    var text = [UInt8](bytes[start..<at])
    while at < bytes.count {
      let byte = bytes[at]
      at += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let result = String(validating: text, as: UTF8.self) else {
          throw refusal("text in UTF-8", at: start)
        }
        return result
      case UInt8(ascii: "\\"): text.append(contentsOf: try escape().utf8)
      case ..<0x20: throw refusal("an escape for a control character", at: at - 1)
      default: text.append(byte)
      }
    }
    throw refusal("'\"'")
  }

  /// What stands behind a backslash.
  private mutating func escape() throws(Refusal) -> String {
    guard at < bytes.count else { throw refusal("an escape") }
    let byte = bytes[at]
    at += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return String(Unicode.Scalar(byte))
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let first = try hexUnit()
      if let scalar = Unicode.Scalar(first) { return String(scalar) }
      // The first half of a pair.
      guard first < 0xdc00, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u")
      else { throw refusal("the second half of a character") }
      at += 2
      let second = try hexUnit()
      guard (0xdc00..<0xe000).contains(second),
        let scalar = Unicode.Scalar(0x10000 + ((UInt32(first) - 0xd800) << 10) + (UInt32(second) - 0xdc00))
      else { throw refusal("the second half of a character") }
      return String(scalar)
    default: throw refusal("an escape", at: at - 1)
    }
  }

  private mutating func hexUnit() throws(Refusal) -> UInt16 {
    guard at + 4 <= bytes.count else { throw refusal("four hexadecimal digits") }
    var unit: UInt16 = 0
    for byte in bytes[at..<at + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw refusal("four hexadecimal digits") }
      unit = unit << 4 | UInt16(digit)
    }
    at += 4
    return unit
  }

  /// Skips a value of any kind. What stands inside is held against JSON's grammar as to brackets and strings only.
  mutating func skipValue() throws(Refusal) {
    var closing: [UInt8] = []
    repeat {
      switch peek() {
      case UInt8(ascii: "{"): closing.append(UInt8(ascii: "}"))
      case UInt8(ascii: "["): closing.append(UInt8(ascii: "]"))
      case UInt8(ascii: "\""):
        _ = try string()
        continue
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        guard closing.popLast() == bytes[at] else { throw refusal("a value") }
      case UInt8(ascii: ","), UInt8(ascii: ":"):
        if closing.isEmpty { throw refusal("a value") }
      default:
        let start = at
        while at < bytes.count, isScalar(bytes[at]) { at += 1 }
        // Most of a long list: what follows is skipped without a look at each element.
        if at > start, !closing.isEmpty { skipNumbers() }
        if at == start { throw refusal("a value") }
        continue
      }
      at += 1
      if closing.count > 1000 { throw refusal("at most 1000 brackets inside each other") }
    } while !closing.isEmpty
  }

  /// Skips digits, signs, points, exponents, commas and spaces.
  private mutating func skipNumbers() {
    var place = at
    while place < bytes.count {
      let byte = bytes[place]
      // From '+' to '9' all but '/'.
      guard byte &- 0x2b <= 0x0e && byte != 0x2f || byte == 0x20 || byte | 0x20 == 0x65 else { break }
      place += 1
    }
    at = place
  }

  private func isScalar(_ byte: UInt8) -> Bool {
    isWord(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".")
  }
}
