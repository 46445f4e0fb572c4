import SinterCore

/// Holds a graph against its invariants.
///
/// Structure:
/// 1. The order lists nodes of the graph, each at most once.
/// 2. A node's inputs are inputs of the graph, constants, or results of nodes earlier in the order.
/// 3. A node's results say of themselves that they are its, at their place; no value is the result of two nodes.
/// 4. Ports: input n is a value defined as input n; an output is defined; names are not empty, and differ among inputs and among outputs.
///    What callers see as one value is told by structures, whose tensors follow one another, have the types that the structure asks for
///    (`PortStructure`) and belong to no other.
/// 5. A constant's type is that of its contents, and it has as many bytes as that type needs.
/// 6. Contents that are followed ahead of time belong to a tensor with that many elements.
/// 7. Bodies of control flow are graphs of which all this holds.
///
/// Meaning:
/// 8. Inference accepts each node, and agrees with the recorded types in element type, rank and known sizes.
/// 9. What inference relies on follows from the graph's obligations, or from those of the graph around it that are checked before it runs.
public struct GraphVerifier {
  private let graph: Graph
  /// What holds wherever the graph runs, besides its own obligations.
  private let outer: [Obligation]
  private var diagnostics: [Diagnostic] = []

  /// All violations; empty where the graph is sound. Inference is not asked about a graph whose structure is broken.
  public static func problems(of graph: Graph) -> [Diagnostic] { problems(of: graph, where: []) }

  private static func problems(of graph: Graph, where outer: [Obligation]) -> [Diagnostic] {
    var verifier = GraphVerifier(graph: graph, outer: outer)
    verifier.checkOrder()
    verifier.checkPorts()
    verifier.checkValues()
    // Where no sizes fit, there are no types to hold on to.
    if verifier.diagnostics.isEmpty, graph.impossible == nil { verifier.checkTypes() }
    verifier.checkBodies()
    return verifier.diagnostics
  }

  /// Throws all violations.
  public static func verify(_ graph: Graph) throws {
    let problems = problems(of: graph)
    if !problems.isEmpty { throw DiagnosticError(problems) }
  }

  private init(graph: Graph, outer: [Obligation]) { (self.graph, self.outer) = (graph, outer) }

  private mutating func report(_ id: String, _ message: String, at node: NodeID? = nil) {
    var places = ["graph \(graph.name)"]
    if let node, graph.nodes.contains(node) { places.insert(graph.describe(safely: node), at: 0) }
    diagnostics.append(Diagnostic(.bug, "verify.\(id)", message, at: places))
  }

  // 1, 2, 3
  private mutating func checkOrder() {
    var listed: Set<NodeID> = []
    var defined = [Bool](repeating: false, count: graph.values.count)
    for id in graph.values.indices {
      switch graph.values[id].definition {
      case .input, .constant: defined[id.position] = true
      case .node: break
      }
    }
    for id in graph.order {
      guard graph.nodes.contains(id) else {
        report("order", "the order lists \(id), but there are \(graph.nodes.count) nodes")
        continue
      }
      guard listed.insert(id).inserted else {
        report("order", "the order lists \(id) twice", at: id)
        continue
      }
      for case let input? in graph.nodes[id].inputs {
        guard graph.values.contains(input) else {
          report("input", "\(id) uses \(input), but there are \(graph.values.count) values")
          continue
        }
        if !defined[input.position] { report("input", "\(id) uses \(input), which is not defined before it", at: id) }
      }
      for (index, output) in graph.nodes[id].outputs.enumerated() {
        guard graph.values.contains(output) else {
          report("result", "\(id) defines \(output), but there are \(graph.values.count) values")
          continue
        }
        guard case .node(id, result: index) = graph.values[output].definition else {
          report("result", "result \(index) of \(id) is \(output), which is defined otherwise")
          continue
        }
        if defined[output.position] { report("result", "\(output) is defined twice", at: id) }
        defined[output.position] = true
      }
    }
    for port in graph.outputs where !graph.values.contains(port.value) || !defined[port.value.position] {
      report("port", "output \(port.name) is \(port.value), which is not defined")
    }
  }

  // 4
  private mutating func checkPorts() {
    var names: Set<String> = []
    for (index, port) in graph.inputs.enumerated() {
      if port.name.isEmpty { report("port", "input \(index) has no name") }
      if !names.insert(port.name).inserted { report("port", "two inputs are named \(port.name)") }
      guard graph.values.contains(port.value), case .input(index) = graph.values[port.value].definition else {
        report("port", "input \(port.name) is \(port.value), which is not defined as input \(index)")
        continue
      }
    }
    names = []
    for (index, port) in graph.outputs.enumerated() {
      if port.name.isEmpty { report("port", "output \(index) has no name") }
      if !names.insert(port.name).inserted { report("port", "two outputs are named \(port.name)") }
    }
    func types(_ ports: [Graph.Port]) -> [TensorType?] {
      ports.map { graph.values.contains($0.value) ? graph.type(of: $0.value).tensor : nil }
    }
    for problem in StatePort.problems(graph.states, inputs: types(graph.inputs), outputs: types(graph.outputs)) {
      report("state", problem)
    }
    for (role, structures, ports, all) in [
      ("input", graph.inputStructures, graph.inputs, graph.callerInputs),
      ("output", graph.outputStructures, graph.outputs, graph.callerOutputs),
    ] {
      for problem in PortStructure.problems(structures, types(ports)) { report("structure", "\(role) \(problem)") }
      var seen: Set<String> = []
      for port in all where !seen.insert(port.name).inserted {
        report("structure", "callers see two \(role)s named \(port.name)")
      }
    }
  }

  // 5, 6
  private mutating func checkValues() {
    for id in graph.values.indices {
      let value = graph.values[id]
      if case .constant(let tensor) = value.definition {
        if value.fact.type != .tensor(tensor.type) {
          report("constant", "\(id) has the type \(value.fact.type), but its contents are \(tensor.type)")
        }
        let bytes = tensor.element == .string ? 0 : tensor.element.byteCount(tensor.count)
        if tensor.bytes.count != bytes || (tensor.element == .string && tensor.strings.count != tensor.count) {
          report("constant", "\(id) of type \(tensor.type) needs \(bytes) bytes, but has \(tensor.bytes.count)")
        }
      }
      guard let contents = value.fact.contents else { continue }
      guard let type = value.fact.type.tensor else {
        report("contents", "\(id) has contents, but is \(value.fact.type)")
        continue
      }
      if let count = type.count.value, count != contents.count {
        report("contents", "\(id) has \(contents.count) contents, but is \(type)")
      }
    }
  }

  // 7
  private mutating func checkBodies() {
    for id in graph.order where graph.nodes.contains(id) && !graph.nodes[id].bodies.isEmpty {
      let sizes = graph.nodes[id].inputs.reduce(into: Set<Symbol>()) { known, input in
        if let input { known.formUnion(graph.values[input].fact.dataSymbols) }
      }
      // A relation is checked as soon as its sizes are known; these are before the body runs.
      let holding = (graph.knownObligations + outer).filter {
        $0.symbols.allSatisfy { !$0.isFromData || sizes.contains($0) }
      }
      // What can never run need not make sense.
      for body in graph.nodes[id].bodies where body.impossible == nil {
        diagnostics += DiagnosticError(Self.problems(of: body, where: holding)).located(at: "body of \(id)").diagnostics
      }
    }
  }

  // 8
  private mutating func checkTypes() {
    var known = graph
    known.obligations += outer
    for id in graph.order {
      let node = graph.nodes[id]
      let facts: [Fact]
      do {
        var stated = Obligations(ranges: graph.ranges)
        facts = try node.op.infer(graph.inputs(of: id), requiring: &stated)
        for obligation in graph.relations(stated, inferred: facts, of: id)
        where !known.implies([obligation]) && known.refutes(obligation) {
          report("obligation", "\(id) relies on \(obligation), which is no obligation of the graph", at: id)
        }
      } catch let error as DiagnosticError where error.diagnostics.allSatisfy({ $0.id.hasPrefix("size.") }) {
        // No sizes fulfil what the graph relies on, which shows only now: its obligations refuse every run.
        if graph.obligations.isEmpty { report("infer", "inference refuses \(id): \(error)", at: id) }
        continue
      } catch {
        report("infer", "inference refuses \(id): \(error)", at: id)
        continue
      }
      guard facts.count >= node.outputs.count else {
        report("infer", "\(id) has \(node.outputs.count) results, but inference gives \(facts.count)", at: id)
        continue
      }
      for (output, fact) in zip(node.outputs, facts) where !fact.type.agrees(with: graph.type(of: output)) {
        report("type", "\(output) is recorded as \(graph.type(of: output)), but inferred as \(fact.type)", at: id)
      }
    }
  }
}

extension Graph {
  /// A node's line, or less where it refers to values that do not exist.
  fileprivate func describe(safely id: NodeID) -> String {
    let node = nodes[id]
    let isSound = (node.inputs.compactMap { $0 } + node.outputs).allSatisfy { values.contains($0) }
    return isSound ? describe(id) : "\(id): \(Swift.type(of: node.op).name)"
  }
}
