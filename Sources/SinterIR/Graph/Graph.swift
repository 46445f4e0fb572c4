import SinterCore
import SinterForms

/// A value of a graph.
public struct ValueID: EntityIndex {
  public let rawValue: Int32
  /// The value of a number; it must be one of the graph's.
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public static var prefix: String { "%" }
}

/// A node of a graph.
public struct NodeID: EntityIndex {
  public let rawValue: Int32
  /// The node of a number; it must be one of the graph's.
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public static var prefix: String { "n" }
}

/// What is computed: operators applied to values, in an order in which each value is defined before it is used.
///
/// A graph is a value: copying it is cheap until one copy changes. Passes are `(inout Graph) throws`. Nodes that a pass drops stay in
/// their array until `compact()`; `order` says which ones count, and in which order they run.
public struct Graph: Sendable {
  /// Where a value comes from.
  public enum Definition: Sendable {
    case input(Int)
    case node(NodeID, result: Int)
    case constant(HostTensor)
  }

  /// A value: an input, a constant or the result of a node.
  public struct Value: Sendable {
    /// What is known of it: its type and, of small integers, its elements as sizes.
    public var fact: Fact
    /// Where it comes from.
    public var definition: Definition
    /// The name it had in its file or in the traced program; empty where it had none.
    public var name: String

    /// Its type.
    public var type: ValueType { fact.type }
  }

  /// An operator applied to values.
  public struct Node: Sendable {
    /// What it does.
    public var op: any Operator
    /// Nil where an optional input is absent.
    public var inputs: [ValueID?]
    /// Its results.
    public var outputs: [ValueID]
    /// Where it comes from; several places where nodes were merged.
    public var origin: [Origin]
    /// Closed subgraphs of control flow, in the order of the operator's attributes. What they capture is an explicit input: the last
    /// inputs of the body, and the last inputs of the node, body after body.
    public var bodies: [Graph]
  }

  /// An input or an output.
  public struct Port: Sendable {
    /// Its name.
    public var name: String
    /// The value that goes in or comes out.
    public var value: ValueID
    /// Of an input, the sizes as the user wrote them, where they differ from the canonical ones; of an output, what its type does not tell.
    /// For messages and headers.
    public var note: String
    /// Of an input, the type that the caller knows, where equalities have taught that some of its sizes are others.
    public var declared: ValueType?

    /// A port of a value under a name that no other input, or no other output, has.
    public init(name: String, value: ValueID, note: String = "", declared: ValueType? = nil) {
      self.name = name
      self.value = value
      self.note = note
      self.declared = declared
    }
  }

  /// Its name.
  public var name: String
  /// All values, those of dropped nodes among them.
  public var values: EntityMap<ValueID, Value>
  /// All nodes, dropped ones among them; `order` has those that count.
  public var nodes: EntityMap<NodeID, Node>
  /// The nodes that count, each after those that it depends on.
  public var order: [NodeID]
  /// The inputs, in order; states come last.
  public var inputs: [Port]
  /// The outputs, in order.
  public var outputs: [Port]
  /// Inputs and outputs that callers see as one value: sequences, optionals, maps. In the order of their tensors.
  public var inputStructures: [PortStructure] = []
  /// The same for outputs.
  public var outputStructures: [PortStructure] = []
  /// Inputs that a library keeps from run to run, and the outputs that they become.
  public var states: [StatePort] = []
  /// Whether a library takes subnormal numbers for zeros and gives zeros in their place, as far as its processor can: not in general; where gradients
  /// are computed, which vanish by way of such numbers and on which some processors are slow. Interpreters compute with them always. A body does as
  /// the graph around it.
  public var flushesSubnormals = false
  /// Least and greatest values of symbols; a symbol without an entry is at least zero.
  public var ranges: [Symbol: ClosedRange<Int>]
  /// What nodes rely on, each relation once: sizes that must fit one another when the graph runs. A body's count only when it runs.
  public internal(set) var obligations: [Obligation]
  /// The next size that data determine is named by this number.
  public package(set) var nextDataNumber = 0
  /// The opset that an imported graph declared, by domain ("" is ai.onnx).
  public var opsets: [String: Int]

  /// A graph without ports and nodes.
  public init(name: String) {
    self.name = name
    values = EntityMap()
    nodes = EntityMap()
    order = []
    inputs = []
    outputs = []
    ranges = [:]
    obligations = []
    opsets = [:]
  }

  /// The type of a value.
  public func type(of value: ValueID) -> ValueType { values[value].fact.type }

  /// The inputs as callers of a library see them, states left out.
  public var callerInputs: [CallerPort] {
    CallerPort.all(inputs.dropLast(states.count).map(\.name), inputStructures)
  }

  /// The outputs as callers of a library see them, states left out.
  public var callerOutputs: [CallerPort] {
    CallerPort.all(outputs.dropLast(states.count { $0.output != nil }).map(\.name), outputStructures)
  }

  /// The type of an input or an output as a caller sees it.
  public func type(of port: Port) -> ValueType { port.declared ?? type(of: port.value) }

  /// The contents of a constant value.
  public func constant(_ value: ValueID) -> HostTensor? {
    if case .constant(let tensor) = values[value].definition { tensor } else { nil }
  }

  /// The node that computes a value, where one does.
  public func producer(of value: ValueID) -> NodeID? {
    if case .node(let node, _) = values[value].definition { node } else { nil }
  }
}

/// Where a node comes from. It survives every pass; fused nodes carry all of theirs.
public struct Origin: Hashable, Sendable {
  /// The layer path of a traced model (`encoder.layers.0.attention`), or empty.
  public var path: String
  /// The node's name in an ONNX file, or empty.
  public var node: String
  /// `file:line` of the traced program, or empty.
  public var source: String

  /// An origin of which any part may be empty.
  public init(path: String = "", node: String = "", source: String = "") {
    self.path = path
    self.node = node
    self.source = source
  }
}

extension Origin: CustomStringConvertible {
  public var description: String {
    [path.isEmpty ? "" : "layer \(path)", node.isEmpty ? "" : "node \(node)", source].filter { !$0.isEmpty }
      .joined(separator: ", ")
  }

  /// Reads a description back.
  package init(parsing description: String) {
    self.init()
    var rest = Substring(description)
    if rest.hasPrefix("layer ") {
      let end = rest.firstRange(of: ", node ")?.lowerBound ?? rest.firstRange(of: ", ")?.lowerBound ?? rest.endIndex
      path = String(rest[..<end].dropFirst("layer ".count))
      rest = rest[end...].hasPrefix(", ") ? rest[end...].dropFirst(2) : ""
    }
    if rest.hasPrefix("node ") {
      // Names of nodes may hold anything; a source is the last part, and ends with a line's number.
      let comma = rest.ranges(of: ", ").last
      let isSource = comma.map { rest[$0.upperBound...].wholeMatch(of: /[^ ]+:[0-9]+/) != nil } ?? false
      let end = isSource ? comma?.lowerBound ?? rest.endIndex : rest.endIndex
      node = String(rest[..<end].dropFirst("node ".count))
      rest = rest[end...].hasPrefix(", ") ? rest[end...].dropFirst(2) : ""
    }
    source = String(rest)
  }
}

/// What is known of a value ahead of time.
public struct Fact: Hashable, Sendable {
  /// The type, with sizes that are numbers or symbols.
  public var type: ValueType
  /// The elements of a small tensor of integers (or truth values, or floats that are whole), row-major, as far as shapes determine them:
  /// what Shape, Gather and Concat of sizes give.
  public var contents: [Dim]?
  /// The elements of a small tensor of floats that shapes determine but that are not whole: a size times a scale, before it is rounded.
  package var scalars: [SymbolicScalar]?
  /// Whether the elements follow from sizes and constants alone, though no expression says how.
  package var followsFromSizes = false

  /// What is known of a value of a type, with its elements as sizes where they are known.
  public init(_ type: ValueType, contents: [Dim]? = nil) {
    self.type = type
    self.contents = contents
  }

  /// What is known of a tensor, with its elements as sizes where they are known.
  public init(_ element: ElementType, _ shape: [Dim], contents: [Dim]? = nil) {
    self.init(.tensor(TensorType(element, shape)), contents: contents)
  }
}
