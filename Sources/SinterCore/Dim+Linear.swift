extension Dim {
  /// This size as `coefficient · symbol + rest`, neither with the symbol in it; nil where it is not linear in the symbol.
  package func linear(in symbol: Symbol) -> (coefficient: Dim, rest: Dim)? {
    var coefficient = Dim(0)
    var rest = Dim(constant)
    for term in terms {
      var product = Dim(term.coefficient)
      var degree = 0
      for factor in term.factors {
        if factor == .symbol(symbol) {
          degree += 1
        } else {
          let atom = Dim(atom: factor)
          if atom.symbols.contains(symbol) { return nil }
          product = product * atom
        }
      }
      switch degree {
      case 0: rest = rest + product
      case 1: coefficient = coefficient + product
      default: return nil
      }
    }
    return (coefficient, rest)
  }
}
