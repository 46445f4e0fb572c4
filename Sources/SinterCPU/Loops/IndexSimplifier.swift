import SinterCore
import SinterForms

/// Simplifies index arithmetic by what is known of loop indices: each lies in 0 ..< its extent.
///
/// Only facts that hold wherever a body runs are used, so a simplified index equals the given one there (and maybe
/// nowhere else).
struct IndexSimplifier {
  /// The extents of loop indices. Index symbols that are absent may hold anything.
  var extents: [Symbol: Dim]

  init(extents: [Symbol: Dim] = [:]) { self.extents = extents }

  // MARK: Rewriting

  func simplified(_ dim: Dim) -> Dim {
    if dim.terms.allSatisfy({ $0.factors.allSatisfy { if case .symbol = $0 { true } else { false } } }) { return dim }
    var sum = Dim(dim.constant)
    for term in dim.terms {
      var product = Dim(term.coefficient)
      for factor in term.factors { product = product * simplified(factor) }
      sum = sum + product
    }
    return recombined(sum)
  }

  private func simplified(_ atom: Dim.Atom) -> Dim {
    switch atom {
    case .symbol, .overflow: return Dim(atom: atom)
    case .quotient(let a, let b): return quotient(simplified(a), simplified(b))
    case .remainder(let a, let b): return remainder(simplified(a), simplified(b))
    case .minimum(let a, let b):
      let (x, y) = (simplified(a), simplified(b))
      if isNonNegative(y - x) { return x }
      if isNonNegative(x - y) { return y }
      return Dim.min(x, y)
    case .maximum(let a, let b):
      let (x, y) = (simplified(a), simplified(b))
      if isNonNegative(y - x) { return y }
      if isNonNegative(x - y) { return x }
      return Dim.max(x, y)
    case .joint(let a, let b): return Dim.joint(simplified(a), simplified(b))
    case .scaled(let a, let b):
      return b.value.flatMap { Dim.factor($0) }.map { Dim.scaled(simplified(a), by: $0) } ?? .overflow
    case .product(let a, let b): return simplified(a) * simplified(b)
    case .place(let a, let b):
      let (x, size) = (simplified(a), simplified(b))
      if isNonNegative(x) { return x }
      if isNonNegative(-x - Dim(1)) { return x + size }
      return Dim.place(x, in: size)
    }
  }

  /// a = b · whole + rest, with as much in `whole` as can be seen.
  private func split(_ a: Dim, by b: Dim) -> (whole: Dim, rest: Dim) {
    var whole = Dim(0)
    var rest = Dim(0)
    for term in a.terms {
      let piece = term.factors.reduce(Dim(term.coefficient)) { $0 * Dim(atom: $1) }
      if let quotient = piece.exactQuotient(by: b) { whole = whole + quotient } else { rest = rest + piece }
    }
    if let y = b.value, y > 0 {
      let quotient = Dim(a.constant) / b
      whole = whole + quotient
      rest = rest + Dim(a.constant) - quotient * b
    } else {
      rest = rest + Dim(a.constant)
    }
    return (whole, rest)
  }

  /// A common factor of `b` and the larger terms of `rest`, such that the smaller terms lie in 0 ..< factor.
  private func scale(_ rest: Dim, within b: Dim) -> (factor: Int, large: Dim, small: Dim)? {
    guard let y = b.value, y > 1 else { return nil }
    let coefficients = Set(rest.terms.compactMap { Int(exactly: $0.coefficient.magnitude) })
    for factor in coefficients.filter({ $0 > 1 && $0 < y && y % $0 == 0 }).sorted(by: >) {
      let (large, small) = split(rest, by: Dim(factor))
      if isNonNegative(small), isNonNegative(Dim(factor - 1) - small) { return (factor, large, small) }
    }
    return nil
  }

  private func isWithin(_ rest: Dim, _ b: Dim) -> Bool { isNonNegative(rest) && isNonNegative(b - Dim(1) - rest) }

  private func quotient(_ a: Dim, _ b: Dim) -> Dim {
    if b.value == 0 { return a / b }
    let (whole, rest) = split(a, by: b)
    if isWithin(rest, b) { return whole }
    if let (factor, large, _) = scale(rest, within: b), let y = b.value {
      return whole + quotient(large, Dim(y / factor))
    }
    return whole + rest / b
  }

  private func remainder(_ a: Dim, _ b: Dim) -> Dim {
    if b.value == 0 { return a % b }
    let (_, rest) = split(a, by: b)
    if isWithin(rest, b) { return rest }
    if let (factor, large, small) = scale(rest, within: b), let y = b.value {
      return remainder(large, Dim(y / factor)) * Dim(factor) + small
    }
    return rest % b
  }

  /// c · floor(a / c) + mod(a, c) is a.
  private func recombined(_ dim: Dim) -> Dim {
    for term in dim.terms {
      for (at, factor) in term.factors.enumerated() {
        guard case .remainder(let a, let c) = factor else { continue }
        var others = term.factors
        others.remove(at: at)
        let multiplier = others.reduce(Dim(term.coefficient)) { $0 * Dim(atom: $1) }
        let partner = multiplier * c * (a / c)
        guard !partner.terms.isEmpty, partner.terms.allSatisfy({ dim.terms.contains($0) }) else { continue }
        let gone = term.factors.reduce(Dim(term.coefficient)) { $0 * Dim(atom: $1) }
        return recombined(dim - partner + Dim(partner.constant) - gone + multiplier * a - Dim(partner.constant))
      }
    }
    return dim
  }

  // MARK: Bounds

  /// Whether a value is at least zero for every index in range and every size.
  func isNonNegative(_ dim: Dim) -> Bool {
    var bounds = IndexBounds(extents: extents)
    return bounds.isNonNegative(dim)
  }

  /// The least value, as a size; nil where none is known.
  func lower(_ dim: Dim) -> Dim? {
    var bounds = IndexBounds(extents: extents)
    return bounds.bound(dim, upper: false)
  }

  /// The greatest value, as a size; nil where none is known.
  func upper(_ dim: Dim) -> Dim? {
    var bounds = IndexBounds(extents: extents)
    return bounds.bound(dim, upper: true)
  }

  /// Whether two indices compare in the same way for every index in range; nil where that depends.
  func comparison(_ comparison: Comparison, difference raw: Dim) -> Bool? {
    let difference = simplified(raw)
    if let value = difference.value { return comparison.holds(value) }
    switch comparison {
    case .less:
      if isNonNegative(-difference - Dim(1)) { return true }
      if isNonNegative(difference) { return false }
    case .lessOrEqual:
      if isNonNegative(-difference) { return true }
      if isNonNegative(difference - Dim(1)) { return false }
    case .greater:
      if isNonNegative(difference - Dim(1)) { return true }
      if isNonNegative(-difference) { return false }
    case .greaterOrEqual:
      if isNonNegative(difference) { return true }
      if isNonNegative(-difference - Dim(1)) { return false }
    case .equal:
      if isNonNegative(difference - Dim(1)) || isNonNegative(-difference - Dim(1)) { return false }
    case .notEqual:
      if isNonNegative(difference - Dim(1)) || isNonNegative(-difference - Dim(1)) { return true }
    }
    return nil
  }
}
