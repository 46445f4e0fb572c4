/// Names that C and C++ allow.
package enum CIdentifier {
  /// The keywords of C23 and C++20, and what compilers define as macros.
  private static let reserved: Set<String> = [
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch",
    "char", "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return", "co_yield", "compl", "concept",
    "const", "const_cast", "consteval", "constexpr", "constinit", "continue", "decltype", "default", "delete", "do",
    "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend",
    "goto", "if", "inline", "int", "linux", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq",
    "nullptr", "operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast",
    "requires", "restrict", "return", "short", "signed", "sizeof", "static", "static_assert", "static_cast",
    "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid", "typename",
    "typeof", "union", "unix", "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "xor",
    "xor_eq",
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
