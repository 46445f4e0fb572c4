extension Tensor {
  /// Elements set to zero with a probability while training, the others divided by that of keeping them; nothing in use.
  public func dropout(_ probability: Double = 0.5) -> Tensor { dropped(probability) { $0 } }

  /// - Parameter drawn: a tensor in whose shape random numbers are drawn, one for what is dropped together.
  fileprivate func dropped(_ probability: Double, _ drawn: (Tensor) -> Tensor) -> Tensor {
    guard (0...1).contains(probability) else {
      return trace.fail("dropout", "a probability lies between 0 and 1, but is \(probability)", like: self)
    }
    guard trace.mode == .train, probability > 0 else { return self }
    guard probability < 1 else { return self * 0 }
    let numbers = trace.uniform(like: drawn(self))
    let isKept = numbers >= probability
    return isKept.where(self * (1 / (1 - probability)), trace.scalar(0, like: self))
  }

  /// The first element along all axes from the third on, in whose place a whole channel is dropped.
  fileprivate var firstOfChannels: Tensor {
    (2..<Swift.max(2, rank)).reduce(self) { $0.slice($1, from: 0, to: 1) }
  }
}

/// Sets elements to zero with a probability while training and divides the others by that of keeping them; does nothing in use.
public struct Dropout: UnaryLayer {
  /// How likely it happens, from 0 to 1.
  public var probability: Double

  /// Each element is dropped with the given probability, from 0 to 1.
  public init(_ probability: Double = 0.5) { self.probability = probability }

  public func forward(_ x: Tensor) -> Tensor { x.dropout(probability) }
  public var printedArguments: String { "p=\(PrintedForm.number(probability)), inplace=False" }
}

/// The same for whole channels of [n, channels, …]. `Dropout1d`, `Dropout2d`, `Dropout3d`.
public struct ChannelDropout<Axes: SpatialAxes>: UnaryLayer {
  /// How likely it happens, from 0 to 1.
  public var probability: Double

  /// Each channel of each example is dropped with the given probability, from 0 to 1.
  public init(_ probability: Double = 0.5) { self.probability = probability }

  public func forward(_ x: Tensor) -> Tensor { x.dropped(probability, \.firstOfChannels) }
  public var layerName: String { "Dropout\(Axes.count)d" }
  public var printedArguments: String { "p=\(PrintedForm.number(probability)), inplace=False" }
}

/// Dropout of whole channels of sequences [batch, channels, length].
public typealias Dropout1d = ChannelDropout<OneAxis>
/// Dropout of whole channels of images [batch, channels, height, width].
public typealias Dropout2d = ChannelDropout<TwoAxes>
/// Dropout of whole channels of volumes [batch, channels, depth, height, width].
public typealias Dropout3d = ChannelDropout<ThreeAxes>

/// Dropout that keeps mean and variance behind SELU: what is dropped takes SELU's least value, and all is scaled and moved.
public struct AlphaDropout: UnaryLayer {
  /// How likely it happens, from 0 to 1.
  public var probability: Double

  /// Each element is dropped with the given probability, from 0 to 1.
  public init(_ probability: Double = 0.5) { self.probability = probability }

  public func forward(_ x: Tensor) -> Tensor {
    guard (0...1).contains(probability) else {
      return x.trace.fail("dropout", "a probability lies between 0 and 1, but is \(probability)", like: x)
    }
    guard x.trace.mode == .train, probability > 0 else { return x }
    guard probability < 1 else { return x * 0 }
    let least = -1.7580993408473766
    let scale = 1 / ((1 - probability) * (1 + probability * least * least)).squareRoot()
    let isKept = x.trace.uniform(like: x) >= probability
    return isKept.where(x, x.trace.scalar(least, like: x)) * scale - scale * least * probability
  }
  public var printedArguments: String { "p=\(PrintedForm.number(probability)), inplace=False" }
}
