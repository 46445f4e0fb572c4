import SinterCore
import SinterForms
import SinterIR

extension Resize {
  /// All that coordinates depend on.
  struct Sampling {
    var axes: [Axis]
    /// Which entry of the inputs belongs to an axis.
    var positions: [Int]
    var shape: [Dim]
    var roi: Operand?
    var scales: Operand?
    var sizes: Operand?
  }

  /// Whether enlarging by a whole factor just repeats elements.
  var isWholeCopy: Bool {
    switch (coordinates, rounding) {
    case (.asymmetric, .floor), (.halfPixel, .roundPreferFloor), (.halfPixel, .roundPreferCeil),
      (.halfPixelForNearest, .floor):
      true
    default: false
    }
  }

  /// The place in the input that an index of the result comes from, as f32.
  func coordinate(_ builder: BodyBuilder, _ index: Expr, _ axis: Axis, _ sampling: Sampling) -> Expr {
    let i = index.cast(to: .f32)
    let input = builder.size(axis.input).cast(to: .f32)
    let output = builder.size(axis.output).cast(to: .f32)
    let scale = scale(builder, axis, sampling)
    switch coordinates {
    case .halfPixel: return (i + 0.5) / scale - 0.5
    case .asymmetric: return i / scale
    case .halfPixelForNearest: return (i + 0.5) / scale
    case .pytorchHalfPixel:
      return builder.select(output > 1, (i + 0.5) / scale - 0.5, builder.constant(0.0, .f32))
    case .alignCorners:
      // The length is the exact one, which a scale need not make whole.
      let one = builder.constant(1.0, .f32)
      let length = axis.scale == .sizes ? output : input * scale
      return builder.select(length .== one, builder.constant(0.0, .f32), i * (input - 1) / (length - 1))
    case .halfPixelSymmetric:
      let exact = axis.scale == .sizes ? output : input * scale
      let adjustment = output / exact
      return input * 0.5 * (1 - adjustment) + (i + 0.5) / scale - 0.5
    case .cropAndResize:
      guard let roi = sampling.roi else { return i }
      let place = sampling.positions.firstIndex(of: axis.position) ?? 0
      let start = builder.load(roi.id, [builder.constant(place, .i64)]).cast(to: .f32)
      let end = builder.load(roi.id, [builder.constant(place + sampling.positions.count, .i64)]).cast(to: .f32)
      let one = builder.constant(1.0, .f32)
      let spread = start * (input - 1) + i * (end - start) * (input - 1) / (output - 1).maximum(one)
      return builder.select(output > 1, spread, (start + end) * 0.5 * (input - 1))
    }
  }

  /// output / input along an axis, as f32.
  func scale(_ builder: BodyBuilder, _ axis: Axis, _ sampling: Sampling) -> Expr {
    func fromSizes() -> Expr { builder.size(axis.output).cast(to: .f32) / builder.size(axis.input).cast(to: .f32) }
    switch axis.scale {
    case .known(let scale): return builder.constant(Double(Float(scale)), .f32)
    case .sizes: return fromSizes()
    case .entry(let number):
      guard let scales = sampling.scales else { return fromSizes() }
      return builder.load(scales.id, [builder.constant(number, .i64)]).cast(to: .f32)
    case .ratio: return ratio(builder, sampling, .f32)
    }
  }

  /// The same as f64, for numbers of elements.
  func preciseScale(_ builder: BodyBuilder, _ axis: Axis, _ sampling: Sampling) -> Expr {
    switch axis.scale {
    case .ratio: ratio(builder, sampling, .f64)
    case .sizes: builder.size(axis.output).cast(to: .f64) / builder.size(axis.input).cast(to: .f64)
    case .known, .entry: scale(builder, axis, sampling).cast(to: .f64)
    }
  }

  /// The least or greatest factor that the sizes ask for.
  func ratio(_ builder: BodyBuilder, _ sampling: Sampling, _ type: ElementType) -> Expr {
    guard let sizes = sampling.sizes, !sampling.positions.isEmpty else { return builder.constant(1.0, type) }
    let ratios = sampling.positions.enumerated().map { number, position in
      builder.load(sizes.id, [builder.constant(number, .i64)]).cast(to: type)
        / builder.size(sampling.shape[position]).cast(to: type)
    }
    return ratios.dropFirst().reduce(ratios[0]) { aspectRatio == .notLarger ? $0.minimum($1) : $0.maximum($1) }
  }

  func rounded(_ x: Expr) -> Expr {
    switch rounding {
    case .floor: x.unary(.floor)
    case .ceil: x.unary(.ceil)
    case .roundPreferFloor: (x - 0.5).unary(.ceil)
    case .roundPreferCeil: (x + 0.5).unary(.floor)
    }
  }

  /// Whether an index's place lies in the input, and `before` holds; nil: always.
  func insideCondition(
    _ builder: BodyBuilder, _ index: Expr, _ axis: Axis, _ sampling: Sampling, _ before: Expr?
  ) -> Expr? {
    guard coordinates == .cropAndResize else { return nil }
    let coordinate = coordinate(builder, index, axis, sampling)
    let own = (coordinate >= 0) && (coordinate <= (builder.size(axis.input - 1).cast(to: .f32)))
    return before.map { $0 && own } ?? own
  }

  func extrapolated(_ builder: BodyBuilder, _ value: Expr, _ inside: Expr?, _ type: ElementType) -> Expr {
    guard let inside else { return value }
    return builder.select(inside, value, builder.constant(extrapolationValue, .f32).cast(to: value.type))
  }
}
