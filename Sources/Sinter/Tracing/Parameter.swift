/// A trainable tensor of a layer, or one that the layer updates itself: its identity, shape and initial values, but no array.
///
/// Layers hold parameters as stored properties. Two layers that hold the same handle share one value. In a trace a parameter becomes an input of
/// the graph, named by the path of properties that leads to it (`features.0.weight`).
public final class Parameter: Sendable {
  public enum Role: Sendable {
    case trainable
    /// Not trained, but saved: running statistics.
    case buffer
  }

  public let element: ElementType
  public let shape: [Int]
  public let role: Role
  public let initializer: Initializer

  public init(
    _ shape: [Int], element: ElementType = .f32, role: Role = .trainable, initializer: Initializer = .zeros
  ) {
    self.shape = shape
    self.element = element
    self.role = role
    self.initializer = initializer
  }

  public var count: Int { shape.reduce(1, *) }
}

/// How a parameter's first values are made. Random ones follow from a seed and the parameter's name alone.
public enum Initializer: Sendable {
  case zeros
  case ones
  case constant(Double)
  /// Uniform in -bound ..< bound.
  case uniform(bound: Double)
  case normal(mean: Double, deviation: Double)
  case values(HostTensor)

  /// PyTorch's default for linear and convolutional layers: uniform within 1 / sqrt(fan-in).
  public static func fanIn(_ fanIn: Int) -> Initializer { .uniform(bound: 1 / Double(max(1, fanIn)).squareRoot()) }

  /// Glorot's: uniform within sqrt(6 / (fan-in + fan-out)).
  public static func xavierUniform(fanIn: Int, fanOut: Int) -> Initializer {
    .uniform(bound: (6 / Double(max(1, fanIn + fanOut))).squareRoot())
  }

  /// He's, for rectifiers: normal with deviation sqrt(2 / fan-in).
  public static func kaimingNormal(fanIn: Int) -> Initializer {
    .normal(mean: 0, deviation: (2 / Double(max(1, fanIn))).squareRoot())
  }
}
