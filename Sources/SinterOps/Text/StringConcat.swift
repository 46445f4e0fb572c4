import SinterCore
import SinterForms
import SinterIR

/// Each text of the first input followed by that of the second, with NumPy's broadcasting.
public struct StringConcat: Primitive {
  public static let name = "StringConcat"
  public static let summary = "Texts, each followed by another, with broadcasting."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(StringConcat.self, since: 20)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 20) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (a, b) = (try inputs.text(0, of: Self.name), try inputs.text(1, of: Self.name))
    return [Fact(.string, try obligations.broadcast(a.shape, b.shape))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let type = try node.output()
    let sides = try [node.input(0), node.input(1)].map { side in
      side.shape == type.shape
        ? side : try lowering.element(type.shape) { builder, index in builder.load(side, at: index, of: type.shape) }
    }
    return [lowering.call(.join, sides, gives: type)]
  }

  public static var examples: [OperatorExample] {
    let a = HostTensor(strings: ["a", "", "ä", "b"], shape: [2, 2])
    return [
      OperatorExample(StringConcat(), [.given(a), .given(a)]),
      OperatorExample(StringConcat(), [.given(a), .given(HostTensor(strings: ["x", ""], shape: [2, 1]))]),
      OperatorExample(StringConcat(), [.given(a), .constant(HostTensor(strings: ["!"], shape: []))]),
      OperatorExample(StringConcat(), [.given(HostTensor(strings: [], shape: [0])), .given(a.reshaped([4, 1]))]),
    ]
  }
}

extension NodeInputs {
  /// The type of the input, which must hold text.
  func text(_ index: Int, of name: String) throws -> TensorType {
    let type = try tensor(index)
    guard type.element == .string else {
      throw DiagnosticError(.user, "text.type", "\(name) works on text, but input \(index) is \(type)")
    }
    return type
  }
}
