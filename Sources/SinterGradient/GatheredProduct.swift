import SinterCore
import SinterIR
import SinterOps

/// What an iteration of a repetition would hand to a value that all iterations share, where the rows of all iterations can be multiplied at once: the weights
/// of a product, or of a convolution.
struct GatheredProduct {
  /// The operator, of whose results each place along the first axis depends on that place of the first input alone.
  var op: any Operator
  var rows: ValueID
  var shared: ValueID
  /// Of the operator's result.
  var gradient: ValueID

  /// Nil where a node is no such product of a shared value.
  init?(
    _ node: Graph.Node, _ shared: Set<ValueID>, _ outputGradients: [GradientTensor?], _ tape: GradientTape
  ) throws {
    guard node.inputs.count > 1, let rows = node.inputs[0], let weights = node.inputs[1], shared.contains(weights),
      !shared.contains(rows), let gradient = outputGradients.first.flatMap({ $0 })
    else { return nil }
    let isRowwise =
      switch node.op {
      case is MatMul: try tape.builder.type(weights).rank == 2 && tape.builder.type(rows).rank >= 2
      case let gemm as Gemm: !gemm.transA
      case is Conv: true
      default: false
      }
    guard isRowwise else { return nil }
    (op, self.rows, self.shared, self.gradient) = (node.op, rows, weights, gradient.id)
  }

  /// The gradient of the shared value, outside of the repetition.
  ///
  /// - Parameters:
  ///   - rows, gradients: those of all iterations, along a new first axis.
  ///   - shared: the value.
  func gradient(
    rows: GradientTensor, shared: GradientTensor, gradients: GradientTensor, _ tape: GradientTape
  ) throws -> GradientTensor? {
    let results = try tape.builder.add(op, [try rows.mergingFirstAxes().id, shared.id])
    guard let id = tape.builder.graph.producer(of: results[0]), let rule = op as? any Differentiable else { return nil }
    let node = GradientNode(id, of: tape, [try gradients.mergingFirstAxes()], wanted: [false, true])
    return try rule.gradients(node)[1]
  }
}
