extension Dim {
  /// The sum.
  public static func + (a: Dim, b: Dim) -> Dim { merged(a, b) { $0.addingReportingOverflow($1) } }

  /// The difference.
  public static func - (a: Dim, b: Dim) -> Dim { merged(a, b) { $0.subtractingReportingOverflow($1) } }

  /// The size negated.
  public static prefix func - (a: Dim) -> Dim { Dim(0) - a }

  /// The product.
  public static func * (a: Dim, b: Dim) -> Dim {
    if let x = a.value { return b.scaled(by: x) }
    if let y = b.value { return a.scaled(by: y) }
    if a.isOverflow || b.isOverflow { return .overflow }
    if isTooLong(a, b) { return Dim(atom: order(a, b) <= 0 ? .product(a, b) : .product(b, a)) }
    var product = Gathering()
    product.terms.reserveCapacity((a.terms.count + 1) * (b.terms.count + 1))
    for x in a.terms {
      for y in b.terms {
        product.add(x.coefficient, y.coefficient, (x.factors + y.factors).sorted { Atom.order($0, $1) < 0 })
      }
      if b.constant != 0 { product.add(x.coefficient, b.constant, x.factors) }
    }
    if a.constant != 0 {
      for y in b.terms { product.add(a.constant, y.coefficient, y.factors) }
    }
    let (constant, overflows) = a.constant.multipliedReportingOverflow(by: b.constant)
    return overflows ? .overflow : product.sum(constant: constant)
  }

  /// Whether a product stays as it is instead of being multiplied out. No model's sizes come near these limits; sizes made of sizes made of
  /// sizes would otherwise grow beyond all memory.
  private static func isTooLong(_ a: Dim, _ b: Dim) -> Bool {
    (a.terms.count + 1) * (b.terms.count + 1) > 512 || a.degree + b.degree > 24
  }

  /// The most factors of a term.
  private var degree: Int { terms.first?.factors.count ?? 0 }

  private func scaled(by factor: Int) -> Dim {
    let (constant, overflows) = constant.multipliedReportingOverflow(by: factor)
    if terms.isEmpty { return overflows ? .overflow : Dim(constant) }
    if isOverflow || overflows { return .overflow }
    if factor == 0 { return Dim(0) }
    var scaled = terms
    for index in scaled.indices {
      let (coefficient, overflows) = scaled[index].coefficient.multipliedReportingOverflow(by: factor)
      if overflows { return .overflow }
      scaled[index].coefficient = coefficient
    }
    return Dim(sorted: scaled, constant: constant)
  }

  /// Two sizes term by term; what one of them lacks has the coefficient zero.
  ///
  /// - Parameter combine: gives zero for two zeros.
  @inline(__always)
  static func merged(_ a: Dim, _ b: Dim, _ combine: (Int, Int) -> (partialValue: Int, overflow: Bool)) -> Dim {
    let (constant, overflows) = combine(a.constant, b.constant)
    if a.terms.isEmpty && b.terms.isEmpty { return overflows ? .overflow : Dim(constant) }
    if overflows || a.isOverflow || b.isOverflow { return .overflow }
    var terms: [Term] = []
    terms.reserveCapacity(a.terms.count + b.terms.count)
    var (i, j) = (0, 0)
    while i < a.terms.count || j < b.terms.count {
      let order =
        i == a.terms.count ? 1 : j == b.terms.count ? -1 : Atom.order(a.terms[i].factors, b.terms[j].factors)
      let (coefficient, overflows) = combine(
        order <= 0 ? a.terms[i].coefficient : 0, order >= 0 ? b.terms[j].coefficient : 0)
      if overflows { return .overflow }
      if coefficient != 0 {
        terms.append(Term(coefficient: coefficient, factors: order <= 0 ? a.terms[i].factors : b.terms[j].factors))
      }
      if order <= 0 { i += 1 }
      if order >= 0 { j += 1 }
    }
    return Dim(sorted: terms, constant: constant)
  }
}

/// Products in any order, to be added up. Sums on the way may be longer than 64 bits, so the order does not matter.
private struct Gathering {
  var terms: [Dim.Term] = []
  var overflows = false

  mutating func add(_ a: Int, _ b: Int, _ factors: [Dim.Atom]) {
    let (coefficient, overflow) = a.multipliedReportingOverflow(by: b)
    if overflow { overflows = true }
    terms.append(Dim.Term(coefficient: coefficient, factors: factors))
  }

  func sum(constant: Int) -> Dim {
    if overflows { return .overflow }
    let sorted = terms.sorted { Dim.Atom.order($0.factors, $1.factors) < 0 }
    var gathered: [Dim.Term] = []
    gathered.reserveCapacity(sorted.count)
    var start = 0
    while start < sorted.count {
      let factors = sorted[start].factors
      var total = Int128(0)
      var end = start
      while end < sorted.count && sorted[end].factors == factors {
        total += Int128(sorted[end].coefficient)
        end += 1
      }
      guard let coefficient = Int(exactly: total) else { return .overflow }
      if coefficient != 0 { gathered.append(Dim.Term(coefficient: coefficient, factors: factors)) }
      start = end
    }
    return Dim(sorted: gathered, constant: constant)
  }
}
