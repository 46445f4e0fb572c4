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

/// Sets elements to zero with a probability while training and divides the others by that of keeping them; does nothing in use.
public struct Dropout: UnaryLayer {
  public var probability: Double

  public init(_ probability: Double = 0.5) { self.probability = probability }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.trace.mode == .train, probability > 0 else { return x }
    guard probability < 1 else { return x * 0 }
    let trace = x.trace
    let drawn = trace.uniform(like: x)
    let isKept = drawn >= trace.scalar(probability, like: drawn)
    return isKept.where(x * (1 / (1 - probability)), trace.scalar(0, like: x))
  }
}
