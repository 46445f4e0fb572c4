/// Gathers what an operator relies on while its results' sizes are inferred.
///
/// Each function states one relation: what can be proven is dropped, what can be refuted is thrown, the rest is kept. Those that give a
/// size give the one to go on with.
public struct Obligations: Sendable {
  /// What could not be proven, in the order in which it was stated, each relation once.
  public private(set) var all: [Obligation] = []
  /// The least and greatest values of symbols; those not listed are at least zero.
  public var ranges: [Symbol: ClosedRange<Int>]

  /// No relations yet, for symbols within the given ranges.
  public init(ranges: [Symbol: ClosedRange<Int>] = [:]) { self.ranges = ranges }

  /// States a relation. Throws where it cannot hold.
  public mutating func require(_ obligation: Obligation) throws {
    switch obligation.isSettled(ranges) {
    case true: return
    case false: throw DiagnosticError([obligation.refutation])
    case nil:
      if !all.contains(where: { $0.isSameRelation(as: obligation) }) { all.append(obligation) }
    }
  }

  /// States relations that others have stated. Throws for one that never holds.
  public mutating func require(_ obligations: [Obligation]) throws {
    for obligation in obligations { try require(obligation) }
  }

  /// Two sizes are equal. Gives the one that is better known: a number, else the one with fewer terms, else the first.
  ///
  /// - Parameter subject: what the sizes are of, as the subject of a sentence: `inner sizes`.
  @discardableResult
  public mutating func equal(_ a: Dim, _ b: Dim, _ subject: @autoclosure () -> String) throws -> Dim {
    if a == b { return a }
    try require(Obligation(.equal, a, b, subject: subject()))
    if a.isConstant || b.isConstant { return a.isConstant ? a : b }
    return b.symbol != nil && a.symbol == nil ? b : a
  }

  /// Two shapes have equal ranks, which the caller has made sure of, and equal sizes.
  public mutating func equal(_ a: [Dim], _ b: [Dim], _ subject: @autoclosure () -> String) throws -> [Dim] {
    try zip(a, b).enumerated().map { axis, pair in try equal(pair.0, pair.1, "\(subject()) along axis \(axis)") }
  }

  /// A size is another one, or 1.
  public mutating func broadcasts(_ size: Dim, to target: Dim, _ subject: @autoclosure () -> String) throws {
    if size == target || size == 1 { return }
    try require(Obligation(.equalOrOne, size, target, subject: subject()))
  }

  /// The joint size of two that broadcast to one another.
  public mutating func joint(_ a: Dim, _ b: Dim, _ subject: @autoclosure () -> String) throws -> Dim {
    if a == b || b == 1 { return a }
    if a == 1 { return b }
    if a.isConstant || b.isConstant {
      let (known, open) = a.isConstant ? (a, b) : (b, a)
      try require(Obligation(.equalOrOne, open, known, subject: subject()))
    } else {
      try require(Obligation(.broadcastable, a, b, subject: subject()))
    }
    return Dim.joint(a, b)
  }

  /// A size is a multiple of another one, which is not zero.
  public mutating func divisible(_ size: Dim, by divisor: Dim, _ subject: @autoclosure () -> String) throws {
    try require(Obligation(.divisible, size, divisor, subject: subject()))
  }

  /// A size is another one or more.
  public mutating func atLeast(_ size: Dim, _ least: Dim, _ subject: @autoclosure () -> String) throws {
    try require(Obligation(.atLeast, size, least, subject: subject()))
  }

  /// Two shapes hold as many elements.
  public mutating func sameCount(_ a: [Dim], _ b: [Dim], _ subject: @autoclosure () -> String) throws {
    let (left, right) = (a.reduce(Dim(1), *), b.reduce(Dim(1), *))
    if left == right { return }
    try require(Obligation(.equal, left, right, subject: subject()))
  }
}
