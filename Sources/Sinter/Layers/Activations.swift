import SinterOps

public struct ReLU: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.relu() }
}

public struct ReLU6: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.relu6() }
}

public struct LeakyReLU: UnaryLayer {
  public var slope: Double
  public init(_ slope: Double = 0.01) { self.slope = slope }
  public func forward(_ x: Tensor) -> Tensor { x.leakyRelu(slope) }
  public var printedArguments: String { "negative_slope=\(PrintedForm.number(slope))" }
}

/// x where positive, elsewhere times a slope that is trained: one, or one a channel. Weight [count].
public struct PReLU: UnaryLayer {
  public var weight: Parameter
  public init(_ count: Int = 1, initial: Double = 0.25) {
    weight = Parameter([count], initializer: .constant(initial))
  }
  public func forward(_ x: Tensor) -> Tensor { x.prelu(x.trace.tensor(weight)) }
  public var printedArguments: String { "num_parameters=\(weight.count)" }
}

public struct Sigmoid: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.sigmoid() }
}

public struct LogSigmoid: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.logsigmoid() }
}

public struct Hardsigmoid: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.hardsigmoid() }
}

public struct Tanh: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.tanh() }
}

public struct Hardtanh: UnaryLayer {
  public var min: Double, max: Double
  public init(min: Double = -1, max: Double = 1) {
    self.min = min
    self.max = max
  }
  public func forward(_ x: Tensor) -> Tensor { x.hardtanh(min: min, max: max) }
  public var printedArguments: String { "min_val=\(PrintedForm.number(min)), max_val=\(PrintedForm.number(max))" }
}

public struct Tanhshrink: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.tanhshrink() }
}

public struct Softsign: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.softsign() }
}

public struct Softplus: UnaryLayer {
  public var beta: Double, threshold: Double
  public init(beta: Double = 1, threshold: Double = 20) {
    self.beta = beta
    self.threshold = threshold
  }
  public func forward(_ x: Tensor) -> Tensor { x.softplus(beta: beta, threshold: threshold) }
  public var printedArguments: String { "beta=\(PrintedForm.number(beta)), threshold=\(PrintedForm.number(threshold))" }
}

public struct Softshrink: UnaryLayer {
  public var bound: Double
  public init(_ bound: Double = 0.5) { self.bound = bound }
  public func forward(_ x: Tensor) -> Tensor { x.softshrink(bound) }
  public var printedArguments: String { PrintedForm.number(bound) }
}

public struct Hardshrink: UnaryLayer {
  public var bound: Double
  public init(_ bound: Double = 0.5) { self.bound = bound }
  public func forward(_ x: Tensor) -> Tensor { x.hardshrink(bound) }
  public var printedArguments: String { PrintedForm.number(bound) }
}

public struct Threshold: UnaryLayer {
  public var threshold: Double, value: Double
  public init(_ threshold: Double, _ value: Double) {
    self.threshold = threshold
    self.value = value
  }
  public func forward(_ x: Tensor) -> Tensor { x.threshold(threshold, value) }
  public var printedArguments: String {
    "threshold=\(PrintedForm.number(threshold)), value=\(PrintedForm.number(value))"
  }
}

public struct GELU: UnaryLayer {
  public var approximate: SinterOps.Gelu.Approximation
  public init(approximate: SinterOps.Gelu.Approximation = .none) { self.approximate = approximate }
  public func forward(_ x: Tensor) -> Tensor { x.gelu(approximate: approximate) }
  public var printedArguments: String { "approximate='\(approximate.rawValue)'" }
}

public struct SiLU: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.silu() }
}

public struct Mish: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.mish() }
}

public struct Hardswish: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.hardswish() }
}

public struct ELU: UnaryLayer {
  public var alpha: Double
  public init(alpha: Double = 1) { self.alpha = alpha }
  public func forward(_ x: Tensor) -> Tensor { x.elu(alpha: alpha) }
  public var printedArguments: String { "alpha=\(PrintedForm.number(alpha))" }
}

public struct CELU: UnaryLayer {
  public var alpha: Double
  public init(alpha: Double = 1) { self.alpha = alpha }
  public func forward(_ x: Tensor) -> Tensor { x.celu(alpha: alpha) }
  public var printedArguments: String { "alpha=\(PrintedForm.number(alpha))" }
}

public struct SELU: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.selu() }
}

/// The first half along an axis times the sigmoid of the second.
public struct GLU: UnaryLayer {
  public var axis: Int
  public init(_ axis: Int = -1) { self.axis = axis }
  public func forward(_ x: Tensor) -> Tensor { x.glu(axis) }
  public var printedArguments: String { "dim=\(axis)" }
}

/// exp(x) / Σ exp(x) along an axis.
public struct Softmax: UnaryLayer {
  public var axis: Int
  public init(_ axis: Int = -1) { self.axis = axis }
  public func forward(_ x: Tensor) -> Tensor { x.softmax(axis) }
  public var printedArguments: String { "dim=\(axis)" }
}

public struct LogSoftmax: UnaryLayer {
  public var axis: Int
  public init(_ axis: Int = -1) { self.axis = axis }
  public func forward(_ x: Tensor) -> Tensor { x.logSoftmax(axis) }
  public var printedArguments: String { "dim=\(axis)" }
}

public struct Softmin: UnaryLayer {
  public var axis: Int
  public init(_ axis: Int = -1) { self.axis = axis }
  public func forward(_ x: Tensor) -> Tensor { x.softmin(axis) }
  public var printedArguments: String { "dim=\(axis)" }
}
