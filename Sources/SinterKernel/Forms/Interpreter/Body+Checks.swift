extension Body {
  /// Checks that are of use only to the places of one load that has a condition, with that load: they count where the load takes place.
  var conditionalChecks: [(check: ExprID, load: ExprID)] {
    guard exprs.contains(where: { if case .checked = $0.node { true } else { false } }) else { return [] }
    /// The load that all uses of an expression lead to so far; `always` is another use.
    enum Use { case none, load(ExprID), always }
    var uses = [Use](repeating: .none, count: exprs.count)
    func note(_ id: ExprID, _ use: Use) {
      switch (uses[id.position], use) {
      case (_, .none): break
      case (.none, _): uses[id.position] = use
      case (.load(let a), .load(let b)) where a == b: break
      case (.load, _), (.always, _): uses[id.position] = .always
      }
    }
    for result in results { note(result, .always) }
    for index in exprs.indices.reversed() {
      let id = ExprID(index)
      if case .load(_, let places, let condition?, _) = exprs[index].node {
        for place in places { note(place, .load(id)) }
        note(condition, uses[index])
      } else {
        for argument in exprs[index].node.arguments { note(argument, uses[index]) }
      }
    }
    return exprs.indices.compactMap { index in
      guard case .checked = exprs[index].node, case .load(let load) = uses[index] else { return nil }
      return (ExprID(index), load)
    }
  }
}
