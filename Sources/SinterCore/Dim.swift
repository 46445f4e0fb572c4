/// A named size that is known only at run time, such as `batch`. Symbols of equal names are equal.
///
/// A symbol stands for a size, which is at least zero, unless its name starts with `#`: then it is an index, which may be any integer.
public struct Symbol: Hashable, Comparable, Sendable {
  /// As it is written, and known to callers.
  public let name: String

  /// The symbol of a name; all symbols of that name are equal.
  public init(_ name: String) { self.name = name }

  /// Whether this is a size that only data determines, such as the number of nonzero elements: a node computes it while the model runs.
  public var isFromData: Bool { name.utf8.first == UInt8(ascii: "$") }

  /// By name, so that printed lists of symbols have one order.
  public static func < (a: Symbol, b: Symbol) -> Bool { a.name < b.name }

  /// Whether this is an index inside a kernel rather than a size.
  package var isIndex: Bool { name.utf8.first == UInt8(ascii: "#") }
}

/// A size: an integer polynomial over symbols and over quotients, remainders, minima and maxima of sizes, and sizes times numbers of 32 bits.
///
/// The form is canonical: like terms are gathered, terms and factors are sorted, and whatever can be computed is. Sizes that
/// are equal by the rules of arithmetic that this type knows compare equal; two that compare unequal may still be equal at
/// run time. Printing and parsing, and replacing each symbol by itself, give an equal size. Division is floor division, and
/// `x % y` has the sign of `y`, as in Python.
///
/// The rules presume that sizes (symbols that are no index) are at least zero, and that what a size divides by is not zero, unless it is
/// the constant zero. No arithmetic wraps or traps: what no 64-bit integer holds is `overflow`, and so is whatever is computed from it.
public struct Dim: Hashable, Sendable {
  /// What a term multiplies. Not a sum of several terms, which is multiplied out or else a `product`.
  public indirect enum Atom: Hashable, Sendable {
    case symbol(Symbol)
    /// Rounded toward minus infinity. Has no value where the second is zero.
    case quotient(Dim, Dim)
    /// With the sign of the second. Has no value where the second is zero.
    case remainder(Dim, Dim)
    /// The smallest of several sizes: the first, and the smallest of the others. `members` lists them.
    case minimum(Dim, Dim)
    /// The greatest of several sizes: the first, and the greatest of the others. `members` lists them.
    case maximum(Dim, Dim)
    /// The size that axes of these sizes broadcast to: the second where the first is one, else the first. `members` lists them.
    case joint(Dim, Dim)
    /// The first where it is at least zero, else the sum of both: a place that counts from the end where it is negative.
    case place(Dim, Dim)
    /// The first times a positive number of 32 bits, of which the second is the bits, rounded down: `Dim.scaled(_:by:)`.
    case scaled(Dim, Dim)
    /// Two sizes whose product would have too many terms or factors to be multiplied out.
    case product(Dim, Dim)
    /// No 64-bit integer. It stands alone: what it takes part in is no 64-bit integer, either.
    case overflow
  }

  /// A product of symbols and a whole number.
  public struct Term: Hashable, Sendable {
    /// The number.
    public var coefficient: Int
    /// Sorted; a square holds its atom twice. Never empty: what has no factor is the constant.
    public var factors: [Atom]
  }

  /// Sorted by factors, coefficients never zero.
  public internal(set) var terms: [Term]
  /// What is added to the terms.
  public internal(set) var constant: Int

  /// A size that is a number.
  public init(_ constant: Int) {
    self.terms = []
    self.constant = constant
  }

  /// A size that is known only at run time.
  public init(_ symbol: Symbol) {
    self.init(atom: .symbol(symbol))
  }

  /// The size of a symbol of this name.
  public init(symbol name: String) { self.init(Symbol(name)) }

  /// A factor of another size. It is taken as it is, so operands other than such a factor's go through the operators and functions.
  public init(atom: Atom) {
    terms = [Term(coefficient: 1, factors: [atom])]
    constant = 0
  }

  /// - Parameter terms: sorted, each with a coefficient other than zero.
  init(sorted terms: [Term], constant: Int) {
    self.terms = terms
    self.constant = constant
  }

  /// What no 64-bit integer holds.
  public static let overflow = Dim(atom: .overflow)

  /// Whether some step on the way here left the 64-bit integers.
  public var isOverflow: Bool {
    guard terms.count == 1, case .overflow = terms[0].factors[0] else { return false }
    return true
  }

  /// The value, where no symbol is involved.
  public var value: Int? { terms.isEmpty ? constant : nil }

  /// Whether it is a number.
  public var isConstant: Bool { terms.isEmpty }

  /// The symbol that this is, where it is just one.
  public var symbol: Symbol? {
    guard case .symbol(let symbol) = atom else { return nil }
    return symbol
  }

  /// The atom that this is, where it is just one.
  package var atom: Atom? {
    guard constant == 0, terms.count == 1, terms[0].coefficient == 1, terms[0].factors.count == 1 else { return nil }
    return terms[0].factors[0]
  }
}

extension Dim: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
  /// A size that is a number.
  public init(integerLiteral value: Int) { self.init(value) }
  /// A symbol's name, not an expression.
  public init(stringLiteral name: String) { self.init(Symbol(name)) }
}

extension Dim.Atom {
  /// What this is computed from, where it is no symbol.
  package var operands: (Dim, Dim)? {
    switch self {
    case .symbol, .overflow: nil
    case .quotient(let a, let b), .remainder(let a, let b), .minimum(let a, let b), .maximum(let a, let b),
      .joint(let a, let b), .place(let a, let b), .scaled(let a, let b), .product(let a, let b):
      (a, b)
    }
  }

  /// The sizes that a minimum, a maximum or a joint size is taken of, two or more; the operands of other atoms.
  package var members: [Dim] {
    var found: [Dim] = []
    var atom = self
    while let (first, rest) = atom.operands {
      found.append(first)
      switch (atom, rest.atom) {
      case (.minimum, .minimum(let a, let b)?): atom = .minimum(a, b)
      case (.maximum, .maximum(let a, let b)?): atom = .maximum(a, b)
      case (.joint, .joint(let a, let b)?): atom = .joint(a, b)
      default: return found + [rest]
      }
    }
    return found
  }
}

extension Dim {
  /// Whether it depends on a size that data determine.
  package var isFromData: Bool { !isConstant && symbols.contains(where: \.isFromData) }
}

extension Dim {
  /// Whether so many symbols stand in it that a name for its value serves better: each operation on sizes takes time with all of them.
  package var isLong: Bool { atoms > Self.longest }
  private static let longest = 48
}
