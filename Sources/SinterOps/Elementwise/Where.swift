import SinterCore
import SinterForms
import SinterIR

/// An element of one input where a condition holds, of another elsewhere; all three broadcast.
public struct Where: Primitive, Elementwise {
  public static let name = "Where"
  public static let summary = "Elements of one input where a condition holds, of another elsewhere."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(Where.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 9) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (condition, x, y) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    try requireElement(condition, { $0 == .bool }, name: "the condition")
    guard x.element == y.element else {
      throw DiagnosticError(
        .user, "operator.type", "inputs 1 and 2 must have one element type, but are \(x) and \(y)",
        hint: "insert a Cast")
    }
    return [Fact(x.element, try obligations.broadcast([condition.shape, x.shape, y.shape]))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (condition, x, y) = (try node.input(0), try node.input(1), try node.input(2))
    let shape = try node.output().shape
    return [
      try lowering.element(shape) { builder, index in
        func load(_ operand: Operand) -> Expr {
          builder.load(operand.id, Broadcast.index(builder, index, of: shape, into: operand.shape))
        }
        return builder.select(load(condition), load(x), load(y))
      }
    ]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        Where(),
        [
          .random(TensorType(.bool, ["n", 4]), 0...2), .random(TensorType(.f32, [4]), -1...1),
          .random(TensorType(.f32, []), -1...1),
        ], sizes: [Symbol("n"): 3]),
      OperatorExample(
        Where(),
        [
          .random(TensorType(.bool, [3, 1]), 0...2), .random(TensorType(.i64, [1, 4]), -9...9),
          .random(TensorType(.i64, [3, 4]), -9...9),
        ]),
    ]
  }
}

extension Where: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let condition = try node.input(0)
    let g = try node.gradient()
    return [
      nil,
      node.wants(1) ? try g.kept(where: condition).summed(to: try node.input(1)) : nil,
      node.wants(2) ? try g.dropped(where: condition).summed(to: try node.input(2)) : nil,
    ]
  }
}
