import SinterCore
import SinterIR
import SinterOps

/// A product or a convolution with constant weights: what is quantized, and left alone, as one.
package struct QuantizableLayer: Sendable {
  package enum Kind: String, Sendable {
    case conv = "Conv"
    case matMul = "MatMul"
    case gemm = "Gemm"
  }

  package var node: NodeID
  package var kind: Kind
  /// The node's name, or that of its result.
  package var name: String
  /// Which inputs of the node are the activation, the weights and a bias that integers can hold.
  package var activation: Int
  package var weights: Int
  package var bias: Int?
  /// The axis of the weights along which the result's channels lie; nil where channels cannot have scales of their own.
  package var channelAxis: Int?
  /// Nodes behind the layer that clip its result and are all that use it, and the last result.
  package var clipping: [NodeID]
  package var result: ValueID
  /// Whether the result is no output of the model, so that it may be quantized where it comes about.
  package var isInside: Bool
}

extension Graph {
  /// The layers that can be quantized, in order, and what is wrong with others. Layers without constant weights, and those in bodies of
  /// control flow, are not told of.
  package func quantizableLayers(
    excluding patterns: [NamePattern], where suits: (QuantizableLayer) -> Bool = { _ in true }
  ) -> (
    layers: [QuantizableLayer], excluded: [QuantizableLayer], problems: [Diagnostic]
  ) {
    let users = users()
    let outputs = Set(self.outputs.map(\.value))
    var layers: [QuantizableLayer] = []
    var excluded: [QuantizableLayer] = []
    var problems: [Diagnostic] = []
    for id in order {
      guard let layer = layer(id, users, outputs), suits(layer) else { continue }
      if patterns.contains(where: { $0.matches(layer.name) }) {
        excluded.append(layer)
        continue
      }
      let found = self.problems(of: layer)
      problems += found
      if found.isEmpty { layers.append(layer) }
    }
    return (layers, excluded, problems)
  }

  private func layer(
    _ id: NodeID, _ users: EntityMap<ValueID, [NodeID]>, _ outputs: Set<ValueID>
  ) -> QuantizableLayer? {
    let node = nodes[id]
    guard let result = node.outputs.first, node.inputs.count >= 2, let first = node.inputs[0],
      let second = node.inputs[1]
    else { return nil }
    var layer = QuantizableLayer(
      node: id, kind: .conv, name: name(of: id), activation: 0, weights: 1, bias: nil, channelAxis: 0, clipping: [],
      result: result, isInside: !outputs.contains(result))
    switch node.op {
    case let op as Conv:
      guard !op.channelsLast else { return nil }
    case is MatMul:
      layer.kind = .matMul
      if constant(second) == nil, constant(first) != nil { (layer.activation, layer.weights) = (1, 0) }
      layer.channelAxis = layer.weights == 1 && type(of: second).tensor?.rank == 2 ? 1 : nil
    case let op as Gemm:
      layer.kind = .gemm
      if constant(second) == nil, constant(first) != nil { (layer.activation, layer.weights) = (1, 0) }
      layer.channelAxis = layer.weights == 1 ? (op.transB ? 0 : 1) : nil
    default: return nil
    }
    guard let weights = constant(layer.weights == 0 ? first : second), weights.rank >= 2, weights.count > 0,
      constant(layer.weights == 0 ? second : first) == nil
    else { return nil }
    layer.bias = bias(of: node, layer, weights)
    followClipping(&layer, users, outputs)
    return layer
  }

  /// The input that is a bias with one constant number per channel, added as it is.
  private func bias(of node: Node, _ layer: QuantizableLayer, _ weights: HostTensor) -> Int? {
    guard node.inputs.count > 2, let input = node.inputs[2], let bias = constant(input), bias.element == .f32,
      let axis = layer.channelAxis, bias.shape == [weights.shape[axis]]
    else { return nil }
    if let gemm = node.op as? Gemm, gemm.alpha != 1 || gemm.beta != 1 { return nil }
    return 2
  }

  private func followClipping(
    _ layer: inout QuantizableLayer, _ users: EntityMap<ValueID, [NodeID]>, _ outputs: Set<ValueID>
  ) {
    while !outputs.contains(layer.result), users[layer.result].count == 1, let next = users[layer.result].first,
      nodes[next].inputs.first == layer.result, let result = nodes[next].outputs.first
    {
      let isRelu = (nodes[next].op as? Unary)?.kind == .relu
      let isClip =
        nodes[next].op is Clip && nodes[next].inputs.dropFirst().allSatisfy { $0.map { constant($0) != nil } ?? true }
      guard isRelu || isClip else { break }
      layer.clipping.append(next)
      layer.result = result
    }
    layer.isInside = !outputs.contains(layer.result)
  }

  private func problems(of layer: QuantizableLayer) -> [Diagnostic] {
    let node = nodes[layer.node]
    let places = node.origin.map(\.description).filter { !$0.isEmpty }
    func problem(_ id: String, _ text: String) -> Diagnostic {
      Diagnostic(
        .user, id, "\(layer.kind.rawValue): \(text)", at: places.isEmpty ? ["node \(layer.name)"] : places,
        hint: "leave it as it is with --exclude '\(layer.name)'")
    }
    guard let weights = node.inputs[layer.weights].flatMap({ constant($0) }) else { return [] }
    let types = [node.inputs[layer.activation].flatMap { type(of: $0).tensor }, weights.type]
    if let other = types.first(where: { $0?.element != .f32 }) {
      let found = other.map { "\($0)" } ?? "no tensor"
      return [problem("quantize.type", "layers of type f32 are quantized, but an input is \(found)")]
    }
    let bias = layer.bias.flatMap { node.inputs[$0] }.flatMap { constant($0) }
    for (name, tensor) in [("weights", weights), ("bias", bias)] {
      if let tensor, !tensor.array(of: Float.self).allSatisfy(\.isFinite) {
        return [problem("quantize.finite", "the \(name) hold infinities or what is no number")]
      }
    }
    return []
  }

  /// The node's name in its file, or its layer's path, or the name of its result.
  package func name(of id: NodeID) -> String {
    let node = nodes[id]
    let origin = node.origin.first
    let names = [origin?.node, origin?.path, node.outputs.first.map { values[$0].name }]
    return names.compactMap { $0 }.first { !$0.isEmpty } ?? "\(id)"
  }

  /// The first nodes that compute in integers already, by operator.
  package var quantizedNodes: [(opType: String, name: String)] {
    var found: [String: String] = [:]
    var kinds: [String] = []
    for id in order {
      guard let form = nodes[id].op.onnxNode(inputs(of: id)) else { continue }
      let opType = form.opType
      let isQuantized =
        opType.hasPrefix("QLinear") || opType.hasPrefix("Quantize") || opType.hasPrefix("DynamicQuantize")
        || opType.hasPrefix("DequantizeLinear") || opType.contains("Integer") || opType.hasSuffix("NBits")
        || form.domain == "com.microsoft" && opType.hasPrefix("Q")
      if isQuantized, found[opType] == nil {
        found[opType] = name(of: id)
        kinds.append(opType)
      }
    }
    return kinds.map { ($0, found[$0] ?? "") }
  }
}
