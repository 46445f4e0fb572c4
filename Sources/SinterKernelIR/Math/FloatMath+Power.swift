import SinterCore

extension FloatMath {
  /// a^b, at most 1 ULP but for products.
  ///
  /// Small whole exponents that are known become products. The rest is 2^(b · log₂|a|) in f64 lanes, whose error stays
  /// far below that of the final rounding; signs and the exceptional cases are C's.
  func power(_ a: Register, _ b: Register) -> Register {
    if case .float(let exponent)? = builder.knownScalar(b) {
      switch exponent {
      case 1: return a
      case 2: return multiply(a, a)
      case 3: return multiply(multiply(a, a), a)
      case 4:
        let square = multiply(a, a)
        return multiply(square, square)
      case -1: return divide(float(1), a)
      default: break
      }
    }
    let magnitude = abs(a)
    let product = multiply(builder.cast(b, to: .f64), binaryLogarithm(builder.cast(magnitude, to: .f64)))
    let value = builder.cast(binaryPower(product), to: .f32)

    // A negative base: whole exponents only, odd ones keep the sign.
    let isWhole = builder.compare(.equal, builder.unary(.truncate, b), b)
    let half = multiply(b, float(0.5))
    let isOdd = builder.binary(
      .and, isWhole, builder.compare(.notEqual, builder.unary(.truncate, half), half))
    let isNegative = less(builder.bitcast(a, to: .i32), int(0))
    var result = select(builder.binary(.and, isNegative, isOdd), negate(value), value)
    let isBelowZero = builder.binary(.and, less(a, float(0)), greater(a, float(-.infinity)))
    result = select(builder.binary(.and, isBelowZero, builder.unary(.not, isWhole)), float(.nan), result)
    let isNaN = builder.binary(.or, builder.unary(.isNaN, a), builder.unary(.isNaN, b))
    result = select(isNaN, float(.nan), result)
    // 1 to any power, -1 to an infinite one, and anything to the power 0 are 1.
    let isInfinite = builder.compare(.equal, abs(b), float(.infinity))
    let isUnit = builder.binary(
      .or, builder.compare(.equal, a, float(1)),
      builder.binary(.and, builder.compare(.equal, a, float(-1)), isInfinite))
    let isOne = builder.binary(.or, isUnit, builder.compare(.equal, b, float(0)))
    return select(isOne, float(1), result)
  }

  /// log₂ of f64 lanes that hold values of f32, not negative: error below 10⁻¹³.
  private func binaryLogarithm(_ x: Register) -> Register {
    let start = int(0x3FE6_A09E_667F_3BCD, .i64)
    let bits = subtract(builder.bitcast(x, to: .i64), start)
    let k = builder.cast(builder.binary(.shiftRight, bits, int(52, .i64)), to: .f64)
    let m = builder.bitcast(add(builder.binary(.and, bits, int(0xF_FFFF_FFFF_FFFF, .i64)), start), to: .f64)
    // log m = 2 artanh s, s = (m - 1) / (m + 1), |s| < 0.172.
    let s = divide(subtract(m, double(1)), add(m, double(1)))
    let square = multiply(s, s)
    let odd: [Double] = [17, 15, 13, 11, 9, 7, 5, 3, 1]
    let series = polynomial(square, odd.map { (n: Double) -> Double in 2.885_390_081_777_926_8 / n })
    let finite = fused(series, s, k)
    let isOrdinary = builder.binary(.and, greater(x, double(0)), less(x, double(.infinity)))
    let extreme = select(greater(x, double(0)), x, double(-.infinity))
    return select(isOrdinary, finite, extreme)
  }

  /// 2^x of f64 lanes, for results in the range of f32.
  private func binaryPower(_ raw: Register) -> Register {
    var x = select(greater(raw, double(200)), double(200), raw)
    x = select(less(x, double(-300)), double(-300), x)
    let shifter = double(6_755_399_441_055_744)
    let shifted = add(x, shifter)
    let n = subtract(shifted, shifter)
    let r = multiply(subtract(x, n), double(0.693_147_180_559_945_3))
    let factorials: [Double] = [3_628_800, 362_880, 40_320, 5040, 720, 120, 24, 6, 2, 1, 1]
    let e = polynomial(r, factorials.map { (n: Double) -> Double in 1 / n })
    let exponent = builder.binary(.shiftLeft, builder.bitcast(shifted, to: .i64), int(52, .i64))
    return builder.bitcast(add(builder.bitcast(e, to: .i64), exponent), to: .f64)
  }
}
