import SinterCore
import SinterIR
import SinterOps

extension Pass {
  /// What depends on constants only is computed ahead of time.
  public static let constantFolding = Pass(
    "fold", "Computes nodes whose inputs are all constants, unless that would make the model much larger."
  ) { graph, log in
    try graph.rewrite([.constantNode], log: &log)
  }

  /// The same for graphs that other tools read.
  public static let portableFolding = Pass(
    "fold-portable",
    "The same, but keeps what dequantizes: by that other tools know a quantized layer, and files stay small."
  ) { graph, log in
    try graph.rewrite([.portableConstantNode], log: &log)
  }
}

extension RewriteRule {
  /// Results may be this many times as large as the inputs, or as large as `freeBytes`. Bytes may become floats; what is packed tighter stays.
  fileprivate static let growth = 4
  static let freeBytes = 64 << 10
  /// No result is larger than its inputs by more than that.
  fileprivate static let growthBytes = 64 << 20

  static let constantNode = RewriteRule("f(constants) = a constant", at: []) { try $0.folded() }

  static let portableConstantNode = RewriteRule("f(constants) = a constant, unless f dequantizes", at: []) { site in
    site.op is DequantizeLinear ? nil : try site.folded()
  }
}

extension RewriteSite {
  /// The results of a node whose inputs are all constants, ahead of time; nil of others.
  fileprivate func folded() throws -> [ValueID]? {
    guard op.isDeterministic else { return nil }
    var inputBytes = 0
    for case let input? in inputs {
      guard let tensor = constant(input) else { return nil }
      inputBytes += tensor.bytes.count
    }
    var resultBytes = 0
    for output in outputs {
      guard let type = type(output), let shape = type.staticShape, type.element != .string else { return nil }
      resultBytes += type.element.byteCount(shape.reduce(1, *))
    }
    guard resultBytes <= max(RewriteRule.freeBytes, RewriteRule.growth * inputBytes),
      resultBytes - inputBytes <= RewriteRule.growthBytes
    else {
      return nil
    }
    // What comes later needs room as well: weights are packed, kernels compiled.
    guard MemoryLimit.hasRoom(for: resultBytes, leaving: 0.5) else { return nil }
    do {
      return try GraphEvaluator.results(of: id, in: graph).map { constant($0) }
    } catch let error as DiagnosticError where error.diagnostics.allSatisfy({ $0.kind != .bug }) {
      // What cannot be computed ahead of time, or fails, is left to the run.
      return nil
    }
  }
}
