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
    guard var result = product(isNegative: take("-")) else { return nil }
    while true {
      if take("+") {
        guard let next = product(isNegative: false) else { return nil }
        result = result + next
      } else if take("-") {
        guard let next = product(isNegative: true) else { return nil }
        result = result + next
      } else {
        return result
      }
    }
  }

  /// - Parameter isNegative: whether a minus sign stood before it. It belongs to a number in front, as the least integer has no opposite.
  mutating func product(isNegative: Bool) -> Dim? {
    skipSpaces()
    var result: Dim
    if let first = rest.first, Symbol.isDigit(first) {
      guard let value = number(isNegative: isNegative) else { return nil }
      result = Dim(value)
    } else {
      guard let first = atom() else { return nil }
      result = isNegative ? -first : first
    }
    while take("*") {
      guard let next = atom() else { return nil }
      result = result * next
    }
    return result
  }

  /// Nil where it is no 64-bit integer.
  mutating func number(isNegative: Bool) -> Int? {
    var value = 0
    while let digit = rest.first, Symbol.isDigit(digit) {
      let (times, overflow) = value.multipliedReportingOverflow(by: 10)
      let step = Int(digit - 48)
      let (sum, overflow2) = times.addingReportingOverflow(isNegative ? -step : step)
      if overflow || overflow2 { return nil }
      value = sum
      rest.removeFirst()
    }
    return value
  }

  mutating func atom() -> Dim? {
    skipSpaces()
    if take("(") {
      guard let inner = sum(), take(")") else { return nil }
      return inner
    }
    guard let first = rest.first else { return nil }
    if Symbol.isDigit(first) { return number(isNegative: false).map { Dim($0) } }
    var name: [UInt8] = []
    if rest.first == UInt8(ascii: "$") { name.append(rest.removeFirst()) }
    while let c = rest.first, Symbol.isNameByte(c) {
      name.append(c)
      rest.removeFirst()
    }
    guard !name.isEmpty else { return nil }
    let word = String(decoding: name, as: UTF8.self)
    guard take("(") else { return Dim(symbol: word) }
    if word == "overflow" { return take(")") ? .overflow : nil }
    guard let a = sum() else { return nil }
    if word == "floor" {
      guard take("/"), let b = product(isNegative: false), take(")") else { return nil }
      return a / b
    }
    if word == "scaled" { return factor().map { Dim.scaled(a, by: $0) } }
    var arguments = [a]
    repeat {
      guard take(","), let next = sum() else { return nil }
      arguments.append(next)
    } while !take(")")
    return call(word, arguments)
  }

  /// The rest of a scaled size: `, 1.7)`.
  private mutating func factor() -> Float? {
    guard take(",") else { return nil }
    skipSpaces()
    let digits = rest.prefix { $0 != UInt8(ascii: ")") }
    rest = rest.dropFirst(digits.count)
    guard take(")"), let factor = Float(String(decoding: digits, as: UTF8.self)), factor > 0, factor.isFinite else {
      return nil
    }
    return factor
  }

  /// - Parameter arguments: two or more.
  private func call(_ name: String, _ arguments: [Dim]) -> Dim? {
    // From the last to the first, as `Dim.Atom.members` lists them.
    func folded(_ function: (Dim, Dim) -> Dim) -> Dim {
      arguments.dropLast().reversed().reduce(arguments[arguments.count - 1]) { function($1, $0) }
    }
    switch (name, arguments.count) {
    case ("min", _): return folded(Dim.min)
    case ("max", _): return folded(Dim.max)
    case ("joint", _): return folded(Dim.joint)
    case ("mod", 2): return arguments[0] % arguments[1]
    case ("place", 2): return Dim.place(arguments[0], in: arguments[1])
    case ("product", 2): return arguments[0] * arguments[1]
    default: return nil
    }
  }
}

extension Symbol {
  static func isDigit(_ c: UInt8) -> Bool { c >= 48 && c <= 57 }

  static func isNameByte(_ c: UInt8) -> Bool {
    isDigit(c) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c == 95 || c == 46
  }

  /// A name that text forms can hold, made from any text: what a name may not contain becomes `_`.
  public static func sanitizedName(_ text: String) -> String {
    var bytes = text.utf8.map { isNameByte($0) ? $0 : UInt8(ascii: "_") }
    if bytes.isEmpty || isDigit(bytes[0]) || bytes[0] == 46 { bytes.insert(UInt8(ascii: "_"), at: 0) }
    return String(decoding: bytes, as: UTF8.self)
  }
}
