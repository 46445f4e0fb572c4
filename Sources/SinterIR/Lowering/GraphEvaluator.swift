import SinterCore
import SinterForms

/// Computes what a graph, or one node of it, means: its loop forms, interpreted. Slow and exact, for tests and for constants.
public enum GraphEvaluator {
  /// The outputs of a graph for given inputs.
  ///
  /// - Parameter symbols: sizes known besides those that the inputs' shapes tell.
  public static func run(
    _ graph: Graph, _ inputs: [HostTensor], symbols: [Symbol: Int] = [:]
  ) throws -> [HostTensor] {
    try FormInterpreter(try graph.lowered()).run(inputs, symbols: symbols)
  }

  /// The same for values as callers pass and get them: sequences, optionals and maps where the graph's ports have such structures.
  public static func run(_ graph: Graph, values: [HostValue]) throws -> [HostValue] {
    let ports = graph.callerInputs
    guard values.count == ports.count else {
      throw DiagnosticError(.user, "evaluate.count", "the graph takes \(ports.count) values, given \(values.count)")
    }
    let types = graph.inputs.compactMap { graph.type(of: $0).tensor }
    var inputs: [HostTensor] = []
    for (port, value) in zip(ports, values) {
      if let structure = port.structure {
        inputs += try structure.tensors(of: value, types)
      } else if let tensor = value.tensor {
        inputs.append(tensor)
      } else {
        throw DiagnosticError(.user, "value.kind", "'\(port.name)' is \(value.kindName), expected a tensor")
      }
    }
    let results = try run(graph, inputs)
    return graph.callerOutputs.map { port in
      port.structure?.value(of: results) ?? .tensor(results[port.positions.lowerBound])
    }
  }

  /// The results of a node all of whose inputs are constants.
  public static func results(of node: NodeID, in graph: Graph) throws -> [HostTensor] {
    try run(try graph.isolated(node), [])
  }
}

extension Graph {
  /// A graph of one node with constant inputs.
  fileprivate func isolated(_ node: NodeID) throws -> Graph {
    let original = nodes[node]
    var part = Graph(name: Swift.type(of: original.op).name)
    var copies: [ValueID: ValueID] = [:]
    let inputs = try original.inputs.map { input -> ValueID? in
      guard let input else { return nil }
      if let copy = copies[input] { return copy }
      guard case .constant = values[input].definition else {
        throw DiagnosticError(.bug, "evaluate.input", "\(input) is no constant")
      }
      let copy = part.values.append(values[input])
      copies[input] = copy
      return copy
    }
    let id = NodeID(0)
    let outputs = original.outputs.enumerated().map { index, output in
      var value = values[output]
      value.definition = .node(id, result: index)
      return part.values.append(value)
    }
    part.nodes.append(
      .init(op: original.op, inputs: inputs, outputs: outputs, origin: original.origin, bodies: original.bodies))
    part.order = [id]
    part.outputs = outputs.enumerated().map { Port(name: "result\($0)", value: $1) }
    return part
  }
}
