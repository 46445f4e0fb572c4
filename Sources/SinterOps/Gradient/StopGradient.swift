import SinterCore
import SinterForms
import SinterIR

/// The input as it is, through which no gradient flows: PyTorch's `detach`.
public struct StopGradient: Primitive, Elementwise {
  public static let name = "StopGradient"
  public static let summary = "The input unchanged; no gradient flows through it."

  public init() {}

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification("Identity") }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    [Fact(.tensor(try inputs.tensor(0)))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] { [try node.input(0)] }

  public static var examples: [OperatorExample] {
    [OperatorExample(StopGradient(), [.random(TensorType(.f32, ["n", 3]), -1...1)], sizes: [Symbol("n"): 2])]
  }
}

extension StopGradient: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] { [nil] }
}
