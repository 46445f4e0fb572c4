import SinterCore
import SinterForms
import SinterIR

/// The weights of a `MatMulNBits` as numbers, [N, K]: what the gradient of its left side is multiplied by. Inputs are those of that operator, of which the
/// first and the bias are not read.
public struct UnpackedBlocks: Primitive {
  public static let name = "UnpackedBlocks"
  public static let summary = "Weights of a few bits with a scale and a zero point per block, as floats."

  /// The product that the weights belong to.
  public var product = MatMulNBits()

  public init() {}
  /// The weights of a product, unpacked.
  public init(of product: MatMulNBits) { self.product = product }

  public mutating func attributes(_ list: inout some AttributeList) { product.attributes(&list) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    try product.checkWeights(inputs, &obligations)
    return [Fact(try inputs.tensor(2).element, [Dim(product.columns), Dim(product.inner)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let weights = try QuantizedBlocks(product, node, &lowering)
    let element = try node.output().element
    return [
      try lowering.element(try node.output().shape) { builder, index in
        try weights.element(builder, column: index[0], index[1]).cast(to: element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    MatMulNBits.examples.compactMap { example in
      guard let product = example.op as? MatMulNBits else { return nil }
      let inputs = example.inputs.enumerated().map { $0 == 0 || $0 == 5 ? .absent : $1 }
      return OperatorExample(UnpackedBlocks(of: product), Array(inputs.prefix(5)), sizes: example.sizes)
    }
  }
}

extension MatMulNBits: Differentiable {
  /// Of the left side and of the bias. The weights are integers; their scales and zero points stay as they are.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    if let index = [2, 3].first(where: { node.wants($0) }) {
      throw DiagnosticError(
        .limit, "gradient.blocks", "the \(index == 2 ? "scales" : "zero points") of packed weights have no gradient",
        hint: "train what is around them, or put a stopGradient() behind them")
    }
    let gradient = try node.gradient()
    var found = [GradientTensor?](repeating: nil, count: node.inputs.count)
    if node.wants(0) {
      let packed = (0..<5).map { $0 > 0 && node.has($0) ? node.inputs[$0] : nil }
      found[0] = try gradient.applying(MatMul(), node.tape.add(UnpackedBlocks(of: self), packed)[0])
    }
    if node.wants(5) {
      found[5] = try gradient.sum(Array(0..<(try gradient.rank - 1)), keepsAxes: false)
    }
    return found
  }
}
