import SinterCore

/// Why nodes of a name are not read although the name is known, and what a user can do instead.
public struct OnnxRefusal: Hashable, Sendable {
  /// Follows the operator's name in a message.
  public var reason: String
  /// What to export instead.
  public var hint: String

  /// A refusal. The reason goes on from the operator's name, the hint says what to export instead.
  public init(reason: String, hint: String) {
    self.reason = reason
    self.hint = hint
  }
}
