import Glibc

/// A name of a layer, or a pattern of names with `*`, `?` and `[…]` as in a shell, where `*` stands for slashes, too.
package struct NamePattern: Hashable, Sendable {
  package let text: String

  package init(_ text: String) { self.text = text }

  /// Names that hold the signs of patterns match themselves.
  package func matches(_ name: String) -> Bool { name == text || fnmatch(text, name, 0) == 0 }
}
