import SinterOps

/// Normalizes each channel of [n, channels, h, w] by its running statistics.
public struct BatchNorm2d: UnaryLayer, CustomParameterNames {
  public var weight: Parameter, bias: Parameter
  public var runningMean: Parameter, runningVariance: Parameter
  public var epsilon: Double

  public init(_ channels: Int, epsilon: Double = 1e-5) {
    weight = Parameter([channels], initializer: .ones)
    bias = Parameter([channels])
    runningMean = Parameter([channels], role: .buffer)
    runningVariance = Parameter([channels], role: .buffer, initializer: .ones)
    self.epsilon = epsilon
  }

  public func forward(_ x: Tensor) -> Tensor {
    let trace = x.trace
    guard trace.mode == .evaluate else {
      return trace.fail(
        "batchnorm", "batch norm in training mode is not supported; trace with mode: .evaluate", like: x)
    }
    var op = BatchNormalization()
    op.epsilon = epsilon
    return x.applying(
      op, trace.tensor(weight), trace.tensor(bias), trace.tensor(runningMean), trace.tensor(runningVariance))
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
