import SinterIR

/// An input of a model to be traced: an element type and sizes, of which some may be names.
public struct InputSpec: Sendable {
  public var type: TensorType
  public var name: String?

  /// - Parameter shape: numbers, and names for sizes known only at run time: `.f32("N", 1, 28, 28)`.
  public static func f32(_ shape: Dim..., name: String? = nil) -> InputSpec {
    InputSpec(type: TensorType(.f32, shape), name: name)
  }
  public static func i64(_ shape: Dim..., name: String? = nil) -> InputSpec {
    InputSpec(type: TensorType(.i64, shape), name: name)
  }
  public static func bool(_ shape: Dim..., name: String? = nil) -> InputSpec {
    InputSpec(type: TensorType(.bool, shape), name: name)
  }
}

/// A model as a graph whose parameters are inputs still.
public struct TracedModel: Sendable {
  public var graph: Graph
  /// The parameters that the graph reads, by the names of its inputs, in the order of their first use.
  public var parameters: [(name: String, parameter: Parameter)]

  /// The graph with parameters from a store in place of inputs. Throws an error that lists every name and shape that does not match.
  public func bound(to store: ParameterStore) throws -> CompiledGraph {
    let values = try store.values(of: parameters)
    return CompiledGraph(
      graph: graph.replacingInputs(
        Dictionary(zip(parameters.map(\.name), values), uniquingKeysWith: { first, _ in first })))
  }

  /// The graph with each parameter's initial values, random ones from a seed.
  public func initialized(seed: UInt64 = 0) throws -> CompiledGraph {
    try bound(to: ParameterStore(initializing: parameters, seed: seed))
  }
}

/// Runs a model with one input on symbols and gives its graph.
public func trace(
  _ model: some UnaryLayer, _ input: InputSpec, mode: Trace.Mode = .evaluate, name: String? = nil
) throws -> TracedModel {
  try trace(model, [input], mode: mode, name: name) { model($0[0]) }
}

/// Runs any function of tensors on symbols. `model` is whatever holds the parameters.
///
/// Throws all mistakes of the model at once, each with its layer and line.
public func trace(
  _ model: Any, _ inputs: [InputSpec], mode: Trace.Mode = .evaluate, name: String? = nil, outputs names: [String] = [],
  _ body: ([Tensor]) -> [Tensor]
) throws -> TracedModel {
  let trace = Trace(
    name: name ?? Symbol.sanitizedName("\(type(of: model))"), mode: mode, names: LayerWalk.names(of: model))
  let tensors = inputs.enumerated().map { position, spec in
    trace.input(spec.type, named: spec.name ?? (inputs.count == 1 ? "input" : "input\(position)"))
  }
  let results = body(tensors)
  if !trace.problems.isEmpty { throw DiagnosticError(trace.problems) }
  for (position, result) in results.enumerated() {
    guard let id = result.id else { continue }
    let standard = results.count == 1 ? "output" : "output\(position)"
    trace.builder.output(id, named: names.indices.contains(position) ? names[position] : standard)
  }
  return TracedModel(graph: trace.builder.graph, parameters: trace.parameters)
}

/// A function of tensors with one result.
public func trace(
  _ model: Any, _ inputs: [InputSpec], mode: Trace.Mode = .evaluate, name: String? = nil, _ body: ([Tensor]) -> Tensor
) throws -> TracedModel {
  try trace(model, inputs, mode: mode, name: name) { [body($0)] }
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
