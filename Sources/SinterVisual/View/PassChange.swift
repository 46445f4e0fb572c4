/// What one pass changed in a graph.
package struct PassChange: Sendable {
  package var name: String
  package var summary: String
  package var milliseconds: Double
  /// Rewrites by the name of their rule.
  package var rules: [String: Int] = [:]
  /// Nodes that it added, took away, and left with other inputs or attributes.
  package var added = 0
  package var removed = 0
  package var changed = 0
  /// Of these, those that the imported graph had, and those that the optimized one still has, by their numbers there.
  package var removedFromFirst: [Int] = []
  package var changedInFirst: [Int] = []
  package var addedToLast: [Int] = []
  package var changedInLast: [Int] = []

  package init(name: String, summary: String, milliseconds: Double) {
    self.name = name
    self.summary = summary
    self.milliseconds = milliseconds
  }
}
