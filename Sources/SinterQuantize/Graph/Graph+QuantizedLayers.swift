import SinterCore
import SinterIR
import SinterOps

extension Graph {
  /// The graph with pairs of `QuantizeLinear` and `DequantizeLinear` at the layers' inputs and results, and with weights in bytes.
  ///
  /// A value has one pair, whoever uses it: a quantized result goes on quantized to all, other values only to the quantized layers.
  func quantizing(_ layers: [LayerNumbers]) throws -> Graph {
    var insertion = GraphInsertion(self)
    var pairs: [ValueID: ValueID] = [:]
    for numbers in layers {
      let (layer, node) = (numbers.layer, nodes[numbers.layer.node])
      guard let input = node.inputs[layer.activation], let weights = node.inputs[layer.weights] else { continue }
      if pairs[input] == nil {
        pairs[input] = try insertion.addPair(
          of: input, numbers.activation, at: .before(layer.node), "\(layer.name)_input")
      }
      insertion.setInput(layer.activation, of: layer.node, to: pairs[input] ?? input)

      let name = values[weights].name.isEmpty ? "\(layer.name)_weight" : values[weights].name
      let bytes = numbers.weights
      insertion.setInput(
        layer.weights, of: layer.node,
        to: try insertion.addDequantized(
          bytes.tensor, scale: bytes.scaleTensor, zero: bytes.zeroTensor, axis: bytes.axis ?? 0,
          at: .before(layer.node), name))
      if let bias = numbers.bias, let index = layer.bias, let value = node.inputs[index] {
        let name = values[value].name.isEmpty ? "\(layer.name)_bias" : values[value].name
        insertion.setInput(
          index, of: layer.node,
          to: try insertion.addDequantized(
            bias.tensor, scale: bias.scaleTensor, zero: nil, axis: 0, at: .before(layer.node), name))
      }
      if let scale = numbers.result {
        let last = layer.clipping.last ?? layer.node
        let pair = try insertion.addPair(of: layer.result, scale, at: .after(last), "\(layer.name)_result")
        pairs[layer.result] = pair
        insertion.replaceUses(of: layer.result, with: pair)
      }
    }
    var result = insertion.finished()
    result.removeDeadNodes()
    return result
  }
}

extension GraphInsertion {
  /// A value quantized and back.
  mutating func addPair(
    of value: ValueID, _ scale: ActivationScale, at place: Place, _ fallback: String
  ) throws -> ValueID {
    let name = graph.values[value].name.isEmpty ? fallback : graph.values[value].name
    let numbers = [
      constant(scale.scaleTensor, named: "\(name)_scale"), constant(scale.zeroTensor, named: "\(name)_zero_point"),
    ]
    let bytes = try add(
      QuantizeLinear(), [value] + numbers, at: place, named: "\(name)_quantized", node: "\(name)_QuantizeLinear")
    return try add(
      DequantizeLinear(), [bytes] + numbers, at: place, named: "\(name)_dequantized", node: "\(name)_DequantizeLinear")
  }

  /// A constant of integers as floats.
  mutating func addDequantized(
    _ tensor: HostTensor, scale: HostTensor, zero: HostTensor?, axis: Int, block: Int = 0, at place: Place,
    _ name: String
  ) throws -> ValueID {
    var op = DequantizeLinear()
    // One scale is for all elements, whatever the axis, which then is left at what ONNX takes it to be.
    if scale.rank > 0 { op.axis = axis }
    op.blockSize = block
    let inputs = [
      constant(tensor, named: "\(name)_quantized"), constant(scale, named: "\(name)_scale"),
      zero.map { constant($0, named: "\(name)_zero_point") },
    ]
    return try add(
      op, inputs.last == .some(nil) ? Array(inputs.dropLast()) : inputs, at: place, named: "\(name)_dequantized",
      node: "\(name)_DequantizeLinear")
  }
}
