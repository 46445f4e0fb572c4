import SinterOps

/// What the convolutions have in common: sizes that they were made with, and what is wrong with them.
private func problem(
  _ inputs: Int, _ outputs: Int, _ groups: Int, axes: Int, lists: KeyValuePairs<String, [Int]>
) -> String? {
  if groups < 1 { return "groups must be positive, but is \(groups)" }
  if inputs < 1 || outputs < 1 { return "channels must be positive, but are \(inputs) and \(outputs)" }
  if inputs % groups != 0 || outputs % groups != 0 {
    return "\(inputs) and \(outputs) channels do not divide into \(groups) groups"
  }
  for (name, sizes) in lists where sizes.count != axes {
    return "\(name) must be one number or \(axes), but is \(sizes)"
  }
  for (name, sizes) in lists where name != "padding" && name != "outputPadding" && sizes.contains(where: { $0 < 1 }) {
    return "\(name) must be positive, but is \(sizes)"
  }
  return nil
}

/// A convolution over [n, inputs, …]. Weight [outputs, inputs / groups, kernel…], bias [outputs]; `Conv1d`, `Conv2d`, `Conv3d`.
public struct Convolution<Axes: SpatialAxes>: UnaryLayer {
  /// The weight, a parameter.
  public var weight: Parameter
  /// The bias, a parameter; nil for a layer without one.
  public var bias: Parameter?
  /// The distances between windows, and between the elements of one: a number, or one for each spatial axis.
  public var stride: any AxisSizes, dilation: any AxisSizes
  /// Zeros, or what `paddingMode` says, around the input.
  public var padding: any ConvolutionPadding
  /// What lies around the input.
  public var paddingMode: PaddingMode
  /// The number of groups that channels are divided into.
  public var groups: Int
  private let inputs: Int, outputs: Int
  private let kernel: [Int]

  /// - Parameters:
  ///   - kernel: the window's size, one number or one per axis, as with stride, padding and dilation.
  ///   - padding: numbers, or `.same` for a result of the input's size.
  ///   - paddingMode: what is added; `.constant` adds zeros.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: any AxisSizes, stride: any AxisSizes = 1,
    padding: some ConvolutionPadding = 0, dilation: any AxisSizes = 1, groups: Int = 1, bias: Bool = true,
    paddingMode: PaddingMode = .constant
  ) {
    self.inputs = inputs
    self.outputs = outputs
    self.kernel = kernel.sizes(Axes.count)
    let depth = groups > 0 ? inputs / groups : inputs
    let fanIn = self.kernel.reduce(depth) { $0.multipliedReportingOverflow(by: $1).partialValue }
    weight = Parameter([outputs, depth] + self.kernel, initializer: .fanIn(fanIn))
    self.bias = bias ? Parameter([outputs], initializer: .fanIn(fanIn)) : nil
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
    self.groups = groups
    self.paddingMode = paddingMode
  }

  public func forward(_ x: Tensor) -> Tensor {
    let strides = stride.sizes(Axes.count), dilations = dilation.sizes(Axes.count)
    let amounts = padding.amounts(kernel: kernel, dilation: dilations)
    if let problem = problem(
      inputs, outputs, groups, axes: Axes.count,
      lists: [
        "kernel": kernel, "stride": strides, "dilation": dilations, "padding": Array(amounts.prefix(amounts.count / 2)),
      ])
    {
      return x.trace.fail("convolution", problem, like: x)
    }
    if padding.isSame, strides.contains(where: { $0 != 1 }) {
      return x.trace.fail("convolution", "padding .same needs a stride of 1, but it is \(strides)", like: x)
    }
    guard x.rank == Axes.count + 2 || x.rank == Axes.count + 1 else {
      return x.trace.fail(
        "convolution", "\(layerName) takes [n, \(inputs), …] with \(Axes.count + 2) axes, but is given \(x.type)",
        like: x)
    }
    var op = Conv()
    op.window.kernel = kernel
    op.window.strides = strides
    op.window.dilations = dilations
    op.window.pads = amounts
    op.group = groups
    // One example without a batch, as PyTorch takes it.
    var padded = x.rank == Axes.count + 1 ? x.unsqueeze(0) : x
    if paddingMode != .constant {
      op.window.pads = amounts.map { _ in 0 }
      let half = amounts.count / 2
      padded = padded.pad((0..<half).reversed().flatMap { [amounts[$0], amounts[$0 + half]] }, mode: paddingMode)
    }
    let result = padded.applying(op, x.trace.tensor(weight), bias.map { x.trace.tensor($0) })
    return x.rank == Axes.count + 1 ? result.squeeze(0) : result
  }

  public var layerName: String { "Conv\(Axes.count)d" }
  public var printedArguments: String {
    var text = "\(inputs), \(outputs), kernel_size=\(PrintedForm.tuple(kernel))"
    text += ", stride=\(PrintedForm.tuple(stride.sizes(Axes.count)))"
    if let padding = padding.printedPadding(Axes.count) { text += ", padding=\(padding)" }
    let dilations = dilation.sizes(Axes.count)
    if dilations.contains(where: { $0 != 1 }) { text += ", dilation=\(PrintedForm.tuple(dilations))" }
    if groups != 1 { text += ", groups=\(groups)" }
    if bias == nil { text += ", bias=False" }
    if paddingMode != .constant { text += ", padding_mode=\(paddingMode.rawValue)" }
    return text
  }
}

/// A convolution of sequences [batch, channels, length].
public typealias Conv1d = Convolution<OneAxis>
/// A convolution of images [batch, channels, height, width].
public typealias Conv2d = Convolution<TwoAxes>
/// A convolution of volumes [batch, channels, depth, height, width].
public typealias Conv3d = Convolution<ThreeAxes>

/// A transposed convolution. Weight [inputs, outputs / groups, kernel…], bias [outputs]; `ConvTranspose1d`, `ConvTranspose2d`, `ConvTranspose3d`.
public struct TransposedConvolution<Axes: SpatialAxes>: UnaryLayer {
  /// The weight, a parameter.
  public var weight: Parameter
  /// The bias, a parameter; nil for a layer without one.
  public var bias: Parameter?
  /// For each spatial axis: the distance between windows, what is cut off both ends of the result, what is added to its end, and the distance between
  /// the elements of a window.
  public var stride: any AxisSizes, padding: any AxisSizes, outputPadding: any AxisSizes, dilation: any AxisSizes
  /// The number of groups that channels are divided into.
  public var groups: Int
  private let inputs: Int, outputs: Int
  private let kernel: [Int]

  /// From [n, inputs, …] to [n, outputs, …]. Along a spatial axis of d elements the result has (d − 1) · stride − 2 · padding + dilation · (kernel −
  /// 1) + outputPadding + 1.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: any AxisSizes, stride: any AxisSizes = 1, padding: any AxisSizes = 0,
    outputPadding: any AxisSizes = 0, groups: Int = 1, bias: Bool = true, dilation: any AxisSizes = 1
  ) {
    self.inputs = inputs
    self.outputs = outputs
    self.kernel = kernel.sizes(Axes.count)
    let depth = groups > 0 ? outputs / groups : outputs
    let fanIn = self.kernel.reduce(depth) { $0.multipliedReportingOverflow(by: $1).partialValue }
    weight = Parameter([inputs, depth] + self.kernel, initializer: .fanIn(fanIn))
    self.bias = bias ? Parameter([outputs], initializer: .fanIn(fanIn)) : nil
    self.stride = stride
    self.padding = padding
    self.outputPadding = outputPadding
    self.dilation = dilation
    self.groups = groups
  }

  public func forward(_ x: Tensor) -> Tensor {
    let (strides, dilations) = (stride.sizes(Axes.count), dilation.sizes(Axes.count))
    let (pads, extra) = (padding.sizes(Axes.count), outputPadding.sizes(Axes.count))
    if let problem = problem(
      inputs, outputs, groups, axes: Axes.count,
      lists: [
        "kernel": kernel, "stride": strides, "dilation": dilations, "padding": pads, "outputPadding": extra,
      ])
    {
      return x.trace.fail("convolution", problem, like: x)
    }
    guard x.rank == Axes.count + 2 || x.rank == Axes.count + 1 else {
      return x.trace.fail(
        "convolution", "\(layerName) takes [n, \(inputs), …] with \(Axes.count + 2) axes, but is given \(x.type)",
        like: x)
    }
    var op = ConvTranspose()
    op.window.kernel = kernel
    op.window.strides = strides
    op.window.dilations = dilations
    op.window.pads = pads + pads
    op.outputPadding = extra
    op.group = groups
    let batch = x.rank == Axes.count + 1 ? x.unsqueeze(0) : x
    let result = batch.applying(op, x.trace.tensor(weight), bias.map { x.trace.tensor($0) })
    return x.rank == Axes.count + 1 ? result.squeeze(0) : result
  }

  public var layerName: String { "ConvTranspose\(Axes.count)d" }
  public var printedArguments: String {
    var text = "\(inputs), \(outputs), kernel_size=\(PrintedForm.tuple(kernel))"
    text += ", stride=\(PrintedForm.tuple(stride.sizes(Axes.count)))"
    func add(_ name: String, _ sizes: any AxisSizes, unless standard: Int) {
      let sizes = sizes.sizes(Axes.count)
      if sizes.contains(where: { $0 != standard }) { text += ", \(name)=\(PrintedForm.tuple(sizes))" }
    }
    add("padding", padding, unless: 0)
    add("dilation", dilation, unless: 1)
    add("output_padding", outputPadding, unless: 0)
    if groups != 1 { text += ", groups=\(groups)" }
    if bias == nil { text += ", bias=False" }
    return text
  }
}

/// A transposed convolution of sequences [batch, channels, length].
public typealias ConvTranspose1d = TransposedConvolution<OneAxis>
/// A transposed convolution of images [batch, channels, height, width].
public typealias ConvTranspose2d = TransposedConvolution<TwoAxes>
/// A transposed convolution of volumes [batch, channels, depth, height, width].
public typealias ConvTranspose3d = TransposedConvolution<ThreeAxes>
