/// Names that C and C++ allow.
package enum CIdentifier {
  private static let reserved: Set<String> = [
    "alignas", "alignof", "and", "asm", "auto", "bool", "break", "case", "catch", "char", "class", "const", "constexpr",
    "continue", "default", "delete", "do", "double", "else", "enum", "explicit", "export", "extern", "false", "float",
    "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "not", "nullptr", "operator",
    "or", "private", "protected", "public", "register", "restrict", "return", "short", "signed", "sizeof", "static",
    "struct", "switch", "template", "this", "throw", "true", "try", "typedef", "typename", "union", "unsigned", "using",
    "virtual", "void", "volatile", "while", "xor",
  ]

  /// A name with every character that an identifier may not hold replaced by `_`.
  package static func make(_ name: String) -> String {
    var bytes = name.utf8.map { byte -> UInt8 in
      let isLetter = (byte | 0x20) >= 97 && (byte | 0x20) <= 122
      let isDigit = byte >= 48 && byte <= 57
      return isLetter || isDigit ? byte : 95
    }
    if bytes.isEmpty || (bytes[0] >= 48 && bytes[0] <= 57) { bytes.insert(95, at: 0) }
    let text = String(decoding: bytes, as: UTF8.self)
    return reserved.contains(text) ? text + "_" : text
  }

  /// An identifier for each name, no two alike and none of `taken`.
  package static func makeAll(_ names: [String], taken: Set<String>) -> [String] {
    var used = taken
    return names.map { name in
      let base = make(name)
      var candidate = base
      var number = 2
      while !used.insert(candidate).inserted {
        candidate = "\(base)_\(number)"
        number += 1
      }
      return candidate
    }
  }
}
