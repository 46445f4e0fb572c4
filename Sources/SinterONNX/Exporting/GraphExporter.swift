import SinterCore
import SinterIR
import SinterOps

/// Exports one graph and, with the same table of names, the bodies inside it: ONNX lets a body see all names around it,
/// so that none may occur twice.
struct GraphExporter {
  var names: NameTable
  var nodeNames = NameTable()
  /// The least opset of each domain that has all that is written.
  var needed: [String: Int] = [:]
  var diagnostics: [Diagnostic] = []
  /// The opset of ONNX's own operators that was asked for.
  let opset: Int?
  /// What that opset does not have, each kind once.
  private var refused: Set<String> = []

  init(names: NameTable, opset: Int?) {
    self.names = names
    self.opset = opset
  }

  /// Notes what a node needs: `what`, "Conv" or "Conv of bf16", from an opset of its domain on.
  mutating func need(_ what: String, domain: String, since: Int, node: String) {
    if since > needed[domain] ?? 0 { needed[domain] = since }
    guard let opset, domain.isEmpty, since > opset, refused.insert(what).inserted else { return }
    diagnostics.append(
      Diagnostic(
        .user, "onnx.opset", "\(what) needs opset \(since), but opset \(opset) was asked for", at: ["node \(node)"],
        hint: "export with opset \(since) or newer"))
  }

  func finish() throws {
    if !diagnostics.isEmpty { throw DiagnosticError(diagnostics) }
  }

  /// The graph being written, and the names of its values so far.
  private struct Scope {
    var result: OnnxFile.Graph
    var names: [ValueID: String] = [:]
  }

  /// A whole graph.
  mutating func graph(_ graph: Graph) -> OnnxFile.Graph {
    var scope = Scope(result: OnnxFile.Graph(name: graph.name.isEmpty ? "graph" : graph.name))
    // Ports keep their names whatever else has them.
    for port in graph.inputs {
      let name = names.unique(port.name, or: "input")
      scope.names[port.value] = name
      scope.result.inputs.append(.init(name, DeclaredType(graph.type(of: port))))
    }
    let joined = graph.outputStructures.map { names.unique($0.name, or: "output") }
    fill(&scope, graph)
    takeApartInputs(&scope.result, graph)
    putTogetherOutputs(&scope.result, graph, named: joined)
    return scope.result
  }

  /// A body of control flow: its first `inputCount` inputs are its own, the others stand for `captures`, names of
  /// values around it.
  private mutating func body(_ graph: Graph, inputCount: Int, captures: ArraySlice<String>) -> OnnxFile.Graph {
    var scope = Scope(result: OnnxFile.Graph(name: graph.name.isEmpty ? "body" : graph.name))
    for port in graph.inputs.prefix(inputCount) {
      let name = names.unique(port.name, or: "input")
      scope.names[port.value] = name
      scope.result.inputs.append(.init(name, DeclaredType(graph.type(of: port))))
    }
    for (port, name) in zip(graph.inputs.dropFirst(inputCount), captures) { scope.names[port.value] = name }
    fill(&scope, graph)
    return scope.result
  }

  private mutating func fill(_ scope: inout Scope, _ graph: Graph) {
    // An output port names the value that it shows, if nothing has named it and no other port shows it.
    var extraOutputs: [(value: ValueID, name: String)] = []
    for port in graph.outputs {
      let name = names.unique(port.name, or: "output")
      if scope.names[port.value] == nil, graph.producer(of: port.value) != nil {
        scope.names[port.value] = name
      } else {
        extraOutputs.append((port.value, name))
      }
      scope.result.outputs.append(.init(name, DeclaredType(graph.type(of: port))))
    }
    for id in graph.order { add(id, of: graph, to: &scope) }
    for (value, name) in extraOutputs {
      let source = self.name(of: value, in: graph, &scope)
      scope.result.nodes.append(
        .init("Identity", name: nodeNames.unique(name, or: name), inputs: [source], outputs: [name]))
    }
  }

  /// The name of a value, which a constant gets with its initializer on its first use.
  private mutating func name(of value: ValueID, in graph: Graph, _ scope: inout Scope) -> String {
    if let known = scope.names[value] { return known }
    let name = names.unique(graph.values[value].name, or: "value_\(value.rawValue)")
    scope.names[value] = name
    if let tensor = graph.constant(value) {
      scope.result.initializers.append(.init(name, tensor))
    } else {
      scope.result.values.append(.init(name, DeclaredType(graph.type(of: value))))
    }
    return name
  }

  private mutating func add(_ id: NodeID, of graph: Graph, to scope: inout Scope) {
    let node = graph.nodes[id]
    let inputs = graph.inputs(of: id)
    let inputNames = node.inputs.map { input in input.map { name(of: $0, in: graph, &scope) } ?? "" }
    let opset = opset ?? .max
    let form = node.op.onnxNode(inputs).map { $0.domain.isEmpty ? $0.older(opset, inputs) : $0 }
    if let form, !form.domain.isEmpty || form.since <= opset {
      write(form, id, inputNames, of: graph, to: &scope)
      return
    }
    if form == nil,
      expand(
        node, inputs, inputNames, of: graph, to: &scope,
        { [op = node.op] in try OnnxSpelling.expandChannelsLast(op, $0, into: &$1) })
    {
      return
    }
    if let composite = node.op as? any Composite {
      expand(node, inputs, inputNames, of: graph, to: &scope) { try composite.expand($0, into: &$1) }
      return
    }
    // In terms of what the opset has; else as it is, which is told.
    let isSpelled = expand(node, inputs, inputNames, of: graph, to: &scope) { [op = node.op] in
      try OnnxSpelling.expand(op, $0, into: &$1)
    }
    if isSpelled { return }
    if let form { return write(form, id, inputNames, of: graph, to: &scope) }
    diagnostics.append(
      Diagnostic(
        .limit, "onnx.export", "\(type(of: node.op).name) has no form in ONNX", at: node.origin.map(\.description),
        hint: "replace it, or give the operator an expansion"))
  }

  private mutating func write(
    _ form: NodeSpecification, _ id: NodeID, _ inputNames: [String], of graph: Graph, to scope: inout Scope
  ) {
    let node = graph.nodes[id]
    let outputs = node.outputs.map { name(of: $0, in: graph, &scope) }
    let written = self.node(form, node, inputs: inputNames, outputs: outputs, &scope)
    scope.result.nodes.append(written)
    guard form.domain.isEmpty else { return }
    func element(_ value: ValueID?) -> ElementType? { value.flatMap { graph.type(of: $0).tensor?.element } }
    // What bodies capture is no operand in ONNX.
    let captured = zip(form.bodies, node.bodies).reduce(0) { $0 + max($1.1.inputs.count - $1.0.inputCount, 0) }
    let own = node.inputs.dropLast(captured).map(element)
    let operands = form.inputs.map { given in
      given.map { input -> ElementType? in
        if case .operand(let index) = input, index < own.count { own[index] } else { nil }
      }
    }
    let need = OnnxElementTypes.need(of: form.opType, operands: operands ?? own, results: node.outputs.map(element))
    if let need, need.since > form.since {
      self.need("\(form.opType) of \(need.element)", domain: "", since: need.since, node: written.name)
    }
  }

  private mutating func node(
    _ form: NodeSpecification, _ node: Graph.Node, inputs: [String], outputs: [String], _ scope: inout Scope
  ) -> OnnxFile.Node {
    // The last inputs are what bodies capture.
    let captureCounts = zip(form.bodies, node.bodies).map { max($1.inputs.count - $0.inputCount, 0) }
    let operandCount = inputs.count - captureCounts.reduce(0, +)
    var operands = Array(inputs.prefix(max(operandCount, 0)))
    if let given = form.inputs {
      operands = given.map { input in
        switch input {
        case .operand(let index): return index < inputs.count ? inputs[index] : ""
        case .absent: return ""
        case .constant(let tensor):
          let name = names.unique((outputs.first ?? "") + "_constant", or: "constant")
          scope.result.initializers.append(.init(name, tensor))
          return name
        }
      }
    }
    while operands.last?.isEmpty == true { operands.removeLast() }
    let origin = node.origin.first
    let label = nodeNames.unique(
      origin.map { $0.node.isEmpty ? $0.path : $0.node } ?? "", or: (outputs.first ?? "") + "_" + form.opType)
    var attributes = form.attributes.compactMap { attribute in
      attributeValue(attribute.value, attribute.name, label).map { OnnxFile.Attribute(attribute.name, $0) }
    }
    var next = max(operandCount, 0)
    for ((description, body), captures) in zip(zip(form.bodies, node.bodies), captureCounts) {
      let captured = inputs[min(next, inputs.count)..<min(next + captures, inputs.count)]
      next += captures
      attributes.append(
        .init(description.attribute, .graph(self.body(body, inputCount: description.inputCount, captures: captured))))
    }
    need(form.opType, domain: form.domain, since: form.since, node: label)
    var result = OnnxFile.Node(
      form.opType, domain: form.domain, name: label, inputs: operands, outputs: outputs, attributes: attributes)
    result.doc = node.origin.map(\.description).filter { !$0.isEmpty && $0 != "node \(label)" }.joined(separator: "; ")
    if let origin {
      if !origin.path.isEmpty { result.metadata.append(.init(OnnxMetadata.path, origin.path)) }
      if !origin.source.isEmpty { result.metadata.append(.init(OnnxMetadata.source, origin.source)) }
    }
    return result
  }

  /// The nodes that `build` adds in the place of the node; false where it has none.
  @discardableResult
  private mutating func expand(
    _ node: Graph.Node, _ inputs: NodeInputs, _ inputNames: [String], of graph: Graph, to scope: inout Scope,
    _ build: (NodeInputs, inout GraphBuilder) throws -> [ValueID]?
  ) -> Bool {
    do {
      var builder = GraphBuilder(name: graph.name)
      builder.origin = node.origin
      var inner = inputs
      var innerNames: [ValueID: String] = [:]
      for index in inputs.ids.indices {
        guard let fact = inputs.facts[index] else { continue }
        let id = inputs.constants[index].map { builder.constant($0) } ?? builder.input(fact, named: inputNames[index])
        inner.ids[index] = id
        innerNames[id] = inputNames[index]
      }
      guard let results = try build(inner, &builder) else { return false }
      guard results.count >= node.outputs.count else {
        throw DiagnosticError(
          .bug, "onnx.export", "the expansion has \(results.count) results, not \(node.outputs.count)")
      }
      let outer = scope.names
      // Results take the names that the node's own have around it, unless they are inputs handed through.
      var copies: [(from: ValueID, to: String)] = []
      for (output, result) in zip(node.outputs, results) {
        let name = name(of: output, in: graph, &scope)
        if innerNames[result] == nil, builder.graph.producer(of: result) != nil {
          innerNames[result] = name
        } else {
          copies.append((result, name))
        }
      }
      let named = scope.names
      scope.names = innerNames
      for id in builder.graph.order { add(id, of: builder.graph, to: &scope) }
      for (from, to) in copies {
        let source = name(of: from, in: builder.graph, &scope)
        scope.result.nodes.append(
          .init("Identity", name: nodeNames.unique(to, or: to), inputs: [source], outputs: [to]))
      }
      scope.names = named.merging(outer) { new, _ in new }
    } catch {
      let located = ((error as? DiagnosticError) ?? DiagnosticError(.bug, "onnx.export", "\(error)"))
        .located(op: type(of: node.op).name, origin: node.origin)
      diagnostics += located.diagnostics
    }
    return true
  }

  /// Nil where it was reported.
  private mutating func attributeValue(
    _ value: OnnxAttribute, _ name: String, _ node: String
  ) -> OnnxFile.Attribute.Value? {
    switch value {
    case .int(let value): return .int(Int64(value))
    case .float(let value): return .float(Float(value))
    case .string(let value): return .string(value)
    case .tensor(let tensor): return .tensor(.init("", tensor))
    case .ints(let values): return .ints(values.map { Int64($0) })
    case .floats(let values): return .floats(values.map { Float($0) })
    case .strings(let values): return .strings(values)
    case .elementType(let element): return .int(Int64(element.onnx))
    case .type(let type): return .type(DeclaredType(type))
    case .other(let kind):
      diagnostics.append(
        Diagnostic(
          .bug, "onnx.export", "attribute \(name) is of a kind that cannot be written: \(kind)", at: ["node \(node)"]))
      return nil
    }
  }
}
