import SinterCore
import SinterIR

/// One update by momentum as ONNX has it: v = α·v + β·g, x −= r·v, or by Nesterov's x −= r·(g + α·v); β counts from the second update on, and g is
/// the gradient and that of a norm.
public struct OnnxMomentum: Composite {
  public static let name = "OnnxMomentum"
  public static let summary = "One update of tensors by momentum."

  /// Whether x goes along the new v, or, by Nesterov, along the gradient at where v would lead.
  public enum Mode: String, CaseIterable, Sendable { case standard, nesterov }

  public var mode = Mode.standard
  /// How much of v stays, the weight of the gradient from the second update on, and that of the norm ‖x‖² / 2 in the
  /// gradient.
  public var alpha = 0.9, beta = 1.0, norm = 0.0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("mode", &mode, default: .standard)
    list.float("alpha", &alpha, default: 0.9)
    list.float("beta", &beta, default: 1)
    list.float("norm_coefficient", &norm, default: 0)
  }

  public static var onnx: [OnnxRule] { [.direct(OnnxMomentum.self, as: "Momentum", domain: trainingDomain)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    // ONNX has no defaults here.
    NodeSpecification(
      "Momentum", domain: trainingDomain, since: 1,
      attributes: [
        ("mode", .string(mode.rawValue)), ("alpha", .float(alpha)), ("beta", .float(beta)),
        ("norm_coefficient", .float(norm)),
      ])
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let operands = try OptimizerOperands(inputs, kinds: 3, by: Self.name, &builder)
    defer { builder = operands.tape.builder }
    return OptimizerOperands.ordered(
      try operands.tensors.map { tensor in
        let x = tensor[0]
        let g = try tensor[1] + x * norm
        let factor = try operands.isLater.applying(Where(), x.number(beta), x.number(1))
        let velocity = try tensor[2] * alpha + factor * g
        let change = mode == .nesterov ? try g + velocity * alpha : velocity
        return [try x - operands.rate(like: x) * change, velocity]
      })
  }

  public static var examples: [OperatorExample] {
    Mode.allCases.flatMap { mode in
      var op = OnnxMomentum()
      (op.mode, op.alpha, op.beta, op.norm) = (mode, 0.95, 0.85, 0.01)
      return optimizerExamples(op, kinds: 3, results: 2)
    }
  }
}
