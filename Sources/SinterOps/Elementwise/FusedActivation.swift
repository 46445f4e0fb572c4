import SinterCore
import SinterIR

/// The function behind a product or a convolution that onnxruntime's optimizer has joined with it: a name and up to three numbers.
struct FusedActivation {
  /// Names as ONNX spells them; `none` where nothing was joined.
  enum Kind: String, CaseIterable, Sendable {
    case none = ""
    case celu = "Celu"
    case clip = "Clip"
    case elu = "Elu"
    case hardSigmoid = "HardSigmoid"
    case hardSwish = "HardSwish"
    case leakyRelu = "LeakyRelu"
    case parametricSoftplus = "ParametricSoftplus"
    case relu = "Relu"
    case scaledTanh = "ScaledTanh"
    case selu = "Selu"
    case sigmoid = "Sigmoid"
    case softplus = "Softplus"
    case softsign = "Softsign"
    case tanh = "Tanh"
    case thresholdedRelu = "ThresholdedRelu"

    /// How many numbers the function has.
    var parameterCount: Int {
      switch self {
      case .none, .relu, .sigmoid, .softplus, .softsign, .tanh, .hardSwish: 0
      case .celu, .elu, .leakyRelu, .thresholdedRelu: 1
      case .clip, .hardSigmoid, .parametricSoftplus, .scaledTanh, .selu: 2
      }
    }
  }

  let kind: Kind
  let parameters: [Double]

  /// - Throws: where there are fewer numbers than the function has.
  init(_ kind: Kind, _ parameters: [Double]) throws {
    guard parameters.count >= kind.parameterCount else {
      throw DiagnosticError(
        .user, "activation.parameters",
        "the activation \(kind.rawValue) needs \(kind.parameterCount) parameters, but has \(parameters.count)",
        hint: "export the model again")
    }
    self.kind = kind
    self.parameters = parameters
  }

  /// The function of a value's elements.
  func apply(_ x: ValueID, into builder: inout GraphBuilder) throws -> ValueID {
    func number(_ place: Int) throws -> ValueID { try builder.scalar(parameters[place], try builder.type(x).element) }
    func scaled(_ x: ValueID, by place: Int) throws -> ValueID {
      try builder.add1(Binary(.multiply), [x, try number(place)])
    }
    switch kind {
    case .none: return x
    case .relu: return try builder.add1(Unary(.relu), [x])
    case .sigmoid: return try builder.add1(Unary(.sigmoid), [x])
    case .softplus: return try builder.add1(Unary(.softplus), [x])
    case .softsign: return try builder.add1(Unary(.softsign), [x])
    case .tanh: return try builder.add1(Unary(.tanh), [x])
    case .hardSwish: return try builder.add1(Unary(.hardSwish), [x])
    case .clip: return try builder.add1(Clip(), [x, try number(0), try number(1)])
    case .celu:
      var op = Celu()
      op.alpha = parameters[0]
      return try builder.add1(op, [x])
    case .elu:
      var op = Elu()
      op.alpha = parameters[0]
      return try builder.add1(op, [x])
    case .leakyRelu:
      var op = LeakyRelu()
      op.alpha = parameters[0]
      return try builder.add1(op, [x])
    case .thresholdedRelu:
      var op = ThresholdedRelu()
      op.alpha = parameters[0]
      return try builder.add1(op, [x])
    case .selu:
      var op = Selu()
      (op.alpha, op.gamma) = (parameters[0], parameters[1])
      return try builder.add1(op, [x])
    case .hardSigmoid:
      var op = HardSigmoid()
      (op.alpha, op.beta) = (parameters[0], parameters[1])
      return try builder.add1(op, [x])
    case .scaledTanh:
      return try scaled(try builder.add1(Unary(.tanh), [try scaled(x, by: 1)]), by: 0)
    case .parametricSoftplus:
      return try scaled(try builder.add1(Unary(.softplus), [try scaled(x, by: 1)]), by: 0)
    }
  }
}
