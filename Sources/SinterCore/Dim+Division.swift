extension Dim {
  /// Floor division. Dividing by a constant zero gives an atom that has no value.
  public static func / (a: Dim, b: Dim) -> Dim {
    guard let y = b.value else {
      if a.isOverflow || b.isOverflow { return .overflow }
      if a == b { return Dim(1) }
      if a.value == 0 { return Dim(0) }
      if let quotient = a.exactQuotient(by: b) { return quotient }
      let (x, y) = withoutCommonFactors(a, b)
      return y == b ? Dim(atom: .quotient(a, b)) : x / y
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
    let rest = Dim(
      sorted: a.terms.filter { $0.coefficient % y != 0 }, constant: floorRemainder(a.constant, y))
    if rest != a {
      let divisible = a.terms.filter { $0.coefficient % y == 0 }
      let whole = Dim(
        sorted: divisible.map { Term(coefficient: $0.coefficient / y, factors: $0.factors) },
        constant: floorDivide(a.constant, y))
      return whole + rest / b
    }
    guard y > 0 else { return Dim(atom: .quotient(a, b)) }
    // (g·x + k) / (g·z) = (x + floor(k / g)) / z
    let common = a.terms.reduce(y) { Int(gcd($0.magnitude, $1.coefficient.magnitude)) }
    if common > 1 {
      let terms = a.terms.map { Term(coefficient: $0.coefficient / common, factors: $0.factors) }
      return Dim(sorted: terms, constant: floorDivide(a.constant, common)) / Dim(y / common)
    }
    // -x / y = -((x + y - 1) / y)
    if a.terms.allSatisfy({ $0.coefficient < 0 }) {
      let opposite = Dim(y - 1) - a
      if !opposite.isOverflow { return -(opposite / b) }
    }
    // k·(z mod c) / y = k·z / y - k·(c / y)·(z / c), where y divides c
    for (index, term) in a.terms.enumerated() {
      guard let (z, c) = term.remainderOfSizes, c % y == 0 else { continue }
      let sum = a.removingTerm(at: index) + Dim(term.coefficient) * z
      let whole = Dim(term.coefficient) * Dim(c / y) * (z / Dim(c))
      if sum.terms.count < a.terms.count && !sum.isOverflow && !whole.isOverflow { return sum / b - whole }
    }
    // (x / c + k) / y = (x + c·k) / (c·y)
    if a.terms.count == 1, a.terms[0].coefficient == 1, a.terms[0].factors.count == 1,
      case .quotient(let x, let c) = a.terms[0].factors[0], let inner = c.value, inner != 0
    {
      let (divisor, overflows) = inner.multipliedReportingOverflow(by: y)
      let sum = x + Dim(a.constant) * c
      if !overflows && !sum.isOverflow { return sum / Dim(divisor) }
    }
    if let quotient = a.extremumDivided(by: y) { return quotient }
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
    // A remainder leaves what its dividend does, where y divides what it was divided by.
    for (index, term) in a.terms.enumerated() {
      guard let (z, c) = term.remainderOfSizes, c % y == 0 else { continue }
      let sum = a.removingTerm(at: index) + Dim(term.coefficient) * z
      if !sum.isOverflow { return sum % b }
    }
    let reduced = Dim(sorted: rest, constant: floorRemainder(a.constant, y))
    // What a size lacks to a multiple: with it the size is that multiple, n + (-n mod 4) = 4·((n + 3) / 4).
    if y > 0, rest.allSatisfy({ $0.coefficient < 0 }), !reduced.mentions(where: \.isIndex) {
      let lacking = reduced - b * (reduced / b)
      if !lacking.isOverflow { return lacking }
    }
    return Dim(atom: .remainder(reduced, b))
  }

  /// Both without what divides all of their terms, numbers and symbols: `64·b·s` and `256·b` become `s` and `4`.
  private static func withoutCommonFactors(_ a: Dim, _ b: Dim) -> (Dim, Dim) {
    let terms = a.terms + b.terms
    let divisor = terms.reduce(gcd(a.constant.magnitude, b.constant.magnitude)) { gcd($0, $1.coefficient.magnitude) }
    var factors: [Atom] = []
    if a.constant == 0 && b.constant == 0, let first = terms.first {
      for factor in first.factors {
        let count = factors.count { $0 == factor } + 1
        if terms.allSatisfy({ term in term.factors.count { $0 == factor } >= count }) { factors.append(factor) }
      }
    }
    let numbers = Int(exactly: divisor).map { Dim($0) } ?? Dim(1)
    let common = factors.reduce(numbers) { $0 * Dim(atom: $1) }
    guard common != 1, let x = a.exactQuotient(by: common), let y = b.exactQuotient(by: common) else { return (a, b) }
    return (x, y)
  }

  static func gcd(_ a: UInt, _ b: UInt) -> UInt {
    var (a, b) = (a, b)
    while b != 0 { (a, b) = (b, a % b) }
    return a
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

extension Dim.Term {
  /// What is divided, and by which positive number, where this is what a division leaves, times a number. Nil for indices: `6·(i / 6) +
  /// 3·(mod(i, 6) / 3) + mod(mod(i, 6), 3)` is seen to be `i` while each remainder stands as it was made.
  fileprivate var remainderOfSizes: (dividend: Dim, divisor: Int)? {
    guard factors.count == 1, case .remainder(let dividend, let divisor) = factors[0], let number = divisor.value,
      number > 0, !dividend.mentions(where: \.isIndex)
    else { return nil }
    return (dividend, number)
  }
}
