import SinterCore
import SinterForms

extension FloatMath {
  /// sin, cos and tan: at most 2, 2 and 3 ULP.
  ///
  /// The argument is reduced by multiples of π/2 in f64, which is exact enough below 10⁹; beyond, libm does the work.
  func circular(_ function: UnaryFunction, _ x: Register) -> Register {
    let isHuge = greater(abs(x), float(1e9))
    let anyHuge = builder.combineLanes(.or, isHuge)
    return builder.branch(
      anyHuge, then: { [builder.unary(function, x)] }, otherwise: { [reducedCircular(function, x)] })[0]
  }

  private func reducedCircular(_ function: UnaryFunction, _ x: Register) -> Register {
    let wide = builder.cast(x, to: .f64)
    // 1.5 · 2⁵²: rounds to an integer, whose low bits say the quadrant.
    let shifter = double(6_755_399_441_055_744)
    let shifted = add(multiply(wide, double(0.636_619_772_367_581_3)), shifter)
    let n = subtract(shifted, shifter)
    var rest = subtract(wide, multiply(n, double(1.570_796_310_901_641_8)))
    rest = subtract(rest, multiply(n, double(1.589_325_477_352_819_6e-8)))
    let quadrant = builder.cast(builder.bitcast(shifted, to: .i64), to: .i32)
    let r = builder.cast(rest, to: .f32)
    let square = multiply(r, r)
    let sine = fused(
      multiply(polynomial(square, [-1.951_529_589_1e-4, 8.332_160_873_6e-3, -1.666_665_461_1e-1]), square), r, r)
    let cosine = fused(
      multiply(square, square),
      polynomial(square, [2.443_315_711_809_948e-5, -1.388_731_625_493_765e-3, 4.166_664_568_298_827e-2]),
      fused(square, float(-0.5), float(1)))
    func bit(_ n: Register, _ value: Int64) -> Register {
      builder.compare(.notEqual, builder.binary(.and, n, int(value)), int(0))
    }
    let isOdd = bit(quadrant, 1)
    switch function {
    case .cos:
      let value = select(isOdd, sine, cosine)
      return select(bit(add(quadrant, int(1)), 2), negate(value), value)
    case .tan:
      let value = divide(select(isOdd, cosine, sine), select(isOdd, sine, cosine))
      return select(isOdd, negate(value), value)
    default:
      let value = select(isOdd, cosine, sine)
      return select(bit(quadrant, 2), negate(value), value)
    }
  }

  /// At most 3 ULP (the coefficients are those of Cephes' atanf).
  func arcTangent(_ x: Register) -> Register {
    let t = abs(x)
    let isLarge = greater(t, float(2.414_213_562_373_095))
    let isMiddle = greater(t, float(0.414_213_562_373_095))
    let above = select(isLarge, float(-1), select(isMiddle, subtract(t, float(1)), t))
    let below = select(isLarge, t, select(isMiddle, add(t, float(1)), float(1)))
    let start = select(
      isLarge, float(1.570_796_326_794_896_6), select(isMiddle, float(0.785_398_163_397_448_3), float(0)))
    let z = divide(above, below)
    let square = multiply(z, z)
    let p = polynomial(square, [8.053_744_495_38e-2, -1.387_768_560_32e-1, 1.997_771_064_78e-1, -3.333_294_915_39e-1])
    let value = add(start, fused(multiply(p, square), z, z))
    return select(builder.unary(.isNaN, x), x, copySign(value, x))
  }

  /// asin t for t between 0 and ½, or the half of acos(1 - 2t²).
  private func arcSineCore(_ t: Register, _ square: Register) -> Register {
    let p = polynomial(
      square, [4.216_319_904_8e-2, 2.418_131_104_9e-2, 4.547_002_599_8e-2, 7.495_300_268_6e-2, 1.666_675_242_2e-1])
    return fused(multiply(p, square), t, t)
  }

  /// At most 3 ULP (the coefficients are those of Cephes' asinf).
  func arcSine(_ x: Register) -> Register {
    let t = abs(x)
    let isLarge = greater(t, float(0.5))
    let square = select(isLarge, multiply(float(0.5), subtract(float(1), t)), multiply(t, t))
    let core = arcSineCore(select(isLarge, builder.unary(.sqrt, square), t), square)
    let value = select(isLarge, fused(float(-2), core, float(1.570_796_326_794_896_6)), core)
    return select(builder.unary(.isNaN, value), value, copySign(value, x))
  }

  /// At most 2 ULP.
  func arcCosine(_ x: Register) -> Register {
    let t = abs(x)
    let isLarge = greater(t, float(0.5))
    let square = select(isLarge, multiply(float(0.5), subtract(float(1), t)), multiply(t, t))
    let core = arcSineCore(select(isLarge, builder.unary(.sqrt, square), t), square)
    let isNegative = less(x, float(0))
    let large = select(
      isNegative, fused(float(-2), core, float(3.141_592_653_589_793)), multiply(float(2), core))
    let half = float(1.570_796_326_794_896_6)
    let small = select(isNegative, add(half, core), subtract(half, core))
    return select(isLarge, large, small)
  }
}
