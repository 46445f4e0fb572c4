import SinterCore
import SinterIR
import SinterOps

/// Gradients through `If`: the same condition picks between the branches' walks back, each of which computes its branch again.
extension ReverseMode {
  func gradientsThroughIf(
    _ id: NodeID, _ wanted: [Bool], _ outputGradients: [GradientTensor?]
  ) throws -> [GradientTensor?] {
    let node = tape.builder.graph.nodes[id]
    guard let condition = node.inputs.first.flatMap({ $0 }) else { return [] }
    let given = outputGradients.indices.filter { outputGradients[$0] != nil }
    // A value that both branches capture has one gradient.
    var sources: [ValueID] = []
    for index in wanted.indices where wanted[index] {
      if let value = node.inputs[index], !sources.contains(value) { sources.append(value) }
    }
    if sources.isEmpty { return [] }
    let gradients = given.compactMap { outputGradients[$0]?.id }
    var (bodies, captures): ([Graph], [ValueID]) = ([], [])
    var first = 1
    for body in node.bodies {
      let own = node.inputs[first..<(first + body.inputs.count)].compactMap { $0 }
      first += body.inputs.count
      bodies.append(try branchGradient(body, own, given, gradients, sources))
      captures += own + gradients + sources
    }
    let results = try tape.builder.add(If(), [condition] + captures, outputs: sources.count, bodies: bodies)
    var found = [GradientTensor?](repeating: nil, count: node.inputs.count)
    for (source, result) in zip(sources, results) {
      guard let place = node.inputs.indices.first(where: { wanted[$0] && node.inputs[$0] == source }) else { continue }
      found[place] = try GradientTensor(result, tape).reshaped(like: GradientTensor(source, tape))
    }
    return found
  }

  /// A branch's walk back: a graph of what the branch captures, of the gradients of its results and of all values that have a gradient, which
  /// gives a gradient for each of these, zeros for those that the branch does not read.
  private func branchGradient(
    _ body: Graph, _ own: [ValueID], _ given: [Int], _ gradients: [ValueID], _ sources: [ValueID]
  ) throws -> Graph {
    var open = body
    open.name = "gradient of \(body.name)"
    let results = open.outputs.map(\.value)
    open.outputs = []
    var builder = GraphBuilder(open)
    let inputs = open.inputs.map(\.value)
    let targets = given.map { results[$0] }
    let path = try builder.expandedPath(
      from: zip(inputs, own).filter { sources.contains($1) }.map(\.0), to: targets)
    func input(_ value: ValueID, _ name: String) -> ValueID {
      builder.input(Fact(tape.builder.fact(value).type), named: name)
    }
    let seeds = gradients.enumerated().map { input($1, "gradient\($0)") }
    let like = sources.enumerated().map { input($1, "source\($0)") }
    let inner = GradientTape(builder)
    var reverse = ReverseMode(tape: inner, path: path)
    let found = try reverse.run(
      zip(targets, seeds).map {
        ($0, try GradientTensor($1, inner).reshaped(like: GradientTensor($0, inner)))
      }, inputs)
    for (index, source) in sources.enumerated() {
      let shape = GradientTensor(like[index], inner)
      // A value that the branch captures twice has two parts.
      let parts = own.indices.compactMap { own[$0] == source ? found[$0] : nil }
      var sum = try parts.first?.reshaped(like: shape) ?? shape.zeros()
      for part in parts.dropFirst() { sum = try sum + part.reshaped(like: shape) }
      inner.builder.output(sum.id, named: "result\(index)")
    }
    var graph = inner.builder.graph
    graph.removeDeadNodes()
    graph.compact()
    return graph
  }
}
