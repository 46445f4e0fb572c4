extension Dim {
  /// Floor division. Dividing by a constant zero gives an atom that has no value.
  public static func / (a: Dim, b: Dim) -> Dim {
    guard let y = b.value else {
      if a.isOverflow || b.isOverflow { return .overflow }
      if a == b { return Dim(1) }
      if a.value == 0 { return Dim(0) }
      return a.exactQuotient(by: b) ?? Dim(atom: .quotient(a, b))
    }
    if a.isOverflow { return .overflow }
    switch y {
    case 0: return Dim(atom: .quotient(a, b))
    case 1: return a
    case -1: return -a
    default: break
    }
    if let x = a.value { return Dim(floorDivide(x, y)) }
    // (y·q + r) / y = q + r / y for whatever part of the sum y divides.
    let divisible = a.terms.filter { $0.coefficient % y == 0 }
    if !divisible.isEmpty {
      let whole = Dim(
        sorted: divisible.map { Term(coefficient: $0.coefficient / y, factors: $0.factors) },
        constant: floorDivide(a.constant, y))
      let rest = Dim(sorted: a.terms.filter { $0.coefficient % y != 0 }, constant: floorRemainder(a.constant, y))
      return whole + rest / b
    }
    // (x / c) / y = x / (c·y)
    if y > 0, case .quotient(let x, let c)? = a.atom, let inner = c.value, inner != 0 {
      let (divisor, overflows) = inner.multipliedReportingOverflow(by: y)
      if !overflows { return x / Dim(divisor) }
    }
    return Dim(atom: .quotient(a, b))
  }

  /// What floor division leaves. By a constant zero gives an atom that has no value.
  public static func % (a: Dim, b: Dim) -> Dim {
    guard let y = b.value else {
      if a.isOverflow || b.isOverflow { return .overflow }
      if a == b || a.value == 0 || a.exactQuotient(by: b) != nil { return Dim(0) }
      return Dim(atom: .remainder(a, b))
    }
    if a.isOverflow { return .overflow }
    if y == 0 { return Dim(atom: .remainder(a, b)) }
    if y == 1 || y == -1 { return Dim(0) }
    if let x = a.value { return Dim(floorRemainder(x, y)) }
    let rest = a.terms.filter { $0.coefficient % y != 0 }
    if rest.isEmpty { return Dim(floorRemainder(a.constant, y)) }
    return Dim(atom: .remainder(Dim(sorted: rest, constant: a.constant), b))
  }

  /// Division rounded up.
  public func ceilDivided(by b: Dim) -> Dim { (self + (b - Dim(1))) / b }

  /// `self / b` where b is one term that divides each term of this sum, or where this is a multiple of b; else nil.
  public func exactQuotient(by b: Dim) -> Dim? {
    if isOverflow || b.isOverflow { return .overflow }
    if let y = b.value {
      if y == 0 { return nil }
      if y == -1 { return -self }
      guard constant % y == 0, terms.allSatisfy({ $0.coefficient % y == 0 }) else { return nil }
      return Dim(
        sorted: terms.map { Term(coefficient: $0.coefficient / y, factors: $0.factors) }, constant: constant / y)
    }
    guard b.constant == 0, b.terms.count == 1, constant == 0 else {
      // A sum divides its own multiples.
      guard let first = terms.first, let other = b.terms.first, first.factors == other.factors,
        let factor = Self.exactly(first.coefficient, dividedBy: other.coefficient), b * Dim(factor) == self
      else { return nil }
      return Dim(factor)
    }
    // Taking the same factors from each term may change how terms compare, so they are added up again.
    let divisor = b.terms[0]
    var sum = Dim(0)
    for term in terms {
      guard let coefficient = Self.exactly(term.coefficient, dividedBy: divisor.coefficient) else { return nil }
      var factors = term.factors
      for factor in divisor.factors {
        guard let at = factors.firstIndex(of: factor) else { return nil }
        factors.remove(at: at)
      }
      let quotient =
        factors.isEmpty
        ? Dim(coefficient) : Dim(sorted: [Term(coefficient: coefficient, factors: factors)], constant: 0)
      sum = sum + quotient
    }
    return sum
  }

  /// Nil where `b` does not divide `a`, or the quotient is no 64-bit integer.
  private static func exactly(_ a: Int, dividedBy b: Int) -> Int? {
    let (quotient, overflows) = a.dividedReportingOverflow(by: b)
    guard !overflows, quotient * b == a else { return nil }
    return quotient
  }

  /// Rounded toward minus infinity. `b` is not zero, and not -1 where `a` is the least integer.
  package static func floorDivide(_ a: Int, _ b: Int) -> Int {
    let quotient = a / b
    return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient
  }

  /// What `floorDivide` leaves, under the same conditions.
  static func floorRemainder(_ a: Int, _ b: Int) -> Int {
    let rest = a % b
    return (rest != 0 && (rest < 0) != (b < 0)) ? rest + b : rest
  }
}
