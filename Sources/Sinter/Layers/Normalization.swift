import SinterOps

/// Normalizes each channel of [n, channels, h, w]: in use by its running statistics, while training by the batch's own, of which the running
/// ones keep an average.
public struct BatchNorm2d: UnaryLayer, CustomParameterNames {
  public var weight: Parameter, bias: Parameter
  public var runningMean: Parameter, runningVariance: Parameter
  public var epsilon: Double
  /// The part of the running statistics that a batch replaces, as PyTorch has it.
  public var momentum: Double

  public init(_ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1) {
    weight = Parameter([channels], initializer: .ones)
    bias = Parameter([channels])
    runningMean = Parameter([channels], role: .buffer)
    runningVariance = Parameter([channels], role: .buffer, initializer: .ones)
    self.epsilon = epsilon
    self.momentum = momentum
  }

  public func forward(_ x: Tensor) -> Tensor {
    let trace = x.trace
    let (scale, shift) = (trace.tensor(weight), trace.tensor(bias))
    let (mean, variance) = (trace.tensor(runningMean), trace.tensor(runningVariance))
    let inputs = [x, scale, shift, mean, variance]
    var op = BatchNormalization()
    op.epsilon = epsilon
    guard trace.mode == .train else { return trace.apply(op, inputs)[0] }
    op.trainingMode = true
    // The batch's own statistics come out where nothing is kept of the old ones.
    op.momentum = 0
    let results = trace.apply(op, inputs, outputs: 3)
    // The batch is normalized by its variance as it is; what is remembered estimates that of all data.
    let count = x.applying(Size()).cast(to: x.element) / Double(weight.count)
    let unbiased = results[2] * (count / (count - 1))
    trace.assign(mean * (1 - momentum) + results[1] * momentum, to: runningMean)
    trace.assign(variance * (1 - momentum) + unbiased * momentum, to: runningVariance)
    return results[0]
  }

  public func parameterName(_ property: String) -> String? {
    switch property {
    case "runningMean": "running_mean"
    case "runningVariance": "running_var"
    default: nil
    }
  }
}

/// The same over [n, channels] or [n, channels, length].
public typealias BatchNorm1d = BatchNorm2d

/// Normalizes rows, which are the last axes of the given sizes, to mean 0 and variance 1, with a scale and a bias for each element.
public struct LayerNorm: UnaryLayer {
  public var weight: Parameter, bias: Parameter
  public var epsilon: Double

  public init(_ shape: Int..., epsilon: Double = 1e-5) {
    weight = Parameter(shape, initializer: .ones)
    bias = Parameter(shape)
    self.epsilon = epsilon
  }

  public func forward(_ x: Tensor) -> Tensor {
    var op = LayerNormalization()
    op.axis = -weight.shape.count
    op.epsilon = epsilon
    return x.applying(op, x.trace.tensor(weight), x.trace.tensor(bias))
  }
}

/// Normalizes groups of channels of each example, with a scale and a bias a channel.
public struct GroupNorm: UnaryLayer {
  public var weight: Parameter, bias: Parameter
  public var groups: Int
  public var epsilon: Double

  public init(_ groups: Int, _ channels: Int, epsilon: Double = 1e-5) {
    weight = Parameter([channels], initializer: .ones)
    bias = Parameter([channels])
    self.groups = groups
    self.epsilon = epsilon
  }

  public func forward(_ x: Tensor) -> Tensor {
    var op = GroupNormalization()
    op.groups = groups
    op.epsilon = epsilon
    return x.applying(op, x.trace.tensor(weight), x.trace.tensor(bias))
  }
}
