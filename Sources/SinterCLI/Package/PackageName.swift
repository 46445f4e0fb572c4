import SinterLLVM

/// The name that the files of a package have, and in them a module of Python and Rust, a package of Go and a namespace of C++.
enum PackageName {
  /// The model's name as an identifier of all these languages: what one of them reserves gets a `_` at its end.
  static func make(_ model: String) -> String {
    let name = CIdentifier.make(model)
    return keywords.contains(name) || taken.contains(name) ? name + "_" : name
  }

  /// Keywords of Rust, Python and Go that C and C++ do not have.
  private static let keywords: Set<String> = [
    "False", "None", "Self", "True", "abstract", "as", "assert", "async", "await", "become", "box", "chan", "crate",
    "def", "defer", "del", "dyn", "elif", "except", "fallthrough", "final", "finally", "fn", "from", "func", "gen",
    "global", "go", "impl", "import", "in", "interface", "is", "lambda", "let", "loop", "macro", "map", "match",
    "mod", "move", "mut", "nonlocal", "override", "package", "pass", "priv", "pub", "raise", "range", "ref", "select",
    "self", "super", "trait", "type", "unsafe", "unsized", "use", "var", "where", "with", "yield",
  ]

  /// What the files themselves mean by these names: `sinter.h`, the namespace `sinter`, and modules that they import.
  private static let taken: Set<String> = [
    "_", "contextlib", "ctypes", "main", "numpy", "os", "sinter", "std", "threading",
  ]
}
