import SinterCore
import SinterIR

/// Ports that are sequences or lists of maps: nodes that make tensors of them, and them of tensors. What no node makes is refused by name.
extension GraphExporter {
  private mutating func refuse(_ port: String, _ structure: PortStructure, in graph: Graph) {
    diagnostics.append(
      Diagnostic(
        .limit, "onnx.export",
        "the \(port) \(structure.name), which is \(structure.value.kindName), cannot be written into a file",
        at: ["graph \(graph.name)"],
        hint: "export models whose ports are tensors, sequences of tensors of a known rank, or results of ZipMap"))
  }

  /// Adds a node; gives the name of its result.
  private mutating func add(
    _ type: String, _ inputs: [String], to result: inout OnnxFile.Graph, as output: String? = nil, domain: String = "",
    since: Int = 17, _ attributes: [OnnxFile.Attribute] = []
  ) -> String {
    let output = output ?? names.unique("", or: type)
    let label = nodeNames.unique(output, or: type)
    result.nodes.append(
      .init(type, domain: domain, name: label, inputs: inputs, outputs: [output], attributes: attributes))
    need(type, domain: domain, since: since, node: label)
    return output
  }

  private mutating func constant(_ tensor: HostTensor, in result: inout OnnxFile.Graph) -> String {
    let name = names.unique("", or: "constant")
    result.initializers.append(.init(name, tensor))
    return name
  }

  /// The body of a SequenceMap: one node on its inputs.
  private mutating func body(
    _ type: String, inputs count: Int, constants: [HostTensor] = [], _ attributes: [OnnxFile.Attribute] = []
  ) -> OnnxFile.Attribute {
    var body = OnnxFile.Graph(name: names.unique("", or: "each"))
    let inputs = (0..<count).map { _ in names.unique("", or: "element") }
    body.inputs = inputs.map { .init($0, nil) }
    let given = inputs + constants.map { constant($0, in: &body) }
    let output = add(type, given, to: &body, attributes)
    body.outputs = [.init(output, nil)]
    return .init("body", .graph(body))
  }

  /// The body of a SequenceMap that gives scalars the shape that a row says, of so many sizes, which no reader could tell of a sequence's
  /// tensors.
  private mutating func reshapingBody(rank: Int) -> OnnxFile.Attribute {
    var body = OnnxFile.Graph(name: names.unique("", or: "each"))
    let inputs = (0..<2).map { _ in names.unique("", or: "element") }
    body.inputs = inputs.map { .init($0, nil) }
    let allowsZero = [OnnxFile.Attribute("allowzero", .int(1))]
    let sizes = constant(.i64([1], [rank]), in: &body)
    let row = add("Reshape", [inputs[1], sizes], to: &body, allowsZero)
    body.outputs = [.init(add("Reshape", [inputs[0], row], to: &body, allowsZero), nil)]
    return .init("body", .graph(body))
  }

  // MARK: Inputs

  mutating func takeApartInputs(_ result: inout OnnxFile.Graph, _ graph: Graph) {
    let tensors = result.inputs
    var nodes = OnnxFile.Graph(name: "")
    result.inputs = []
    for port in graph.callerInputs {
      guard let structure = port.structure else {
        result.inputs.append(tensors[port.positions.lowerBound])
        continue
      }
      guard case .ragged(let elements, let shapes, let rank?) = structure.value,
        case .tensor(let element?, _)? = tensors[elements].type
      else {
        refuse("input", structure, in: graph)
        continue
      }
      let name = names.unique(structure.name, or: "input")
      result.inputs.append(.init(name, .sequence(.tensor(element, structure.declaredSizes))))
      // An element more, without scalars, since nothing joins a sequence of none.
      let flat = add(
        "SequenceMap", [name], to: &nodes, [body("Reshape", inputs: 1, constants: [.i64([1], [-1])])])
      let front = constant(.i64([], [0]), in: &nodes)
      let none = constant(.zeros(element, [0]), in: &nodes)
      let all = add("SequenceInsert", [flat, none, front], to: &nodes)
      _ = add("ConcatFromSequence", [all], to: &nodes, as: tensors[elements].name, [.init("axis", .int(0))])
      if rank == 0 {
        let length = add("SequenceLength", [name], to: &nodes)
        let (axis, zero) = (constant(.i64([1], [0]), in: &nodes), constant(.i64([1], [0]), in: &nodes))
        let rows = add("Unsqueeze", [length, axis], to: &nodes)
        let sizes = add("Concat", [rows, zero], to: &nodes, [.init("axis", .int(0))])
        _ = add(
          "ConstantOfShape", [sizes], to: &nodes, as: tensors[shapes].name,
          [.init("value", .tensor(.init("", .i64([1], [0]))))])
        continue
      }
      let rows = add("SequenceMap", [name], to: &nodes, [body("Shape", inputs: 1)])
      let row = constant(.zeros(.i64, [rank]), in: &nodes)
      let more = add("SequenceInsert", [rows, row, front], to: &nodes)
      let matrix = add(
        "ConcatFromSequence", [more], to: &nodes, [.init("axis", .int(0)), .init("new_axis", .int(1))])
      let (start, end) = (constant(.i64([1], [1]), in: &nodes), constant(.i64([1], [Int(Int32.max)]), in: &nodes))
      let cut = add("Slice", [matrix, start, end], to: &nodes)
      // The rank, which no reader could tell any more.
      let sizes = constant(.i64([2], [-1, rank]), in: &nodes)
      _ = add("Reshape", [cut, sizes], to: &nodes, as: tensors[shapes].name)
    }
    result.inputs += tensors.suffix(graph.states.count)
    result.nodes.insert(contentsOf: nodes.nodes, at: 0)
    result.initializers += nodes.initializers
  }

  // MARK: Outputs

  mutating func putTogetherOutputs(_ result: inout OnnxFile.Graph, _ graph: Graph, named joined: [String]) {
    var joined = joined.makeIterator()
    let tensors = result.outputs
    result.outputs = []
    for port in graph.callerOutputs {
      guard let structure = port.structure else {
        result.outputs.append(tensors[port.positions.lowerBound])
        continue
      }
      let name = joined.next() ?? structure.name
      switch structure.value {
      case .list(_, of: let element):
        _ = add("SequenceConstruct", tensors[port.positions].map(\.name), to: &result, as: name)
        result.outputs.append(.init(name, .sequence(.tensor(element, structure.declaredSizes))))
      case .ragged(let elements, let shapes, let rank?):
        guard case .tensor(let element, _)? = tensors[elements].type else { continue }
        let one = constant(.i64([1], [1]), in: &result)
        let counts = add(
          "ReduceProd", [tensors[shapes].name, one], to: &result, since: 18, [.init("keepdims", .int(0))])
        let parts = add("SplitToSequence", [tensors[elements].name, counts], to: &result, [.init("axis", .int(0))])
        let rows = add(
          "SplitToSequence", [tensors[shapes].name], to: &result, [.init("axis", .int(0)), .init("keepdims", .int(0))])
        _ = add("SequenceMap", [parts, rows], to: &result, as: name, [reshapingBody(rank: rank)])
        result.outputs.append(.init(name, .sequence(.tensor(element, structure.declaredSizes))))
      case .maps(let keys, let values):
        guard let known = graph.constant(graph.outputs[keys].value),
          case .tensor(let element, _)? = tensors[values].type
        else {
          refuse("output", structure, in: graph)
          continue
        }
        let labels: OnnxFile.Attribute =
          known.element == .string
          ? .init("classlabels_strings", .strings(known.strings))
          : .init("classlabels_int64s", .ints((known.int64s ?? [])))
        _ = add("ZipMap", [tensors[values].name], to: &result, as: name, domain: "ai.onnx.ml", since: 1, [labels])
        result.outputs.append(.init(name, .sequence(.map(known.element, .tensor(element, [])))))
      case .tensor, .ragged, .optional, .map: refuse("output", structure, in: graph)
      }
    }
    result.outputs += tensors.suffix(graph.states.count { $0.output != nil })
  }
}

extension PortStructure {
  fileprivate var declaredSizes: [DeclaredDim]? {
    elementSizes?.map { $0.map { .value(Int64($0)) } ?? .unknown }
  }
}
