import SinterCore
import SinterForms
import SinterIR

/// The upper or lower triangle of matrices, counted from the diagonal that the second input names; zeros elsewhere.
public struct Trilu: Primitive {
  public static let name = "Trilu"
  public static let summary = "The upper or lower triangle of matrices."

  /// Whether the upper triangle stays, else the lower; the diagonal stays in both.
  public var isUpper = true

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.bool("upper", &isUpper, default: true) }
  public static var onnx: [OnnxRule] { [.direct(Trilu.self, since: 14), .direct(Trilu.self, domain: .microsoft)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 14) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard x.rank >= 2 else {
      throw DiagnosticError(.user, "trilu.rank", "the input must have at least 2 axes, but is \(x)")
    }
    if inputs.has(1) { try obligations.scalar(try inputs.indices(1), "k") }
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    return [
      try lowering.element(x.shape) { builder, index in
        var diagonal = builder.constant(0, .i64)
        if node.has(1) {
          let k = try node.input(1)
          diagonal = builder.load(k.id, k.shape.map { _ in builder.constant(0, .i64) }).cast(to: .i64)
        }
        let distance = index[x.rank - 1] - index[x.rank - 2]
        let isKept = isUpper ? distance >= diagonal : distance <= diagonal
        return builder.load(x.id, index, where: isKept)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var lower = Trilu()
    lower.isUpper = false
    let x = OperatorExample.Input.random(TensorType(.f32, [2, "n", 4]), -1...1)
    let sizes = [Symbol("n"): 3]
    return [
      OperatorExample(Trilu(), [x], sizes: sizes),
      OperatorExample(lower, [x, .constant(.i64([], [-1]))], sizes: sizes),
      OperatorExample(Trilu(), [x, .given(.i64([], [1]))], sizes: sizes),
    ]
  }
}

extension Trilu: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    [try node.gradient().applying(self, node.has(1) ? try node.input(1) : nil), nil]
  }
}
