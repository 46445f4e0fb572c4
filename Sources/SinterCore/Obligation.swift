/// A relation between sizes that an operator relies on and that could not be proven ahead of time. A compiled library checks it before
/// anything is computed that leans on it.
public struct Obligation: Hashable, Sendable {
  /// How two sizes must stand to one another.
  public enum Relation: String, CaseIterable, Hashable, Sendable {
    case equal
    /// `left` is `right`, or 1: it broadcasts to `right`.
    case equalOrOne
    /// Equal, or one of them is 1.
    case broadcastable
    /// `left` is a multiple of `right`, which is not zero.
    case divisible
    /// `left` is `right` or more.
    case atLeast
  }

  /// How the sizes must stand to one another.
  public var relation: Relation
  /// The two sizes.
  public var left, right: Dim
  /// What the sizes are of, as the subject of a sentence: `inner sizes`.
  public var subject: String
  /// The operator, and where it comes from.
  public var op: String
  /// The nodes that rely on it, for messages.
  public var origin: [String]

  /// A relation between two sizes, with what an error says of them.
  public init(
    _ relation: Relation, _ left: Dim, _ right: Dim, subject: String, op: String = "", origin: [String] = []
  ) {
    self.relation = relation
    self.left = left
    self.right = right
    self.subject = subject
    self.op = op
    self.origin = origin
  }

  /// The symbols that it speaks of.
  public var symbols: Set<Symbol> { Set(left.symbols + right.symbols) }

  /// Whether it says the same as another, whoever says it.
  public func isSameRelation(as other: Obligation) -> Bool {
    relation == other.relation
      && (left == other.left && right == other.right
        || (relation == .equal || relation == .broadcastable) && left == other.right && right == other.left)
  }

  /// Whether another relation holds wherever this one does, as far as that is easily told.
  public func implies(_ other: Obligation) -> Bool {
    if isSameRelation(as: other) { return true }
    if relation == .atLeast, other.relation == .atLeast {
      // What is 0 or more stays so where more is added.
      return ((other.left - other.right) - (left - right)).isNonNegative()
    }
    let isSamePair = left == other.left && right == other.right
    let isSwappedPair = left == other.right && right == other.left
    guard isSamePair || isSwappedPair else { return false }
    switch (relation, other.relation) {
    case (.equal, .equalOrOne), (.equal, .broadcastable), (.equal, .atLeast), (.equalOrOne, .broadcastable): return true
    // A number that is not 1 stretches nothing.
    case (.broadcastable, .equalOrOne): return other.right.value.map { $0 != 1 } ?? false
    case (.equal, _), (.equalOrOne, _), (.broadcastable, _), (.divisible, _), (.atLeast, _): return false
    }
  }

  /// The same with symbols replaced.
  public func substituting(_ replacement: (Symbol) -> Dim?) -> Obligation {
    var copy = self
    copy.left = left.substituting(replacement)
    copy.right = right.substituting(replacement)
    return copy
  }

  /// Whether it holds in any case, or in none; nil where that depends on sizes that are not known.
  public func isSettled(_ ranges: [Symbol: ClosedRange<Int>] = [:]) -> Bool? {
    if left.isOverflow || right.isOverflow { return nil }
    switch relation {
    case .equal: return Self.areEqual(left, right, ranges)
    case .equalOrOne:
      if left == 1 || left.isMember(of: right) { return true }
      return Self.either(Self.areEqual(left, right, ranges), Self.areEqual(left, 1, ranges))
    case .broadcastable:
      if left == 1 || right == 1 || left.isMember(of: right) || right.isMember(of: left) { return true }
      return Self.either(
        Self.areEqual(left, right, ranges), Self.areEqual(left, 1, ranges), Self.areEqual(right, 1, ranges))
    case .divisible:
      if right == 1 { return true }
      if let divisor = right.value, divisor == 0 { return false }
      if let size = left.value, let divisor = right.value { return size % divisor == 0 }
      if right.isConstant, left.exactQuotient(by: right) != nil { return true }
      return nil
    case .atLeast:
      let difference = left - right
      if difference.isNonNegative(ranges) { return true }
      return difference.bounds(ranges).upper.map { $0 < 0 } == true ? false : nil
    }
  }

  /// Whether it holds for given values of the symbols; nil where a size cannot be computed.
  public func holds(_ values: (Symbol) -> Int?) -> Bool? {
    guard let a = left.evaluated(values), let b = right.evaluated(values) else { return nil }
    switch relation {
    case .equal: return a == b
    case .equalOrOne: return a == b || a == 1
    case .broadcastable: return a == b || a == 1 || b == 1
    case .divisible: return b != 0 && a % b == 0
    case .atLeast: return a >= b
    }
  }

  private static func areEqual(_ a: Dim, _ b: Dim, _ ranges: [Symbol: ClosedRange<Int>]) -> Bool? {
    if a == b { return true }
    let bounds = (a - b).bounds(ranges)
    if let lower = bounds.lower, lower > 0 { return false }
    if let upper = bounds.upper, upper < 0 { return false }
    return nil
  }

  private static func either(_ answers: Bool?...) -> Bool? {
    if answers.contains(true) { return true }
    return answers.allSatisfy { $0 == false } ? false : nil
  }

  // MARK: In words

  /// The sentence that tells that it does not hold, for given texts of both sides.
  public func message(left: String, right: String) -> String {
    let text =
      switch relation {
      case .equal: "\(subject) must be equal, but are \(left) and \(right)"
      case .equalOrOne: "\(subject) must be 1 or \(right), but is \(left)"
      case .broadcastable: "\(subject) must be equal, or one of them 1, but are \(left) and \(right)"
      case .divisible: "\(subject) must be a multiple of \(right), but is \(left)"
      case .atLeast: "\(subject) must be at least \(right), but is \(left)"
      }
    return op.isEmpty ? text : "\(op): \(text)"
  }

  /// That it does not hold whatever the other sizes are.
  public var refutation: Diagnostic {
    Diagnostic(.user, "size.\(relation.rawValue)", message(left: "\(left)", right: "\(right)"), at: origin)
  }
}

extension Obligation {
  /// The relation, and who relies on it: `b = c: MatMul, inner sizes of … (node /mm)`.
  package var explained: String {
    let place = origin.isEmpty ? "" : " (" + origin.joined(separator: ", ") + ")"
    return "\(self): " + (op.isEmpty ? "" : "\(op), ") + subject + place
  }
}

extension Obligation: CustomStringConvertible {
  /// The relation alone: `a = b`, `n % 4 = 0`.
  public var description: String {
    switch relation {
    case .equal: "\(left) = \(right)"
    case .equalOrOne: "\(left) = \(right) or 1"
    case .broadcastable: "\(left) = \(right), or one is 1"
    case .divisible: "\(left) is a multiple of \(right)"
    case .atLeast: "\(left) >= \(right)"
    }
  }
}

extension Dim {
  /// Whether this is one of the sizes that a joint size was made of. Such sizes broadcast to it: that was asked for when it was made.
  func isMember(of joint: Dim) -> Bool {
    if self == joint { return true }
    guard joint.constant == 0, joint.terms.count == 1, joint.terms[0].coefficient == 1,
      joint.terms[0].factors.count == 1,
      case .joint(let a, let b) = joint.terms[0].factors[0]
    else { return false }
    return isMember(of: a) || isMember(of: b)
  }
}
