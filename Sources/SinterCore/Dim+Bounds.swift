extension Dim {
  /// Numbers between which this lies, given the ranges of symbols; a symbol without one is at least zero where it is a size and anything
  /// where it is an index. Not always the closest. What overflows may be anything.
  public func bounds(_ ranges: [Symbol: ClosedRange<Int>] = [:]) -> DimBounds {
    if terms.isEmpty { return DimBounds(constant, constant) }
    var finder = BoundsFinder(ranges: ranges, greatestSize: nil)
    return finder.bounds(of: self)
  }

  /// Whether `a <= b` for certain: for all values of their symbols for which both are 64-bit integers.
  static func isAtMost(_ a: Dim, _ b: Dim) -> Bool {
    if let x = a.value, let y = b.value { return x <= y }
    if a.value == .min || b.value == .max { return true }
    let difference = b - a
    if !difference.isOverflow { return difference.certainBounds.lower.map { $0 >= 0 } ?? false }
    // The difference may overflow in one direction only.
    return (a - b).certainBounds.upper.map { $0 <= 0 } ?? false
  }

  /// Bounds that also use that a size is a 64-bit integer: a size minus `Int.max` is not positive.
  var certainBounds: DimBounds {
    if terms.isEmpty { return DimBounds(constant, constant) }
    var finder = BoundsFinder(ranges: [:], greatestSize: .max)
    return finder.bounds(of: self)
  }

  /// Whether this is certainly zero or more under the ranges of its symbols; a symbol without one is at least zero where it is a size.
  ///
  /// Besides the ends of ranges this knows polynomials without negative coefficients, written in how far each symbol lies above its
  /// least value: `s·n - s` is not negative where n is at least one.
  public func isNonNegative(_ ranges: [Symbol: ClosedRange<Int>] = [:]) -> Bool { isNonNegative(ranges, depth: 3) }

  private func isNonNegative(_ ranges: [Symbol: ClosedRange<Int>], depth: Int) -> Bool {
    if terms.isEmpty { return constant >= 0 }
    // Most of what cannot be proved is told by an example, which takes far less than looking for a proof.
    if (0..<3).contains(where: { isNegative(inExample: $0, ranges) }) { return false }
    if let lower = bounds(ranges).lower, lower >= 0 { return true }
    let shifted = substituting { symbol in
      ranges[symbol].map { Dim(symbol) + Dim($0.lowerBound) }
    }
    if shifted.constant >= 0
      && shifted.terms.allSatisfy({ term in
        term.coefficient > 0
          && term.factors.allSatisfy { factor in
            if case .symbol(let symbol) = factor { return !symbol.isIndex || ranges[symbol] != nil }
            // Symbols inside it are shifted, too, and so at least zero.
            return (Dim(atom: factor).bounds([:]).lower ?? -1) >= 0
          }
      })
    {
      return true
    }
    guard depth > 0, let choices else { return false }
    switch choices.kind {
    case .greatest: return choices.sizes.contains { $0.isNonNegative(ranges, depth: depth - 1) }
    case .least, .any: return choices.sizes.allSatisfy { $0.isNonNegative(ranges, depth: depth - 1) }
    }
  }

  /// Whether this is below zero for some small values of its symbols, which their names choose, within their ranges.
  private func isNegative(inExample number: Int, _ ranges: [Symbol: ClosedRange<Int>]) -> Bool {
    let value = evaluated { symbol in
      let chosen = symbol.name.utf8.reduce(number) { ($0 &* 31 &+ Int($1)) & 0xffff } % (4 << number)
      return ranges[symbol].map { Swift.min(Swift.max(chosen, $0.lowerBound), $0.upperBound) } ?? chosen
    }
    return value.map { $0 < 0 } ?? false
  }

  /// Several sizes that a size is one of.
  package struct Choices {
    package enum Kind {
      case least
      case greatest
      /// One of them: which one is not told.
      case any
    }
    package var kind: Kind
    package var sizes: [Dim]
  }

  /// The sizes that this is one of, where it is a minimum, a maximum, a joint size or a place, or a sum with one of these.
  package var parts: Choices? {
    guard let atom else { return choices }
    switch atom {
    case .minimum: return Choices(kind: .least, sizes: atom.members)
    case .maximum: return Choices(kind: .greatest, sizes: atom.members)
    case .joint: return Choices(kind: .any, sizes: atom.members)
    case .place(let index, let size): return Choices(kind: .any, sizes: [index, index + size])
    case .symbol, .quotient, .remainder, .scaled, .product, .overflow: return nil
    }
  }

  /// This size with the sum pulled into the first minimum, maximum, joint size or place that is a term of it: `max(a, b) - a` is the
  /// greater of `0` and `b - a`. Nil where there is none beside other terms, or the sums overflow.
  package var choices: Choices? {
    guard terms.count > 1 else { return nil }
    for (index, term) in terms.enumerated() where term.factors.count == 1 {
      let kind: Choices.Kind
      var sizes: [Dim]
      switch term.factors[0] {
      case .symbol, .quotient, .remainder, .scaled, .product, .overflow: continue
      case .minimum:
        kind = term.coefficient > 0 ? .least : .greatest
        sizes = term.factors[0].members
      case .maximum:
        kind = term.coefficient > 0 ? .greatest : .least
        sizes = term.factors[0].members
      case .joint:
        kind = .any
        sizes = term.factors[0].members
      case .place(let index, let size):
        kind = .any
        sizes = [index, index + size]
      }
      let rest = removingTerm(at: index)
      for at in sizes.indices {
        sizes[at] = rest + sizes[at] * Dim(term.coefficient)
        if sizes[at].isOverflow { return nil }
      }
      return Choices(kind: kind, sizes: sizes)
    }
    return nil
  }

  func removingTerm(at index: Int) -> Dim {
    var rest = self
    rest.terms.remove(at: index)
    return rest
  }
}

private struct BoundsFinder {
  let ranges: [Symbol: ClosedRange<Int>]
  /// What no size exceeds; nil leaves sizes open.
  let greatestSize: Int?
  /// How many more atoms are looked into; what is left then counts as open.
  private var steps = 2000

  init(ranges: [Symbol: ClosedRange<Int>], greatestSize: Int?) {
    self.ranges = ranges
    self.greatestSize = greatestSize
  }

  /// - Parameter depth: how many minima and maxima, one within the other, the rest of a sum is pulled into.
  mutating func bounds(of dim: Dim, depth: Int = 3) -> DimBounds {
    var sum = DimBounds(dim.constant, dim.constant)
    for term in dim.terms {
      var product = bounds(of: term.factors[0], depth)
      for factor in term.factors.dropFirst() { product = product * bounds(of: factor, depth) }
      sum = sum + (term.coefficient == 1 ? product : product.scaled(by: term.coefficient))
    }
    if let closer = boundsOfQuotient(in: dim, depth) { sum = sum.intersection(closer) }
    // What else stands in the sum may depend on the same symbols.
    guard depth > 0, let choices = dim.choices else { return sum }
    var joined = bounds(of: choices.sizes[0], depth: depth - 1)
    for size in choices.sizes.dropFirst() {
      let next = bounds(of: size, depth: depth - 1)
      switch choices.kind {
      case .least: joined = joined.minimum(next)
      case .greatest: joined = joined.maximum(next)
      case .any: joined = joined.union(next)
      }
    }
    return sum.intersection(joined)
  }

  /// Bounds of a sum with a quotient by a number, from those of the sum without division: `y·floor(p / y)` lies in `p - y + 1 ... p`. What
  /// else stands in the sum may depend on the same symbols: `n - floor(n / 2)` is not negative, and `floor((n + 3) / 4) - floor(n / 4)` is
  /// 0 or 1. Nil for other sums.
  private mutating func boundsOfQuotient(in dim: Dim, _ depth: Int) -> DimBounds? {
    guard dim.terms.count > 1, steps > 0 else { return nil }
    for (index, term) in dim.terms.enumerated() {
      guard term.factors.count == 1, case .quotient(let dividend, let by) = term.factors[0], let divisor = by.value,
        divisor > 0
      else { continue }
      let multiple = by * dim.removingTerm(at: index) + Dim(term.coefficient) * dividend
      let (slack, overflows) = term.coefficient.multipliedReportingOverflow(by: divisor - 1)
      if multiple.isOverflow || overflows || slack == .min { continue }
      let inner = bounds(of: multiple, depth: depth)
      let outer = inner + DimBounds(Swift.min(-slack, 0), Swift.max(-slack, 0))
      return DimBounds(
        outer.lower.flatMap { $0 == .min ? nil : -Dim.floorDivide(-$0, divisor) },
        outer.upper.map { Dim.floorDivide($0, divisor) })
    }
    return nil
  }

  private mutating func bounds(of atom: Dim.Atom, _ depth: Int) -> DimBounds {
    steps -= 1
    if steps < 0 { return DimBounds(nil, nil) }
    switch atom {
    case .symbol(let symbol):
      guard let range = ranges[symbol] else {
        return symbol.isIndex ? DimBounds(nil, nil) : DimBounds(0, greatestSize)
      }
      return DimBounds(
        range.lowerBound == .min ? nil : range.lowerBound, range.upperBound == .max ? greatestSize : range.upperBound)
    case .quotient(let a, let b): return bounds(of: a, depth: depth).divided(by: divisor(b, depth))
    case .remainder(let a, let b): return bounds(of: a, depth: depth).remainder(by: divisor(b, depth))
    case .minimum(let a, let b): return bounds(of: a, depth: depth).minimum(bounds(of: b, depth: depth))
    case .maximum(let a, let b): return bounds(of: a, depth: depth).maximum(bounds(of: b, depth: depth))
    case .joint(let a, let b): return bounds(of: a, depth: depth).union(bounds(of: b, depth: depth))
    case .place(let index, let size): return place(index, size, depth)
    case .scaled(let a, let b): return bounds(of: a, depth: depth).scaled(bits: bounds(of: b, depth: depth))
    case .product(let a, let b): return bounds(of: a, depth: depth) * bounds(of: b, depth: depth)
    case .overflow: return DimBounds(nil, nil)
    }
  }

  /// What divides is not zero, so it is at least one where it is at least zero.
  private mutating func divisor(_ dim: Dim, _ depth: Int) -> DimBounds {
    let bounds = bounds(of: dim, depth: depth)
    return bounds.lower == 0 && bounds.upper != 0 ? DimBounds(1, bounds.upper) : bounds
  }

  private mutating func place(_ index: Dim, _ size: Dim, _ depth: Int) -> DimBounds {
    let given = bounds(of: index, depth: depth)
    if let lower = given.lower, lower >= 0 { return given }
    let below = DimBounds(given.lower, Swift.min(given.upper ?? -1, -1))
    let fromEnd = (below + bounds(of: size, depth: depth)).intersection(bounds(of: index + size, depth: depth))
    if let upper = given.upper, upper < 0 { return fromEnd }
    return fromEnd.union(DimBounds(0, given.upper))
  }
}
