/// x · Wᵀ + b over the last axis. Weight [outputs, inputs], bias [outputs]; both start uniform within 1 / sqrt(inputs).
public struct Linear: UnaryLayer {
  public var weight: Parameter
  public var bias: Parameter?

  public init(_ inputs: Int, _ outputs: Int, bias: Bool = true) {
    weight = Parameter([outputs, inputs], initializer: .fanIn(inputs))
    self.bias = bias ? Parameter([outputs], initializer: .fanIn(inputs)) : nil
  }

  public func forward(_ x: Tensor) -> Tensor {
    let product = x.matmul(x.trace.tensor(weight).transpose(0, 1))
    return bias.map { product + x.trace.tensor($0) } ?? product
  }
}

/// Rows of a table by index. Weight [count, width], normal at first; the input is an integer tensor of any shape.
public struct Embedding: UnaryLayer {
  public var weight: Parameter

  public init(_ count: Int, _ width: Int) {
    weight = Parameter([count, width], initializer: .normal(mean: 0, deviation: 1))
  }

  public func forward(_ x: Tensor) -> Tensor { x.trace.tensor(weight).gather(x) }
}

/// Sets elements to zero at random while training, and does nothing in use.
public struct Dropout: UnaryLayer {
  public var probability: Double

  public init(_ probability: Double = 0.5) { self.probability = probability }

  public func forward(_ x: Tensor) -> Tensor {
    switch x.trace.mode {
    case .evaluate: return x
    case .train:
      return x.trace.fail("dropout", "dropout in training mode is not supported; trace with mode: .evaluate", like: x)
    }
  }
}
