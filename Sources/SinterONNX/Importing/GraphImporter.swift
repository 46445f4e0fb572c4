import SinterCore
import SinterIR

/// Imports one graph, or the body of one node of control flow: the names of its values and the nodes so far.
struct GraphImporter {
  /// What a name stands for.
  enum Binding {
    case value(ValueID)
    /// A sequence, an optional or a map.
    case structured(OnnxValue)
    /// A constant that nothing has used yet.
    case constant(HostTensor)
    /// What computes it was reported; what uses it is left out in silence.
    case failed
  }

  var context: ImportContext
  var builder: GraphBuilder
  var names: [String: Binding] = [:]
  /// What the file says of the types of computed values.
  var declared: [String: Fact] = [:]
  var diagnostics: [Diagnostic] = []
  /// Of the whole graph, inputs that are states, and the outputs that they become.
  var stateOutputs: [String: String] = [:]
  /// What nodes that cannot be read would use.
  private var looseEnds: [ValueID] = []
  /// Nodes that are not added yet, the next one last.
  var rest: [OnnxFile.Node] = []
  /// The outputs of the graph at hand.
  var outputNames: [String] = []
  /// How many times what follows has been built for each branch on the way here.
  var splits = 0
  /// The calls of functions that the importer is inside of, before the names of nodes: `block1/`.
  var callPath = ""
  /// The functions called on the way here, with what their attributes are.
  var functionAttributes: [String: OnnxFile.Attribute.Value]?

  init(_ context: ImportContext, name: String) {
    self.context = context
    builder = GraphBuilder(name: name)
  }

  mutating func report(_ diagnostic: Diagnostic) {
    if !diagnostics.contains(diagnostic) { diagnostics.append(diagnostic) }
  }

  mutating func report(_ error: any Error, at node: OnnxFile.Node) {
    let located = ((error as? DiagnosticError) ?? DiagnosticError(.bug, "onnx.import", "\(error)"))
      .located(op: node.operatorType, origin: builder.origin)
    located.diagnostics.forEach { report($0) }
  }

  // MARK: Graphs

  /// Initializers and nodes.
  mutating func addContents(of graph: OnnxFile.Graph) {
    outputNames = graph.outputs.map(\.name)
    for tensor in graph.initializers where stateOutputs[tensor.name] == nil {
      names[tensor.name] = .constant(tensor.value)
    }
    for tensor in graph.sparseInitializers {
      do {
        names[tensor.values.name] = .constant(try tensor.dense())
      } catch {
        names[tensor.values.name] = .failed
        for diagnostic in ((error as? DiagnosticError)?.diagnostics ?? []) { report(diagnostic) }
      }
    }
    add(graph.nodes)
  }

  mutating func add(_ nodes: [OnnxFile.Node]) {
    do {
      let outer = rest
      defer { rest = outer }
      rest = try NodeOrder.sorted(nodes).reversed().map { nodes[$0] }
      while let node = rest.popLast() { add(node) }
    } catch {
      for diagnostic in ((error as? DiagnosticError)?.diagnostics ?? []) { report(diagnostic) }
    }
  }

  mutating func addOutputs(_ outputs: [OnnxFile.ValueInfo]) {
    // After a cycle nothing is known of what outputs lack.
    if diagnostics.contains(where: { $0.id == "onnx.cycle" }) { return }
    var seen: Set<String> = []
    for output in outputs {
      guard seen.insert(output.name).inserted else {
        report(
          Diagnostic(
            .user, "onnx.duplicate-name", "the graph has two outputs named \(output.name)",
            at: ["graph \(builder.graph.name)"],
            hint: "list each output once"))
        continue
      }
      guard names[output.name] != nil else {
        report(
          Diagnostic(
            .user, "onnx.dangling", "the output \(output.name) is computed by no node",
            at: ["graph \(builder.graph.name)"],
            hint: "fetch or export the model again"))
        continue
      }
      guard let value = onnxValue(output.name) else { continue }
      do {
        try addOutput(value, output)
      } catch {
        let located = (error as? DiagnosticError) ?? DiagnosticError(.bug, "onnx.import", "\(error)")
        located.located(at: "output \(output.name)").diagnostics.forEach { report($0) }
      }
    }
  }

  /// The value that a name stands for, which constants become on their first use; nil where it is unknown or failed.
  mutating func value(_ name: String) -> ValueID? {
    switch names[name] {
    case .value(let id): return id
    case .constant(let tensor):
      let id = builder.constant(tensor, named: callPath + name)
      names[name] = .value(id)
      return id
    case .structured, .failed, nil: return nil
    }
  }

  /// The same for values of any kind.
  mutating func onnxValue(_ name: String) -> OnnxValue? {
    if case .structured(let value)? = names[name] { return value }
    return value(name).map { .tensor($0) }
  }

  /// The tensors that a name stands for so far.
  func leaves(_ name: String) -> [ValueID] {
    switch names[name] {
    case .value(let id): [id]
    case .structured(let value): value.leaves
    case .constant, .failed, nil: []
    }
  }

  // MARK: Nodes

  mutating func add(_ node: OnnxFile.Node) {
    guard context.budget.spend() else {
      report(
        Diagnostic(
          .limit, "onnx.size",
          "with functions inlined and subgraphs built, the model has more than \(ImportBudget.limit) nodes",
          hint: "call functions less often, or use a Loop"))
      bind(node.outputs, to: nil)
      return
    }
    builder.origin = [origin(of: node)]
    var isWhole = isKnown(node)
    for (index, name) in node.inputs.enumerated() where !name.isEmpty {
      isWhole = check(name, "input \(index)", of: node) && isWhole
    }
    for body in node.bodies {
      for name in body.freeNames { isWhole = check(name, "subgraph \(body.name)", of: node) && isWhole }
    }
    guard isWhole else {
      passOver(node)
      return
    }
    do {
      let results: [OnnxValue?]
      if let function = context.function(node) {
        results = try inline(function, node)
      } else if node.domain.isEmpty, node.operatorType == "Constant" {
        names[node.outputs.first ?? ""] = .constant(try constant(node))
        return
      } else {
        results = try build(node)
      }
      bind(node.outputs, to: results)
    } catch let error as RanksDiffer {
      buildRestInBranches(of: node, error)
    } catch {
      report(error, at: node)
      passOver(node)
    }
  }

  /// A node that cannot be read is left out, or shown as it is.
  private mutating func passOver(_ node: OnnxFile.Node) {
    if context.showsUnknown { addOpaque(node) } else { leaveOut(node) }
  }

  /// Whether the table has the node's operator; `ImportCheck` told of those that it lacks.
  private func isKnown(_ node: OnnxFile.Node) -> Bool {
    if context.function(node) != nil || (node.domain.isEmpty && node.operatorType == "Constant") { return true }
    guard let opset = context.opsets[node.domain] else { return false }
    return context.operators.rule(domain: node.domain, opType: node.operatorType, opset: opset) != nil
  }

  mutating func leaveOut(_ node: OnnxFile.Node) {
    bind(node.outputs, to: nil)
    for name in node.inputs + node.bodies.flatMap(\.freeNames) {
      looseEnds += leaves(name)
    }
  }

  /// Makes outputs of what only nodes that were left out would use.
  mutating func addLooseEnds() {
    var known = Set(builder.graph.outputs.map(\.value))
    for id in looseEnds where builder.graph.producer(of: id) != nil && known.insert(id).inserted {
      builder.output(id, named: "unused \(id)")
    }
  }

  /// Whether the node can be built as far as this name goes. Unknown names are reported, failed ones were.
  private mutating func check(_ name: String, _ role: String, of node: OnnxFile.Node) -> Bool {
    switch names[name] {
    case .value, .structured, .constant: return true
    case .failed: return false
    case nil:
      report(
        Diagnostic(
          .user, "onnx.dangling",
          "\(node.operatorType): \(role) is \(name), which is no input, no initializer and no node's result",
          at: builder.origin.map(\.description), hint: "fetch or export the model again; a weight may be missing"))
      return false
    }
  }

  private mutating func bind(_ outputs: [String], to results: [OnnxValue?]?) {
    for (index, name) in outputs.enumerated() where !name.isEmpty {
      guard let results, let value = results[index] else {
        names[name] = .failed
        continue
      }
      names[name] = value.tensor.map { .value($0) } ?? .structured(value)
      for (id, part) in zip(value.leaves, value.partNames(name)) where builder.graph.values[id].name.isEmpty {
        builder.setName(callPath + part, of: id)
      }
    }
  }

  private func origin(of node: OnnxFile.Node) -> Origin {
    let name = node.name.isEmpty ? node.outputs.first { !$0.isEmpty } ?? node.operatorType : node.name
    return OnnxMetadata.origin(node: callPath + name, node.metadata)
  }

  private mutating func build(_ node: OnnxFile.Node) throws -> [OnnxValue?] {
    guard let opset = context.opsets[node.domain],
      let rule = context.operators.rule(domain: node.domain, opType: node.operatorType, opset: opset)
    else { throw DiagnosticError(.bug, "onnx.import", "the node was not checked") }
    var inputs = node.inputs.map { $0.isEmpty ? nil : onnxValue($0) }
    while let last = inputs.last, last == nil { inputs.removeLast() }
    // Trailing results that have no name are not asked for.
    let outputCount = max((node.outputs.lastIndex { !$0.isEmpty } ?? 0) + 1, 1)
    var attributes: [String: OnnxAttribute] = [:]
    var bodies: [String: OnnxBody] = [:]
    for attribute in node.attributes {
      guard let value = resolved(attribute.value) else { continue }
      if case .graph(let graph) = value {
        bodies[attribute.name] = body(graph)
      } else {
        attributes[attribute.name] = try OnnxAttribute(value)
      }
    }
    let problems =
      context.operators.signature(domain: node.domain, opType: node.operatorType, opset: opset)?
      .problems(inputs: inputs.count, attributes: Set(attributes.keys).union(bodies.keys)) ?? []
    if !problems.isEmpty { throw DiagnosticError(problems) }
    builder.declared = node.outputs.prefix(outputCount).map { declared[$0] }
    defer { builder.declared = [] }
    let results = try rule.build(
      SinterIR.OnnxNode(
        domain: node.domain, opType: node.operatorType, opset: opset, name: builder.origin.first?.node ?? "",
        values: inputs, outputCount: outputCount, attributes: attributes, bodies: bodies),
      &builder)
    guard results.count >= outputCount else {
      throw DiagnosticError(
        .user, "onnx.outputs", "the node names \(outputCount) results, but has \(results.count)",
        hint: "export the model again")
    }
    return results
  }

  // MARK: Subgraphs

  /// A subgraph whose types are not known yet. Constants that it captures become its own.
  mutating func body(_ graph: OnnxFile.Graph) -> OnnxBody {
    var captured: [(name: String, value: OnnxValue)] = []
    var constants: [String: HostTensor] = [:]
    for name in graph.freeNames {
      switch names[name] {
      case .constant(let tensor): constants[name] = tensor
      case .value(let id):
        if let tensor = builder.graph.constant(id) {
          constants[name] = tensor
        } else {
          captured.append((name, .tensor(id)))
        }
      case .structured(let value): captured.append((name, value))
      case .failed, nil: break
      }
    }
    let (context, attributes, path, splits) = (self.context, functionAttributes, callPath, splits)
    let (captures, known) = (captured, constants)
    let inputNames = graph.inputs.map(\.name)
    return OnnxBody(
      inputNames: inputNames, outputCount: graph.outputs.count, captures: captures.flatMap(\.value.leaves)
    ) { inputs, captureFacts in
      var inner = GraphImporter(context, name: graph.name)
      inner.functionAttributes = attributes
      inner.callPath = path
      inner.splits = splits
      guard inputs.count == inputNames.count else {
        throw DiagnosticError(
          .user, "onnx.body-inputs",
          "the subgraph \(graph.name) has \(inputNames.count) inputs, but \(inputs.count) are given",
          hint: "export the model again")
      }
      for (name, fact) in zip(inputNames, inputs) { inner.bindInput(fact, to: name) }
      var place = 0
      for (name, value) in captures { inner.bindInput(value.taking(captureFacts, at: &place), to: name) }
      for (name, tensor) in known { inner.names[name] = .constant(tensor) }
      inner.declareValues(of: graph)
      inner.addContents(of: graph)
      return try inner.finished(graph.outputs)
    }
  }
}
