import SinterCore

/// An ONNX attribute as operators see it.
public enum OnnxAttribute: Sendable {
  case int(Int)
  case float(Double)
  case string(String)
  case tensor(HostTensor)
  case ints([Int])
  case floats([Double])
  case strings([String])
  /// An element type, where a list of attributes tells that an integer means one.
  case elementType(ElementType)
  /// A type as such, which empty sequences and optionals give.
  case type(ValueType)
  /// Anything else, by the name of its kind.
  case other(String)
}

/// An ONNX node while it is imported. Its inputs are values of the builder's graph already.
public struct OnnxNode: Sendable {
  /// The domain; "" is ONNX's own.
  public var domain: String
  /// The name in ONNX files.
  public var opType: String
  /// The opset of the domain that the model declares.
  public var opset: Int
  /// The node's name in the file.
  public var name: String
  /// The inputs that are tensors; nil where one is absent or a value of another kind.
  public var inputs: [ValueID?]
  /// All inputs; nil where one is absent.
  public var values: [OnnxValue?]
  /// The number of results that the node has.
  public var outputCount: Int
  public var attributes: [String: OnnxAttribute]
  /// Subgraph attributes, imported: inputs of a body are its own, then what it captures.
  public var bodies: [String: OnnxBody]

  /// A node of a file, with its inputs as values of the builder's graph.
  public init(
    domain: String, opType: String, opset: Int, name: String, values: [OnnxValue?], outputCount: Int,
    attributes: [String: OnnxAttribute], bodies: [String: OnnxBody] = [:]
  ) {
    self.domain = domain
    self.opType = opType
    self.opset = opset
    self.name = name
    self.values = values
    inputs = values.map { $0?.tensor }
    self.outputCount = outputCount
    self.attributes = attributes
    self.bodies = bodies
  }

  /// An input, where it is there.
  public func input(_ index: Int) -> ValueID? { index < inputs.count ? inputs[index] : nil }

  /// An input of whatever kind; nil where it is absent.
  public func value(_ index: Int) -> OnnxValue? { index < values.count ? values[index] : nil }

  /// An attribute that is an integer; nil where it is absent.
  public func int(_ name: String) -> Int? {
    if case .int(let value)? = attributes[name] { value } else { nil }
  }
  /// An attribute that is a float; nil where it is absent.
  public func float(_ name: String) -> Double? {
    if case .float(let value)? = attributes[name] { value } else { nil }
  }
  /// An attribute that is text; nil where it is absent.
  public func string(_ name: String) -> String? {
    if case .string(let value)? = attributes[name] { value } else { nil }
  }
  /// An attribute that is a list of integers; nil where it is absent.
  public func ints(_ name: String) -> [Int]? {
    if case .ints(let value)? = attributes[name] { value } else { nil }
  }
  /// An attribute that is a list of floats; nil where it is absent.
  public func floats(_ name: String) -> [Double]? {
    if case .floats(let value)? = attributes[name] { value } else { nil }
  }
  /// An attribute that is a list of texts; nil where it is absent.
  public func strings(_ name: String) -> [String]? {
    if case .strings(let value)? = attributes[name] { value } else { nil }
  }
  /// An attribute that is a tensor; nil where it is absent.
  public func tensor(_ name: String) -> HostTensor? {
    if case .tensor(let value)? = attributes[name] { value } else { nil }
  }
}

/// Thrown by a rule whose node has results of another number of axes in one body than in the other: what follows can be built only once for
/// each body, until the numbers meet again. The importer does that.
public struct RanksDiffer: Error {
  /// The attributes that hold the bodies.
  public var bodies: [String]
  /// What is told where what follows cannot be built so.
  public var diagnostic: Diagnostic

  /// Names the attributes whose bodies differ, and what to tell where both cannot be built.
  public init(bodies: [String], diagnostic: Diagnostic) {
    self.bodies = bodies
    self.diagnostic = diagnostic
  }
}

/// How one kind of ONNX node, from one opset version on, becomes nodes of a graph.
public struct OnnxRule: Sendable {
  /// The domain; "" is ONNX's own.
  public var domain: String
  /// The name in ONNX files.
  public var opType: String
  /// The opset of the domain at which this reading begins. Of several rules the one with the greatest `since` that the model's opset
  /// reaches is used.
  public var since: Int
  /// Whether the first result has the first input's shape. Shapes that a file declares then tell those of what comes before.
  public var keepsShape = false
  /// Adds nodes and gives the values of the node's results, in order.
  public var build: @Sendable (OnnxNode, inout GraphBuilder) throws -> [OnnxValue]

  /// A rule for nodes that take and give tensors only. Others are refused before `build` is asked.
  public init(
    _ opType: String, domain: String = "", since: Int = 1,
    _ build: @escaping @Sendable (OnnxNode, inout GraphBuilder) throws -> [ValueID]
  ) {
    self.init(values: opType, domain: domain, since: since) { node, builder in
      for (index, value) in node.values.enumerated() {
        guard let value, value.tensor == nil else { continue }
        throw DiagnosticError(
          .user, "onnx.kind", "input \(index) must be a tensor, but is \(value.kindName)",
          hint: "take its elements out first (SequenceAt, ConcatFromSequence, OptionalGetElement)")
      }
      return try build(node, &builder).map { .tensor($0) }
    }
  }

  /// A rule for nodes that take or give sequences, optionals or maps.
  public init(
    values opType: String, domain: String = "", since: Int = 1,
    _ build: @escaping @Sendable (OnnxNode, inout GraphBuilder) throws -> [OnnxValue]
  ) {
    self.domain = domain
    self.opType = opType
    self.since = since
    self.build = build
  }

  /// The same rule for nodes whose first result has the first input's shape.
  public var keepingShape: OnnxRule {
    var copy = self
    copy.keepsShape = true
    return copy
  }

  /// The same rule, with what ONNX asks of sizes although the operator could do without.
  public func requiring(_ relations: @escaping @Sendable (NodeInputs, inout Obligations) throws -> Void) -> OnnxRule {
    var copy = self
    let (build, opType) = (build, opType)
    copy.build = { node, builder in
      let results = try build(node, &builder)
      let inputs = builder.inputs(node.inputs, outputs: node.outputCount)
      try builder.require(by: opType) { try relations(inputs, &$0) }
      return results
    }
    return copy
  }

  /// The node has this operator's inputs in its order and its attributes under the same names. `adjust` sets what differs.
  public static func direct<Op: Operator>(
    _ type: Op.Type, as opType: String? = nil, domain: String = "", since: Int = 1,
    adjust: (@Sendable (inout Op, OnnxNode) throws -> Void)? = nil
  ) -> OnnxRule {
    OnnxRule(opType ?? Op.name, domain: domain, since: since) { node, builder in
      var op = Op()
      var reader = OnnxAttributeReader(node)
      op.attributes(&reader)
      try reader.finish()
      try adjust?(&op, node)
      return try builder.add(op, node.inputs, outputs: node.outputCount)
    }
  }
}

/// An operator as an ONNX node, for export. Inputs and outputs are the node's own, unless said otherwise.
public struct NodeSpecification: Sendable {
  /// The domain; "" is ONNX's own.
  public var domain: String
  /// The name in ONNX files.
  public var opType: String
  /// The least opset whose definition this follows.
  public var since: Int
  public var attributes: [(name: String, value: OnnxAttribute)]
  /// The inputs, where they are not the operator's own in their order: attributes that ONNX wants as inputs become constants here.
  public var inputs: [Input]?

  /// The attributes that hold the node's bodies, in their order, and the number of inputs that each body has before what it captures.
  /// The node's last inputs are those captures, body after body; in ONNX they are not inputs.
  public var bodies: [(attribute: String, inputCount: Int)] = []

  /// An input of the node that is written.
  public enum Input: Sendable {
    case operand(Int)
    case constant(HostTensor)
    case absent
  }

  /// A node to be written. Without `inputs` it has the operator's own, in their order.
  public init(
    _ opType: String, domain: String = "", since: Int = 1, attributes: [(name: String, value: OnnxAttribute)] = [],
    inputs: [Input]? = nil
  ) {
    self.domain = domain
    self.opType = opType
    self.since = since
    self.attributes = attributes
    self.inputs = inputs
  }

  /// The attributes as the operator lists them, without those that have their default value.
  public init<Op: Operator>(
    of op: Op, as opType: String? = nil, domain: String = "", since: Int = 1, inputs: [Input]? = nil
  ) {
    var copy = op
    var writer = OnnxAttributeWriter()
    copy.attributes(&writer)
    self.init(opType ?? Op.name, domain: domain, since: since, attributes: writer.attributes, inputs: inputs)
  }
}
