extension Obligation {
  /// Throws where it does not hold for given values of its symbols.
  package func check(_ symbols: [Symbol: Int]) throws {
    if holds({ symbols[$0] }) == true { return }
    func text(_ dim: Dim) -> String {
      let value = dim.evaluated { symbols[$0] }.map { "\($0)" } ?? "?"
      return dim.isConstant ? value : "\(value) (\(dim))"
    }
    throw DiagnosticError(.user, "run.sizes", message(left: text(left), right: text(right)), at: origin)
  }
}
