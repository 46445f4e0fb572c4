import SinterIR

/// An input of a model to be traced: an element type and sizes, of which some may be names.
public struct InputSpec: Sendable {
  /// The element type and the sizes.
  public var type: TensorType
  /// The input's name; nil for `input`, or `input0` and so on.
  public var name: String?

  /// - Parameter shape: numbers, and names for sizes known only at run time: `.f32("N", 1, 28, 28)`.
  public static func f32(_ shape: Dim..., name: String? = nil) -> InputSpec {
    InputSpec(type: TensorType(.f32, shape), name: name)
  }
  /// An input of integers, such as labels or tokens.
  public static func i64(_ shape: Dim..., name: String? = nil) -> InputSpec {
    InputSpec(type: TensorType(.i64, shape), name: name)
  }
  /// An input of bytes, such as the pixels of an image.
  public static func u8(_ shape: Dim..., name: String? = nil) -> InputSpec {
    InputSpec(type: TensorType(.u8, shape), name: name)
  }
  /// An input of truth values, such as a mask.
  public static func bool(_ shape: Dim..., name: String? = nil) -> InputSpec {
    InputSpec(type: TensorType(.bool, shape), name: name)
  }
}

/// A model as a graph whose parameters are inputs still.
public struct TracedModel: Sendable {
  /// The graph, whose last inputs are the parameters.
  public var graph: Graph
  /// The parameters that the graph reads, by the names of its inputs, in the order of their first use.
  public var parameters: [(name: String, parameter: Parameter)]
  /// Every name of a parameter that the model holds, those that this graph does not read and second names of shared ones among them.
  public var names: Set<String> = []

  /// The graph with parameters from a store in place of inputs.
  ///
  /// - Parameter strict: whether tensors of the store that the model has no parameter for are an error, as in PyTorch's `load_state_dict`; how
  ///   many batches a batch norm has seen (`num_batches_tracked`) is not asked for.
  /// - Throws: an error that lists every name, type and shape that does not match.
  public func bound(to store: ParameterStore, strict: Bool = true) throws -> BoundModel {
    let values = try store.values(of: parameters, allowing: strict ? names : nil)
    return BoundModel(
      graph: graph.replacingInputs(
        Dictionary(zip(parameters.map(\.name), values), uniquingKeysWith: { first, _ in first })))
  }

  /// The graph with each parameter's initial values, random ones from a seed.
  public func initialized(seed: UInt64 = 0) throws -> BoundModel {
    try bound(to: ParameterStore(initializing: parameters, seed: seed))
  }
}

/// Runs a model with one input on symbols and gives its graph.
public func trace(
  _ model: some UnaryLayer, _ input: InputSpec, mode: Trace.Mode = .evaluate, name: String? = nil,
  file: StaticString = #fileID, line: UInt = #line
) throws -> TracedModel {
  try trace(model, [input], mode: mode, name: name) { model($0[0], file: file, line: line) }
}

/// Runs any function of tensors on symbols. `model` is whatever holds the parameters.
///
/// Throws all mistakes of the model at once, each with its layer and line.
public func trace(
  _ model: Any, _ inputs: [InputSpec], mode: Trace.Mode = .evaluate, name: String? = nil, outputs names: [String] = [],
  file: StaticString = #fileID, line: UInt = #line, _ body: ([Tensor]) -> [Tensor]
) throws -> TracedModel {
  let trace = Trace(
    name: name ?? Symbol.sanitizedName("\(type(of: model))"), mode: mode, model: LayerIndex(of: model))
  let results = trace.enter((), file: file, line: line) {
    let tensors = inputs.enumerated().map { position, spec in
      trace.input(spec.type, named: spec.name ?? (inputs.count == 1 ? "input" : "input\(position)"))
    }
    let results = body(tensors).map(trace.adopt)
    if let stranger = results.first(where: { $0.trace !== trace }) {
      _ = trace.fail("trace", "a result is a tensor of another trace: \(stranger.type)", like: stranger)
    }
    if results.isEmpty { _ = trace.note("results", "a model must have at least one result", TensorType(.f32, [])) }
    return results
  }
  if !trace.problems.isEmpty { throw DiagnosticError(trace.problems) }
  for (position, result) in results.enumerated() {
    guard let id = result.id else { continue }
    let standard = results.count == 1 ? "output" : "output\(position)"
    trace.builder.output(id, named: names.indices.contains(position) ? names[position] : standard)
  }
  return TracedModel(
    graph: trace.builder.graph, parameters: trace.parameters, names: Set(trace.model.parameters.map(\.name)))
}

/// A function of tensors with one result.
public func trace(
  _ model: Any, _ inputs: [InputSpec], mode: Trace.Mode = .evaluate, name: String? = nil,
  file: StaticString = #fileID, line: UInt = #line, _ body: ([Tensor]) -> Tensor
) throws -> TracedModel {
  try trace(model, inputs, mode: mode, name: name, file: file, line: line) { [body($0)] }
}

extension Graph {
  /// Inputs of the given names as constants.
  func replacingInputs(_ constants: [String: HostTensor]) -> Graph {
    var graph = self
    var kept: [Port] = []
    for port in inputs {
      if let tensor = constants[port.name] {
        graph.values[port.value].definition = .constant(tensor)
      } else {
        graph.values[port.value].definition = .input(kept.count)
        kept.append(port)
      }
    }
    graph.inputs = kept
    return graph
  }
}
