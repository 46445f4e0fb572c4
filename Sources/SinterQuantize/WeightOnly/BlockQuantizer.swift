import SinterCore
import SinterIR
import SinterOps

/// Stores the weights of products in four bits, and leaves all arithmetic in f32. Needs no data.
package struct BlockQuantizer {
  package enum Form: Sendable {
    /// A `DequantizeLinear` with a block size before the product, which opset 21 has.
    case dequantized
    /// A `MatMulNBits` of onnxruntime in place of the product, where it has one: biases that are no list and products of transposed
    /// activations stay.
    case matMulNBits
  }

  /// How many weights share a scale: a power of two, at least 16.
  package var block: Int
  package var form: Form
  /// Names or patterns of layers that stay as they are.
  package var excluded: [String]

  package init(block: Int = 32, form: Form = .dequantized, excluded: [String] = []) {
    self.block = block
    self.form = form
    self.excluded = excluded
  }

  package func quantize(_ model: Graph) throws -> (graph: Graph, report: QuantizationReport) {
    let selection = try LayerSelection(of: model, excluding: excluded) { $0.hasBlocks }
    let graph = selection.graph
    var insertion = GraphInsertion(graph)
    var rows: [QuantizationReport.Layer] = []
    for layer in selection.layers {
      let node = graph.nodes[layer.node]
      guard let input = node.inputs[layer.weights], let tensor = graph.constant(input) else { continue }
      let axis = (node.op as? Gemm)?.transB ?? false ? 1 : 0
      let weights = BlockWeights(tensor, axis: axis, block: block)
      let name = graph.values[input].name.isEmpty ? "\(layer.name)_weight" : graph.values[input].name
      if form == .matMulNBits, let bias = Self.biasOfProduct(node, graph, columns: weights.columns) {
        var op = MatMulNBits()
        (op.bits, op.blockSize, op.inner, op.columns) = (4, block, weights.depth, weights.columns)
        let inputs = [
          node.inputs[0], insertion.constant(weights.packed, named: "\(name)_quantized"),
          insertion.constant(weights.packedScales, named: "\(name)_scale"),
        ]
        insertion.replace(layer.node, by: op, inputs + (bias.map { [nil, nil, $0] } ?? []))
      } else {
        insertion.setInput(
          layer.weights, of: layer.node,
          to: try insertion.addDequantized(
            weights.tensor, scale: weights.scaleTensor, zero: nil, axis: axis, block: block, at: .before(layer.node),
            name))
      }
      var error = ErrorSums()
      error.add(.f32(tensor.shape, weights.dequantized), reference: tensor)
      rows.append(
        .init(name: layer.name, opType: layer.kind.rawValue, outcome: .quantized, error: error, lossAlone: nil))
    }
    var result = insertion.finished()
    result.removeDeadNodes()
    let report = QuantizationReport(
      layers: rows + selection.excludedRows, outputs: [], calibrationRuns: 0, checkedRuns: 0)
    return (result, report)
  }

  /// The bias (or none) of a product that `MatMulNBits` can take the place of; nil of others.
  private static func biasOfProduct(_ node: Graph.Node, _ graph: Graph, columns: Int) -> ValueID?? {
    guard let gemm = node.op as? Gemm else { return .some(nil) }
    guard !gemm.transA, gemm.alpha == 1, gemm.beta == 1 else { return nil }
    guard node.inputs.count > 2, let bias = node.inputs[2] else { return .some(nil) }
    return graph.type(of: bias).tensor == TensorType(.f32, [Dim(columns)]) ? .some(bias) : nil
  }
}

extension QuantizableLayer {
  /// Whether the weights are the matrix on the right of a product, which blocks along the summed axis suit.
  fileprivate var hasBlocks: Bool { kind != .conv && weights == 1 && channelAxis != nil }
}
