import SinterCore
import SinterIR
import SinterOps

extension Pass {
  /// Values whose elements shapes determine become constants, however they were computed.
  public static let shapeArithmetic = Pass(
    "fold-shapes", "Turns values that follow from known sizes (Shape, Gather, Concat of them) into constants."
  ) { graph, log in
    try graph.inferAnew()
    try graph.rewrite([.knownContents, .knownBranch], log: &log)
  }
}

extension RewriteRule {
  static let knownBranch = RewriteRule("if(true, a, b) = a", at: [If.self], mayRelyOnMore: true) { site in
    let inputs = site.graph.inputs(of: site.id)
    guard let condition = inputs.integers(0)?.first, inputs.bodies.count == 2 else { return nil }
    let captures = site.inputs.dropFirst().compactMap { $0 }
    let first = inputs.bodies[0].inputs.count
    guard captures.count == first + inputs.bodies[1].inputs.count else { return nil }
    let taken =
      condition != 0 ? (inputs.bodies[0], captures.prefix(first)) : (inputs.bodies[1], captures.dropFirst(first))
    // Where something else needs sizes that this branch does not give, the check behind it refuses every run: it stays.
    let fits = zip(taken.0.outputs, site.outputs).allSatisfy {
      taken.0.type(of: $0.value).agrees(with: site.fact($1).type)
    }
    return fits ? try site.build { try $0.splice(taken.0, Array(taken.1)) } : nil
  }

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
