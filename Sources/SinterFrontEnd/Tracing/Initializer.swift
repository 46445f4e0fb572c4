/// How a parameter's first values are made: PyTorch's `nn.init`. Random ones follow from a seed and the parameter's name alone.
public enum Initializer: Sendable {
  case zeros
  case ones
  case constant(Double)
  /// Uniform in -bound ..< bound.
  case uniform(bound: Double)
  /// Uniform in low ..< high.
  case uniformRange(low: Double, high: Double)
  case normal(mean: Double, deviation: Double)
  /// Normal, drawn again where a value lies outside of low ... high.
  case truncatedNormal(mean: Double, deviation: Double, low: Double, high: Double)
  /// Rows (or columns, where there are fewer) that are orthogonal and have the length `gain`; axes after the first count as one.
  case orthogonal(gain: Double)
  /// Ones on the diagonal of a matrix.
  case identity
  /// Mean 0 and a deviation of gain / sqrt(fan), as the parameter's shape has it.
  case scaled(gain: Double, fan: Fan, isNormal: Bool)
  case values(HostTensor)
  /// As another, but the row at an index is zero: that of an embedding's padding.
  indirect case zeroRow(Int, of: Initializer)

  /// What the deviation of initial values is measured by: how many elements a result is a sum of, into how many results an element goes, or the
  /// mean of both. Of a weight [outputs, inputs, window…], times the window.
  public enum Fan: Sendable { case input, output, mean }

  /// The function behind a layer, on which the gain depends: PyTorch's `calculate_gain`.
  public enum Nonlinearity: Sendable {
    case linear, sigmoid, tanh, relu, selu
    case leakyRelu(slope: Double)

    /// The factor that keeps the spread of results behind the activation, as PyTorch's `calculate_gain`.
    public var gain: Double {
      switch self {
      case .linear, .sigmoid: 1
      case .tanh: 5.0 / 3
      case .relu: 2.0.squareRoot()
      case .selu: 0.75
      case .leakyRelu(let slope): (2 / (1 + slope * slope)).squareRoot()
      }
    }
  }

  /// PyTorch's default for linear and convolutional layers: uniform within 1 / sqrt(fan-in).
  public static func fanIn(_ fanIn: Int) -> Initializer { .uniform(bound: 1 / Double(max(1, fanIn)).squareRoot()) }

  /// Uniform in low ..< high.
  public static func uniform(_ low: Double = 0, _ high: Double = 1) -> Initializer {
    .uniformRange(low: low, high: high)
  }

  /// Normal, held within low ... high: PyTorch's `trunc_normal_`.
  public static func truncatedNormal(
    mean: Double = 0, deviation: Double = 1, from low: Double = -2, to high: Double = 2
  ) -> Initializer {
    .truncatedNormal(mean: mean, deviation: deviation, low: low, high: high)
  }

  /// Glorot's: uniform within gain · sqrt(6 / (fan-in + fan-out)), by the parameter's shape.
  public static func xavierUniform(gain: Double = 1) -> Initializer { .scaled(gain: gain, fan: .mean, isNormal: false) }

  /// Glorot's: normal with deviation gain · sqrt(2 / (fan-in + fan-out)), by the parameter's shape.
  public static func xavierNormal(gain: Double = 1) -> Initializer { .scaled(gain: gain, fan: .mean, isNormal: true) }

  /// He's: uniform within gain · sqrt(3 / fan), by the parameter's shape.
  public static func kaimingUniform(_ nonlinearity: Nonlinearity = .relu, fan: Fan = .input) -> Initializer {
    .scaled(gain: nonlinearity.gain, fan: fan, isNormal: false)
  }

  /// He's: normal with deviation gain / sqrt(fan), by the parameter's shape.
  public static func kaimingNormal(_ nonlinearity: Nonlinearity = .relu, fan: Fan = .input) -> Initializer {
    .scaled(gain: nonlinearity.gain, fan: fan, isNormal: true)
  }

  /// Glorot's: uniform within sqrt(6 / (fan-in + fan-out)).
  public static func xavierUniform(fanIn: Int, fanOut: Int) -> Initializer {
    .uniform(bound: (6 / Double(max(1, fanIn + fanOut))).squareRoot())
  }

  /// He's, for rectifiers: normal with deviation sqrt(2 / fan-in).
  public static func kaimingNormal(fanIn: Int) -> Initializer {
    .normal(mean: 0, deviation: (2 / Double(max(1, fanIn))).squareRoot())
  }
}
