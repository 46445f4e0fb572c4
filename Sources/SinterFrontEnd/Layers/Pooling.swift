import SinterOps

/// The window of a pool, or what is wrong with it.
private func window(
  _ axes: Int, _ kernel: any AxisSizes, _ stride: any AxisSizes, _ padding: any AxisSizes, _ dilation: any AxisSizes
) -> (Window, problem: String?) {
  var window = Window()
  window.kernel = kernel.sizes(axes)
  window.strides = stride.sizes(axes)
  window.pads = padding.sizes(axes) + padding.sizes(axes)
  window.dilations = dilation.sizes(axes)
  let lists = [
    ("kernel", window.kernel), ("stride", window.strides), ("padding", padding.sizes(axes)),
    ("dilation", window.dilations),
  ]
  for (name, sizes) in lists {
    if sizes.count != axes { return (window, "\(name) must be one number or \(axes), but is \(sizes)") }
    if sizes.contains(where: { $0 < (name == "padding" ? 0 : 1) }) {
      return (window, "\(name) must be positive, but is \(sizes)")
    }
    if sizes.contains(where: { $0 > Int(Int32.max) }) { return (window, "\(name) must have 32 bits, but is \(sizes)") }
  }
  for (size, pad) in zip(window.kernel, padding.sizes(axes)) where pad > size / 2 {
    return (window, "padding must be at most half of the kernel \(window.kernel), but is \(pad)")
  }
  return (window, nil)
}

/// The mistake that an image is smaller than a pool's window, as far as its sizes are numbers; nil where it is not.
private func smallness(_ x: Tensor, _ window: Window) -> Tensor? {
  let axes = window.kernel.count
  guard x.rank >= axes else { return nil }
  for (axis, size) in x.shape.suffix(axes).enumerated() {
    let reach = (window.kernel[axis] - 1) * window.dilations[axis] + 1
    guard let size = size.value, size > 0, size + 2 * window.pads[axis] < reach else { continue }
    return x.trace.fail(
      "pool",
      "the window reaches over \(reach) elements along spatial axis \(axis), but \(x.type) has \(size) there"
        + (window.pads[axis] > 0 ? " and a padding of \(window.pads[axis])" : ""),
      like: x, hint: "take a smaller kernel, or more padding")
  }
  return nil
}

/// Pools take one example without a batch as well.
private func pooled(_ x: Tensor, _ axes: Int, _ pool: (Tensor) -> Tensor) -> Tensor {
  guard x.rank == axes + 1 else { return pool(x) }
  return pool(x.unsqueeze(0)).squeeze(0)
}

/// The greatest element of each window; windows next to one another unless a stride is given. `MaxPool1d`, `MaxPool2d`, `MaxPool3d`.
public struct MaxPooling<Axes: SpatialAxes>: UnaryLayer {
  /// For each spatial axis: the window's size, the distance between windows, the padding on both sides, which never is the greatest element, and the
  /// distance between the elements of a window.
  public var kernel: any AxisSizes, stride: any AxisSizes, padding: any AxisSizes, dilation: any AxisSizes
  /// Whether a window that reaches over the end counts.
  public var ceilMode: Bool

  /// Windows of size `kernel`, `stride` apart, or next to one another where it is nil. Padding is at most half of the kernel.
  public init(
    _ kernel: any AxisSizes, stride: (any AxisSizes)? = nil, padding: any AxisSizes = 0, dilation: any AxisSizes = 1,
    ceilMode: Bool = false
  ) {
    self.kernel = kernel
    self.stride = stride ?? kernel
    self.padding = padding
    self.dilation = dilation
    self.ceilMode = ceilMode
  }

  private func operation(_ x: Tensor) -> (op: MaxPool, problem: String?) {
    var op = MaxPool()
    let (window, problem) = window(Axes.count, kernel, stride, padding, dilation)
    op.window = window
    op.ceilMode = ceilMode
    return (op, problem)
  }

  public func forward(_ x: Tensor) -> Tensor {
    let (op, problem) = operation(x)
    if let problem { return x.trace.fail("pool", problem, like: x) }
    if let small = smallness(x, op.window) { return small }
    return pooled(x, Axes.count) { $0.applying(op) }
  }

  /// The greatest elements, and their places in the plane of their channel: PyTorch's `return_indices=True`.
  public func withIndices(_ x: Tensor, file: StaticString = #fileID, line: UInt = #line) -> (Tensor, Tensor) {
    run(x, file: file, line: line) {
      let (op, problem) = operation(x)
      if let problem {
        let failed = x.trace.fail("pool", problem, like: x)
        return (failed, failed)
      }
      if let small = smallness(x, op.window) { return (small, small) }
      let isOne = x.rank == Axes.count + 1
      let results = x.trace.apply(op, [isOne ? x.unsqueeze(0) : x], outputs: 2)
      // Positions in the whole tensor, of which the plane's remain.
      let plane = x.elementCountOfPlane(Axes.count)
      let (values, places) = (results[0], results[1].applying(Binary(.modulo), plane))
      return isOne ? (values.squeeze(0), places.squeeze(0)) : (values, places)
    }
  }

  public var layerName: String { "MaxPool\(Axes.count)d" }
  public var printedArguments: String {
    "kernel_size=\(kernel.printed), stride=\(stride.printed), padding=\(padding.printed), dilation=\(dilation.printed), "
      + "ceil_mode=\(PrintedForm.bool(ceilMode))"
  }
}

/// Maxima over windows of sequences [batch, channels, length].
public typealias MaxPool1d = MaxPooling<OneAxis>
/// Maxima over windows of images [batch, channels, height, width].
public typealias MaxPool2d = MaxPooling<TwoAxes>
/// Maxima over windows of volumes [batch, channels, depth, height, width].
public typealias MaxPool3d = MaxPooling<ThreeAxes>

extension Tensor {
  /// How many elements the last axes have; i64.
  fileprivate func elementCountOfPlane(_ axes: Int) -> Tensor {
    applying(Shape()).slice(0, from: -axes).applying(Reduce(.product, keepsAxes: false))
  }
}

/// The mean of each window. `AvgPool1d`, `AvgPool2d`, `AvgPool3d`.
public struct AveragePooling<Axes: SpatialAxes>: UnaryLayer {
  /// For each spatial axis: the window's size, the distance between windows, and the padding on both sides.
  public var kernel: any AxisSizes, stride: any AxisSizes, padding: any AxisSizes
  /// Whether a last window that only partly fits counts.
  public var ceilMode: Bool
  /// Whether padding counts as zeros.
  public var countIncludePad: Bool
  /// What sums are divided by in place of the number of elements.
  public var divisorOverride: Int?

  /// Windows of size `kernel`, `stride` apart, or next to one another where it is nil. Padding is at most half of the kernel.
  public init(
    _ kernel: any AxisSizes, stride: (any AxisSizes)? = nil, padding: any AxisSizes = 0, ceilMode: Bool = false,
    countIncludePad: Bool = true, divisorOverride: Int? = nil
  ) {
    self.kernel = kernel
    self.stride = stride ?? kernel
    self.padding = padding
    self.ceilMode = ceilMode
    self.countIncludePad = countIncludePad
    self.divisorOverride = divisorOverride
  }

  public func forward(_ x: Tensor) -> Tensor {
    var op = AveragePool()
    let (window, problem) = window(Axes.count, kernel, stride, padding, 1)
    if let problem { return x.trace.fail("pool", problem, like: x) }
    op.window = window
    op.ceilMode = ceilMode
    if let small = smallness(x, window) { return small }
    op.countIncludePad = countIncludePad
    guard let divisorOverride else { return pooled(x, Axes.count) { $0.applying(op) } }
    guard divisorOverride != 0, !ceilMode else {
      return x.trace.fail(
        "pool", "a divisor must not be 0, and windows that reach over the end have none of their own", like: x)
    }
    // All elements of a window, padding among them, were divided by their number.
    op.countIncludePad = true
    let count = window.kernel.reduce(1) { $0 * Double($1) }
    return pooled(x, Axes.count) { $0.applying(op) * (count / Double(divisorOverride)) }
  }

  public var layerName: String { "AvgPool\(Axes.count)d" }
  public var printedArguments: String {
    func text(_ sizes: any AxisSizes) -> String { Axes.count == 1 ? PrintedForm.tuple(sizes.sizes(1)) : sizes.printed }
    return "kernel_size=\(text(kernel)), stride=\(text(stride)), padding=\(text(padding))"
  }
}

/// Means over windows of sequences [batch, channels, length].
public typealias AvgPool1d = AveragePooling<OneAxis>
/// Means over windows of images [batch, channels, height, width].
public typealias AvgPool2d = AveragePooling<TwoAxes>
/// Means over windows of volumes [batch, channels, depth, height, width].
public typealias AvgPool3d = AveragePooling<ThreeAxes>

/// The p-norm of each window: (Σ xᵖ)^(1/p), as PyTorch's `LPPool2d`.
public struct LPPool2d: UnaryLayer {
  /// The p of the p-norm.
  public var power: Double
  /// The window's height and width, and the distances between windows.
  public var kernel: any AxisSizes, stride: any AxisSizes
  /// Whether a last window that only partly fits counts.
  public var ceilMode: Bool

  /// The norm of the given power over windows of size `kernel`, `stride` apart, or next to one another where it is nil.
  public init(_ power: Double, _ kernel: any AxisSizes, stride: (any AxisSizes)? = nil, ceilMode: Bool = false) {
    self.power = power
    self.kernel = kernel
    self.stride = stride ?? kernel
    self.ceilMode = ceilMode
  }

  public func forward(_ x: Tensor) -> Tensor {
    let count = kernel.sizes(2).reduce(1) { $0 * Double($1) }
    let mean = AvgPool2d(kernel, stride: stride, ceilMode: ceilMode).forward(x.pow(power))
    return (mean.sign() * mean.abs().relu() * count).pow(1 / power)
  }
  public var printedArguments: String {
    "norm_type=\(PrintedForm.number(power)), kernel_size=\(kernel.printed), stride=\(stride.printed), "
      + "ceil_mode=\(PrintedForm.bool(ceilMode))"
  }
}

/// Sizes of a result: a number for all axes, or a list; nil in a list keeps an axis' size.
private func targets(_ size: any AxisSizes, _ axes: Int) -> [Int?] { size.sizes(axes).map { $0 == -1 ? nil : $0 } }

/// The mistake that a result would have more elements along an axis than can be counted with; nil where it would not.
private func excess(_ x: Tensor, _ size: any AxisSizes, _ axes: Int) -> Tensor? {
  guard let large = size.sizes(axes).first(where: { $0 > Int(Int32.max) }) else { return nil }
  return x.trace.fail("pool", "the size of a result must have 32 bits, but is \(large)", like: x)
}

/// The means of parts such that the result has a given size: part i of an axis of s elements goes from ⌊i·s/n⌋ to ⌈(i+1)·s/n⌉. A size of -1
/// leaves an axis as it is. `AdaptiveAvgPool1d`, `AdaptiveAvgPool2d`, `AdaptiveAvgPool3d`.
public struct AdaptiveAveragePooling<Axes: SpatialAxes>: UnaryLayer {
  /// The size of the result along each spatial axis.
  public var size: any AxisSizes

  /// A result of one size along all spatial axes, or of one for each.
  public init(_ size: any AxisSizes = 1) { self.size = size }

  public func forward(_ x: Tensor) -> Tensor {
    if let problem = excess(x, size, Axes.count) { return problem }
    return pooled(x, Axes.count) { $0.adaptiveAveragePool(targets(size, Axes.count)) }
  }
  public var layerName: String { "AdaptiveAvgPool\(Axes.count)d" }
  public var printedArguments: String { "output_size=\(size.printed)" }
}

/// Means that give sequences [batch, channels, length] a fixed size.
public typealias AdaptiveAvgPool1d = AdaptiveAveragePooling<OneAxis>
/// Means that give images [batch, channels, height, width] a fixed size.
public typealias AdaptiveAvgPool2d = AdaptiveAveragePooling<TwoAxes>
/// Means that give volumes [batch, channels, depth, height, width] a fixed size.
public typealias AdaptiveAvgPool3d = AdaptiveAveragePooling<ThreeAxes>

/// The greatest elements of the same parts. `AdaptiveMaxPool1d`, `AdaptiveMaxPool2d`, `AdaptiveMaxPool3d`.
public struct AdaptiveMaxPooling<Axes: SpatialAxes>: UnaryLayer {
  /// The size of the result along each spatial axis.
  public var size: any AxisSizes

  /// A result of one size along all spatial axes, or of one for each.
  public init(_ size: any AxisSizes = 1) { self.size = size }

  public func forward(_ x: Tensor) -> Tensor {
    if let problem = excess(x, size, Axes.count) { return problem }
    return pooled(x, Axes.count) { $0.adaptiveMaxPool(targets(size, Axes.count)) }
  }
  public var layerName: String { "AdaptiveMaxPool\(Axes.count)d" }
  public var printedArguments: String { "output_size=\(size.printed)" }
}

/// Maxima that give sequences [batch, channels, length] a fixed size.
public typealias AdaptiveMaxPool1d = AdaptiveMaxPooling<OneAxis>
/// Maxima that give images [batch, channels, height, width] a fixed size.
public typealias AdaptiveMaxPool2d = AdaptiveMaxPooling<TwoAxes>
/// Maxima that give volumes [batch, channels, depth, height, width] a fixed size.
public typealias AdaptiveMaxPool3d = AdaptiveMaxPooling<ThreeAxes>
