extension Body {
  /// Checks that are of use only to the places of loads that have a condition, each with those loads: it counts where one of them takes place.
  var conditionalChecks: [(check: ExprID, loads: Set<ExprID>)] {
    guard exprs.contains(where: { if case .checked = $0.node { true } else { false } }) else { return [] }
    /// The loads that all uses of an expression lead to so far; `always` is another use.
    enum Use {
      case loads(Set<ExprID>)
      case always
    }
    var uses = [Use](repeating: .loads([]), count: exprs.count)
    func note(_ id: ExprID, _ use: Use) {
      if case .loads(let known) = uses[id.position], case .loads(let more) = use {
        uses[id.position] = .loads(known.union(more))
      } else {
        uses[id.position] = .always
      }
    }
    for result in results { note(result, .always) }
    for index in exprs.indices.reversed() {
      if case .load(_, let places, let condition?, _) = exprs[index].node {
        for place in places { note(place, .loads([ExprID(index)])) }
        note(condition, uses[index])
      } else {
        for argument in exprs[index].node.arguments { note(argument, uses[index]) }
      }
    }
    return exprs.indices.compactMap { index in
      guard case .checked = exprs[index].node, case .loads(let loads) = uses[index], !loads.isEmpty else { return nil }
      return (ExprID(index), loads)
    }
  }
}
