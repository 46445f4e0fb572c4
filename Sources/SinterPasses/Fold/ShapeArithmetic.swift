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

  /// ONNX refuses -1 beside a kept size that turns out to be zero: other tools get such shapes in another way.
  public static let spelledShapes = Pass(
    "spell-shapes", "Computes sizes that 0 and -1 in the shape of a Reshape cannot tell of what has no elements."
  ) { graph, log in
    try graph.rewrite([.spelledShape], log: &log)
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

  static let spelledShape = RewriteRule("reshape(x, 0 and -1) = reshape(x, computed sizes)", at: Reshape.self) {
    op, site in
    guard op.mayBeEmpty, !op.allowZero, let x = site.input(0), let own = site.type(x)?.shape,
      let entries = site.constant(site.input(1))?.integers, entries.contains(0), let open = entries.firstIndex(of: -1)
    else { return nil }
    if entries == [0, -1], own.count > 1 { return try site.add1(Flatten(axis: 1), [x]) }
    func constant(_ numbers: some Collection<Int>) -> ValueID { site.constant(.i64([numbers.count], Array(numbers))) }
    let free = own.indices.filter { $0 >= entries.count || entries[$0] != 0 }
    let sizes = try site.add1(Gather(axis: 0), [try site.add1(Shape(), [x]), constant(free)])
    var size = try site.add1(Reduce(.product), [sizes, constant([0])])
    let told = entries.filter { $0 > 0 }.reduce(1, *)
    if told > 1 { size = try site.add1(Binary(.divide), [size, constant([told])]) }
    var parts = [size]
    if open > 0 { parts.insert(constant(entries[..<open]), at: 0) }
    if open + 1 < entries.count { parts.append(constant(entries[(open + 1)...])) }
    let shape = try site.add1(Concat(axis: 0), parts)
    let result = try site.add1(Reshape(), [x, shape])
    return site.type(result) == site.type(site.outputs[0]) ? result : nil
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
