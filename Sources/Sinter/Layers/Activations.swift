import SinterOps

public struct ReLU: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.relu() }
}

public struct LeakyReLU: UnaryLayer {
  public var slope: Double
  public init(_ slope: Double = 0.01) { self.slope = slope }
  public func forward(_ x: Tensor) -> Tensor { x.leakyRelu(slope) }
}

public struct Sigmoid: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.sigmoid() }
}

public struct Tanh: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.tanh() }
}

public struct GELU: UnaryLayer {
  public var approximate: SinterOps.Gelu.Approximation
  public init(approximate: SinterOps.Gelu.Approximation = .none) { self.approximate = approximate }
  public func forward(_ x: Tensor) -> Tensor { x.gelu(approximate: approximate) }
}

public struct SiLU: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.silu() }
}

public struct Hardswish: UnaryLayer {
  public init() {}
  public func forward(_ x: Tensor) -> Tensor { x.hardswish() }
}

public struct ELU: UnaryLayer {
  public var alpha: Double
  public init(alpha: Double = 1) { self.alpha = alpha }
  public func forward(_ x: Tensor) -> Tensor { x.elu(alpha: alpha) }
}

/// exp(x) / Σ exp(x) along an axis.
public struct Softmax: UnaryLayer {
  public var axis: Int
  public init(_ axis: Int = -1) { self.axis = axis }
  public func forward(_ x: Tensor) -> Tensor { x.softmax(axis) }
}

public struct LogSoftmax: UnaryLayer {
  public var axis: Int
  public init(_ axis: Int = -1) { self.axis = axis }
  public func forward(_ x: Tensor) -> Tensor { x.logSoftmax(axis) }
}
