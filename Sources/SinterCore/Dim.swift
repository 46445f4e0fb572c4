/// A named size that is known only at run time, such as `batch`. Symbols of equal names are equal.
public struct Symbol: Hashable, Comparable, Sendable {
  public let name: String

  public init(_ name: String) { self.name = name }

  /// Whether this is a size that only data determines, such as the number of nonzero elements: a node computes it while the model runs.
  public var isFromData: Bool { name.utf8.first == UInt8(ascii: "$") }

  public static func < (a: Symbol, b: Symbol) -> Bool { a.name < b.name }
}

/// A size: an integer polynomial over symbols and over quotients, remainders, minima and maxima of sizes.
///
/// The form is canonical: like terms are gathered, terms and factors are sorted, and whatever can be computed is. Sizes that
/// are equal by the rules of arithmetic that this type knows compare equal; two that compare unequal may still be equal at
/// run time. Division is floor division, and `x % y` has the sign of `y`, as in Python.
public struct Dim: Hashable, Sendable {
  /// What a term multiplies. Not a sum of several terms, which would have been multiplied out.
  public indirect enum Atom: Hashable, Sendable {
    case symbol(Symbol)
    case quotient(Dim, Dim)
    case remainder(Dim, Dim)
    case minimum(Dim, Dim)
    case maximum(Dim, Dim)
  }

  public struct Term: Hashable, Sendable {
    public var coefficient: Int
    /// Sorted; a square holds its atom twice. Never empty: what has no factor is the constant.
    public var factors: [Atom]
  }

  /// Sorted by factors, coefficients never zero.
  public private(set) var terms: [Term]
  public private(set) var constant: Int

  public init(_ constant: Int) {
    self.terms = []
    self.constant = constant
  }

  public init(_ symbol: Symbol) {
    self.init(atom: .symbol(symbol))
  }

  public init(symbol name: String) { self.init(Symbol(name)) }

  public init(atom: Atom) {
    terms = [Term(coefficient: 1, factors: [atom])]
    constant = 0
  }

  private init(gathering raw: [Term], constant: Int) {
    self.constant = constant
    if raw.count <= 1 {
      terms = raw.filter { $0.coefficient != 0 }
      return
    }
    let sorted = raw.sorted { Atom.areIncreasing($0.factors, $1.factors) }
    var gathered: [Term] = []
    for term in sorted {
      if let last = gathered.last, last.factors == term.factors {
        gathered[gathered.count - 1].coefficient &+= term.coefficient
      } else {
        gathered.append(term)
      }
    }
    terms = gathered.filter { $0.coefficient != 0 }
  }

  /// The value, where no symbol is involved.
  public var value: Int? { terms.isEmpty ? constant : nil }

  public var isConstant: Bool { terms.isEmpty }

  /// The symbol that this is, where it is just one.
  public var symbol: Symbol? {
    guard constant == 0, terms.count == 1, terms[0].coefficient == 1, terms[0].factors.count == 1,
      case .symbol(let symbol) = terms[0].factors[0]
    else { return nil }
    return symbol
  }

  public static func + (a: Dim, b: Dim) -> Dim {
    if a.terms.isEmpty && b.terms.isEmpty { return Dim(a.constant &+ b.constant) }
    return Dim(gathering: a.terms + b.terms, constant: a.constant &+ b.constant)
  }

  public static prefix func - (a: Dim) -> Dim { a * Dim(-1) }
  public static func - (a: Dim, b: Dim) -> Dim { a + b * Dim(-1) }

  public static func * (a: Dim, b: Dim) -> Dim {
    if a.terms.isEmpty && b.terms.isEmpty { return Dim(a.constant &* b.constant) }
    var raw: [Term] = []
    for x in a.terms {
      for y in b.terms {
        let factors = (x.factors + y.factors).sorted { Atom.isIncreasing($0, $1) }
        raw.append(Term(coefficient: x.coefficient &* y.coefficient, factors: factors))
      }
      if b.constant != 0 { raw.append(Term(coefficient: x.coefficient &* b.constant, factors: x.factors)) }
    }
    if a.constant != 0 {
      for y in b.terms { raw.append(Term(coefficient: a.constant &* y.coefficient, factors: y.factors)) }
    }
    return Dim(gathering: raw, constant: a.constant &* b.constant)
  }

  /// Floor division. Dividing by a constant zero gives an atom that fails when evaluated.
  public static func / (a: Dim, b: Dim) -> Dim {
    if let y = b.value {
      if y == 1 { return a }
      if let x = a.value, y != 0 { return Dim(floorDivide(x, y)) }
      if y != 0, !a.terms.isEmpty {
        // (y·q + r) / y = q + r / y for whatever part of the sum y divides.
        let divisible = a.terms.filter { $0.coefficient % y == 0 }
        if !divisible.isEmpty {
          let whole = Dim(
            gathering: divisible.map { Term(coefficient: $0.coefficient / y, factors: $0.factors) },
            constant: floorDivide(a.constant, y))
          let rest = Dim(
            gathering: a.terms.filter { $0.coefficient % y != 0 }, constant: a.constant - floorDivide(a.constant, y) * y)
          return whole + (rest.isConstant ? Dim(floorDivide(rest.constant, y)) : Dim(atom: .quotient(rest, b)))
        }
        // (x / c) / y = x / (c·y)
        if a.constant == 0, a.terms.count == 1, a.terms[0].coefficient == 1, a.terms[0].factors.count == 1,
          case .quotient(let x, let c) = a.terms[0].factors[0], let inner = c.value, inner > 0, y > 0
        {
          return x / Dim(inner * y)
        }
      }
    } else if a == b {
      return Dim(1)
    } else if let exact = a.exactQuotient(by: b) {
      return exact
    }
    if a.value == 0 { return Dim(0) }
    return Dim(atom: .quotient(a, b))
  }

  public static func % (a: Dim, b: Dim) -> Dim {
    if let x = a.value, let y = b.value, y != 0 { return Dim(x - floorDivide(x, y) * y) }
    if b.value == 1 || a.value == 0 || a == b || a.exactQuotient(by: b) != nil { return Dim(0) }
    if let y = b.value, y != 0 {
      let rest = a.terms.filter { $0.coefficient % y != 0 }
      if rest.count < a.terms.count { return Dim(gathering: rest, constant: a.constant) % b }
    }
    return Dim(atom: .remainder(a, b))
  }

  public static func min(_ a: Dim, _ b: Dim) -> Dim {
    if let difference = (a - b).value { return difference <= 0 ? a : b }
    return Atom.isIncreasing(a, b) ? Dim(atom: .minimum(a, b)) : Dim(atom: .minimum(b, a))
  }

  public static func max(_ a: Dim, _ b: Dim) -> Dim {
    if let difference = (a - b).value { return difference >= 0 ? a : b }
    return Atom.isIncreasing(a, b) ? Dim(atom: .maximum(a, b)) : Dim(atom: .maximum(b, a))
  }

  /// Division rounded up.
  public func ceilDivided(by b: Dim) -> Dim { (self + b - Dim(1)) / b }

  /// `self / b` where b is one term that divides each term of this sum, else nil.
  public func exactQuotient(by b: Dim) -> Dim? {
    if let y = b.value {
      guard y != 0, constant % y == 0, terms.allSatisfy({ $0.coefficient % y == 0 }) else { return nil }
      return Dim(
        gathering: terms.map { Term(coefficient: $0.coefficient / y, factors: $0.factors) }, constant: constant / y)
    }
    guard b.constant == 0, b.terms.count == 1, constant == 0 else {
      // A sum divides its own multiples.
      if let first = terms.first, let other = b.terms.first, first.factors == other.factors,
        first.coefficient % other.coefficient == 0
      {
        let factor = first.coefficient / other.coefficient
        return b * Dim(factor) == self ? Dim(factor) : nil
      }
      return nil
    }
    let divisor = b.terms[0]
    var raw: [Term] = []
    var whole = 0
    for term in terms {
      guard term.coefficient % divisor.coefficient == 0 else { return nil }
      var factors = term.factors
      for factor in divisor.factors {
        guard let at = factors.firstIndex(of: factor) else { return nil }
        factors.remove(at: at)
      }
      let coefficient = term.coefficient / divisor.coefficient
      if factors.isEmpty { whole += coefficient } else { raw.append(Term(coefficient: coefficient, factors: factors)) }
    }
    return Dim(gathering: raw, constant: whole)
  }

  /// The symbols in it, each once, sorted.
  public var symbols: [Symbol] {
    var found: Set<Symbol> = []
    collect(into: &found)
    return found.sorted()
  }

  private func collect(into found: inout Set<Symbol>) {
    for term in terms {
      for factor in term.factors {
        switch factor {
        case .symbol(let symbol): found.insert(symbol)
        case .quotient(let a, let b), .remainder(let a, let b), .minimum(let a, let b), .maximum(let a, let b):
          a.collect(into: &found)
          b.collect(into: &found)
        }
      }
    }
  }

  /// Every symbol that `replacement` names replaced, the result canonical again.
  public func substituting(_ replacement: (Symbol) -> Dim?) -> Dim {
    if terms.isEmpty { return self }
    var sum = Dim(constant)
    for term in terms {
      var product = Dim(term.coefficient)
      for factor in term.factors {
        switch factor {
        case .symbol(let symbol): product = product * (replacement(symbol) ?? Dim(symbol))
        case .quotient(let a, let b): product = product * (a.substituting(replacement) / b.substituting(replacement))
        case .remainder(let a, let b): product = product * (a.substituting(replacement) % b.substituting(replacement))
        case .minimum(let a, let b):
          product = product * Dim.min(a.substituting(replacement), b.substituting(replacement))
        case .maximum(let a, let b):
          product = product * Dim.max(a.substituting(replacement), b.substituting(replacement))
        }
      }
      sum = sum + product
    }
    return sum
  }

  /// The number that this is under given values of its symbols; nil where one is missing or a division by zero occurs.
  public func evaluated(_ values: (Symbol) -> Int?) -> Int? {
    if terms.isEmpty { return constant }
    return substituting { symbol in values(symbol).map { Dim($0) } }.value
  }

  package static func floorDivide(_ a: Int, _ b: Int) -> Int {
    let quotient = a / b
    return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient
  }
}

extension Dim: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
  public init(integerLiteral value: Int) { self.init(value) }
  /// A symbol's name, not an expression.
  public init(stringLiteral name: String) { self.init(Symbol(name)) }
}

extension Dim.Atom {
  /// A total order, so that canonical forms are unique.
  static func isIncreasing(_ a: Dim.Atom, _ b: Dim.Atom) -> Bool {
    func rank(_ atom: Dim.Atom) -> Int {
      switch atom {
      case .symbol: 0
      case .quotient: 1
      case .remainder: 2
      case .minimum: 3
      case .maximum: 4
      }
    }
    switch (a, b) {
    case (.symbol(let x), .symbol(let y)): return x < y
    case (.quotient(let p, let q), .quotient(let r, let s)), (.remainder(let p, let q), .remainder(let r, let s)),
      (.minimum(let p, let q), .minimum(let r, let s)), (.maximum(let p, let q), .maximum(let r, let s)):
      return p == r ? isIncreasing(q, s) : isIncreasing(p, r)
    default: return rank(a) < rank(b)
    }
  }

  static func areIncreasing(_ a: [Dim.Atom], _ b: [Dim.Atom]) -> Bool {
    // Higher degrees first, as polynomials are written.
    if a.count != b.count { return a.count > b.count }
    for (x, y) in zip(a, b) where x != y { return isIncreasing(x, y) }
    return false
  }

  static func isIncreasing(_ a: Dim, _ b: Dim) -> Bool {
    if a.terms.count != b.terms.count { return a.terms.count < b.terms.count }
    for (x, y) in zip(a.terms, b.terms) {
      if x.factors != y.factors { return areIncreasing(x.factors, y.factors) }
      if x.coefficient != y.coefficient { return x.coefficient < y.coefficient }
    }
    return a.constant < b.constant
  }
}

extension Dim: CustomStringConvertible {
  /// As read back by `Dim(parsing:)`: `batch`, `past + 1`, `2*h - 1`, `floor((h - 1) / 2) + 1`.
  public var description: String {
    if terms.isEmpty { return "\(constant)" }
    var text = ""
    for term in terms {
      let body = term.factors.map(Self.describe).joined(separator: "*")
      let magnitude = abs(term.coefficient)
      let piece = magnitude == 1 ? body : "\(magnitude)*\(body)"
      if text.isEmpty {
        text = term.coefficient < 0 ? "-" + piece : piece
      } else {
        text += (term.coefficient < 0 ? " - " : " + ") + piece
      }
    }
    if constant > 0 { text += " + \(constant)" }
    if constant < 0 { text += " - \(-constant)" }
    return text
  }

  private static func describe(_ atom: Atom) -> String {
    func group(_ dim: Dim) -> String {
      dim.isConstant || dim.symbol != nil ? "\(dim)" : "(\(dim))"
    }
    switch atom {
    case .symbol(let symbol): return symbol.name
    case .quotient(let a, let b): return "floor(\(group(a)) / \(group(b)))"
    case .remainder(let a, let b): return "mod(\(a), \(b))"
    case .minimum(let a, let b): return "min(\(a), \(b))"
    case .maximum(let a, let b): return "max(\(a), \(b))"
    }
  }
}
