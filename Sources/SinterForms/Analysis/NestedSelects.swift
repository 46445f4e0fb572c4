import SinterCore

extension Body {
  /// The same body without selections that one around them has decided: in `select(c, f(select(c, x, 0)), 1)` the inner one is x.
  ///
  /// Fusion over padding leaves one for each operator that it moved into a load. The body stays as it is where it would get longer: what
  /// is used on both sides of a condition would be there twice.
  package func withoutNestedSelects(elementType: @escaping (FormValueID) -> ElementType) -> Body {
    var counts: [ExprID: Int] = [:]
    for case .select(let condition, _, _) in exprs.map(\.node) { counts[condition, default: 0] += 1 }
    let repeated = counts.filter { $0.value > 1 }.keys
    if repeated.isEmpty { return self }
    var decided = DecidedSelects(self, conditions: repeated, elementType: elementType)
    let result = decided.rewritten()
    return result.exprs.count < exprs.count ? result : self
  }
}

/// Rewrites a body's expressions, each as it is where nothing is assumed, and as it is on either side of a condition.
private struct DecidedSelects {
  /// That a condition of the old body holds, or that it does not.
  private struct Assumption: Hashable {
    var condition: ExprID
    var holds: Bool
  }
  private struct Key: Hashable {
    var id: ExprID
    var assumption: Assumption?
  }

  private let body: Body
  private let builder: BodyBuilder
  /// For each condition, the expressions that a selection by it is a part of.
  private var mentions: [ExprID: [Bool]] = [:]
  private var done: [Key: Expr] = [:]

  init(_ body: Body, conditions: some Sequence<ExprID>, elementType: @escaping (FormValueID) -> ElementType) {
    self.body = body
    builder = BodyBuilder(elementType: elementType)
    for condition in conditions {
      var found: [Bool] = []
      for expr in body.exprs {
        var mentions = expr.node.arguments.contains { found[$0.position] }
        if case .select(condition, _, _) = expr.node { mentions = true }
        found.append(mentions)
      }
      mentions[condition] = found
    }
  }

  mutating func rewritten() -> Body {
    // In order, so that recursion is as deep as one expression.
    for position in body.exprs.indices { _ = rewrite(ExprID(position), nil) }
    return builder.body(body.results.map { rewrite($0, nil) })
  }

  private mutating func rewrite(_ id: ExprID, _ assumption: Assumption?) -> Expr {
    var assumption = assumption
    if let given = assumption, mentions[given.condition]?[id.position] != true { assumption = nil }
    if let known = done[Key(id: id, assumption: assumption)] { return known }
    let expr = body[id]
    let result: Expr
    switch expr.node {
    case .select(let condition, let a, let b):
      if let assumption, assumption.condition == condition {
        result = rewrite(assumption.holds ? a : b, assumption)
      } else {
        func side(_ id: ExprID, _ holds: Bool) -> Assumption? {
          mentions[condition]?[id.position] == true ? Assumption(condition: condition, holds: holds) : assumption
        }
        let truth = rewrite(condition, assumption)
        let (x, y) = (rewrite(a, side(a, true)), rewrite(b, side(b, false)))
        result = builder.select(truth, x, y)
      }
    case .load, .checked:
      // These happen, or fail, wherever the body runs.
      result = kept(expr, nil)
    case .constant, .axis, .size, .accumulator, .unary, .binary, .compare, .cast, .bitcast:
      result = kept(expr, assumption)
    }
    done[Key(id: id, assumption: assumption)] = result
    return result
  }

  private mutating func kept(_ expr: Body.Expr, _ assumption: Assumption?) -> Expr {
    var new: [ExprID: ExprID] = [:]
    for argument in expr.node.arguments { new[argument] = rewrite(argument, assumption).id }
    return builder.simplified(expr.node.mapArguments { new[$0] ?? $0 }, expr.type)
  }
}
