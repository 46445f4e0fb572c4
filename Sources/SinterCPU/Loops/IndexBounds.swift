import SinterCore

/// What is known of the values of index arithmetic, where each loop index lies in 0 ..< its extent.
///
/// One value answers one question. Each level at which sizes are nested in one another multiplies the steps that an answer takes, so the
/// search ends after a number of them; what is not known by then counts as unknown.
struct IndexBounds {
  private let extents: [Symbol: Dim]
  /// How many more atoms are looked into.
  private var steps = 1000

  init(extents: [Symbol: Dim]) { self.extents = extents }

  private mutating func isTooFar() -> Bool {
    steps -= 1
    return steps < 0
  }

  /// Whether a value is at least zero for every index in range and every size.
  ///
  /// - Parameter depth: how many minima and maxima, one within the other, the rest of a sum is pulled into.
  mutating func isNonNegative(_ dim: Dim, depth: Int = 3) -> Bool {
    if let low = bound(dim, upper: false), low.constant >= 0,
      low.terms.allSatisfy({ $0.coefficient > 0 && $0.factors.allSatisfy { isNonNegative($0) } })
    {
      return true
    }
    guard depth > 0, let choices = dim.choices else { return false }
    switch choices.kind {
    case .greatest: return choices.sizes.contains { isNonNegative($0, depth: depth - 1) }
    case .least, .any: return choices.sizes.allSatisfy { isNonNegative($0, depth: depth - 1) }
    }
  }

  private mutating func isNonNegative(_ atom: Dim.Atom) -> Bool {
    if isTooFar() { return false }
    return switch atom {
    case .symbol(let symbol): !symbol.isIndex || extents[symbol] != nil
    case .quotient(let a, let b): isNonNegative(a) && isNonNegative(b)
    case .remainder(_, let b): isNonNegative(b)
    case .minimum(let a, let b): isNonNegative(a) && isNonNegative(b)
    case .maximum(let a, let b): isNonNegative(a) || isNonNegative(b)
    case .joint(let a, let b): isNonNegative(a) && isNonNegative(b)
    case .place(let a, let b): isNonNegative(a) || isNonNegative(a + b)
    case .scaled(let a, _): isNonNegative(a)
    case .product(let a, let b): isNonNegative(a) && isNonNegative(b)
    case .overflow: false
    }
  }

  /// The least or the greatest value, as a size; nil where none is known.
  mutating func bound(_ dim: Dim, upper wantsUpper: Bool) -> Dim? {
    var sum = Dim(dim.constant)
    for term in dim.terms {
      let takesUpper = (term.coefficient > 0) == wantsUpper
      var product = Dim(term.coefficient)
      for factor in term.factors {
        guard isNonNegative(factor), let value = bound(factor, upper: takesUpper) else { return nil }
        product = product * value
      }
      sum = sum + product
    }
    return sum
  }

  /// A bound of a factor that is at least zero.
  private mutating func bound(_ atom: Dim.Atom, upper wantsUpper: Bool) -> Dim? {
    if isTooFar() { return nil }
    switch atom {
    case .symbol(let symbol):
      guard symbol.isIndex else { return Dim(atom: atom) }
      guard let extent = extents[symbol] else { return nil }
      return wantsUpper ? extent - Dim(1) : Dim(0)
    case .quotient(let a, let b):
      guard b.symbols.allSatisfy({ !$0.isIndex }), let x = bound(a, upper: wantsUpper) else { return nil }
      return x / b
    case .remainder(_, let b):
      guard b.symbols.allSatisfy({ !$0.isIndex }) else { return nil }
      return wantsUpper ? b - Dim(1) : Dim(0)
    case .minimum(let a, let b):
      guard wantsUpper else {
        guard let x = bound(a, upper: false), let y = bound(b, upper: false) else { return nil }
        return Dim.min(x, y)
      }
      return bound(a, upper: true) ?? bound(b, upper: true)
    case .maximum(let a, let b):
      guard let x = bound(a, upper: wantsUpper), let y = bound(b, upper: wantsUpper) else { return nil }
      return Dim.max(x, y)
    case .joint(let a, let b):
      guard let x = bound(a, upper: wantsUpper), let y = bound(b, upper: wantsUpper) else { return nil }
      return wantsUpper ? Dim.max(x, y) : Dim.min(x, y)
    case .place(let a, let b):
      guard wantsUpper else { return Dim(0) }
      guard let x = bound(a, upper: true), let y = bound(b, upper: true) else { return nil }
      return Dim.max(x, y - Dim(1))
    case .scaled(let a, let b):
      guard let x = bound(a, upper: wantsUpper), let factor = b.value.flatMap({ Dim.factor($0) }) else { return nil }
      return Dim.scaled(x, by: factor)
    case .product(let a, let b):
      guard isNonNegative(a), isNonNegative(b), let x = bound(a, upper: wantsUpper), let y = bound(b, upper: wantsUpper)
      else { return nil }
      return x * y
    case .overflow: return nil
    }
  }
}
