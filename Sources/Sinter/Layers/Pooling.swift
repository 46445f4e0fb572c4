import SinterOps

/// The greatest element of each window of an image; windows next to one another unless a stride is given.
public struct MaxPool2d: UnaryLayer {
  public var kernel: Int, stride: Int, padding: Int

  public init(_ kernel: Int, stride: Int? = nil, padding: Int = 0) {
    self.kernel = kernel
    self.stride = stride ?? kernel
    self.padding = padding
  }

  public func forward(_ x: Tensor) -> Tensor {
    var op = MaxPool()
    op.window = .square(rank: 2, stride: stride, padding: padding, kernel: kernel)
    return x.applying(op)
  }
}

/// The mean of each window of an image, padding counted.
public struct AvgPool2d: UnaryLayer {
  public var kernel: Int, stride: Int, padding: Int

  public init(_ kernel: Int, stride: Int? = nil, padding: Int = 0) {
    self.kernel = kernel
    self.stride = stride ?? kernel
    self.padding = padding
  }

  public func forward(_ x: Tensor) -> Tensor {
    var op = AveragePool()
    op.window = .square(rank: 2, stride: stride, padding: padding, kernel: kernel)
    op.countIncludePad = true
    return x.applying(op)
  }
}

/// The means of parts of an image such that the result is `size` by `size`; the image's sides must be multiples of it.
public struct AdaptiveAvgPool2d: UnaryLayer {
  public var size: Int

  public init(_ size: Int = 1) { self.size = size }

  public func forward(_ x: Tensor) -> Tensor {
    if size == 1 { return x.applying(GlobalPool(.average)) }
    guard let height = x.size(2).value, let width = x.size(3).value, size > 0, height % size == 0, width % size == 0
    else {
      return x.trace.fail("pool", "the sides of \(x.type) are not known to be multiples of \(size)", like: x)
    }
    var op = AveragePool()
    op.window.kernel = [height / size, width / size]
    op.window.strides = op.window.kernel
    return x.applying(op)
  }
}
