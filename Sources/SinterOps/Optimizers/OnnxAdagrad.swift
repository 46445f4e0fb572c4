import SinterCore
import SinterIR

/// One update of Adagrad as ONNX has it: h += g², x −= r / (1 + t · decay) · g / (√h + ε), where g is the gradient and that of a norm.
public struct OnnxAdagrad: Composite {
  public static let name = "OnnxAdagrad"
  public static let summary = "One update of tensors by Adagrad."

  /// How fast the rate falls with the number of updates, what is added to the root, and the weight of the norm ‖x‖² /
  /// 2 in the gradient.
  public var decay = 0.0, epsilon = 1e-6, norm = 0.0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("decay_factor", &decay, default: 0)
    list.float("epsilon", &epsilon, default: 1e-6)
    list.float("norm_coefficient", &norm, default: 0)
  }

  public static var onnx: [OnnxRule] { [.direct(OnnxAdagrad.self, as: "Adagrad", domain: trainingDomain)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, as: "Adagrad", domain: trainingDomain, since: 1)
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let operands = try OptimizerOperands(inputs, kinds: 3, by: Self.name, &builder)
    defer { builder = operands.tape.builder }
    return OptimizerOperands.ordered(
      try operands.tensors.map { tensor in
        let (x, h) = (tensor[0], tensor[2])
        let g = try tensor[1] + x * norm
        let rate = try operands.rate(like: x) / (operands.count(like: x) * decay + 1)
        let sum = try h + g * g
        return [try x - rate * g / (sum.unary(.sqrt) + epsilon), sum]
      })
  }

  public static var examples: [OperatorExample] { optimizerExamples(OnnxAdagrad(), kinds: 3, results: 2) }
}

/// An update of two tensors, the last operand of each not negative.
func optimizerExamples(_ op: some Operator, kinds: Int, results: Int) -> [OperatorExample] {
  let types = [TensorType(.f32, ["n", 3]), TensorType(.f32, [4])]
  func inputs(_ count: Int) -> [OperatorExample.Input] {
    [.given(.f32([], [0.1])), .given(.i64([], [count]))]
      + (0..<kinds).flatMap { kind in types.map { .random($0, kind == kinds - 1 ? 0.1...1 : -1...1) } }
  }
  return [0, 3].map { OperatorExample(op, inputs($0), outputs: 2 * results, sizes: [Symbol("n"): 2]) }
}
