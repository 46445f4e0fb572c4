import SinterOps

/// max(0, x).
public struct ReLU: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.relu() }
}

/// min(max(0, x), 6).
public struct ReLU6: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.relu6() }
}

/// x where positive, elsewhere x times a slope.
public struct LeakyReLU: UnaryLayer {
  /// The slope of the negative side.
  public var slope: Double
  /// Negative elements are multiplied by `slope`.
  public init(_ slope: Double = 0.01) { self.slope = slope }
  public func forward(_ x: Tensor) -> Tensor { x.leakyRelu(slope) }
  public var printedArguments: String { "negative_slope=\(PrintedForm.number(slope))" }
}

/// x where positive, elsewhere times a slope that is trained: one, or one per channel. Weight [count].
public struct PReLU: UnaryLayer {
  /// The weight, a parameter.
  public var weight: Parameter
  /// One trained slope for all elements, or `count` of them, one for each channel of axis 1; all start as `initial`.
  public init(_ count: Int = 1, initial: Double = 0.25) {
    weight = Parameter([count], initializer: .constant(initial))
  }
  public func forward(_ x: Tensor) -> Tensor { x.prelu(x.trace.tensor(weight)) }
  public var printedArguments: String { "num_parameters=\(weight.count)" }
}

/// 1 / (1 + exp(−x)).
public struct Sigmoid: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.sigmoid() }
}

/// The logarithm of the sigmoid.
public struct LogSigmoid: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.logsigmoid() }
}

/// The sigmoid in straight lines: x / 6 + 0.5, held between 0 and 1.
public struct Hardsigmoid: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.hardsigmoid() }
}

/// The hyperbolic tangent.
public struct Tanh: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.tanh() }
}

/// Elements held between two bounds.
public struct Hardtanh: UnaryLayer {
  /// The bounds: smaller elements become `min`, larger ones `max`.
  public var min: Double, max: Double
  /// Holds elements between `min` and `max`.
  public init(min: Double = -1, max: Double = 1) {
    self.min = min
    self.max = max
  }
  public func forward(_ x: Tensor) -> Tensor { x.hardtanh(min: min, max: max) }
  public var printedArguments: String { "min_val=\(PrintedForm.number(min)), max_val=\(PrintedForm.number(max))" }
}

/// x − tanh(x).
public struct Tanhshrink: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.tanhshrink() }
}

/// x / (1 + |x|).
public struct Softsign: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.softsign() }
}

/// log(1 + exp(beta · x)) / beta, and x itself above a threshold.
public struct Softplus: UnaryLayer {
  /// How sharply it bends, and the value of `beta · x` above which the result is x itself.
  public var beta: Double, threshold: Double
  /// log(1 + exp(beta · x)) / beta where `beta · x` is at most `threshold`.
  public init(beta: Double = 1, threshold: Double = 20) {
    self.beta = beta
    self.threshold = threshold
  }
  public func forward(_ x: Tensor) -> Tensor { x.softplus(beta: beta, threshold: threshold) }
  public var printedArguments: String { "beta=\(PrintedForm.number(beta)), threshold=\(PrintedForm.number(threshold))" }
}

/// Elements drawn to zero by a bound, and zero within it.
public struct Softshrink: UnaryLayer {
  /// Elements whose magnitude is at most this become zero.
  public var bound: Double
  /// Draws elements by `bound`, which must not be negative.
  public init(_ bound: Double = 0.5) { self.bound = bound }
  public func forward(_ x: Tensor) -> Tensor { x.softshrink(bound) }
  public var printedArguments: String { PrintedForm.number(bound) }
}

/// Elements outside of a bound, zero within it.
public struct Hardshrink: UnaryLayer {
  /// Elements whose magnitude is at most this become zero.
  public var bound: Double
  /// Keeps elements whose magnitude is more than `bound`.
  public init(_ bound: Double = 0.5) { self.bound = bound }
  public func forward(_ x: Tensor) -> Tensor { x.hardshrink(bound) }
  public var printedArguments: String { PrintedForm.number(bound) }
}

/// Elements above a threshold, another number elsewhere.
public struct Threshold: UnaryLayer {
  /// What elements must exceed to be kept, and what the others become.
  public var threshold: Double, value: Double
  /// Keeps elements above `threshold` and replaces the others by `value`.
  public init(_ threshold: Double, _ value: Double) {
    self.threshold = threshold
    self.value = value
  }
  public func forward(_ x: Tensor) -> Tensor { x.threshold(threshold, value) }
  public var printedArguments: String {
    "threshold=\(PrintedForm.number(threshold)), value=\(PrintedForm.number(value))"
  }
}

/// x times the normal distribution's share below x.
public struct GELU: UnaryLayer {
  /// Whether it is computed by tanh instead of exactly.
  public var approximate: SinterOps.Gelu.Approximation
  /// Exact, or `.tanh` for the approximation.
  public init(approximate: SinterOps.Gelu.Approximation = .none) { self.approximate = approximate }
  public func forward(_ x: Tensor) -> Tensor { x.gelu(approximate: approximate) }
  public var printedArguments: String { "approximate='\(approximate.rawValue)'" }
}

/// x · sigmoid(x), also called swish.
public struct SiLU: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.silu() }
}

/// x · tanh(softplus(x)).
public struct Mish: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.mish() }
}

/// x · hardsigmoid(x).
public struct Hardswish: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.hardswish() }
}

/// x where positive, elsewhere alpha · (exp(x) − 1).
public struct ELU: UnaryLayer {
  /// The limit of the negative side: −alpha.
  public var alpha: Double
  /// The negative side approaches `-alpha`.
  public init(alpha: Double = 1) { self.alpha = alpha }
  public func forward(_ x: Tensor) -> Tensor { x.elu(alpha: alpha) }
  public var printedArguments: String { "alpha=\(PrintedForm.number(alpha))" }
}

/// max(0, x) + min(0, alpha · (exp(x / alpha) − 1)).
public struct CELU: UnaryLayer {
  /// The limit of the negative side: −alpha.
  public var alpha: Double
  /// The negative side approaches `-alpha`, with slope 1 at zero for every alpha.
  public init(alpha: Double = 1) { self.alpha = alpha }
  public func forward(_ x: Tensor) -> Tensor { x.celu(alpha: alpha) }
  public var printedArguments: String { "alpha=\(PrintedForm.number(alpha))" }
}

/// ELU with the scale and the slope that keep means and variances.
public struct SELU: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.selu() }
}

/// The first half along an axis times the sigmoid of the second.
public struct GLU: UnaryLayer {
  /// The axis; a negative one counts from the back.
  public var axis: Int
  /// Halves the given axis, whose size must be even.
  public init(_ axis: Int = -1) { self.axis = axis }
  public func forward(_ x: Tensor) -> Tensor { x.glu(axis) }
  public var printedArguments: String { "dim=\(axis)" }
}

/// exp(x) / Σ exp(x) along an axis.
public struct Softmax: UnaryLayer {
  /// The axis; a negative one counts from the back.
  public var axis: Int
  /// The results add up to 1 along the given axis.
  public init(_ axis: Int = -1) { self.axis = axis }
  public func forward(_ x: Tensor) -> Tensor { x.softmax(axis) }
  public var printedArguments: String { "dim=\(axis)" }
}

/// The logarithm of softmax.
public struct LogSoftmax: UnaryLayer {
  /// The axis; a negative one counts from the back.
  public var axis: Int
  /// The logarithm of `Softmax` along the given axis.
  public init(_ axis: Int = -1) { self.axis = axis }
  public func forward(_ x: Tensor) -> Tensor { x.logSoftmax(axis) }
  public var printedArguments: String { "dim=\(axis)" }
}

/// Softmax of −x.
public struct Softmin: UnaryLayer {
  /// The axis; a negative one counts from the back.
  public var axis: Int
  /// The results add up to 1 along the given axis, the least element having the greatest share.
  public init(_ axis: Int = -1) { self.axis = axis }
  public func forward(_ x: Tensor) -> Tensor { x.softmin(axis) }
  public var printedArguments: String { "dim=\(axis)" }
}
