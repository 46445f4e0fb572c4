import SinterIR
import SinterOps

/// Finds out where a step's numbers stopped being numbers.
struct LossDoctor {
  let step: TrainingStep

  /// What first was not finite when the step ran on the given inputs: one of these, or a node's result. A node that makes no number counts before
  /// one whose result is infinite, since masks are infinite on purpose. Nil where nothing of this is found.
  func firstCause(_ inputs: [HostTensor]) -> String? {
    for (port, tensor) in zip(step.graph.inputs, inputs) {
      guard tensor.element.isFloat, let place = tensor.doubles?.firstIndex(where: { !$0.isFinite }) else { continue }
      let value = tensor.doubles?[place] ?? .nan
      let width = max(1, tensor.shape.dropFirst().reduce(1, *))
      let sample = tensor.rank > 1 ? ", in row \(place / width)" : ""
      return "'\(port.name)' is \(value) at element \(place)\(sample), before the step computes anything"
    }
    // The search is a help for another error: one of its own must not take its place.
    guard let (graph, nodes) = try? examined(), !nodes.isEmpty,
      let results = try? TemporaryLibrary.session(graph, threads: 0).run(inputs)
    else { return nil }
    let flags = results.map { $0.array(of: UInt8.self).first ?? 0 }
    for (offset, what) in [(0, "no number"), (1, "infinite")] {
      if let place = nodes.indices.first(where: { flags[2 * $0 + offset] != 0 }) {
        return "the first result that is \(what) comes from \(describe(nodes[place]))"
      }
    }
    return nil
  }

  private func describe(_ id: NodeID) -> String {
    let node = step.graph.nodes[id]
    let types = node.outputs.map { "\(step.graph.type(of: $0))" }.joined(separator: ", ")
    let places = node.origin.map(\.description).filter { !$0.isEmpty }
    let inputs = step.graph.inputs(node.inputs, outputs: node.outputs.count)
    let name = node.op.onnxNode(inputs)?.opType ?? type(of: node.op).name
    return "\(name), \(types)" + (places.isEmpty ? "" : " (\(places.joined(separator: "; ")))")
  }

  /// The step's graph with two truth values a node in place of its outputs: whether a result of it is no number, and whether one is infinite.
  private func examined() throws -> (Graph, [NodeID]) {
    var builder = GraphBuilder(step.graph)
    var (nodes, flags) = ([NodeID](), [ValueID]())
    for id in step.graph.order {
      let results = step.graph.nodes[id].outputs.filter { step.graph.type(of: $0).tensor?.element.isFloat ?? false }
      guard let result = results.first else { continue }
      nodes.append(id)
      for check in [IsNaN(), IsInf()] as [any Operator] {
        let element = try builder.add(check, [result])[0]
        flags.append(try builder.add(Reduce(.maximum, keepsAxes: false), [element])[0])
      }
    }
    var graph = builder.graph
    graph.outputs = flags.enumerated().map { Graph.Port(name: "flag\($0)", value: $1) }
    return (graph, nodes)
  }
}
