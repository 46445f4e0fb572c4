/// A rule of what is added around [n, channels, …], as a type.
public protocol PaddingRule: Sendable {
  static var mode: PaddingMode { get }
  static var name: String { get }
}

/// What lies around is the inside, reflected at the edge.
public enum ReflectionRule: PaddingRule {
  public static var mode: PaddingMode { .reflect }
  public static var name: String { "ReflectionPad" }
}
/// What lies around is the element at the edge.
public enum ReplicationRule: PaddingRule {
  public static var mode: PaddingMode { .replicate }
  public static var name: String { "ReplicationPad" }
}
/// What lies around is what lies at the other end.
public enum CircularRule: PaddingRule {
  public static var mode: PaddingMode { .circular }
  public static var name: String { "CircularPad" }
}
/// Zeros lie around.
public enum ZeroRule: PaddingRule {
  public static var mode: PaddingMode { .constant }
  public static var name: String { "ZeroPad" }
}

/// Adds elements around: one number for all sides, or a list in PyTorch's order, `[left, right, top, bottom]`. `ReflectionPad2d`,
/// `ReplicationPad2d`, `CircularPad2d`, `ZeroPad2d`, and their kin for one axis and three.
public struct Padding<Axes: SpatialAxes, Rule: PaddingRule>: UnaryLayer {
  /// Elements before and after each axis, from the last axis on, as PyTorch has them.
  public var amounts: [Int]

  /// Adds one number of elements on all sides, or a list of 2 · axes numbers from the last axis on.
  public init(_ amounts: any AxisSizes) { self.amounts = amounts.sizes(2 * Axes.count) }

  public func forward(_ x: Tensor) -> Tensor {
    guard amounts.count == 2 * Axes.count else {
      return x.trace.fail("pad", "\(layerName) takes one number or \(2 * Axes.count), but is given \(amounts)", like: x)
    }
    return x.pad(amounts, mode: Rule.mode)
  }
  public var layerName: String { "\(Rule.name)\(Axes.count)d" }
  public var printedArguments: String { PrintedForm.tuple(amounts) }
}

/// Padding of sequences [batch, channels, length] by reflection at the edges.
public typealias ReflectionPad1d = Padding<OneAxis, ReflectionRule>
/// Padding of images [batch, channels, height, width] by reflection at the edges.
public typealias ReflectionPad2d = Padding<TwoAxes, ReflectionRule>
/// Padding of volumes [batch, channels, depth, height, width] by reflection at the edges.
public typealias ReflectionPad3d = Padding<ThreeAxes, ReflectionRule>
/// Padding of sequences [batch, channels, length] by the elements at the edges.
public typealias ReplicationPad1d = Padding<OneAxis, ReplicationRule>
/// Padding of images [batch, channels, height, width] by the elements at the edges.
public typealias ReplicationPad2d = Padding<TwoAxes, ReplicationRule>
/// Padding of volumes [batch, channels, depth, height, width] by the elements at the edges.
public typealias ReplicationPad3d = Padding<ThreeAxes, ReplicationRule>
/// Padding of sequences [batch, channels, length] by what lies at the other end.
public typealias CircularPad1d = Padding<OneAxis, CircularRule>
/// Padding of images [batch, channels, height, width] by what lies at the other end.
public typealias CircularPad2d = Padding<TwoAxes, CircularRule>
/// Padding of volumes [batch, channels, depth, height, width] by what lies at the other end.
public typealias CircularPad3d = Padding<ThreeAxes, CircularRule>
/// Padding of sequences [batch, channels, length] by zeros.
public typealias ZeroPad1d = Padding<OneAxis, ZeroRule>
/// Padding of images [batch, channels, height, width] by zeros.
public typealias ZeroPad2d = Padding<TwoAxes, ZeroRule>
/// Padding of volumes [batch, channels, depth, height, width] by zeros.
public typealias ZeroPad3d = Padding<ThreeAxes, ZeroRule>

/// Adds a number around, as `ZeroPad2d` adds zeros. `ConstantPad1d`, `ConstantPad2d`, `ConstantPad3d`.
public struct ConstantPadding<Axes: SpatialAxes>: UnaryLayer {
  /// Elements before and after each axis, from the last axis on, as PyTorch has them.
  public var amounts: [Int]
  /// The number that lies around.
  public var value: Double

  /// Adds `value` on all sides, as often as one number or a list of 2 · axes numbers from the last axis on says.
  public init(_ amounts: any AxisSizes, _ value: Double) {
    self.amounts = amounts.sizes(2 * Axes.count)
    self.value = value
  }

  public func forward(_ x: Tensor) -> Tensor { x.pad(amounts, value: value) }
  public var layerName: String { "ConstantPad\(Axes.count)d" }
  public var printedArguments: String { "padding=\(PrintedForm.tuple(amounts)), value=\(PrintedForm.number(value))" }
}

/// Padding of sequences [batch, channels, length] by a number.
public typealias ConstantPad1d = ConstantPadding<OneAxis>
/// Padding of images [batch, channels, height, width] by a number.
public typealias ConstantPad2d = ConstantPadding<TwoAxes>
/// Padding of volumes [batch, channels, depth, height, width] by a number.
public typealias ConstantPad3d = ConstantPadding<ThreeAxes>

/// Resamples [n, channels, …] to a size or by a factor, as `interpolate`.
public struct Upsample: UnaryLayer {
  /// The size of the result; nil where `scale` tells it.
  public var size: [Int]?
  /// How much larger the result is; nil where `size` tells it.
  public var scale: (any UpsampleScale)?
  /// How elements between others are found.
  public var mode: Interpolation
  /// Whether the corners of input and result lie on each other.
  public var alignCorners: Bool

  /// Resamples to `size` or by `scale`, of which one is given; `alignCorners` is for linear and cubic modes.
  public init(
    size: [Int]? = nil, scale: (any UpsampleScale)? = nil, mode: Interpolation = .nearest, alignCorners: Bool = false
  ) {
    self.size = size
    self.scale = scale
    self.mode = mode
    self.alignCorners = alignCorners
  }

  public func forward(_ x: Tensor) -> Tensor {
    x.interpolate(
      size: size, scale: scale?.factors(Swift.max(0, x.rank - 2)), mode: mode, alignCorners: alignCorners)
  }

  public var printedArguments: String {
    let what = scale.map { "scale_factor=\($0.printed)" } ?? "size=\(PrintedForm.tuple(size ?? []))"
    let name = mode == .nearestExact ? "nearest-exact" : mode == .linear ? "bilinear" : mode.rawValue
    return "\(what), mode='\(name)'"
  }
}

/// One factor for all axes, or a list of them.
public protocol UpsampleScale: Sendable {
  func factors(_ axes: Int) -> [Double]
  var printed: String { get }
}
extension Double: UpsampleScale {
  public func factors(_ axes: Int) -> [Double] { [Double](repeating: self, count: axes) }
  public var printed: String { PrintedForm.number(self) }
}
extension Int: UpsampleScale {
  public func factors(_ axes: Int) -> [Double] { [Double](repeating: Double(self), count: axes) }
}
extension [Double]: UpsampleScale {
  public func factors(_ axes: Int) -> [Double] { self }
  public var printed: String { "(" + map(PrintedForm.number).joined(separator: ", ") + ")" }
}

/// Channels moved into squares of `factor` by `factor` places.
public struct PixelShuffle: UnaryLayer {
  /// How many pixels one becomes along height and width, or the other way round.
  public var factor: Int
  /// From [n, c · factor², h, w] to [n, c, h · factor, w · factor].
  public init(_ factor: Int) { self.factor = factor }
  public func forward(_ x: Tensor) -> Tensor { x.pixelShuffle(factor) }
  public var printedArguments: String { "upscale_factor=\(factor)" }
}

/// Squares of `factor` by `factor` places moved into channels.
public struct PixelUnshuffle: UnaryLayer {
  /// How many pixels one becomes along height and width, or the other way round.
  public var factor: Int
  /// From [n, c, h · factor, w · factor] to [n, c · factor², h, w].
  public init(_ factor: Int) { self.factor = factor }
  public func forward(_ x: Tensor) -> Tensor { x.pixelUnshuffle(factor) }
  public var printedArguments: String { "downscale_factor=\(factor)" }
}
