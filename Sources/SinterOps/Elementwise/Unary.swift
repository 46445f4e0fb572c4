import SinterCore
import SinterForms
import SinterIR

/// Functions of one element without attributes.
public struct Unary: ElementwiseUnary {
  public static let name = "Unary"
  public static let summary =
    "Functions of one element: arithmetic, rounding, trigonometry, activations without attributes."

  /// Which function of one element.
  public enum Kind: String, CaseIterable, Sendable {
    case negate, abs, sign, reciprocal, exp, log, sqrt, erf
    case sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh
    case floor, ceil, round
    case not, bitwiseNot
    case relu, sigmoid, softplus, softsign, hardSwish, mish

    var onnxName: String {
      switch self {
      case .negate: "Neg"
      case .abs: "Abs"
      case .sign: "Sign"
      case .reciprocal: "Reciprocal"
      case .exp: "Exp"
      case .log: "Log"
      case .sqrt: "Sqrt"
      case .erf: "Erf"
      case .sin: "Sin"
      case .cos: "Cos"
      case .tan: "Tan"
      case .asin: "Asin"
      case .acos: "Acos"
      case .atan: "Atan"
      case .sinh: "Sinh"
      case .cosh: "Cosh"
      case .tanh: "Tanh"
      case .asinh: "Asinh"
      case .acosh: "Acosh"
      case .atanh: "Atanh"
      case .floor: "Floor"
      case .ceil: "Ceil"
      case .round: "Round"
      case .not: "Not"
      case .bitwiseNot: "BitwiseNot"
      case .relu: "Relu"
      case .sigmoid: "Sigmoid"
      case .softplus: "Softplus"
      case .softsign: "Softsign"
      case .hardSwish: "HardSwish"
      case .mish: "Mish"
      }
    }

    /// The opset that has it for f32.
    var since: Int {
      switch self {
      case .negate, .abs, .reciprocal, .exp, .log, .sqrt, .tanh, .floor, .ceil, .relu, .sigmoid: 6
      case .softplus, .softsign, .not: 1
      case .sin, .cos, .tan, .asin, .acos, .atan: 7
      case .sign, .erf, .sinh, .cosh, .asinh, .acosh, .atanh: 9
      case .round: 11
      case .hardSwish: 14
      case .bitwiseNot, .mish: 18
      }
    }

    func accepts(_ type: ElementType) -> Bool {
      switch self {
      case .negate: type.isFloat || type.kind == .signed
      case .abs, .sign, .relu: type.isFloat || type.isInteger
      case .not: type == .bool
      case .bitwiseNot: type.isInteger
      case .reciprocal, .exp, .log, .sqrt, .erf, .sin, .cos, .tan, .asin, .acos, .atan, .sinh, .cosh, .tanh, .asinh,
        .acosh, .atanh, .floor, .ceil, .round, .sigmoid, .softplus, .softsign, .hardSwish, .mish:
        type.isFloat
      }
    }
  }

  /// Which function it is.
  public var kind = Kind.negate

  public init() {}
  /// A function of one element.
  public init(_ kind: Kind) { self.kind = kind }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .negate)
  }

  public static var onnx: [OnnxRule] {
    Kind.allCases.map { kind in .direct(Unary.self, as: kind.onnxName) { op, _ in op.kind = kind }.keepingShape }
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(kind.onnxName, since: kind.since)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x, kind.accepts)
    return [Fact(.tensor(x))]
  }

  public func apply(_ x: Expr) -> Expr {
    let builder = x.builder
    func number(_ value: Double) -> Expr { builder.constant(value, x.type) }
    switch kind {
    case .negate: return x.unary(.negate)
    case .abs: return x.type.kind == .unsigned ? x : x.unary(.abs)
    case .sign:
      // Zero and NaN are their own signs.
      let positive = builder.select(x > 0, number(1), x)
      return x.type.kind == .unsigned ? positive : builder.select(x < 0, number(-1), positive)
    case .reciprocal: return 1 / x
    case .exp: return x.unary(.exp)
    case .log: return x.unary(.log)
    case .sqrt: return x.unary(.sqrt)
    case .erf: return x.unary(.erf)
    case .sin: return x.unary(.sin)
    case .cos: return x.unary(.cos)
    case .tan: return x.unary(.tan)
    case .asin: return x.unary(.asin)
    case .acos: return x.unary(.acos)
    case .atan: return x.unary(.atan)
    case .sinh: return x.unary(.sinh)
    case .cosh: return x.unary(.cosh)
    case .tanh: return x.unary(.tanh)
    case .asinh: return x.unary(.asinh)
    case .acosh: return x.unary(.acosh)
    case .atanh: return x.unary(.atanh)
    case .floor: return x.unary(.floor)
    case .ceil: return x.unary(.ceil)
    case .round: return x.unary(.round)
    case .not, .bitwiseNot: return x.unary(.not)
    case .relu: return x.maximum(number(0))
    case .sigmoid: return Unary.sigmoid(x)
    case .softplus: return x.maximum(number(0)) + ((-x.unary(.abs)).unary(.exp) + 1).unary(.log)
    case .softsign: return x / (x.unary(.abs) + 1)
    case .hardSwish: return x * (x / 6 + 0.5).clamped(number(0), number(1))
    case .mish:
      // tanh(log(1 + e)) = e(e + 2) / (e(e + 2) + 2) with e = exp(x); beyond 20 it is 1 in every type up to f64's last bits.
      let e = x.minimum(number(20)).unary(.exp)
      let n = e * (e + 2)
      return x * (n / (n + 2))
    }
  }

  /// 1 / (1 + exp(-x)).
  static func sigmoid(_ x: Expr) -> Expr { 1 / ((-x).unary(.exp) + 1) }

  public static var examples: [OperatorExample] {
    Kind.allCases.map { kind in
      let type: ElementType =
        switch kind {
        case .not: .bool
        case .bitwiseNot: .u8
        default: .f32
        }
      let range: ClosedRange<Double> =
        switch kind {
        case .log, .sqrt: 0.1...4
        case .acosh: 1.1...4
        case .asin, .acos, .atanh: -0.9...0.9
        case .bitwiseNot: 0...255
        case .not: 0...2
        default: -3...3
        }
      return OperatorExample(Unary(kind), [.random(TensorType(type, [3, "n"]), range)], sizes: [Symbol("n"): 5])
    } + [
      OperatorExample(Unary(.relu), [.random(TensorType(.i32, [7]), -9...9)]),
      OperatorExample(Unary(.sigmoid), [.random(TensorType(.f16, [7]), -9...9)]),
      OperatorExample(Unary(.negate), [.random(TensorType(.f64, []), -9...9)]),
    ]
  }
}

extension Unary: Differentiable {
  /// Where a function has no derivative, the one of PyTorch: 0 for the rectifier and the absolute value at 0.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    switch kind {
    case .sign, .floor, .ceil, .round, .not, .bitwiseNot: [nil]
    case .negate: [try -node.gradient()]
    case .relu: [try node.gradient().kept(where: node.output.compare(.greater, 0))]
    default: [try node.gradient() * derivative(at: try node.input(0), node.output)]
    }
  }

  /// The derivative, told by the input or the result, whichever is shorter.
  private func derivative(at x: GradientTensor, _ y: GradientTensor) throws -> GradientTensor {
    switch kind {
    case .abs: return try x.unary(.sign)
    case .reciprocal: return try -(y * y)
    case .exp: return y
    case .log: return try 1 / x
    case .sqrt: return try 0.5 / y
    case .erf: return try (2 / Double.pi.squareRoot()) * (-(x * x)).unary(.exp)
    case .sin: return try x.unary(.cos)
    case .cos: return try -x.unary(.sin)
    case .tan: return try 1 + y * y
    case .asin: return try 1 / (1 - x * x).unary(.sqrt)
    case .acos: return try -1 / (1 - x * x).unary(.sqrt)
    case .atan: return try 1 / (1 + x * x)
    case .sinh: return try x.unary(.cosh)
    case .cosh: return try x.unary(.sinh)
    case .tanh: return try 1 - y * y
    case .asinh: return try 1 / (x * x + 1).unary(.sqrt)
    case .acosh: return try 1 / (x * x - 1).unary(.sqrt)
    case .atanh: return try 1 / (1 - x * x)
    case .sigmoid: return try y * (1 - y)
    case .softplus: return try x.unary(.sigmoid)
    case .softsign:
      let scale = try 1 / (x.unary(.abs) + 1)
      return try scale * scale
    case .hardSwish:
      let slope = try (x / 3 + 0.5).dropped(where: x.compare(.less, -3))
      return try x.compare(.greater, 3).applying(Where(), x.number(1), slope)
    case .mish:
      let t = try x.unary(.softplus).unary(.tanh)
      return try t + x * (1 - t * t) * x.unary(.sigmoid)
    case .negate, .relu, .sign, .floor, .ceil, .round, .not, .bitwiseNot:
      throw DiagnosticError(.bug, "gradient.unary", "\(kind) has a rule of its own")
    }
  }
}
