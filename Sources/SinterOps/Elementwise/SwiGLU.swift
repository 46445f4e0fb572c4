import SinterIR
import SinterCore

/// The swish of a gate times a value: a · sigmoid(alpha · a) · b.
public struct SwiGLU: Composite {
  public static let name = "SwiGLU"
  public static let summary = "The swish of a gate times a value."

  /// The slope inside the sigmoid.
  public var alpha = 1.0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.float("alpha", &alpha, default: 1) }
  public static var onnx: [OnnxRule] { [.direct(SwiGLU.self, since: 28)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 28) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    var swish = Swish()
    swish.alpha = alpha
    let gate = try builder.add1(swish, [try inputs.value(0)])
    return [try builder.add1(Binary(.multiply), [gate, try inputs.value(1)])]
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 4]), -2...2)
    return [OperatorExample(SwiGLU(), [x, x], sizes: [Symbol("n"): 3])]
  }
}
