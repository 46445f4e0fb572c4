/// What quantization did to a model.
package struct QuantizationReport: Sendable {
  package struct Layer: Sendable {
    package var name: String
    package var opType: String
    package var outcome: Outcome
    /// What the quantized layer's result differs from its own on the same inputs; of weights alone, what these differ. Nil where it was not
    /// measured.
    package var error: ErrorSums?
    /// The loss of the outputs where this layer alone is quantized, where that was measured.
    package var lossAlone: Double?
  }

  package enum Outcome: String, Sendable {
    case quantized
    /// Left as it was because its name was given.
    case excluded
    /// Left as it was to keep the outputs close enough.
    case tooLossy = "too lossy"
  }

  package struct Output: Sendable {
    package var name: String
    package var error: ErrorSums
  }

  package var layers: [Layer]
  /// What the quantized model's outputs differ from the model's own. Empty where nothing was run.
  package var outputs: [Output]
  /// Runs that ranges were taken from, and runs that errors were measured on.
  package var calibrationRuns: Int
  package var checkedRuns: Int

  /// The loss of the output that differs most; nil where nothing was run.
  package var loss: Double? { outputs.map(\.error.loss).max() }
  package var leftForLoss: [Layer] { layers.filter { $0.outcome == .tooLossy } }
}
