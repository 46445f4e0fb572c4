import SinterOps

/// Normalizes each channel of [n, channels, …]: in use by its running statistics, while training by the batch's own, of which the running
/// ones keep an average. `BatchNorm1d`, `BatchNorm2d`, `BatchNorm3d`.
///
/// In training, one value per channel has no variance: it is refused where sizes are numbers; where they are symbols, its variance counts as 0.
public struct BatchNormalizing<Axes: SpatialAxes>: UnaryLayer, CustomParameterNames {
  /// Nil where nothing is scaled and moved.
  public var weight: Parameter?, bias: Parameter?
  /// Nil where the batch's own statistics are used always.
  public var runningMean: Parameter?, runningVariance: Parameter?
  /// A small number that keeps a divisor from being zero.
  public var epsilon: Double
  /// The part of the running statistics that a batch replaces, as PyTorch has it.
  public var momentum: Double
  private let channels: Int

  /// For inputs whose axis 1 has `channels` elements. `affine` gives it a scale and a bias; without `trackRunningStats` the batch's own statistics
  /// are used in use as well.
  public init(
    _ channels: Int, epsilon: Double = 1e-5, momentum: Double = 0.1, affine: Bool = true,
    trackRunningStats: Bool = true
  ) {
    self.channels = channels
    weight = affine ? Parameter([channels], initializer: .ones) : nil
    bias = affine ? Parameter([channels]) : nil
    runningMean = trackRunningStats ? Parameter([channels], role: .buffer) : nil
    runningVariance = trackRunningStats ? Parameter([channels], role: .buffer, initializer: .ones) : nil
    self.epsilon = epsilon
    self.momentum = momentum
  }

  public func forward(_ x: Tensor) -> Tensor {
    let trace = x.trace
    let ranks = Axes.count == 1 ? [2, 3] : [Axes.count + 2]
    guard ranks.contains(x.rank) else {
      return trace.fail(
        "norm", "\(layerName) takes \(ranks.map(String.init).joined(separator: " or ")) axes, but is given \(x.type)",
        like: x)
    }
    func values(_ parameter: Parameter?, _ number: Float) -> Tensor {
      parameter.map { trace.tensor($0) }
        ?? trace.constant(
          HostTensor(.f32, [channels], doubles: [Double](repeating: Double(number), count: max(0, channels))))
    }
    let (scale, shift) = (values(weight, 1), values(bias, 0))
    let (mean, variance) = (values(runningMean, 0), values(runningVariance, 1))
    let inputs = [x, scale, shift, mean, variance]
    var op = BatchNormalization()
    op.epsilon = epsilon
    if trace.mode == .evaluate {
      return runningMean == nil ? normalizedByItself(x, scale, shift) : trace.apply(op, inputs)[0]
    }
    let counted = [x.size(0)] + x.shape.dropFirst(2)
    guard
      counted.compactMap(\.value).reduce(1, { $0.multipliedReportingOverflow(by: $1).partialValue }) != 1
        || counted.contains(where: { !$0.isConstant })
    else {
      return trace.fail(
        "norm", "\(layerName) needs more than one value per channel while training, but is given \(x.type)", like: x,
        hint: "make batches of more than one sample")
    }
    op.trainingMode = true
    // The batch's own statistics come out where nothing is kept of the old ones.
    op.momentum = 0
    let results = trace.apply(op, inputs, outputs: 3)
    guard let runningMean, let runningVariance else { return results[0] }
    // The batch is normalized by its variance as it is; what is remembered estimates that of all data.
    // Where sizes show at run time only, one value per channel has the variance 0 rather than none.
    let count = x.applying(Size()).cast(to: .f32) / Double(channels)
    let unbiased = results[2].cast(to: .f32) * (count / (count - 1).clamp(min: 1))
    trace.assign(mean * (1 - momentum) + results[1].cast(to: mean.element) * momentum, to: runningMean)
    trace.assign(
      variance * (1 - momentum) + unbiased.cast(to: variance.element) * momentum, to: runningVariance)
    return results[0]
  }

  /// In use, but by the batch's own statistics.
  private func normalizedByItself(_ x: Tensor, _ scale: Tensor, _ shift: Tensor) -> Tensor {
    let axes = x.integers([0] + Array(2..<x.rank))
    let difference = x - x.applying(Reduce(.mean), axes)
    let deviation = ((difference * difference).applying(Reduce(.mean), axes) + epsilon).sqrt()
    func along(_ parameter: Tensor) -> Tensor { parameter.reshape([Dim(channels)] + x.shape[2...].map { _ in 1 }) }
    return difference / deviation * along(scale) + along(shift)
  }

  public func parameterName(_ property: String) -> String? {
    switch property {
    case "runningMean": "running_mean"
    case "runningVariance": "running_var"
    default: nil
    }
  }

  public var layerName: String { "BatchNorm\(Axes.count)d" }
  public var printedArguments: String {
    "\(channels), eps=\(PrintedForm.number(epsilon)), momentum=\(PrintedForm.number(momentum)), "
      + "affine=\(PrintedForm.bool(weight != nil)), bias=\(PrintedForm.bool(bias != nil)), "
      + "track_running_stats=\(PrintedForm.bool(runningMean != nil))"
  }
}

/// Batch normalization of sequences [batch, channels, length].
public typealias BatchNorm1d = BatchNormalizing<OneAxis>
/// Batch normalization of images [batch, channels, height, width].
public typealias BatchNorm2d = BatchNormalizing<TwoAxes>
/// Batch normalization of volumes [batch, channels, depth, height, width].
public typealias BatchNorm3d = BatchNormalizing<ThreeAxes>

/// Normalizes each channel of each example. `InstanceNorm1d`, `InstanceNorm2d`, `InstanceNorm3d`.
public struct InstanceNormalizing<Axes: SpatialAxes>: UnaryLayer {
  /// The scale and the bias of each channel, [channels]; nil where nothing is scaled and moved.
  public var weight: Parameter?, bias: Parameter?
  /// A small number that keeps a divisor from being zero.
  public var epsilon: Double
  private let channels: Int

  /// For inputs whose axis 1 has `channels` elements. `affine` gives it a scale and a bias.
  public init(_ channels: Int, epsilon: Double = 1e-5, affine: Bool = false) {
    self.channels = channels
    weight = affine ? Parameter([channels], initializer: .ones) : nil
    bias = affine ? Parameter([channels]) : nil
    self.epsilon = epsilon
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank == Axes.count + 2 else {
      return x.trace.fail("norm", "\(layerName) takes \(Axes.count + 2) axes, but is given \(x.type)", like: x)
    }
    var op = GroupNormalization()
    op.epsilon = epsilon
    return x.trace.apply(op, [x] + affine(x.trace, weight, bias, [channels]))[0]
  }

  public var layerName: String { "InstanceNorm\(Axes.count)d" }
  public var printedArguments: String {
    "\(channels), eps=\(PrintedForm.number(epsilon)), momentum=0.1, affine=\(PrintedForm.bool(weight != nil)), "
      + "bias=\(PrintedForm.bool(bias != nil)), track_running_stats=False"
  }
}

/// Normalization of each channel of each example of sequences [batch, channels, length].
public typealias InstanceNorm1d = InstanceNormalizing<OneAxis>
/// Normalization of each channel of each example of images [batch, channels, height, width].
public typealias InstanceNorm2d = InstanceNormalizing<TwoAxes>
/// Normalization of each channel of each example of volumes [batch, channels, depth, height, width].
public typealias InstanceNorm3d = InstanceNormalizing<ThreeAxes>

/// Scale and bias, ones and zeros where a layer has none.
private func affine(_ trace: Trace, _ weight: Parameter?, _ bias: Parameter?, _ shape: [Int]) -> [Tensor?] {
  let count = Parameter(shape).count
  func values(_ parameter: Parameter?, _ number: Double) -> Tensor {
    parameter.map { trace.tensor($0) }
      ?? trace.constant(HostTensor(.f32, shape, doubles: [Double](repeating: number, count: count)))
  }
  return [values(weight, 1), values(bias, 0)]
}

/// Normalizes rows, which are the last axes of the given sizes, to mean 0 and variance 1, with a scale and a bias for each element.
public struct LayerNorm: UnaryLayer {
  /// The scale and the bias of each element, of the shape of what is normalized; nil for a layer without them.
  public var weight: Parameter?, bias: Parameter?
  /// A small number that keeps a divisor from being zero.
  public var epsilon: Double
  private let shape: [Int]

  /// Normalizes the last axes, which must have the given sizes. Without `elementwiseAffine` there is neither scale nor bias.
  public init(_ shape: Int..., epsilon: Double = 1e-5, elementwiseAffine: Bool = true, bias: Bool = true) {
    self.shape = shape
    weight = elementwiseAffine ? Parameter(shape, initializer: .ones) : nil
    self.bias = elementwiseAffine && bias ? Parameter(shape) : nil
    self.epsilon = epsilon
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= shape.count, !shape.isEmpty,
      zip(x.shape.suffix(shape.count), shape).allSatisfy({ $0 == Dim($1) || !$0.isConstant })
    else {
      return x.trace.fail("norm", "the last axes must be \(shape), but the input is \(x.type)", like: x)
    }
    var op = LayerNormalization()
    op.axis = -shape.count
    op.epsilon = epsilon
    let scale = weight.map { x.trace.tensor($0) } ?? affine(x.trace, nil, nil, shape)[0]
    return x.applying(op, scale, bias.map { x.trace.tensor($0) })
  }

  public var printedArguments: String {
    "\(PrintedForm.tuple(shape)), eps=\(PrintedForm.number(epsilon)), elementwise_affine=\(PrintedForm.bool(weight != nil))"
      + ", bias=\(PrintedForm.bool(bias != nil))"
  }
}

/// Divides rows, which are the last axes of the given sizes, by the root of their mean square, with a scale for each element.
public struct RMSNorm: UnaryLayer {
  /// The factor of each element, a parameter; nil for a layer without one.
  public var weight: Parameter?
  /// Nil: the distance from 1 to the next number of the input's type, as in PyTorch.
  public var epsilon: Double?
  private let shape: [Int]

  /// Normalizes the last axes, which must have the given sizes. Without `elementwiseAffine` there is no scale.
  public init(_ shape: Int..., epsilon: Double? = nil, elementwiseAffine: Bool = true) {
    self.shape = shape
    weight = elementwiseAffine ? Parameter(shape, initializer: .ones) : nil
    self.epsilon = epsilon
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= shape.count, !shape.isEmpty,
      zip(x.shape.suffix(shape.count), shape).allSatisfy({ $0 == Dim($1) || !$0.isConstant })
    else {
      return x.trace.fail("norm", "the last axes must be \(shape), but the input is \(x.type)", like: x)
    }
    var op = RMSNormalization()
    op.axis = -shape.count
    op.epsilon = epsilon ?? (x.element == .f64 ? Double.ulpOfOne : Double(Float.ulpOfOne))
    return x.applying(op, weight.map { x.trace.tensor($0) } ?? affine(x.trace, nil, nil, shape)[0])
  }

  public var printedArguments: String {
    "\(PrintedForm.tuple(shape)), eps=\(epsilon.map(PrintedForm.number) ?? "None"), "
      + "elementwise_affine=\(PrintedForm.bool(weight != nil))"
  }
}

/// Normalizes groups of channels of each example, with a scale and a bias per channel.
public struct GroupNorm: UnaryLayer {
  /// The scale and the bias of each channel, [channels]; nil for a layer without them.
  public var weight: Parameter?, bias: Parameter?
  /// The number of groups that channels are divided into.
  public var groups: Int
  /// A small number that keeps a divisor from being zero.
  public var epsilon: Double
  private let channels: Int

  /// For inputs whose axis 1 has `channels` elements, a multiple of `groups`. `affine` gives it a scale and a bias.
  public init(_ groups: Int, _ channels: Int, epsilon: Double = 1e-5, affine: Bool = true) {
    self.channels = channels
    weight = affine ? Parameter([channels], initializer: .ones) : nil
    bias = affine ? Parameter([channels]) : nil
    self.groups = groups
    self.epsilon = epsilon
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard groups > 0, channels % groups == 0 else {
      return x.trace.fail("norm", "\(channels) channels do not divide into \(groups) groups", like: x)
    }
    var op = GroupNormalization()
    op.groups = groups
    op.epsilon = epsilon
    return x.trace.apply(op, [x] + affine(x.trace, weight, bias, [channels]))[0]
  }

  public var printedArguments: String {
    "\(groups), \(channels), eps=\(PrintedForm.number(epsilon)), affine=\(PrintedForm.bool(weight != nil)), "
      + "bias=\(PrintedForm.bool(bias != nil))"
  }
}

/// Each element over a power of the squares of its neighbours along the channels: x / (k + alpha / size · Σ x²)^beta.
public struct LocalResponseNorm: UnaryLayer {
  /// How many neighbouring channels count.
  public var size: Int
  /// The factor of the mean square, the exponent, and what is added to the mean square.
  public var alpha: Double, beta: Double, k: Double

  /// Normalizes by `size` neighbouring channels, with half of them on each side.
  public init(_ size: Int, alpha: Double = 1e-4, beta: Double = 0.75, k: Double = 1) {
    self.size = size
    self.alpha = alpha
    self.beta = beta
    self.k = k
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard size > 0, size <= Int(Int32.max), x.rank >= 3 else {
      return x.trace.fail(
        "norm", "the size must be positive, of 32 bits, and \(x.type) have channels, but it is \(size)", like: x)
    }
    // The operator's window has its greater half behind where the size is even, PyTorch's before; and it has no gradient.
    if size % 2 == 1, x.trace.mode == .evaluate {
      var op = LRN()
      (op.size, op.alpha, op.beta, op.bias) = (size, alpha, beta, k)
      return x.applying(op)
    }
    // The channels as the rows of an image with one channel.
    let rows = (x * x).flatten(from: 2).unsqueeze(1)
    let padded = rows.pad([0, 0, size / 2, (size - 1) / 2])
    let mean = AvgPool2d([size, 1], stride: 1).forward(padded).squeeze(1)
    let divisor = mean.reshape([x.size(0), x.size(1)] + x.shape[2...]) * alpha + k
    return x / divisor.pow(beta)
  }

  public var printedArguments: String {
    "\(size), alpha=\(PrintedForm.number(alpha)), beta=\(PrintedForm.number(beta)), k=\(PrintedForm.number(k))"
  }
}
