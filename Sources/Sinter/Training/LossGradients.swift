import SinterIR
import SinterModel
import SinterOps

/// A loss and its gradients as a graph without an optimizer: what methods need that ask for both several times a step, as `LBFGS` does.
public struct LossGradients: Sendable {
  /// From parameters and samples to the loss and its gradients.
  public var graph: Graph
  /// The parameters that the graph reads, in the order of ports; gradients are those of the first `trained`.
  public let parameters: [(name: String, parameter: Parameter)]
  /// The names of the parameters that have gradients, in order.
  public let trained: [String]
  let isRandom: Bool
}

/// Traces a loss of a model with one input and one target, and its gradients in all trainable parameters. Running statistics stay as they are.
///
/// - Throws: all mistakes of the model, each with its layer and line.
public func lossGradients(
  _ model: some UnaryLayer, _ input: InputSpec, _ target: InputSpec, loss: (Tensor, Tensor) -> Tensor,
  trainable: (String) -> Bool = { _ in true }, file: StaticString = #fileID, line: UInt = #line
) throws -> LossGradients {
  try lossGradients(model, [input, target], trainable: trainable, file: file, line: line) {
    loss(model($0[0], file: file, line: line), $0[1])
  }
}

/// The same for any function of tensors that gives one number. `model` is whatever holds the parameters.
public func lossGradients(
  _ model: Any, _ inputs: [InputSpec], trainable: (String) -> Bool = { _ in true }, file: StaticString = #fileID,
  line: UInt = #line, _ body: ([Tensor]) -> Tensor
) throws -> LossGradients {
  let trace = Trace(
    name: Symbol.sanitizedName("\(type(of: model))") + "_gradients", mode: .train, model: LayerIndex(of: model))
  let tensors = inputs.enumerated().map { trace.input($1.type, named: $1.name ?? "input\($0)") }
  let starts = trace.enter((), file: file, line: line) { () -> (loss: Tensor, gradients: [Tensor], trained: [String]) in
    let loss = trace.adopt(body(tensors))
    if !loss.isMistake, loss.shape.reduce(1, *) != 1 {
      _ = trace.fail(
        "loss", "the loss must be one number, but is \(loss.type); reduce it by mean() or sum()", like: loss)
    }
    let used = trace.parameters.filter { $0.parameter.role == .trainable && trainable($0.name) }
    if used.isEmpty { _ = trace.fail("trainable", "no parameter of the model is trained", like: loss) }
    let number = loss.rank == 0 || loss.isMistake ? loss : loss.reshape([])
    let gradients = trace.gradients(of: number, withRespectTo: used.map { trace.original($0.parameter) })
    return (loss, gradients, used.map(\.name))
  }
  if !trace.problems.isEmpty { throw DiagnosticError(trace.problems) }
  if let id = starts.loss.id { trace.builder.output(id, named: "loss") }
  for (name, gradient) in zip(starts.trained, starts.gradients) {
    if let id = gradient.id { trace.builder.output(id, named: "\(name).grad") }
  }
  var graph = trace.builder.graph
  graph.removeDeadNodes()
  let isRandom = graph.inputs.contains { $0.name == Trace.keyName }
  graph.sortInputs(first: inputs.count, then: (isRandom ? [Trace.keyName] : []) + trace.parameters.map(\.name))
  return LossGradients(graph: graph, parameters: trace.parameters, trained: starts.trained, isRandom: isRandom)
}

/// A loss and its gradients, compiled and loaded.
public final class CompiledLossGradients {
  /// What was compiled.
  public let source: LossGradients
  private let session: Session
  private var calls = 0

  init(_ source: LossGradients, threads: Int) throws {
    self.source = source
    session = try TemporaryLibrary.session(source.graph, threads: threads)
  }

  /// The values that the model starts with, random ones from the seed.
  public func initialParameters(seed: UInt64 = 0) -> ParameterStore {
    ParameterStore(initializing: source.parameters, seed: seed)
  }

  /// The loss and its gradients by the parameters' names.
  public func callAsFunction(
    _ parameters: ParameterStore, _ inputs: HostTensor...
  ) throws -> (loss: Double, gradients: ParameterStore) {
    let values = try source.parameters.map { name, parameter in
      guard let value = parameters[name] else {
        throw DiagnosticError(
          .user, "parameters.missing",
          "there is no parameter \(name), which must be \(parameter.element)\(parameter.shape)")
      }
      return value
    }
    let key = source.isRandom ? [HostTensor.i64([2], [0, calls])] : []
    calls += 1
    let results = try session.run(inputs + key + values)
    var gradients = ParameterStore()
    for (name, gradient) in zip(source.trained, results.dropFirst()) { gradients[name] = gradient }
    return (results[0].doubles?.first ?? .nan, gradients)
  }
}

extension LossGradients {
  /// Compiles and loads it.
  ///
  /// - Parameter threads: 0 for as many as this process may run on.
  public func compile(threads: Int = 0) throws -> CompiledLossGradients {
    try CompiledLossGradients(self, threads: threads)
  }
}
