import SinterCore
import SinterIR

extension Pass {
  /// What depends on constants only is computed ahead of time.
  public static let constantFolding = Pass(
    "fold", "Computes nodes whose inputs are all constants, unless that would make the model much larger."
  ) { graph, log in
    try graph.rewrite([.constantNode], log: &log)
  }
}

extension RewriteRule {
  /// Results may be this many times as large as the inputs, or as large as `freeBytes`. Bytes may become floats; what is packed tighter stays.
  private static let growth = 4
  static let freeBytes = 64 << 10
  /// No result is larger than its inputs by more than that.
  private static let growthBytes = 64 << 20

  static let constantNode = RewriteRule("f(constants) = a constant", at: []) { site in
    guard site.op.isDeterministic else { return nil }
    var inputBytes = 0
    for case let input? in site.inputs {
      guard let tensor = site.constant(input) else { return nil }
      inputBytes += tensor.bytes.count
    }
    var resultBytes = 0
    for output in site.outputs {
      guard let type = site.type(output), let shape = type.staticShape, type.element != .string else { return nil }
      resultBytes += type.element.byteCount(shape.reduce(1, *))
    }
    guard resultBytes <= max(freeBytes, growth * inputBytes), resultBytes - inputBytes <= growthBytes else {
      return nil
    }
    // What comes later needs room as well: weights are packed, kernels compiled.
    guard MemoryLimit.hasRoom(for: resultBytes, leaving: 0.5) else { return nil }
    do {
      return try GraphEvaluator.results(of: site.id, in: site.graph).map { site.constant($0) }
    } catch let error as DiagnosticError where error.diagnostics.allSatisfy({ $0.kind != .bug }) {
      // What cannot be computed ahead of time, or fails, is left to the run.
      return nil
    }
  }
}
