import SinterCore
import SinterIR

/// One update of Adam as ONNX has it: v = α·v + (1 − α)·g, h = β·h + (1 − β)·g², x −= r' · v / (√h + ε), where r' is r · √(1 − βᵗ) / (1 − αᵗ)
/// after the first update, and g is the gradient and that of a norm.
public struct OnnxAdam: Composite {
  public static let name = "OnnxAdam"
  public static let summary = "One update of tensors by Adam."

  /// How much of v and of h stays in each update, and what is added to the root.
  public var alpha = 0.9, beta = 0.999, epsilon = 1e-6
  /// Of the norm before the update, and the part that x loses after it.
  public var norm = 0.0, normAfter = 0.0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("alpha", &alpha, default: 0.9)
    list.float("beta", &beta, default: 0.999)
    list.float("epsilon", &epsilon, default: 1e-6)
    list.float("norm_coefficient", &norm, default: 0)
    list.float("norm_coefficient_post", &normAfter, default: 0)
  }

  public static var onnx: [OnnxRule] { [.direct(OnnxAdam.self, as: "Adam", domain: trainingDomain)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, as: "Adam", domain: trainingDomain, since: 1)
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let operands = try OptimizerOperands(inputs, kinds: 4, by: Self.name, &builder)
    defer { builder = operands.tape.builder }
    return OptimizerOperands.ordered(
      try operands.tensors.map { tensor in
        let x = tensor[0]
        let g = try tensor[1] + x * norm
        let first = try tensor[2] * alpha + g * (1 - alpha)
        let second = try tensor[3] * beta + g * g * (1 - beta)
        let (rate, count) = (try operands.rate(like: x), try operands.count(like: x))
        func correction(_ factor: Double) throws -> GradientTensor { try 1 - x.number(factor).power(count) }
        let later = try rate * correction(beta).unary(.sqrt) / correction(alpha)
        let adjusted = try operands.isLater.applying(Where(), later, rate)
        let moved = try x - adjusted * first / (second.unary(.sqrt) + epsilon)
        return [normAfter == 0 ? moved : try moved * (1 - normAfter), first, second]
      })
  }

  public static var examples: [OperatorExample] { optimizerExamples(OnnxAdam(), kinds: 4, results: 3) }
}
