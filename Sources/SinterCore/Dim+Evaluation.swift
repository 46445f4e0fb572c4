extension Dim {
  /// The symbols in it, each once, sorted.
  public var symbols: [Symbol] {
    if terms.isEmpty { return [] }
    if let symbol { return [symbol] }
    var found: Set<Symbol> = []
    collect(into: &found)
    return found.sorted()
  }

  private func collect(into found: inout Set<Symbol>) {
    for term in terms {
      for factor in term.factors {
        if case .symbol(let symbol) = factor { found.insert(symbol) }
        guard let (a, b) = factor.operands else { continue }
        a.collect(into: &found)
        b.collect(into: &found)
      }
    }
  }

  /// Whether a symbol in it is one of some.
  package func mentions(where isMeant: (Symbol) -> Bool) -> Bool {
    terms.contains { term in
      term.factors.contains { factor in
        if case .symbol(let symbol) = factor { return isMeant(symbol) }
        guard let (a, b) = factor.operands else { return false }
        return a.mentions(where: isMeant) || b.mentions(where: isMeant)
      }
    }
  }

  /// Every symbol that `replacement` names replaced, the result canonical again.
  public func substituting(_ replacement: (Symbol) -> Dim?) -> Dim {
    if !mentions(where: { replacement($0) != nil }) { return self }
    var sum = Dim(constant)
    for term in terms {
      var product = Dim(term.coefficient)
      for factor in term.factors { product = product * factor.substituting(replacement) }
      sum = sum + product
    }
    return sum
  }

  /// The number that this is under given values of its symbols; nil where one is missing, a division by zero occurs or a step leaves the
  /// 64-bit integers.
  public func evaluated(_ values: (Symbol) -> Int?) -> Int? {
    var sum = constant
    for term in terms {
      var product = term.coefficient
      for factor in term.factors {
        guard let value = factor.evaluated(values),
          let next = Self.exact(product.multipliedReportingOverflow(by: value))
        else { return nil }
        product = next
      }
      guard let next = Self.exact(sum.addingReportingOverflow(product)) else { return nil }
      sum = next
    }
    return sum
  }

  /// The same, but divisors that are zero count as one: for places among elements, of which there are none where such a divisor is an extent.
  public var dividingByOneForZero: Dim {
    guard terms.contains(where: { $0.factors.contains(where: \.mayDivideByZero) }) else { return self }
    return terms.reduce(Dim(constant)) { sum, term in
      sum + term.factors.reduce(Dim(term.coefficient)) { $0 * $1.dividingByOneForZero }
    }
  }

  fileprivate static func exact(_ result: (partialValue: Int, overflow: Bool)) -> Int? {
    result.overflow ? nil : result.partialValue
  }
}

extension Dim.Atom {
  /// Whether it divides by a size that is no number.
  fileprivate var mayDivideByZero: Bool {
    guard let (a, b) = operands else { return false }
    func inside(_ dim: Dim) -> Bool { dim.terms.contains { $0.factors.contains(where: \.mayDivideByZero) } }
    switch self {
    case .quotient, .remainder: return b.value == nil || inside(a)
    case .symbol, .overflow, .minimum, .maximum, .joint, .place, .scaled, .product: return inside(a) || inside(b)
    }
  }

  fileprivate var dividingByOneForZero: Dim {
    guard let (x, y) = operands else { return Dim(atom: self) }
    let (a, b) = (x.dividingByOneForZero, y.dividingByOneForZero)
    let divisor = b.value == nil ? Dim.max(b, 1) : b
    switch self {
    case .symbol, .overflow: return Dim(atom: self)
    case .quotient: return a / divisor
    case .remainder: return a % divisor
    case .minimum: return Dim.min(a, b)
    case .maximum: return Dim.max(a, b)
    case .joint: return Dim.joint(a, b)
    case .place: return Dim.place(a, in: b)
    case .scaled: return Dim.scaled(a, bits: y)
    case .product: return a * b
    }
  }

  fileprivate func substituting(_ replacement: (Symbol) -> Dim?) -> Dim {
    switch self {
    case .symbol(let symbol): replacement(symbol) ?? Dim(symbol)
    case .quotient(let a, let b): a.substituting(replacement) / b.substituting(replacement)
    case .remainder(let a, let b): a.substituting(replacement) % b.substituting(replacement)
    case .minimum(let a, let b): Dim.min(a.substituting(replacement), b.substituting(replacement))
    case .maximum(let a, let b): Dim.max(a.substituting(replacement), b.substituting(replacement))
    case .joint(let a, let b): Dim.joint(a.substituting(replacement), b.substituting(replacement))
    case .place(let a, let b): Dim.place(a.substituting(replacement), in: b.substituting(replacement))
    case .scaled(let a, let b): Dim.scaled(a.substituting(replacement), bits: b)
    case .product(let a, let b): a.substituting(replacement) * b.substituting(replacement)
    case .overflow: .overflow
    }
  }

  fileprivate func evaluated(_ values: (Symbol) -> Int?) -> Int? {
    if case .symbol(let symbol) = self { return values(symbol) }
    guard let (a, b) = operands, let x = a.evaluated(values), let y = b.evaluated(values) else { return nil }
    switch self {
    case .symbol, .overflow: return nil
    case .quotient:
      return y == 0 ? nil : y == -1 ? Dim.exact((0).subtractingReportingOverflow(x)) : Dim.floorDivide(x, y)
    case .remainder: return y == 0 ? nil : y == -1 ? 0 : Dim.floorRemainder(x, y)
    case .minimum: return Swift.min(x, y)
    case .maximum: return Swift.max(x, y)
    case .joint: return x == 1 ? y : x
    case .scaled: return Dim.scaled(x, bits: y)
    case .product: return Dim.exact(x.multipliedReportingOverflow(by: y))
    case .place: return x < 0 ? Dim.exact(x.addingReportingOverflow(y)) : x
    }
  }
}
