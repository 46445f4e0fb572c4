/// One number for each spatial axis: an integer stands for all of them, a list names each, `3` or `[3, 5]`.
public protocol AxisSizes: Sendable {
  func sizes(_ axes: Int) -> [Int]
  /// As it was given, in PyTorch's words: `3` or `(3, 5)`.
  var printed: String { get }
}

extension Int: AxisSizes {
  public func sizes(_ axes: Int) -> [Int] { [Int](repeating: self, count: axes) }
  public var printed: String { "\(self)" }
}

extension Array: AxisSizes where Element == Int {
  public func sizes(_ axes: Int) -> [Int] { self }
  public var printed: String { PrintedForm.tuple(self) }
}

/// How much a convolution adds around its input: numbers, or `.same` for a result of the input's size, or `.valid` for nothing.
public protocol ConvolutionPadding: Sendable {
  /// All begins, then all ends.
  func amounts(kernel: [Int], dilation: [Int]) -> [Int]
  /// In PyTorch's words; nil where nothing is added.
  func printedPadding(_ axes: Int) -> String?
  var isSame: Bool { get }
}

extension ConvolutionPadding {
  public var isSame: Bool { false }
}

extension Int: ConvolutionPadding {
  public func amounts(kernel: [Int], dilation: [Int]) -> [Int] { [Int](repeating: self, count: 2 * kernel.count) }
  public func printedPadding(_ axes: Int) -> String? { self == 0 ? nil : PrintedForm.tuple(sizes(axes)) }
}

extension Array: ConvolutionPadding where Element == Int {
  public func amounts(kernel: [Int], dilation: [Int]) -> [Int] { self + self }
  public func printedPadding(_ axes: Int) -> String? { allSatisfy { $0 == 0 } ? nil : PrintedForm.tuple(self) }
}

/// Padding that follows from the window.
public struct WindowPadding: ConvolutionPadding {
  public let isSame: Bool

  /// dilation · (kernel − 1) in all, the greater half behind.
  public func amounts(kernel: [Int], dilation: [Int]) -> [Int] {
    let totals = isSame ? zip(kernel, dilation).map { $1 * ($0 - 1) } : kernel.map { _ in 0 }
    return totals.map { $0 / 2 } + totals.map { $0 - $0 / 2 }
  }
  public func printedPadding(_ axes: Int) -> String? { isSame ? "same" : "valid" }
}

extension ConvolutionPadding where Self == WindowPadding {
  /// As much padding as gives the result the input's size, for a stride of 1: `padding: .same`.
  public static var same: WindowPadding { WindowPadding(isSame: true) }
  /// No padding: `padding: .valid`.
  public static var valid: WindowPadding { WindowPadding(isSame: false) }
}

/// How many axes behind batch and channels a layer works on.
public protocol SpatialAxes: Sendable {
  static var count: Int { get }
}

/// Sequences: [n, channels, length].
public enum OneAxis: SpatialAxes { public static var count: Int { 1 } }
/// Images: [n, channels, height, width].
public enum TwoAxes: SpatialAxes { public static var count: Int { 2 } }
/// Volumes: [n, channels, depth, height, width].
public enum ThreeAxes: SpatialAxes { public static var count: Int { 3 } }
