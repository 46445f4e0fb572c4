import Synchronization

/// How tensors are printed: PyTorch's `set_printoptions`.
public struct PrintOptions: Hashable, Sendable {
  /// Digits behind the point.
  public var precision = 4
  /// A tensor of more elements than this is printed without its middle,
  public var threshold = 1000
  /// with so many elements at the beginning and at the end of each axis.
  public var edgeItems = 3
  /// The longest line, in characters.
  public var lineWidth = 80

  /// PyTorch's defaults.
  public init() {}

  private static let current = Mutex(PrintOptions())

  /// Those that tensors are printed with from now on, on all threads. Negative numbers count as 0.
  public static var shared: PrintOptions {
    get { current.withLock { $0 } }
    set { current.withLock { $0 = newValue.clamped } }
  }

  /// The same with numbers that a printer can follow.
  var clamped: PrintOptions {
    var options = self
    options.precision = min(max(0, precision), 17)
    // Twice as many can be counted.
    (options.threshold, options.edgeItems, options.lineWidth) = (
      max(0, threshold), min(max(0, edgeItems), Int(Int32.max)), max(0, lineWidth)
    )
    return options
  }
}
