import SinterCore
import SinterIR
import SinterKernel

/// An operator that runs graphs of its own. What a graph captures from around it comes as its last inputs, and as the last inputs of
/// the node, graph after graph.
public protocol ControlFlow: Operator {}

extension NodeInputs {
  /// The graph of this number, which must be there.
  func body(_ index: Int, _ name: String) throws -> Graph {
    guard index < bodies.count else {
      throw DiagnosticError(.user, "control.body", "the graph \(name) is missing")
    }
    return bodies[index]
  }
}

extension OnnxNode {
  /// A graph among the attributes, which must be there.
  func body(_ name: String) throws -> OnnxBody {
    guard let body = bodies[name] else {
      throw DiagnosticError(.user, "control.body", "attribute \(name) must be a graph, but is missing")
    }
    return body
  }
}

extension Graph {
  /// The facts of the outputs, without their elements: those may change from turn to turn.
  var outputTypes: [Fact] { outputs.map { Fact(values[$0.value].fact.type) } }

  /// The type of an output.
  func tensorOutput(_ index: Int) throws -> TensorType {
    guard let type = values[outputs[index].value].fact.type.tensor else {
      throw DiagnosticError(
        .limit, "control.type", "graphs of control flow pass tensors, but \(name) gives \(values[outputs[index].value].fact.type)")
    }
    return type
  }
}

extension GraphBuilder {
  /// Adds the nodes of a graph, its inputs being values of this one; gives its outputs.
  package mutating func splice(_ graph: Graph, _ inputs: [ValueID]) throws -> [ValueID] {
    var map = Dictionary(zip(graph.inputs.map(\.value), inputs), uniquingKeysWith: { first, _ in first })
    func missing(_ value: ValueID) -> DiagnosticError {
      DiagnosticError(.bug, "control.splice", "\(value) of graph \(graph.name) has no definition")
    }
    func value(_ id: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
      if let known = map[id] { return known }
      guard let tensor = graph.constant(id) else { throw missing(id) }
      let copy = builder.constant(tensor, named: graph.values[id].name)
      map[id] = copy
      return copy
    }
    let outer = origin
    defer {
      origin = outer
      declared = []
    }
    for id in graph.order {
      let node = graph.nodes[id]
      origin = node.origin.isEmpty ? outer : node.origin
      declared = node.outputs.map { graph.values[$0].fact }
      let operands = try node.inputs.map { input in try input.map { try value($0, &self) } }
      let results = try add(node.op, operands, outputs: node.outputs.count, bodies: node.bodies)
      for (old, new) in zip(node.outputs, results) { map[old] = new }
    }
    return try graph.outputs.map { try value($0.value, &self) }
  }
}

extension Lowering {
  /// A value of its own with the same elements.
  mutating func copied(_ operand: Operand) throws -> Operand {
    try element(operand.shape) { builder, index in builder.load(operand.id, index) }
  }

  /// A scalar condition's value in a body.
  static func condition(_ builder: BodyBuilder, _ operand: Operand) -> Expr {
    builder.load(operand.id, operand.shape.map { _ in builder.constant(0, .i64) })
  }
}
