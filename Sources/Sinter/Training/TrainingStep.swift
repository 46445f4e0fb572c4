import SinterIR
import SinterOps

/// One step of training as a graph: forward, loss, gradients, optimizer and running statistics. State goes in and comes out; nothing is hidden.
///
/// Inputs are those of the model and the target, then `learning_rate` and `step`, `random_key` where random numbers are drawn, then the state; outputs are the loss, the metrics, and, in
/// the same order and named `NAME.next`, what of the state has changed.
public struct TrainingStep: Sendable {
  /// The step as a graph: state and samples in, new state and measures out.
  public var graph: Graph
  /// What goes from step to step, in the order of ports.
  public let state: [StateEntry]
  /// The loss first.
  public let measures: [String]
  /// The learning rate of a step that is given no other.
  public let learningRate: Double
  /// Whether the step draws random numbers: then an input `random_key` before the state holds the seed and the number of the step.
  public let isRandom: Bool

  /// Something that a step hands to the next: a parameter, a running statistic, or what an optimizer remembers of a parameter.
  public struct StateEntry: Sendable {
    /// The parameter's name; of an optimizer's slot the parameter's and its own: `fc.weight.exp_avg`.
    public let name: String
    /// The parameter itself.
    public let parameter: Parameter
    /// The slot's own name; nil for the parameter itself.
    public let slot: String?
    /// Whether the step gives a new value; frozen parameters stay as they are.
    public let changes: Bool
    /// Further names of a parameter that layers share.
    public var aliases: [String] = []
  }
}

/// Traces a training step of a model with one input and one target.
///
///     let step = try trainingStep(net, .f32(100, 1, 28, 28), .i64(100), optimizer: Adam(), loss: crossEntropy,
///                                 metrics: ["accuracy": accuracy])
///
/// - Parameters:
///   - loss: of the model's result and the target; one number.
///   - metrics: numbers that are computed beside the loss, without a gradient.
///   - trainable: which parameters change, by name; the others get no gradient.
///   - clipNorm: the greatest norm of all gradients together; longer ones are scaled down.
/// - Throws: all mistakes of the model, each with its layer and line.
public func trainingStep(
  _ model: some UnaryLayer, _ input: InputSpec, _ target: InputSpec, optimizer: some Optimizer,
  loss: (Tensor, Tensor) -> Tensor, metrics: KeyValuePairs<String, (Tensor, Tensor) -> Tensor> = [:],
  trainable: (String) -> Bool = { _ in true }, clipNorm: Double? = nil, name: String? = nil,
  file: StaticString = #fileID, line: UInt = #line
) throws -> TrainingStep {
  var (input, target) = (input, target)
  input.name = input.name ?? "input"
  target.name = target.name ?? "target"
  return try trainingStep(
    model, [input, target], optimizer: optimizer, trainable: trainable, clipNorm: clipNorm,
    name: name ?? Symbol.sanitizedName("\(type(of: model))") + "_step", file: file, line: line
  ) { tensors in
    let result = model(tensors[0], file: file, line: line)
    return (loss(result, tensors[1]), metrics.map { ($0.key, $0.value(result, tensors[1])) })
  }
}

/// Notes what is measured and is no number, and metrics that have the loss's name or one another's.
func checkMeasures(loss: Tensor, _ metrics: [(name: String, value: Tensor)]) {
  func demandNumber(_ id: String, _ what: String, _ value: Tensor) {
    if value.isMistake || value.shape.reduce(1, *) == 1 { return }
    _ = value.trace.fail(
      id, "\(what) must be one number, but is \(value.type); reduce it by mean() or sum()", like: value)
  }
  demandNumber("loss", "the loss", loss)
  var names: Set = ["loss"]
  for (name, value) in metrics {
    if !names.insert(name).inserted {
      _ = value.trace.fail("metric", "two measures are called '\(name)'; give each a name of its own", like: value)
    }
    demandNumber("metric", "the metric '\(name)'", value)
  }
}

/// Traces a training step of any function of tensors. `model` is whatever holds the parameters.
///
/// - Parameter body: from the inputs to the loss, one number, and further numbers by name.
public func trainingStep(
  _ model: Any, _ inputs: [InputSpec], optimizer: some Optimizer, trainable: (String) -> Bool = { _ in true },
  clipNorm: Double? = nil, name: String? = nil, file: StaticString = #fileID, line: UInt = #line,
  _ body: ([Tensor]) -> (loss: Tensor, metrics: [(name: String, value: Tensor)])
) throws -> TrainingStep {
  let trace = Trace(
    name: name ?? Symbol.sanitizedName("\(type(of: model))") + "_step", mode: .train, model: LayerIndex(of: model))
  let tensors = inputs.enumerated().map { position, spec in
    trace.input(spec.type, named: spec.name ?? "input\(position)")
  }
  let context = OptimizerContext(
    learningRate: trace.input(TensorType(.f32, []), named: "learning_rate"),
    step: trace.input(TensorType(.f32, []), named: "step"))
  let (given, givenMetrics) = trace.enter((), file: file, line: line) { body(tensors) }
  let loss = trace.adopt(given), metrics = givenMetrics.map { (name: $0.name, value: trace.adopt($0.value)) }
  for problem in optimizer.problems(notNegative: ["learningRate": optimizer.learningRate]) + optimizer.problems {
    _ = trace.fail("optimizer", "\(Swift.type(of: optimizer)): \(problem)", like: loss)
  }
  checkMeasures(loss: loss, metrics)

  // What the model holds but does not read goes along, so that what is saved is the whole model.
  let read = Set(trace.parameters.map { ObjectIdentifier($0.parameter) })
  let held = trace.model.unique
  for (names, parameter) in held where !read.contains(ObjectIdentifier(parameter)) {
    if parameter.role == .trainable, trainable(names[0]), !loss.isMistake {
      _ = trace.note(
        "unread", "nothing reads the parameter \(names[0]), so that it cannot be trained", loss.type,
        hint: "call its layer in forward, or leave it out by trainable:")
    }
    _ = trace.tensor(parameter)
  }
  // Parameters in the order of their first use; of an assigned one, what the step started with.
  let used = trace.parameters
  let trained = used.filter {
    $0.parameter.role == .trainable && trainable($0.name) && read.contains(ObjectIdentifier($0.parameter))
  }
  var changed: [String: Tensor] = [:]
  for assignment in trace.assignments { changed[assignment.name] = assignment.value }
  var slots: [TrainingStep.StateEntry] = []
  var slotInputs: [Tensor] = []
  var slotResults: [Tensor] = []
  if trained.isEmpty {
    _ = trace.fail("trainable", "no parameter of the model is trained", like: loss)
  }
  let starts = trained.map { trace.original($0.parameter) }
  var gradients = trace.gradients(of: loss.reshaped(), withRespectTo: starts)
  if let clipNorm { gradients = clipped(gradients, to: clipNorm) }
  if optimizer.maximize { gradients = gradients.map { -$0 } }
  let shared = optimizer.prepare(context)
  for ((name, parameter), (start, gradient)) in zip(trained, zip(starts, gradients)) {
    let remembered = optimizer.slots.map { slot in
      slots.append(.init(name: "\(name).\(slot)", parameter: parameter, slot: slot, changes: true))
      return trace.input(start.type, named: "\(name).\(slot)")
    }
    slotInputs += remembered
    let own = OptimizerContext(
      learningRate: context.learningRate.cast(to: start.element), step: context.step.cast(to: start.element))
    let update = optimizer.update(
      start, gradient: gradient, slots: remembered, shared: shared.map { $0.cast(to: start.element) }, own)
    changed[name] = update.parameter
    slotResults += update.slots
  }
  if !trace.problems.isEmpty { throw DiagnosticError(trace.problems) }

  func output(_ tensor: Tensor, _ name: String) {
    if let id = tensor.id { trace.builder.output(id, named: name) }
  }
  output(loss, "loss")
  for metric in metrics { output(metric.value, metric.name) }
  var state: [TrainingStep.StateEntry] = []
  let aliases = Dictionary(held.map { ($0.names[0], Array($0.names.dropFirst())) }, uniquingKeysWith: { a, _ in a })
  for (name, parameter) in used {
    let next = changed[name]
    state.append(
      .init(name: name, parameter: parameter, slot: nil, changes: next != nil, aliases: aliases[name] ?? []))
    if let next { output(next, "\(name).next") }
  }
  for (entry, result) in zip(slots, slotResults) {
    state.append(entry)
    output(result, "\(entry.name).next")
  }
  var graph = trace.builder.graph
  graph.removeDeadNodes()
  let isRandom = graph.inputs.contains { $0.name == Trace.keyName }
  graph.sortInputs(first: inputs.count + 2, then: (isRandom ? [Trace.keyName] : []) + state.map(\.name))
  return TrainingStep(
    graph: graph, state: state, measures: ["loss"] + metrics.map(\.name), learningRate: optimizer.learningRate,
    isRandom: isRandom)
}

/// Gradients scaled such that their norm, taken over all together, is at most `norm`: PyTorch's `clip_grad_norm_`.
private func clipped(_ gradients: [Tensor], to norm: Double) -> [Tensor] {
  guard let first = gradients.first else { return gradients }
  let squares = gradients.map { ($0 * $0).sum() }
  let total = squares.dropFirst().reduce(squares[0], +).sqrt()
  let factor = (norm / (total + 1e-6)).minimum(first.trace.scalar(1, like: first))
  return gradients.map { $0 * factor }
}

extension Tensor {
  /// One number without axes.
  fileprivate func reshaped() -> Tensor { rank == 0 ? self : applying(Reshape(), trace.constant(.i64([0], []))) }
}

extension Graph {
  /// Puts inputs behind the first few in the order of names.
  mutating func sortInputs(first count: Int, then names: [String]) {
    let rest = Dictionary(inputs[count...].map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    inputs = inputs[..<count] + names.compactMap { rest[$0] }
    for index in inputs.indices { values[inputs[index].value].definition = .input(index) }
  }
}
