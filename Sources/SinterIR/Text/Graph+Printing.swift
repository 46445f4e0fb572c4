import SinterCore

/// The text form of a graph, which `Graph(parsing:)` reads back:
///
///     graph "mlp" {
///       opset "" 17
///       range batch 1...64
///       input %0 "x": f32[batch, 784]
///       require equal(batch, count) "axis 0 of both" "Add" "node /add"
///       constant %1 "fc.weight": f32[10, 784] = #4be1f7aa03c5d210
///       constant %2 "fc.bias": f32[10] = {0.0, 0.1, …}
///       %3 "y": f32[batch, 10] = Gemm(%0, %1, %2) {transB: true} from "" "/fc/Gemm" ""
///       output "y" %3
///     }
///
/// Inputs and outputs that callers see as one value are told behind their tensors, which it names by their positions:
/// `structure input "x" ragged(0, 1) [?, 4]` is a sequence of tensors of two axes. See `PortStructure`.
///
/// `state 3 -> 1: f32[10, 784] = …` says that a library keeps input 3, that output 1 is its next value (`_`: none), and what it starts with.
///
/// An absent input is `_`. `from` gives layer path, ONNX node and source line, once an origin. The bodies of control flow follow their
/// node, indented. Numbers of values are those of the graph; printing and parsing a compact graph changes nothing.
extension Graph: CustomStringConvertible {
  public var description: String {
    var printer = GraphPrinter()
    printer.print(self)
    return printer.text
  }

  /// One node as its line in the text form.
  public func describe(_ node: NodeID) -> String {
    var printer = GraphPrinter()
    printer.print(node, of: self)
    return printer.text.trimmingNewlines
  }
}

extension String {
  fileprivate var trimmingNewlines: String {
    var copy = self
    while copy.hasSuffix("\n") { copy.removeLast() }
    return copy
  }
}

private struct GraphPrinter {
  var text = ""
  var indent = ""

  mutating func line(_ content: String) {
    text += indent
    text += content
    text += "\n"
  }

  func named(_ id: ValueID, _ graph: Graph) -> String {
    let value = graph.values[id]
    return value.name.isEmpty ? "\(id)" : "\(id) " + TensorText.quoted(value.name)
  }

  mutating func print(_ graph: Graph) {
    line("graph \(TensorText.quoted(graph.name)) {")
    indent += "  "
    for domain in graph.opsets.keys.sorted() { line("opset \(TensorText.quoted(domain)) \(graph.opsets[domain] ?? 0)") }
    if graph.flushesSubnormals { line("flush subnormals") }
    for symbol in graph.ranges.keys.sorted() {
      guard let range = graph.ranges[symbol] else { continue }
      line("range \(symbol.name) \(range.lowerBound)...\(range.upperBound)")
    }
    for port in graph.inputs {
      var entry = "input \(port.value) \(TensorText.quoted(port.name)): \(graph.type(of: port))"
      if let contents = graph.values[port.value].fact.contents { entry += " holds " + sizes(contents) }
      if !port.note.isEmpty { entry += " note " + TensorText.quoted(port.note) }
      line(entry)
    }
    for structure in graph.inputStructures { line("structure input \(structure.text)") }
    for obligation in graph.obligations { line("require \(obligation.text)") }
    for id in graph.usedConstants {
      guard let tensor = graph.constant(id) else { continue }
      line("constant \(named(id, graph)): \(graph.type(of: id)) = \(TensorText.describe(tensor))")
    }
    for id in graph.order { print(id, of: graph) }
    for port in graph.outputs {
      let note = port.note.isEmpty ? "" : " note " + TensorText.quoted(port.note)
      line("output \(TensorText.quoted(port.name)) \(port.value)\(note)")
    }
    for structure in graph.outputStructures { line("structure output \(structure.text)") }
    for state in graph.states {
      let next = state.output.map(String.init) ?? "_"
      line("state \(state.input) -> \(next): \(state.initial.type) = \(TensorText.describe(state.initial))")
    }
    indent.removeLast(2)
    line("}")
  }

  mutating func print(_ id: NodeID, of graph: Graph) {
    let node = graph.nodes[id]
    let defined = graph.definedSizes(of: id)
    let results = node.outputs.map { output in
      let fact = graph.values[output].fact
      // Sizes that the node makes known by the elements of a result have names there.
      let elements = fact.contents.flatMap { contents in
        contents.contains { !defined.isDisjoint(with: $0.symbols) } ? " holds " + sizes(contents) : nil
      }
      return "\(named(output, graph)): \(fact.type)\(elements ?? "")"
    }.joined(separator: ", ")
    let inputs = node.inputs.map { $0.map { "\($0)" } ?? "_" }.joined(separator: ", ")
    var entry = "\(results) = \(type(of: node.op).name)(\(inputs))"
    let attributes = node.op.attributeValues
    if !attributes.isEmpty {
      entry += " {" + attributes.map { "\($0.name): \(describe($0.value))" }.joined(separator: ", ") + "}"
    }
    for origin in node.origin {
      entry += " from " + [origin.path, origin.node, origin.source].map(TensorText.quoted).joined(separator: " ")
    }
    line(entry)
    indent += "  "
    for body in node.bodies { print(body) }
    indent.removeLast(2)
  }

  private func sizes(_ dims: [Dim]) -> String { "sizes[" + dims.map(\.description).joined(separator: ", ") + "]" }

  private func describe(_ value: AttributeValue) -> String {
    switch value {
    case .int(let value): "\(value)"
    case .float(let value): "\(value)"
    case .bool(let value): "\(value)"
    case .string(let value): TensorText.quoted(value)
    case .ints(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
    case .floats(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
    case .strings(let values): "[" + values.map(TensorText.quoted).joined(separator: ", ") + "]"
    case .element(let value): value.name
    case .dims(let values): sizes(values)
    case .tensor(let value): "tensor \(value.type) = " + TensorText.describe(value)
    case .choice(let value): TensorText.quoted(value)
    }
  }
}

extension Graph {
  /// The constants that nodes or outputs use, by number.
  var usedConstants: [ValueID] {
    var used: Set<ValueID> = []
    for id in order {
      for input in nodes[id].inputs {
        if let input, case .constant = values[input].definition { used.insert(input) }
      }
    }
    for port in outputs {
      if case .constant = values[port.value].definition { used.insert(port.value) }
    }
    return used.sorted()
  }
}
