import SinterIR

extension Pass {
  /// Operators that a file spells out in smaller ones become themselves.
  public static let recognize = Pass(
    "recognize",
    "Finds spelled-out operators, such as Gelu, LayerNormalization and Attention, and puts them in place of their spelling."
  ) { graph, log in
    try graph.rewrite(
      RewriteRule.activations + RewriteRule.normalizations + RewriteRule.attention + RewriteRule.productsByBits,
      log: &log)
  }
}
