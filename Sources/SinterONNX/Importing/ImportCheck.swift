import SinterCore
import SinterIR

/// What can be told about a file without building anything: unknown operators and opsets, names defined twice,
/// functions that call themselves.
struct ImportCheck {
  private var problems: [Diagnostic] = []
  private var unknown: [String: UnknownOperator] = [:]
  private var unknownOrder: [String] = []

  /// An operator that cannot be read, with the nodes that use it.
  private struct UnknownOperator {
    var message: String
    var hint: String
    var nodes: [String] = []
  }

  static func problems(of file: OnnxFile, in context: ImportContext) -> [Diagnostic] {
    var check = ImportCheck()
    check.checkOpsets(context.opsets)
    check.checkFunctions(file, context)
    check.check(file.graph, context, place: nil)
    for function in file.functions {
      check.check(function.nodes, context.inside(function))
      check.checkNames(
        function.nodes, defined: function.inputs.map { ($0, "an input") }, place: "function \(function.name)")
    }
    for key in check.unknownOrder {
      guard let operation = check.unknown[key] else { continue }
      let shown = operation.nodes.prefix(3).joined(separator: ", ")
      let more = operation.nodes.count > 3 ? " and \(operation.nodes.count - 3) more" : ""
      check.problems.append(
        Diagnostic(
          .limit, "onnx.unknown-operator", "\(operation.message), used \(times(operation.nodes.count))",
          at: ["nodes \(shown)\(more)"], hint: operation.hint))
    }
    return check.problems
  }

  /// Whether nothing sensible can be said of a file after this. Nodes with unknown operators are merely left out.
  static func isFatal(_ problem: Diagnostic) -> Bool {
    !["onnx.opset", "onnx.unknown-operator", "onnx.duplicate-attribute"].contains(problem.id)
  }

  private static func times(_ count: Int) -> String { count == 1 ? "once" : "\(count) times" }

  private mutating func checkOpsets(_ opsets: [String: Int]) {
    for (domain, version) in opsets.sorted(by: { $0.key < $1.key }) {
      guard let newest = OnnxImporter.newestOpsets[domain], version > newest else { continue }
      problems.append(
        Diagnostic(
          .limit, "onnx.opset",
          "opset \(version) of \(domain.isEmpty ? "ai.onnx" : domain) is newer than \(newest), the newest known",
          hint: "export the model with opset \(newest) or older"))
    }
  }

  private mutating func check(_ graph: OnnxFile.Graph, _ context: ImportContext, place: String?) {
    var defined: [(String, String)] = []
    // An input with an initializer is an input with a default.
    let initializers = graph.initializers.map(\.name) + graph.sparseInitializers.map(\.values.name)
    let defaults = Set(initializers)
    defined += initializers.map { ($0, "an initializer") }
    defined += graph.inputs.filter { !defaults.contains($0.name) }.map { ($0.name, "an input") }
    checkNames(graph.nodes, defined: defined, place: place ?? "graph \(graph.name)")
    var inputs: Set<String> = []
    for input in graph.inputs where !inputs.insert(input.name).inserted {
      problems.append(Self.twice(input.name, "an input", "an input", place ?? "graph \(graph.name)"))
    }
    check(graph.nodes, context)
    for node in graph.nodes {
      for body in node.bodies { check(body, context, place: "graph \(body.name) of node \(node.label)") }
    }
  }

  private mutating func checkNames(_ nodes: [OnnxFile.Node], defined: [(String, String)], place: String) {
    var seen: [String: String] = [:]
    for (name, what) in defined {
      if name.isEmpty {
        problems.append(
          Diagnostic(.user, "onnx.name", "\(what) has no name", at: [place], hint: "export the model again"))
      } else if let other = seen.updateValue(what, forKey: name) {
        problems.append(Self.twice(name, other, what, place))
      }
    }
    for node in nodes {
      for output in node.outputs where !output.isEmpty {
        if let other = seen.updateValue("node \(node.label)", forKey: output) {
          problems.append(Self.twice(output, other, "node \(node.label)", place))
        }
      }
    }
  }

  private static func twice(_ name: String, _ first: String, _ second: String, _ place: String) -> Diagnostic {
    Diagnostic(
      .user, "onnx.duplicate-name", "the name \(name) is defined twice: by \(first) and by \(second)", at: [place],
      hint: "give each value a name of its own")
  }

  private mutating func check(_ nodes: [OnnxFile.Node], _ context: ImportContext) {
    for node in nodes {
      var seen: Set<String> = []
      for attribute in node.attributes where !seen.insert(attribute.name).inserted {
        problems.append(
          Diagnostic(
            .user, "onnx.duplicate-attribute", "attribute \(attribute.name) is given twice", at: ["node \(node.label)"],
            hint: "export the model again"))
      }
      if context.function(node) == nil { checkOperator(node, context) }
    }
  }

  private mutating func checkOperator(_ node: OnnxFile.Node, _ context: ImportContext) {
    let (domain, type) = (node.domain, node.operatorType)
    let shown = domain.isEmpty ? type : "\(domain).\(type)"
    let isKnown = context.operators.knows(domain: domain, opType: type)
    if !isKnown, let refusal = context.operators.refusal(domain: domain, opType: type) {
      note(node, key: shown, "the operator \(shown) \(refusal.reason)", hint: refusal.hint)
      return
    }
    guard let version = context.opsets[domain] else {
      note(
        node, key: "import \(domain)",
        "operators of the domain \(domain.isEmpty ? "ai.onnx" : domain) whose opset the file does not import",
        hint: "add the domain to opset_import, or export the model again")
      return
    }
    if domain.isEmpty, type == "Constant" { return }
    if context.operators.rule(domain: domain, opType: type, opset: version) != nil { return }
    if isKnown {
      note(
        node, key: "version \(shown)",
        "the operator \(shown) does not exist in opset \(version), which the file imports",
        hint: "export the model with a newer opset")
    } else {
      note(
        node, key: shown, "the operator \(shown) (opset \(version)) is not known",
        hint: domain.isEmpty
          ? "check its spelling, or add an operator of that name to the table"
          : "add an operator with a rule for it to the table, or export the model without it")
    }
  }

  private mutating func note(_ node: OnnxFile.Node, key: String, _ message: String, hint: String) {
    if unknown[key] == nil {
      unknown[key] = UnknownOperator(message: message, hint: hint)
      unknownOrder.append(key)
    }
    unknown[key]?.nodes.append(node.label)
  }

  // MARK: Functions

  private mutating func checkFunctions(_ file: OnnxFile, _ context: ImportContext) {
    var keys: Set<FunctionKey> = []
    for function in file.functions where !keys.insert(FunctionKey(function)).inserted {
      problems.append(
        Diagnostic(
          .user, "onnx.duplicate-function", "the function \(function.name) is defined twice",
          hint: "keep one of the two definitions"))
    }
    var done: Set<FunctionKey> = []
    var open: [FunctionKey] = []

    func visit(_ nodes: [OnnxFile.Node]) {
      for node in nodes {
        if let function = context.function(node) { visit(function) }
        for body in node.bodies { visit(body.nodes) }
      }
    }
    func visit(_ function: OnnxFile.Function) {
      let key = FunctionKey(function)
      if done.contains(key) { return }
      if let first = open.firstIndex(of: key) {
        let way = (open[first...] + [key]).map(\.name).joined(separator: " → ")
        problems.append(
          Diagnostic(
            .user, "onnx.recursive-function", "functions call themselves: \(way)",
            hint: "use a Loop instead; functions are inlined"))
      } else if open.count >= WireScan.depthLimit {
        problems.append(
          Diagnostic(
            .limit, "onnx.function-depth", "functions call each other more than \(WireScan.depthLimit) deep",
            hint: "inline the functions before exporting"))
        done.insert(key)
      } else {
        open.append(key)
        visit(function.nodes)
        open.removeLast()
        done.insert(key)
      }
    }
    for function in file.functions { visit(function) }
  }
}

extension OnnxFile.Node {
  /// The subgraphs among the attributes.
  var bodies: [OnnxFile.Graph] {
    attributes.flatMap { attribute -> [OnnxFile.Graph] in
      switch attribute.value {
      case .graph(let graph): [graph]
      case .graphs(let graphs): graphs
      case .float, .int, .string, .tensor, .sparseTensor, .type, .floats, .ints, .strings, .tensors, .sparseTensors,
        .types, .reference:
        []
      }
    }
  }
}
