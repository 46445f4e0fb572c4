import SinterCore
import SinterIR

extension Diagram {
  /// A graph of operators. Bodies of control flow are layers of their own beside the node that runs them.
  package init(of graph: Graph, title: String? = nil) {
    var walk = GraphWalk(diagram: Diagram(title: title ?? graph.name))
    walk.diagram.requirements = graph.obligations.map(\.explained)
    for (position, port) in graph.inputs.enumerated() {
      walk.addPort(.input, port.name, graph.type(of: port), layers: [])
      walk.sources[port.value] = position
    }
    walk.add(graph, layers: [])
    for port in graph.outputs {
      let from = walk.sources[port.value]
      walk.addPort(.output, port.name, graph.type(of: port.value), layers: [])
      if let from { walk.connect(from, walk.diagram.nodes.count - 1, graph.type(of: port.value)) }
    }
    self = walk.diagram
  }

  /// How a type is shown. What the importer of drawings knows nothing of is an optional value, which no node computes otherwise.
  static func text(of type: ValueType) -> String {
    if case .optional = type { return "?" }
    return "\(type)"
  }
}

private struct GraphWalk {
  var diagram: Diagram
  /// The node of the diagram that each value of the graph at hand comes from.
  var sources: [ValueID: Int] = [:]
  private var constants: [ObjectIdentifier: Int] = [:]

  init(diagram: Diagram) { self.diagram = diagram }

  mutating func addPort(_ kind: Diagram.Kind, _ name: String, _ type: ValueType, layers: [String]) {
    diagram.nodes.append(
      Diagram.Node(
        kind: kind, title: name, name: name, family: .other, layers: layers, results: [Diagram.text(of: type)]))
  }

  mutating func connect(_ from: Int, _ to: Int, _ type: ValueType) {
    diagram.edges.append(Diagram.Edge(from: from, to: to, type: Diagram.text(of: type)))
  }

  /// The nodes of a graph; `sources` has its inputs, and afterwards all its values.
  ///
  /// - Parameter layers: those that the whole graph is inside of.
  mutating func add(_ graph: Graph, layers outer: [String]) {
    var requirements: [String: [String]] = [:]
    for obligation in graph.obligations {
      if let origin = obligation.origin.first { requirements[origin, default: []].append(obligation.explained) }
    }
    for id in graph.order { add(id, of: graph, outer, requirements) }
  }

  private mutating func add(_ id: NodeID, of graph: Graph, _ outer: [String], _ requirements: [String: [String]]) {
    let node = graph.nodes[id]
    let form = node.op.onnxNode(graph.inputs(of: id))
    let attributes = node.op.attributeValues
    let origins = node.origin.map(\.description).filter { !$0.isEmpty }
    let own = node.origin.commonLayers
    let weights = node.inputs.count > 1 ? node.inputs[1].flatMap { graph.type(of: $0).tensor?.shape } : nil
    // What ONNX calls it tells more than a family's name: Relu, not Unary.
    let family = type(of: node.op).name
    let title =
      form.map { $0.domain.isEmpty || $0.domain == "ai.onnx" ? $0.opType : "\($0.domain).\($0.opType)" } ?? family
    var drawn = Diagram.Node(
      title: title, subtitle: AttributeText.summary(title, attributes, weights: weights),
      name: node.origin.first?.label ?? "", family: OperatorFamily(operator: family),
      layers: outer.isEmpty ? own : outer + own.drop { outer.contains($0) })
    // An operator that only a file knows has its attributes there.
    drawn.attributes =
      attributes.isEmpty && family == "Opaque"
      ? (form?.attributes ?? []).map { .init(name: $0.name, text: AttributeText.text($0.value)) }
      : attributes.map { .init(name: $0.name, text: AttributeText.text($0.value)) }
    drawn.results = node.outputs.map { Diagram.text(of: graph.type(of: $0)) }
    drawn.origins = origins
    drawn.labels = node.origin.map(\.label).filter { !$0.isEmpty }
    drawn.requirements = origins.flatMap { requirements[$0] ?? [] }
    drawn.number = outer.isEmpty ? id.position : nil
    for case let input? in node.inputs {
      if let tensor = graph.constant(input) { drawn.constants.append(constant(tensor, graph.values[input].name)) }
    }
    var from: [(Int, ValueType)] = []
    for (index, body) in node.bodies.enumerated() {
      from += add(body, index, of: node, form, layers: drawn.layers)
    }
    diagram.nodes.append(drawn)
    let position = diagram.nodes.count - 1
    for (source, type) in from { connect(source, position, type) }
    for case let input? in node.inputs {
      if let source = sources[input] { connect(source, position, graph.type(of: input)) }
    }
    for output in node.outputs { sources[output] = position }
  }

  /// A body of control flow, whose results lead to the node that runs it.
  private mutating func add(
    _ body: Graph, _ index: Int, of node: Graph.Node, _ form: NodeSpecification?, layers: [String]
  ) -> [(Int, ValueType)] {
    let told = form.map(\.bodies) ?? []
    let name = index < told.count ? told[index].attribute : "body \(index)"
    let captured = told.enumerated().map { place, entry in
      place < node.bodies.count ? max(0, node.bodies[place].inputs.count - entry.inputCount) : 0
    }
    // Captures are the node's last inputs, body after body.
    var place = node.inputs.count - captured.dropFirst(index).reduce(0, +)
    let outer = sources
    let inside = layers + [name]
    sources = [:]
    let ownInputs = body.inputs.count - (index < captured.count ? captured[index] : 0)
    for (position, port) in body.inputs.enumerated() {
      if position >= ownInputs {
        if node.inputs.indices.contains(place), let value = node.inputs[place] { sources[port.value] = outer[value] }
        place += 1
      } else {
        addPort(.input, port.name, body.type(of: port), layers: inside)
        sources[port.value] = diagram.nodes.count - 1
      }
    }
    add(body, layers: inside)
    let results = body.outputs.compactMap { port in sources[port.value].map { ($0, body.type(of: port.value)) } }
    sources = outer
    return results
  }

  private mutating func constant(_ tensor: HostTensor, _ name: String) -> Int {
    // One tensor may be several values, under one name or many.
    let key = ObjectIdentifier(tensor.bytes)
    if let known = constants[key], diagram.constants[known].name == name, tensor.element != .string { return known }
    diagram.constants.append(.init(name: name, tensor: tensor))
    constants[key] = diagram.constants.count - 1
    return diagram.constants.count - 1
  }
}
