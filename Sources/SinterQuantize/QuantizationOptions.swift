/// How a model is made to compute in bytes.
package struct QuantizationOptions: Sendable {
  /// Whose results are quantized where they come about. Outputs of the model never are.
  package enum QuantizedResults: Sendable { case none, convolutions, all }

  /// How the range of an activation is chosen from the values that were seen.
  package var method = CalibrationMethod.minMax
  /// Whether each result channel of the weights has a scale of its own.
  package var perChannel = true
  /// Whether activations are i8 with zero point 0, instead of u8 with a zero point that makes the most of their range.
  package var symmetric = false
  /// Whose results are quantized where they come about, which lets runtimes keep them in bytes.
  package var results = QuantizedResults.convolutions
  /// Names of layers that stay as they are; `*`, `?` and `[…]` as in a shell.
  package var excluded: [String] = []
  /// The most that outputs may differ from those of the model as it was, as `LayerReport.loss` has it. Layers are left as they were until
  /// this holds.
  package var maximumLoss: Double?

  package init() {}
}

/// Whose results are quantized where they come about. Outputs of the model never are.
package enum QuantizedResults: Sendable { case none, convolutions, all }

/// How the range of an activation is chosen from the values that were seen.
package enum CalibrationMethod: Hashable, Sendable {
  /// From the least value to the greatest.
  case minMax
  /// So many percent of the values lie within; of what is left, half lies beyond either end.
  case percentile(Double)
  /// The range whose quantized histogram diverges least, as Kullback and Leibler measure it, from the histogram.
  case entropy
  /// The range whose quantized histogram has the least mean squared error.
  case squaredError
}
