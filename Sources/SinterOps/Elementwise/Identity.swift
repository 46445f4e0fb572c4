import SinterCore
import SinterForms
import SinterIR

/// The input itself, of whatever type.
public struct Identity: Primitive {
  public static let name = "Identity"
  public static let summary = "The input itself."

  public init() {}

  public static var onnx: [OnnxRule] {
    [
      OnnxRule(values: "Identity") { node, builder in
        guard let value = node.value(0) else {
          throw DiagnosticError(.user, "operator.input", "input 0 is missing", hint: "connect it")
        }
        guard let tensor = value.tensor else { return [value] }
        return [.tensor(try builder.add1(Identity(), [tensor]))]
      }
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    [try inputs.fact(0)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] { [try node.input(0)] }

  public static var examples: [OperatorExample] {
    [OperatorExample(Identity(), [.random(TensorType(.f32, ["n", 3]), -1...1)], sizes: [Symbol("n"): 2])]
  }
}

extension Identity: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] { [try node.gradient()] }
}
