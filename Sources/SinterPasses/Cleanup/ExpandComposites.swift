import SinterCore
import SinterIR

extension Pass {
  /// Operators that only say what they stand for are replaced by that; those that lower themselves stay.
  public static let expandComposites = Pass(
    "expand", "Replaces operators that have no lowering of their own by the operators they stand for."
  ) { graph, log in
    try graph.rewrite([.expandComposite], log: &log)
  }
}

extension RewriteRule {
  static let expandComposite = RewriteRule("composite = its expansion", at: [], mayRelyOnMore: true) { site in
    guard let composite = site.op as? any Composite, !(site.op is any Primitive) else { return nil }
    let inputs = site.graph.inputs(of: site.id)
    return try site.build { Array(try composite.expand(inputs, into: &$0).prefix(inputs.outputCount)) }
  }
}
