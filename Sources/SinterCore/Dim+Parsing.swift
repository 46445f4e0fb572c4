extension Dim {
  /// Reads a size as `description` writes it. Names are letters, digits, `_` and `.`, and do not start with a digit; those of sizes that
  /// data determine start with `$`.
  /// Nil where the text is no size.
  public init?(parsing text: some StringProtocol) {
    var parser = DimParser(rest: Array(text.utf8)[...])
    guard let dim = parser.sum(), parser.skipSpaces(), parser.rest.isEmpty else { return nil }
    self = dim
  }
}

private struct DimParser {
  var rest: ArraySlice<UInt8>
  var depth = 0

  @discardableResult
  mutating func skipSpaces() -> Bool {
    while rest.first == UInt8(ascii: " ") { rest.removeFirst() }
    return true
  }

  mutating func take(_ character: Character) -> Bool {
    skipSpaces()
    guard let code = character.asciiValue, rest.first == code else { return false }
    rest.removeFirst()
    return true
  }

  mutating func sum() -> Dim? {
    depth += 1
    defer { depth -= 1 }
    guard depth < 64 else { return nil }
    var result: Dim
    if take("-") {
      guard let first = product() else { return nil }
      result = -first
    } else {
      guard let first = product() else { return nil }
      result = first
    }
    while true {
      if take("+") {
        guard let next = product() else { return nil }
        result = result + next
      } else if take("-") {
        guard let next = product() else { return nil }
        result = result - next
      } else {
        return result
      }
    }
  }

  mutating func product() -> Dim? {
    guard var result = atom() else { return nil }
    while take("*") {
      guard let next = atom() else { return nil }
      result = result * next
    }
    return result
  }

  mutating func atom() -> Dim? {
    skipSpaces()
    if take("(") {
      guard let inner = sum(), take(")") else { return nil }
      return inner
    }
    guard let first = rest.first else { return nil }
    if first >= 48 && first <= 57 {
      var value = 0
      while let digit = rest.first, digit >= 48 && digit <= 57 {
        let (times, overflow) = value.multipliedReportingOverflow(by: 10)
        let (plus, overflow2) = times.addingReportingOverflow(Int(digit - 48))
        if overflow || overflow2 { return nil }
        value = plus
        rest.removeFirst()
      }
      return Dim(value)
    }
    var name: [UInt8] = []
    if rest.first == UInt8(ascii: "$") { name.append(rest.removeFirst()) }
    while let c = rest.first, Symbol.isNameByte(c) {
      name.append(c)
      rest.removeFirst()
    }
    guard !name.isEmpty else { return nil }
    let word = String(decoding: name, as: UTF8.self)
    guard take("(") else { return Dim(symbol: word) }
    guard let a = sum() else { return nil }
    if word == "floor" {
      guard take("/"), let b = product(), take(")") else { return nil }
      return a / b
    }
    guard take(","), let b = sum(), take(")") else { return nil }
    switch word {
    case "mod": return a % b
    case "min": return Dim.min(a, b)
    case "max": return Dim.max(a, b)
    default: return nil
    }
  }
}

extension Symbol {
  static func isNameByte(_ c: UInt8) -> Bool {
    (c >= 48 && c <= 57) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c == 95 || c == 46
  }

  /// A name that text forms can hold, made from any text: what a name may not contain becomes `_`.
  public static func sanitizedName(_ text: String) -> String {
    var bytes = text.utf8.map { isNameByte($0) ? $0 : UInt8(ascii: "_") }
    if bytes.isEmpty || (bytes[0] >= 48 && bytes[0] <= 57) || bytes[0] == 46 { bytes.insert(UInt8(ascii: "_"), at: 0) }
    return String(decoding: bytes, as: UTF8.self)
  }
}
