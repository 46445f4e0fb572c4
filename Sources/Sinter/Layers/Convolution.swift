import SinterOps

/// A convolution over images [n, inputs, h, w]. Weight [outputs, inputs / groups, k, k], bias [outputs].
public struct Conv2d: UnaryLayer {
  public var weight: Parameter
  public var bias: Parameter?
  public var stride: Int, padding: Int, dilation: Int, groups: Int

  public init(
    _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0, dilation: Int = 1, groups: Int = 1,
    bias: Bool = true
  ) {
    let fanIn = inputs / groups * kernel * kernel
    weight = Parameter([outputs, inputs / groups, kernel, kernel], initializer: .fanIn(fanIn))
    self.bias = bias ? Parameter([outputs], initializer: .fanIn(fanIn)) : nil
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
    self.groups = groups
  }

  public func forward(_ x: Tensor) -> Tensor {
    var op = Conv()
    op.window = .square(rank: 2, stride: stride, padding: padding, dilation: dilation)
    op.group = groups
    return x.applying(op, x.trace.tensor(weight), bias.map { x.trace.tensor($0) })
  }
}

/// A convolution over sequences [n, inputs, length]. Weight [outputs, inputs / groups, k], bias [outputs].
public struct Conv1d: UnaryLayer {
  public var weight: Parameter
  public var bias: Parameter?
  public var stride: Int, padding: Int, dilation: Int, groups: Int

  public init(
    _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0, dilation: Int = 1, groups: Int = 1,
    bias: Bool = true
  ) {
    let fanIn = inputs / groups * kernel
    weight = Parameter([outputs, inputs / groups, kernel], initializer: .fanIn(fanIn))
    self.bias = bias ? Parameter([outputs], initializer: .fanIn(fanIn)) : nil
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
    self.groups = groups
  }

  public func forward(_ x: Tensor) -> Tensor {
    var op = Conv()
    op.window = .square(rank: 1, stride: stride, padding: padding, dilation: dilation)
    op.group = groups
    return x.applying(op, x.trace.tensor(weight), bias.map { x.trace.tensor($0) })
  }
}

/// A transposed convolution over images. Weight [inputs, outputs / groups, k, k], bias [outputs].
public struct ConvTranspose2d: UnaryLayer {
  public var weight: Parameter
  public var bias: Parameter?
  public var stride: Int, padding: Int, outputPadding: Int, groups: Int

  public init(
    _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0, outputPadding: Int = 0,
    groups: Int = 1, bias: Bool = true
  ) {
    let fanIn = outputs / groups * kernel * kernel
    weight = Parameter([inputs, outputs / groups, kernel, kernel], initializer: .fanIn(fanIn))
    self.bias = bias ? Parameter([outputs], initializer: .fanIn(fanIn)) : nil
    self.stride = stride
    self.padding = padding
    self.outputPadding = outputPadding
    self.groups = groups
  }

  public func forward(_ x: Tensor) -> Tensor {
    var op = ConvTranspose()
    op.window = .square(rank: 2, stride: stride, padding: padding)
    op.outputPadding = [outputPadding, outputPadding]
    op.group = groups
    return x.applying(op, x.trace.tensor(weight), bias.map { x.trace.tensor($0) })
  }
}

extension Window {
  /// The same stride, padding and dilation along each spatial axis.
  static func square(rank: Int, stride: Int, padding: Int, dilation: Int = 1, kernel: Int? = nil) -> Window {
    var window = Window()
    window.kernel = kernel.map { [Int](repeating: $0, count: rank) } ?? []
    window.strides = [Int](repeating: stride, count: rank)
    window.pads = [Int](repeating: padding, count: 2 * rank)
    window.dilations = [Int](repeating: dilation, count: rank)
    return window
  }
}
