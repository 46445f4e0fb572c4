/// Reads text piece by piece and knows the line and column for its errors.
package struct TextScanner {
  private let bytes: [UInt8]
  package private(set) var at = 0

  package init(_ text: String) { bytes = Array(text.utf8) }

  package func error(_ message: String) -> DiagnosticError {
    let before = bytes[..<min(at, bytes.count)]
    let line = before.count { $0 == 10 } + 1
    let column = at - (before.lastIndex(of: 10).map { $0 + 1 } ?? 0) + 1
    return DiagnosticError(.user, "text.parse", message, at: ["line \(line), column \(column)"])
  }

  package var isAtEnd: Bool {
    mutating get {
      skipSpaces()
      return at >= bytes.count
    }
  }

  /// Spaces, line ends and comments, which run from `//` to the end of their line.
  package mutating func skipSpaces() {
    while at < bytes.count {
      switch bytes[at] {
      case 32, 9, 10, 13: at += 1
      case 47 where at + 1 < bytes.count && bytes[at + 1] == 47:
        while at < bytes.count, bytes[at] != 10 { at += 1 }
      default: return
      }
    }
  }

  package mutating func take(_ symbol: String) -> Bool {
    skipSpaces()
    let wanted = Array(symbol.utf8)
    guard at + wanted.count <= bytes.count, bytes[at..<(at + wanted.count)].elementsEqual(wanted) else { return false }
    if let last = wanted.last, Self.isWordByte(last), at + wanted.count < bytes.count,
      Self.isWordByte(bytes[at + wanted.count])
    {
      return false
    }
    at += wanted.count
    return true
  }

  package mutating func expect(_ symbol: String) throws {
    if !take(symbol) { throw error("expected \(symbol), found \(next)") }
  }

  /// What comes next, for messages.
  private var next: String {
    mutating get {
      skipSpaces()
      if at >= bytes.count { return "the end" }
      return "'" + String(decoding: bytes[at...].prefix { $0 != 10 }.prefix(20), as: UTF8.self) + "'"
    }
  }

  package func peek() -> UInt8? { at < bytes.count ? bytes[at] : nil }

  /// A name: letters, digits, `_`, `.` and `:`, empty where none comes.
  package mutating func word() -> String {
    skipSpaces()
    let start = at
    while at < bytes.count, Self.isWordByte(bytes[at]) { at += 1 }
    return String(decoding: bytes[start..<at], as: UTF8.self)
  }

  /// A number or a bare word such as `-1.5e-3`, `inf`, `true`, `0x1f`.
  package mutating func number() -> String {
    skipSpaces()
    let start = at
    while at < bytes.count, Self.isWordByte(bytes[at]) || bytes[at] == 45 || bytes[at] == 43 { at += 1 }
    return String(decoding: bytes[start..<at], as: UTF8.self)
  }

  package mutating func integer() throws -> Int {
    let text = number()
    guard let value = Int(text) else { throw error("expected an integer, found \(text.isEmpty ? next : text)") }
    return value
  }

  package mutating func quoted() throws -> String {
    try expect("\"")
    var result: [UInt8] = []
    while at < bytes.count, bytes[at] != 34 {
      if bytes[at] == 92, at + 1 < bytes.count {
        at += 1
        switch bytes[at] {
        case 110: result.append(10)
        case 116: result.append(9)
        case 114: result.append(13)
        default: result.append(bytes[at])
        }
      } else {
        result.append(bytes[at])
      }
      at += 1
    }
    guard at < bytes.count else { throw error("the text is not closed") }
    at += 1
    return String(decoding: result, as: UTF8.self)
  }

  /// Items up to a closing bracket that has been opened already.
  package mutating func list(until close: String, _ item: (inout TextScanner) throws -> Void) throws {
    if take(close) { return }
    repeat { try item(&self) } while take(",")
    try expect(close)
  }

  /// Text up to a comma or closing bracket on this level: a size.
  package mutating func size() throws -> Dim {
    skipSpaces()
    let start = at
    var depth = 0
    scan: while at < bytes.count {
      switch bytes[at] {
      case 40: depth += 1
      case 41 where depth == 0: break scan
      case 41: depth -= 1
      case 44 where depth == 0, 93, 10: break scan
      default: break
      }
      at += 1
    }
    let text = String(decoding: bytes[start..<at], as: UTF8.self)
    guard let dim = Dim(parsing: text) else {
      at = start
      throw error("expected a size, found '\(text)'")
    }
    return dim
  }

  package static func isWordByte(_ c: UInt8) -> Bool {
    (c >= 48 && c <= 57) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c == 95 || c == 46 || c >= 128
  }
}
