import SinterCore
import SinterIR

/// A layer with all numbers that quantize it.
struct LayerNumbers {
  var layer: QuantizableLayer
  var activation: ActivationScale
  var weights: ByteWeights
  var bias: WideBias?
  /// Of the result, where that is quantized where it comes about.
  var result: ActivationScale?

  init(_ layer: QuantizableLayer, in graph: Graph, scales: [ValueID: ActivationScale], _ options: QuantizationOptions)
    throws
  {
    self.layer = layer
    let inputs = graph.nodes[layer.node].inputs
    guard let value = inputs[layer.activation], let activation = scales[value],
      let weights = inputs[layer.weights].flatMap({ graph.constant($0) })
    else { throw DiagnosticError(.bug, "quantize.layer", "\(layer.name) was not calibrated") }
    self.activation = activation
    let bias = layer.bias.flatMap { inputs[$0] }.flatMap { graph.constant($0) }?.array(of: Float.self)
    self.weights = ByteWeights(
      weights, axis: options.perChannel ? layer.channelAxis : nil,
      atLeast: bias.map { WideBias.leastScales(for: $0, input: activation.scale) })
    if let bias { self.bias = WideBias(bias, input: activation.scale, weights: self.weights.scales) }
    if layer.isQuantizedInPlace(options) { result = scales[layer.result] }
  }
}

extension QuantizableLayer {
  /// Whether the result is quantized where it comes about.
  func isQuantizedInPlace(_ options: QuantizationOptions) -> Bool {
    switch options.results {
    case .none: false
    case .convolutions: isInside && kind == .conv
    case .all: isInside
    }
  }
}
