import SinterCore

/// A value of a model while it is imported: a tensor, or what tensors of the graph make up.
public typealias OnnxValue = Structured<ValueID>

/// A subgraph of control flow, deferred: its value types are known once its inputs' are.
public struct OnnxBody: Sendable {
  /// A body for given inputs.
  public struct Built: Sendable {
    /// The graph: its inputs are the tensors of the body's own inputs, then those that it captures; its outputs those of its results.
    public var graph: Graph
    /// The results, as values of the graph.
    public var results: [OnnxValue]

    /// A graph and what of it the body gives.
    public init(graph: Graph, results: [OnnxValue]) {
      self.graph = graph
      self.results = results
    }
  }

  /// The names of its inputs.
  public var inputNames: [String]
  /// The number of its results.
  public var outputCount: Int
  /// Tensors of the enclosing graph that the body reads.
  public var captures: [ValueID]
  /// Builds the body for given facts of its own inputs, and of what it captures.
  public var buildValues: @Sendable (_ inputs: [Structured<Fact>], _ captures: [Fact]) throws -> Built

  /// A body that is built once the facts of its inputs are known.
  public init(
    inputNames: [String], outputCount: Int, captures: [ValueID],
    buildValues: @escaping @Sendable (_ inputs: [Structured<Fact>], _ captures: [Fact]) throws -> Built
  ) {
    self.inputNames = inputNames
    self.outputCount = outputCount
    self.captures = captures
    self.buildValues = buildValues
  }

  /// The body of an operator whose bodies take and give tensors: for facts of its own inputs followed by those of what it captures.
  public func build(_ facts: [Fact]) throws -> Graph {
    let count = max(facts.count - captures.count, 0)
    let built = try buildValues(facts.prefix(count).map { .tensor($0) }, Array(facts.dropFirst(count)))
    if let index = built.results.firstIndex(where: { $0.tensor == nil }) {
      throw DiagnosticError(
        .user, "onnx.kind",
        "result \(index) of the subgraph \(built.graph.name) must be a tensor, but is \(built.results[index].kindName)")
    }
    return built.graph
  }
}
