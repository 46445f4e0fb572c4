import SinterCore
import SinterIR
import SinterOps

extension GraphBuilder {
  /// Adds the nodes that compute the gradients of a value with respect to others, by reverse-mode differentiation.
  ///
  /// What is added are ordinary nodes, so gradients can be differentiated again. Composite operators without a rule of their own are
  /// replaced by their expansions, whose results keep their names.
  ///
  /// - Parameters:
  ///   - target: what is differentiated; a float.
  ///   - seed: the gradient of what is computed from the target, of its shape; ones where nil, which for a value of one element gives the
  ///     plain gradient, and for others that of their sum.
  /// - Returns: for each of `values` its gradient, of its shape; zeros where the target does not depend on it.
  /// - Throws: all operators that have no gradient, each with its node.
  public mutating func gradients(
    of target: ValueID, withRespectTo values: [ValueID], seed: ValueID? = nil
  ) throws -> [ValueID] {
    let type = try type(target)
    guard type.element.isFloat else {
      throw DiagnosticError(.user, "gradient.type", "only floats have gradients, but what is differentiated is \(type)")
    }
    for value in values {
      let type = try self.type(value)
      guard type.element.isFloat else {
        throw DiagnosticError(
          .user, "gradient.type",
          "only floats have gradients, but one with respect to \(value) is asked for, which is \(type)")
      }
    }
    let path = try expandedPath(from: values, to: target)
    let tape = GradientTape(self)
    defer { self = tape.builder }
    var reverse = ReverseMode(tape: tape, path: path)
    return try reverse.run(target, values, seed)
  }

  /// The nodes between values and what is computed of them, in order, all with a rule of their own.
  private mutating func expandedPath(from values: [ValueID], to target: ValueID) throws -> Path {
    while true {
      let path = Path(graph, from: values, to: target)
      let composites = path.nodes.filter { id in
        let op = graph.nodes[id].op
        return !(op is any Differentiable) && op is any Composite
      }
      if composites.isEmpty { return path }
      for id in composites { try expand(id) }
    }
  }
}

/// Which nodes lie between values and what is computed of them.
struct Path {
  /// In order.
  private(set) var nodes: [NodeID] = []
  private var varying: Set<ValueID>
  private var wanted: Set<ValueID>

  init(_ graph: Graph, from values: [ValueID], to target: ValueID) {
    varying = Set(values)
    wanted = [target]
    func isFloat(_ value: ValueID) -> Bool { graph.type(of: value).tensor?.element.isFloat ?? false }
    for id in graph.order {
      let node = graph.nodes[id]
      guard node.inputs.contains(where: { $0.map { varying.contains($0) } ?? false }) else { continue }
      varying.formUnion(node.outputs.filter(isFloat))
    }
    for id in graph.order.reversed() {
      let node = graph.nodes[id]
      guard node.outputs.contains(where: { wanted.contains($0) && varying.contains($0) }) else { continue }
      nodes.append(id)
      wanted.formUnion(node.inputs.compactMap { $0 })
    }
    nodes.reverse()
  }

  /// Whether a value depends on those that gradients are asked for.
  func depends(_ value: ValueID) -> Bool { varying.contains(value) }
}

/// One walk back over the nodes of a path.
private struct ReverseMode {
  let tape: GradientTape
  let path: Path
  /// What each value's users have handed to it.
  private var parts: [ValueID: [GradientTensor]] = [:]

  init(tape: GradientTape, path: Path) {
    self.tape = tape
    self.path = path
  }

  mutating func run(_ target: ValueID, _ values: [ValueID], _ seed: ValueID?) throws -> [ValueID] {
    let origin = tape.builder.origin
    defer { tape.builder.origin = origin }
    let start = GradientTensor(target, tape)
    if let seed {
      let given = GradientTensor(seed, tape)
      guard try given.element == start.element, try given.rank == start.rank else {
        throw DiagnosticError(
          .user, "gradient.seed", "the seed must be of the type \(try start.type), but is \(try given.type)")
      }
      parts[target] = [given]
    } else {
      parts[target] = [try start.number(1).expanded(like: start)]
    }
    var problems: [Diagnostic] = []
    for id in path.nodes.reversed() {
      let node = tape.builder.graph.nodes[id]
      let gradients = try node.outputs.map { try gradient(of: $0) }
      guard gradients.contains(where: { $0 != nil }) else { continue }
      tape.builder.origin = node.origin
      do {
        try propagate(through: id, node, gradients)
      } catch let error as DiagnosticError {
        let name = Swift.type(of: node.op).name
        problems += error.located(op: name, origin: node.origin).diagnostics
      }
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    tape.builder.origin = origin
    return try values.map { try (gradient(of: $0) ?? GradientTensor($0, tape).zeros()).id }
  }

  private mutating func propagate(
    through id: NodeID, _ node: Graph.Node, _ outputGradients: [GradientTensor?]
  ) throws {
    guard let rule = node.op as? any Differentiable else {
      throw DiagnosticError(
        .limit, "gradient.operator", "the operator has no gradient",
        hint: "put a stopGradient() before it, or give a gradient of your own: conform the operator to Differentiable")
    }
    let wanted = node.inputs.map { $0.map { path.depends($0) } ?? false }
    let view = GradientNode(
      inputs: node.inputs.map { $0.map { GradientTensor($0, tape) } },
      outputs: node.outputs.map { GradientTensor($0, tape) }, outputGradients: outputGradients,
      facts: tape.builder.graph.inputs(of: id), tape: tape, wanted: wanted)
    let gradients = try rule.gradients(view)
    for (index, gradient) in gradients.enumerated() where index < wanted.count && wanted[index] {
      guard let gradient, let input = node.inputs[index] else { continue }
      let (own, type) = (GradientTensor(input, tape), try gradient.type)
      guard try type.element == own.element, try type.rank == own.rank else {
        throw DiagnosticError(
          .bug, "gradient.shape", "the gradient of input \(index) is \(type), but the input is \(try own.type)")
      }
      parts[input, default: []].append(gradient)
    }
  }

  /// The sum of what users have handed to a value; nil where there is nothing.
  private mutating func gradient(of value: ValueID) throws -> GradientTensor? {
    guard let given = parts[value], let first = given.first else { return nil }
    if given.count == 1 { return first }
    let sum = try tape.add(Variadic(.sum), given)[0]
    parts[value] = [sum]
    return sum
  }
}
