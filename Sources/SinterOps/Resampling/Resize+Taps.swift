import SinterCore
import SinterForms
import SinterIR

/// Interpolation along an axis reads the same few places with the same weights in every line, so that these are values of their own, one
/// number for each tap and index.
extension Resize {
  struct Taps {
    var count: Dim
    /// The input's index, i64 of [count, output].
    var places: Operand
    /// f32 of [count, output].
    var weights: Operand
  }

  /// The weight of a tap at a distance from the coordinate, in units of the input's (or, antialiased, the result's) pixels.
  private func weight(_ distance: Expr) -> Expr {
    let builder = distance.builder
    let d = distance.unary(.abs)
    let zero = builder.constant(0.0, d.type)
    if mode == .linear { return (1 - d).maximum(zero) }
    let a = cubicCoefficient
    let near = (((d * (a + 2)) - (a + 3)) * d) * d + 1
    let far = (((d * a - 5 * a) * d) + 8 * a) * d - 4 * a
    return builder.select(d <= 1, near, builder.select(d < 2, far, zero))
  }

  /// Half the number of taps.
  private func reach(_ axis: Axis, _ sampling: Sampling, _ lowering: inout Lowering) throws -> Dim {
    let support = mode == .linear ? 1 : 2
    guard antialias else { return Dim(support) }
    // Antialiasing widens the window by the factor of reduction.
    if axis.scale != .ratio, !axis.isFromEntry, let scale = axis.knownScale {
      let reach = Int(saturating: (Double(support) * Swift.max(1, 1 / scale)).rounded(.up))
      guard reach < Self.reachLimit else {
        throw DiagnosticError(
          .limit, "resize.antialias", "antialias over \(reach) places is not supported", hint: "resize in steps")
      }
      return Dim(reach)
    }
    let reach = try lowering.element([]) { builder, _ in
      let scale = preciseScale(builder, axis, sampling)
      let one = builder.constant(1.0, .f64)
      let places = ((one / scale).maximum(one) * Double(support)).unary(.ceil)
      let isCountable = (scale > 0) && (places < Double(Self.reachLimit))
      // Nothing is sampled where there is no result.
      let nothing = builder.size(axis.output) < 1
      let counted = builder.select(isCountable, places, builder.constant(-1.0, .f64))
      return builder.select(nothing, one, counted).cast(to: .i64)
    }
    let symbol = lowering.freshSize()
    lowering.define(symbol, as: reach, "Resize: antialias over more than \(Self.reachLimit) places, whose number")
    return Dim(symbol)
  }

  private static let reachLimit = 1 << 20

  private func taps(_ axis: Axis, _ sampling: Sampling, _ lowering: inout Lowering) throws -> Taps {
    let reach = try reach(axis, sampling, &lowering)
    let count = reach * 2
    func place(_ builder: BodyBuilder, _ coordinate: Expr, _ number: Expr) -> Expr {
      coordinate.unary(.floor).cast(to: .i64) + number - builder.size(reach - 1)
    }
    func ownWeight(_ builder: BodyBuilder, _ number: Expr, _ index: Expr) -> Expr {
      let coordinate = coordinate(builder, index, axis, sampling)
      let at = place(builder, coordinate, number)
      var distance = coordinate - at.cast(to: .f32)
      if antialias { distance = distance * scale(builder, axis, sampling).minimum(builder.constant(1.0, .f32)) }
      let weight = weight(distance)
      guard excludeOutside else { return weight }
      let inside = (at >= builder.constant(0, .i64)) && (at < builder.size(axis.input))
      return builder.select(inside, weight, builder.constant(0.0, .f32))
    }
    let shape = [count, axis.output]
    let places = try lowering.element(shape) { builder, index in
      place(builder, coordinate(builder, index[1], axis, sampling), index[0])
        .clamped(builder.constant(0, .i64), builder.size(axis.input - 1))
    }
    var weights = try lowering.element(shape) { builder, index in ownWeight(builder, index[0], index[1]) }
    if excludeOutside || antialias {
      let own = weights
      let total = try lowering.reduce(.sum, [axis.output], over: [count]) { builder, index, inner in
        builder.load(own.id, [inner[0], index[0]])
      }
      weights = try lowering.element(shape) { builder, index in
        builder.load(own.id, index) / builder.load(total.id, [index[1]])
      }
    }
    return Taps(count: count, places: places, weights: weights)
  }

  /// `x` at another size along one axis, in the type `compute`.
  func interpolated(
    _ x: Operand, _ axis: Axis, _ compute: ElementType, _ sampling: Sampling, _ lowering: inout Lowering
  ) throws -> Operand {
    let taps = try taps(axis, sampling, &lowering)
    let position = axis.position
    var shape = x.shape
    shape[position] = axis.output
    func term(_ builder: BodyBuilder, _ index: [Expr], _ number: Expr) -> Expr {
      let entry = [number, index[position]]
      var source = index
      source[position] = builder.load(taps.places.id, entry)
      return builder.load(x.id, source).cast(to: compute)
        * builder.load(taps.weights.id, entry).cast(to: compute)
    }
    if let count = taps.count.value, count <= 4 {
      return try lowering.element(shape) { builder, index in
        (1..<count).reduce(term(builder, index, builder.constant(0, .i64))) { sum, number in
          sum + term(builder, index, builder.constant(number, .i64))
        }
      }
    }
    return try lowering.reduce(.sum, shape, over: [taps.count]) { builder, index, inner in
      term(builder, index, inner[0])
    }
  }
}
