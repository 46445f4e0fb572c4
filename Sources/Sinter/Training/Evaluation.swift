import SinterIR
import SinterModel

/// A model's loss and metrics in use, compiled: no gradients, no dropout, running statistics instead of a batch's.
///
///     let evaluation = try evaluation(net, .f32("n", 1, 28, 28), .i64("n"), loss: crossEntropy, metrics: ["accuracy": accuracy])
///     let measured = try evaluation(state.parameters, test)      // ["loss": …, "accuracy": …]
public final class CompiledEvaluation {
  /// The names of what is measured, the loss first.
  public let measures: [String]
  private let parameters: [(name: String, parameter: Parameter)]
  private let session: Session

  init(_ model: TracedModel, measures: [String], threads: Int) throws {
    self.measures = measures
    parameters = model.parameters
    session = try TemporaryLibrary.session(model.graph, threads: threads)
  }

  /// The means over samples, batch by batch.
  ///
  /// - Throws: every parameter that is missing or of another type.
  public func callAsFunction(
    _ store: ParameterStore, _ data: some Dataset, batch: Int = 100, workers: Int = 0
  ) throws -> [String: Double] {
    let values = try store.values(of: parameters)
    let batches = try DataLoader(data, batch: batch, workers: workers).batches()
    var progress = FitProgress()
    while let samples = try batches.next() {
      let results = try session.run(samples + values)
      let measured = zip(measures, results).map { ($0, $1.doubles?.first ?? .nan) }
      progress.add(
        Dictionary(measured, uniquingKeysWith: { first, _ in first }), samples: samples.first?.shape.first ?? 1)
    }
    return progress.means
  }
}

/// Traces and compiles what is measured of a model with one input and one target. A size that is a name serves batches of any size.
///
/// - Parameter threads: 0 for as many as this process may run on.
/// - Throws: all mistakes of the model, each with its layer and line.
public func evaluation(
  _ model: some UnaryLayer, _ input: InputSpec, _ target: InputSpec, loss: (Tensor, Tensor) -> Tensor,
  metrics: KeyValuePairs<String, (Tensor, Tensor) -> Tensor> = [:], threads: Int = 0,
  file: StaticString = #fileID, line: UInt = #line
) throws -> CompiledEvaluation {
  var (input, target) = (input, target)
  input.name = input.name ?? "input"
  target.name = target.name ?? "target"
  let names = ["loss"] + metrics.map(\.key)
  let traced = try trace(model, [input, target], mode: .evaluate, outputs: names, file: file, line: line) {
    tensors in
    let result = model(tensors[0], file: file, line: line)
    let measured = metrics.map { (name: $0.key, value: $0.value(result, tensors[1])) }
    let loss = loss(result, tensors[1])
    checkMeasures(loss: loss, measured)
    return [loss] + measured.map(\.value)
  }
  return try CompiledEvaluation(traced, measures: names, threads: threads)
}
