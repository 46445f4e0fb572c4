import SinterCore
import SinterForms
import SinterIR

/// x where positive, alpha · x elsewhere.
public struct LeakyRelu: ElementwiseUnary {
  public static let name = "LeakyRelu"
  public static let summary = "x where positive, alpha·x elsewhere."

  /// The slope for negative elements.
  public var alpha = 0.01

  public init() {}
  public mutating func attributes(_ list: inout some AttributeList) { list.float("alpha", &alpha, default: 0.01) }
  public static var onnx: [OnnxRule] { [.direct(LeakyRelu.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 6) }
  public func apply(_ x: Expr) -> Expr { x.builder.select(x < 0, x * alpha, x) }
  public static var examples: [OperatorExample] { activationExamples(LeakyRelu()) }
}

/// x where positive, alpha · (exp(x) - 1) elsewhere.
public struct Elu: ElementwiseUnary {
  public static let name = "Elu"
  public static let summary = "x where positive, alpha·(exp(x) - 1) elsewhere."

  /// The factor of exp(x) - 1, whose negative is the lowest value.
  public var alpha = 1.0

  public init() {}
  public mutating func attributes(_ list: inout some AttributeList) { list.float("alpha", &alpha, default: 1) }
  public static var onnx: [OnnxRule] { [.direct(Elu.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 6) }
  public func apply(_ x: Expr) -> Expr { x.builder.select(x < 0, (x.unary(.exp) - 1) * alpha, x) }
  public static var examples: [OperatorExample] { activationExamples(Elu()) }
}

/// gamma · (x where positive, alpha · (exp(x) - 1) elsewhere).
public struct Selu: ElementwiseUnary {
  public static let name = "Selu"
  public static let summary = "gamma·x where positive, gamma·alpha·(exp(x) - 1) elsewhere."

  /// ONNX's default, for which mean and variance stay 0 and 1 from layer to layer.
  public static let standardAlpha = 1.67326319217681884765625
  /// ONNX's default, which belongs to `standardAlpha`.
  public static let standardGamma = 1.05070102214813232421875
  /// The factor of exp(x) - 1.
  public var alpha = Selu.standardAlpha
  /// The factor of all.
  public var gamma = Selu.standardGamma

  public init() {}
  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("alpha", &alpha, default: Selu.standardAlpha)
    list.float("gamma", &gamma, default: Selu.standardGamma)
  }
  public static var onnx: [OnnxRule] { [.direct(Selu.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 6) }
  public func apply(_ x: Expr) -> Expr {
    x.builder.select(x > 0, x * gamma, (x.unary(.exp) - 1) * (alpha * gamma))
  }
  public static var examples: [OperatorExample] { activationExamples(Selu()) }
}

/// max(0, x) + min(0, alpha · (exp(x / alpha) - 1)).
public struct Celu: ElementwiseUnary {
  public static let name = "Celu"
  public static let summary = "max(0, x) + min(0, alpha·(exp(x / alpha) - 1))."

  /// Where the exponential levels off: the lowest value is -alpha. Not 0.
  public var alpha = 1.0

  public init() {}
  public mutating func attributes(_ list: inout some AttributeList) { list.float("alpha", &alpha, default: 1) }
  public static var onnx: [OnnxRule] { [.direct(Celu.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 12) }
  public func apply(_ x: Expr) -> Expr {
    x.builder.select(x < 0, ((x / alpha).unary(.exp) - 1) * alpha, x)
  }
  public static var examples: [OperatorExample] { activationExamples(Celu()) }
}

/// alpha · x + beta, held between 0 and 1.
public struct HardSigmoid: ElementwiseUnary {
  public static let name = "HardSigmoid"
  public static let summary = "alpha·x + beta, held between 0 and 1."

  /// The slope between the bounds.
  public var alpha = 0.2
  /// The value at 0, before it is held between 0 and 1.
  public var beta = 0.5

  public init() {}
  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("alpha", &alpha, default: 0.2)
    list.float("beta", &beta, default: 0.5)
  }
  public static var onnx: [OnnxRule] { [.direct(HardSigmoid.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 6) }
  public func apply(_ x: Expr) -> Expr {
    (x * alpha + beta).clamped(x.builder.constant(0, x.type), x.builder.constant(1, x.type))
  }
  public static var examples: [OperatorExample] { activationExamples(HardSigmoid()) }
}

/// x where above alpha, 0 elsewhere.
public struct ThresholdedRelu: ElementwiseUnary {
  public static let name = "ThresholdedRelu"
  public static let summary = "x where above alpha, 0 elsewhere."

  /// The greatest element that becomes 0.
  public var alpha = 1.0

  public init() {}
  public mutating func attributes(_ list: inout some AttributeList) { list.float("alpha", &alpha, default: 1) }
  public static var onnx: [OnnxRule] { [.direct(ThresholdedRelu.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 10) }
  public func apply(_ x: Expr) -> Expr { x.builder.select(x > alpha, x, x.builder.constant(0, x.type)) }
  public static var examples: [OperatorExample] { activationExamples(ThresholdedRelu()) }
}

/// x + bias below -lambd, x - bias above lambd, 0 between.
public struct Shrink: ElementwiseUnary {
  public static let name = "Shrink"
  public static let summary = "x + bias below -lambd, x - bias above lambd, 0 between."

  /// What elements outside of the threshold are moved toward 0 by.
  public var bias = 0.0
  /// The threshold: elements from -lambda to lambda become 0.
  public var lambda = 0.5

  public init() {}
  public static func accepts(_ type: ElementType) -> Bool { type.isFloat || type.isInteger }
  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("bias", &bias, default: 0)
    list.float("lambd", &lambda, default: 0.5)
  }
  public static var onnx: [OnnxRule] { [.direct(Shrink.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 9) }
  public func apply(_ x: Expr) -> Expr {
    let wide = x.type.isFloat ? x : x.cast(to: .f64)
    let zero = x.builder.constant(0, wide.type)
    return x.builder.select(wide < -lambda, wide + bias, x.builder.select(wide > lambda, wide - bias, zero)).cast(
      to: x.type)
  }
  public static var examples: [OperatorExample] { activationExamples(Shrink()) }
}

/// x times the normal distribution's cumulative function at x, exact or by tanh.
public struct Gelu: ElementwiseUnary {
  public static let name = "Gelu"
  public static let summary = "x·Φ(x), with erf or with the tanh approximation."

  /// How Φ is computed: by the error function, or by tanh of a polynomial.
  public enum Approximation: String, CaseIterable, Sendable { case none, tanh }

  /// How Φ is computed.
  public var approximate = Approximation.none

  public init() {}
  /// Gelu by one of its formulas.
  public init(_ approximate: Approximation) { self.approximate = approximate }
  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("approximate", &approximate, default: .none)
  }
  public static var onnx: [OnnxRule] { [.direct(Gelu.self, since: 20), .direct(Gelu.self, domain: .microsoft)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 20) }
  public func apply(_ x: Expr) -> Expr {
    switch approximate {
    case .none: x * 0.5 * ((x * 0.70710678118654752440).unary(.erf) + 1)
    case .tanh: x * 0.5 * (((x * x * x * 0.044715 + x) * 0.79788456080286535588).unary(.tanh) + 1)
    }
  }
  public static var examples: [OperatorExample] { activationExamples(Gelu()) + activationExamples(Gelu(.tanh)) }
}

/// x · sigmoid(alpha · x).
public struct Swish: ElementwiseUnary {
  public static let name = "Swish"
  public static let summary = "x·sigmoid(alpha·x); SiLU with alpha 1."

  /// The slope inside the sigmoid.
  public var alpha = 1.0

  public init() {}
  public mutating func attributes(_ list: inout some AttributeList) { list.float("alpha", &alpha, default: 1) }
  public static var onnx: [OnnxRule] {
    [
      .direct(Swish.self, since: 24),
      .direct(Swish.self, as: "QuickGelu", domain: .microsoft) { op, node in op.alpha = node.float("alpha") ?? 1.702 },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 24) }
  public func apply(_ x: Expr) -> Expr { x / ((x * -alpha).unary(.exp) + 1) }
  public static var examples: [OperatorExample] { activationExamples(Swish()) }
}

/// x where positive, slope · x elsewhere; the slope broadcasts to x.
public struct PRelu: Primitive, Elementwise {
  public static let name = "PRelu"
  public static let summary = "x where positive, slope·x elsewhere, with the slope as second input."

  public init() {}

  public static var onnx: [OnnxRule] {
    [
      .direct(PRelu.self, since: 7),
      OnnxRule("PRelu", since: 1) { node, builder in
        // A slope per channel lies along axis 1 of the input.
        var inputs = node.inputs
        if let x = node.input(0), let slope = node.input(1) {
          let (type, own) = (try builder.type(x), try builder.type(slope))
          if own.rank == 1, own.shape[0] != 1, type.rank > 2 {
            inputs[1] = try builder.alignLeft(slope, at: 1, rank: type.rank)
          }
        }
        return try builder.add(PRelu(), inputs)
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 9) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, slope) = (try inputs.tensor(0), try inputs.tensor(1))
    try requireElement(x) { $0.isFloat || $0.isInteger }
    guard slope.element == x.element else {
      throw DiagnosticError(.user, "operator.type", "the slope must have elements of \(x.element), but is \(slope)")
    }
    return [Fact(x.element, try obligations.broadcast(x.shape, slope.shape))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, slope) = (try node.input(0), try node.input(1))
    let shape = try node.output().shape
    return [
      try lowering.element(shape) { builder, index in
        let value = builder.load(x, at: index, of: shape)
        return builder.select(value < 0, value * builder.load(slope, at: index, of: shape), value).cast(to: x.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        PRelu(), [.random(TensorType(.f32, ["n", 4]), -2...2), .random(TensorType(.f32, [4]), 0...1)],
        sizes: [Symbol("n"): 3]),
      OperatorExample(
        PRelu(), [.random(TensorType(.f32, ["n", "c"]), -2...2), .random(TensorType(.f32, ["s"]), 0...1)],
        sizes: [Symbol("n"): 3, Symbol("c"): 4, Symbol("s"): 1]),
    ]
  }
}

private func activationExamples(_ op: any Operator) -> [OperatorExample] {
  [
    OperatorExample(op, [.random(TensorType(.f32, ["n", 9]), -4...4)], sizes: [Symbol("n"): 3]),
    OperatorExample(op, [.random(TensorType(.f16, [8]), -4...4)]),
  ]
}

// MARK: - Gradients

extension LeakyRelu: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    return [try x.compare(.greater, 0).applying(Where(), g, g * alpha)]
  }
}

extension Elu: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    return [try x.compare(.greater, 0).applying(Where(), g, g * (node.output + alpha))]
  }
}

extension Selu: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    return [try x.compare(.greater, 0).applying(Where(), g * gamma, g * (node.output + gamma * alpha))]
  }
}

extension Celu: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    return [try x.compare(.greater, 0).applying(Where(), g, g * (node.output / alpha + 1))]
  }
}

extension HardSigmoid: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (y, g) = (node.output, try node.gradient())
    return [try (g * alpha).kept(where: y.compare(.greater, 0)).kept(where: y.compare(.less, 1))]
  }
}

extension ThresholdedRelu: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    [try node.gradient().kept(where: try node.input(0).compare(.greater, alpha))]
  }
}

extension Shrink: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    [try node.gradient().kept(where: try node.input(0).unary(.abs).compare(.greater, lambda))]
  }
}

extension Gelu: Differentiable {
  /// d/dx x·Φ(x) = Φ(x) + x·φ(x), and the same for the approximation by tanh.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    switch approximate {
    case .none:
      let cumulative = try ((x * 0.5.squareRoot()).unary(.erf) + 1) * 0.5
      let density = try (x * x * -0.5).unary(.exp) * (1 / (2 * Double.pi).squareRoot())
      return [try g * (cumulative + x * density)]
    case .tanh:
      let scale = (2 / Double.pi).squareRoot()
      let square = try x * x
      let t = try (x * (square * (0.044715 * scale) + scale)).unary(.tanh)
      let inner = try square * (3 * 0.044715 * scale) + scale
      return [try g * ((t + 1) * 0.5 + x * 0.5 * (1 - t * t) * inner)]
    }
  }
}

extension Swish: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    let s = try (x * alpha).unary(.sigmoid)
    return [try g * (s + x * alpha * s * (1 - s))]
  }
}

extension PRelu: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, slope, g) = (try node.input(0), try node.input(1), try node.gradient())
    // At 0 as well, as in PyTorch.
    let isNegative = try x.compare(.lessOrEqual, 0)
    return [
      node.wants(0) ? try isNegative.applying(Where(), g * slope, g).summed(to: x) : nil,
      node.wants(1) ? try (g * x).kept(where: isNegative).summed(to: slope) : nil,
    ]
  }
}
