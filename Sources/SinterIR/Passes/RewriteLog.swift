/// Counts what passes change, by rule, and ends rewriting after a given number.
public struct RewriteLog: Sendable {
  /// Rewrites applied so far.
  public private(set) var count = 0
  /// The same by rule.
  public private(set) var countByRule: [String: Int] = [:]
  /// No more than that many rewrites; nil: no limit.
  public var limit: Int?

  /// Counts rewrites up to a limit; nil for none.
  public init(limit: Int? = nil) { self.limit = limit }

  /// Whether one more rewrite may be applied.
  public var isOpen: Bool { limit.map { count < $0 } ?? true }

  /// Takes down that a rule, named by its identity, has been applied.
  public mutating func add(_ rule: String, times: Int = 1) {
    guard times > 0 else { return }
    count += times
    countByRule[rule, default: 0] += times
  }
}
