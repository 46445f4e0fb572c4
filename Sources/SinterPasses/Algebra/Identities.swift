import SinterCore
import SinterForms
import SinterIR
import SinterOps

extension Pass {
  /// Nodes that change nothing, or that undo one another, go.
  public static let identities = Pass(
    "simplify", "Removes what changes nothing (x + 0, x · 1, casts to the same type) and what undoes itself."
  ) { graph, log in
    try graph.rewrite(RewriteRule.identities + RewriteRule.shapeIdentities, log: &log)
  }
}

extension RewriteRule {
  static let identities: [RewriteRule] = [
    RewriteRule("identity(x) = x", at: Identity.self) { _, site in site.input(0) },
    RewriteRule("dropout(x) = x", at: [Dropout.self]) { site in
      guard let x = site.input(0), site.outputs.dropFirst().allSatisfy({ site.useCount($0) == 0 }) else { return nil }
      // The mask is not used; whatever stands in its place is dropped.
      return [x] + site.outputs.dropFirst()
    },
    RewriteRule("x + 0 = x, x · 1 = x, …", at: Binary.self) { op, site in
      guard let a = site.input(0), let b = site.input(1), let result = site.type(site.outputs[0]) else { return nil }
      func unchanged(_ x: ValueID) -> ValueID? { site.type(x) == result ? x : nil }
      switch op.kind {
      case .add: return site.number(b) == 0 ? unchanged(a) : site.number(a) == 0 ? unchanged(b) : nil
      case .subtract: return site.number(b) == 0 ? unchanged(a) : nil
      case .multiply: return site.number(b) == 1 ? unchanged(a) : site.number(a) == 1 ? unchanged(b) : nil
      case .divide, .power: return site.number(b) == 1 ? unchanged(a) : nil
      case .modulo, .remainder, .and, .or, .xor, .bitwiseAnd, .bitwiseOr, .bitwiseXor, .shiftLeft, .shiftRight:
        return nil
      }
    },
    RewriteRule("f(f(x)) = x, f(f(x)) = f(x)", at: Unary.self) { op, site in
      switch op.kind {
      case .negate, .not, .bitwiseNot: return site.operand(of: site.input(0), op.kind)
      case .abs, .relu, .floor, .ceil, .round, .sign:
        return site.operand(of: site.input(0), op.kind) == nil ? nil : site.input(0)
      default: return nil
      }
    },
    RewriteRule("cast(x) = x", at: Cast.self) { op, site in
      site.type(site.input(0))?.element == op.to ? site.input(0) : nil
    },
    RewriteRule("cast(cast(x)) = cast(x)", at: Cast.self) { op, site in
      // The first cast must lose nothing.
      guard let (inner, _, inputs) = site.producer(of: site.input(0), as: Cast.self), let x = inputs[0],
        let from = site.type(x)?.element, inner.to.holdsAll(of: from)
      else { return nil }
      return from == op.to ? x : try site.add1(op, [x])
    },
    RewriteRule("where(c, x, x) = x", at: Where.self) { _, site in
      guard let x = site.input(1), x == site.input(2), site.type(x) == site.type(site.outputs[0]) else { return nil }
      return x
    },
    RewriteRule("sum(x) = x, sum(x, y) = x + y", at: Variadic.self) { op, site in
      if site.inputs.count == 1 { return site.input(0) }
      guard op.kind == .sum, site.inputs.count == 2 else { return nil }
      return try site.add1(Binary(.add), site.inputs)
    },
  ]
}
