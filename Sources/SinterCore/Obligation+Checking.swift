extension Obligation {
  /// Throws where it does not hold for given values of its symbols.
  ///
  /// - Parameter dependsOnData: whether data decide whether it is checked at all; where it speaks of sizes from data, they do in any case.
  package func check(_ values: [Symbol: Int], dependsOnData: Bool = false) throws {
    if holds({ values[$0] }) == true { return }
    func text(_ dim: Dim) -> String {
      let value = dim.evaluated { values[$0] }.map { "\($0)" } ?? "?"
      return dim.isConstant ? value : "\(value) (\(dim))"
    }
    let id = dependsOnData || symbols.contains(where: \.isFromData) ? "run.sizes.data" : "run.sizes"
    throw DiagnosticError(.user, id, message(left: text(left), right: text(right)), at: origin)
  }
}
