import Glibc

/// The variables that the user's shell hands over.
package enum Environment {
  /// The value of a variable; nil where it is not set, or empty.
  package static func value(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}
