import SinterCore
import SinterForms
import SinterIR

/// The input as it is. What is computed from a barrier's result is not merged with what is computed alike from its input: so that it is computed
/// again instead of being kept.
public struct Barrier: Primitive, Elementwise {
  public static let name = "Barrier"
  public static let summary = "The input unchanged; what is computed from it is computed again."

  public init() {}

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification("Identity") }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    [Fact(.tensor(try inputs.tensor(0)))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] { [try node.input(0)] }

  public static var examples: [OperatorExample] {
    [OperatorExample(Barrier(), [.random(TensorType(.f32, ["n", 3]), -1...1)], sizes: [Symbol("n"): 2])]
  }
}

extension Barrier: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] { [try node.gradient()] }
}
