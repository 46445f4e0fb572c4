import SinterCore
import SinterIR

/// Gemm with an activation behind it. Inputs: A, B, C, which may be absent.
public struct FusedGemm: Composite {
  public static let name = "FusedGemm"
  public static let summary = "alpha·A·B + beta·C for matrices, and an activation of it."

  /// The factors, and which sides are transposed.
  public var gemm = Gemm()
  var activation = FusedActivation.Kind.none
  var activationAlpha: Double?
  var activationBeta: Double?
  var activationGamma: Double?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("activation", &activation, default: .none)
    list.optionalFloat("activation_alpha", &activationAlpha)
    list.optionalFloat("activation_beta", &activationBeta)
    list.optionalFloat("activation_gamma", &activationGamma)
    gemm.attributes(&list)
  }
  public static var onnx: [OnnxRule] { [.direct(FusedGemm.self, domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let result = try builder.add1(gemm, [try inputs.value(0), try inputs.value(1), inputs.id(2)])
    let second = activation == .selu ? activationGamma : activationBeta
    let parameters = [activationAlpha, second].prefix { $0 != nil }.compactMap { $0 }
    return [try FusedActivation(activation, parameters).apply(result, into: &builder)]
  }

  public static var examples: [OperatorExample] {
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    let numbers: [Double?] = [0.3, 0.4]
    return FusedActivation.Kind.allCases.filter { $0 != .none && $0 != .clip && $0 != .hardSwish }.map { kind in
      var op = FusedGemm()
      op.activation = kind
      (op.gemm.alpha, op.gemm.transB) = (0.5, true)
      (op.activationAlpha, op.activationBeta, op.activationGamma) = (numbers[0], numbers[1], numbers[1])
      return OperatorExample(op, [floats(["m", 3]), floats([4, 3]), floats([4])], sizes: [Symbol("m"): 2])
    }
  }
}
