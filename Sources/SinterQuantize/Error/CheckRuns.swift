import SinterCore

/// Runs of a probe beside those of the model as it was.
struct CheckRuns {
  private let probe: LayerProbe
  private let inputs: [[HostTensor]]
  private let references: [[HostTensor]]
  /// What each quantized layer's result differs from its own on the same inputs.
  let layers: [ErrorSums]
  var count: Int { inputs.count }

  init(_ probe: LayerProbe, _ samples: any SampleSource, limit: Int, layers count: Int) throws {
    self.probe = probe
    let runs = min(samples.count, limit)
    let chosen = (0..<runs).map { $0 * samples.count / runs }
    let inputs = try chosen.map { try samples.inputs($0) }
    self.inputs = inputs
    var layers = [ErrorSums](repeating: ErrorSums(), count: count)
    references = try inputs.indices.map { index in
      let outcome = try samples.locating(chosen[index]) {
        try probe.run(inputs[index], quantized: layers.map { _ in false })
      }
      for (index, error) in outcome.layers.enumerated() { layers[index].add(signal: error.signal, noise: error.noise) }
      return outcome.outputs
    }
    self.layers = layers
  }

  /// What each output that is compared differs by, with chosen layers quantized.
  func errors(_ quantized: [Bool], runs: Int = .max) throws -> [Int: ErrorSums] {
    var errors: [Int: ErrorSums] = [:]
    for (inputs, references) in zip(inputs, references).prefix(runs) {
      probe.add(try probe.run(inputs, quantized: quantized).outputs, references: references, to: &errors)
    }
    return errors
  }

  /// The greatest loss of an output.
  func loss(_ quantized: [Bool], runs: Int = .max) throws -> Double {
    try errors(quantized, runs: runs).values.map(\.loss).max() ?? 0
  }
}
