import SinterCore
import SinterIR

extension Pass {
  /// Values whose elements shapes determine become constants, however they were computed.
  public static let shapeArithmetic = Pass(
    "fold-shapes", "Turns values that follow from known sizes (Shape, Gather, Concat of them) into constants."
  ) { graph, log in
    try graph.inferAnew()
    try graph.rewrite([.knownContents], log: &log)
  }
}

extension RewriteRule {
  static let knownContents = RewriteRule("known contents = a constant", at: []) { site in
    var results: [ValueID] = []
    for output in site.outputs {
      guard let type = site.type(output), let shape = type.staticShape, let contents = site.fact(output).contents,
        case let numbers = contents.compactMap(\.value), numbers.count == contents.count,
        let tensor = HostTensor(type.element, shape, integers: numbers)
      else { return nil }
      results.append(site.constant(tensor))
    }
    return results
  }
}
