import SinterCore

extension FloatMath {
  /// 1.5 · 2²³: adding it rounds a number below 2²² to an integer, which the low bits then hold.
  private var shifter: Double { 12_582_912 }

  /// e^x · 2^scale, at most 1.1 ULP, denormal results and infinities included.
  ///
  /// x = n · ln 2 + r; e^r by a polynomial (the coefficients are those of Cephes' expf).
  ///
  /// - Parameter least: below it the result is zero; that of a smaller number rounds to zero by itself.
  func exp(_ raw: Register, scale: Int64 = 0, zeroBelow least: Double = -104) -> Register {
    // Beyond these the result is infinite or zero. NaN passes both tests. What gives zero, as all that attention masks out does, is not left
    // to round to it: some processors take hundreds of cycles for a result below the normal numbers.
    let isZero = less(raw, float(least))
    let high = float(90)
    var x = select(isZero, float(0), raw)
    x = select(greater(x, high), high, x)
    let shifted = fused(x, float(1.442_695_040_888_963_4), float(shifter))
    let n = subtract(shifted, float(shifter))
    var r = fused(n, float(-0.693_359_375), x)
    r = fused(n, float(2.121_944_400_546_905_8e-4), r)
    let p = polynomial(
      r,
      [
        1.987_569_15e-4, 1.398_199_950_7e-3, 8.333_451_907_3e-3, 4.166_579_589_4e-2, 1.666_666_545_9e-1,
        5.000_000_120_1e-1,
      ])
    let e = add(fused(p, multiply(r, r), r), float(1))
    return select(isZero, float(0), builder.scale(e, exponent: scale == 0 ? n : add(n, float(Double(scale)))))
  }

  /// The natural logarithm, at most 1 ULP.
  ///
  /// x = m · 2^k with m between √½ and √2; log m by a polynomial (the coefficients are those of Cephes' logf).
  func log(_ x: Register) -> Register {
    let isTiny = less(x, float(1.175_494_350_822_287_5e-38))
    let scaled = select(isTiny, multiply(x, float(8_388_608)), x)
    let offset = select(isTiny, float(-23), float(0))
    let start = int(0x3F35_04F3)
    let bits = subtract(builder.bitcast(scaled, to: .i32), start)
    let k = add(builder.cast(builder.binary(.shiftRight, bits, int(23)), to: .f32), offset)
    let m = builder.bitcast(add(builder.binary(.and, bits, int(0x7F_FFFF)), start), to: .f32)
    let f = subtract(m, float(1))
    let square = multiply(f, f)
    let p = polynomial(
      f,
      [
        7.037_683_629_2e-2, -1.151_461_031_0e-1, 1.167_699_874_0e-1, -1.242_014_084_6e-1, 1.424_932_278_7e-1,
        -1.666_805_766_5e-1, 2.000_071_476_5e-1, -2.499_999_399_3e-1, 3.333_333_117_4e-1,
      ])
    var y = multiply(multiply(p, f), square)
    y = fused(k, float(-2.121_944_400_546_905_8e-4), y)
    y = fused(square, float(-0.5), y)
    let result = fused(k, float(0.693_359_375), add(f, y))
    // Infinity and NaN stay; zero gives minus infinity, and what is negative NaN.
    let isOrdinary = less(x, float(.infinity))
    let finite = select(isOrdinary, result, x)
    let isZero = builder.compare(.equal, x, float(0))
    return select(isZero, float(-.infinity), select(less(x, float(0)), float(.nan), finite))
  }

  /// At most 4 ULP: an odd rational function between -9 and 9, beyond which the result rounds to one.
  func tanh(_ raw: Register) -> Register {
    let limit = float(7.998_811_721_801_757_8)
    var x = select(greater(raw, limit), limit, raw)
    x = select(less(x, negate(limit)), negate(limit), x)
    let square = multiply(x, x)
    let p = polynomial(
      square,
      [
        -2.760_768_477_423_55e-16, 2.000_187_904_824_77e-13, -8.604_671_522_137_35e-11, 5.122_297_090_371_14e-8,
        1.485_722_357_179_79e-5, 6.372_619_288_754_36e-4, 4.893_524_558_917_86e-3,
      ])
    let q = polynomial(
      square, [1.198_258_394_667_02e-6, 1.185_347_056_866_54e-4, 2.268_434_632_439_00e-3, 4.893_525_185_543_85e-3])
    let ratio = divide(multiply(x, p), q)
    return select(less(abs(raw), float(4e-4)), raw, ratio)
  }

  /// At most 2 ULP: a polynomial near zero; elsewhere 1 - e^q(|x|).
  func erf(_ x: Register) -> Register {
    let t = abs(x)
    let square = multiply(x, x)
    let small = fused(
      polynomial(
        square,
        [
          -5.967_617_03e-4, 4.991_194_23e-3, -2.676_813_49e-2, 1.128_199_25e-1, -3.761_253_36e-1, 1.283_791_66e-1,
        ]), x, x)
    var r = fused(float(-1.728_534_70e-5), t, float(3.831_971_26e-4))
    let u = fused(float(-3.883_964_38e-3), t, float(2.425_462_19e-2))
    r = fused(r, square, u)
    r = fused(r, t, float(-1.067_778_77e-1))
    r = fused(r, t, float(-6.348_466_87e-1))
    r = fused(r, t, float(-1.287_175_12e-1))
    // From 4 on the result is one; larger arguments would leave the polynomial's range. The exponential stays a normal number.
    r = select(less(t, float(4)), fused(r, t, negate(t)), float(-50))
    let large = copySign(subtract(float(1), exp(r)), x)
    return select(greater(t, float(0.927_734_375)), large, small)
  }

  // MARK: Hyperbolic functions

  /// At most 3 ULP.
  func sinh(_ x: Register) -> Register {
    let t = abs(x)
    let square = multiply(x, x)
    let p = polynomial(square, [2.037_219_129_45e-4, 8.330_283_762_39e-3, 1.666_671_602_11e-1])
    let small = fused(multiply(p, square), x, x)
    let half = exp(t, scale: -1)
    let large = copySign(subtract(half, divide(float(0.25), half)), x)
    return select(less(t, float(1)), small, builder.select(builder.unary(.isNaN, x), x, large))
  }

  /// At most 2 ULP.
  func cosh(_ x: Register) -> Register {
    let half = exp(abs(x), scale: -1)
    return add(half, divide(float(0.25), half))
  }

  /// At most 3 ULP.
  func areaSine(_ x: Register) -> Register {
    let t = abs(x)
    let square = multiply(x, x)
    let p = polynomial(square, [2.012_200_330_9e-2, -4.269_934_097_2e-2, 7.484_758_608_8e-2, -1.666_628_813_4e-1])
    let small = fused(multiply(p, square), x, x)
    let isHuge = greater(t, float(1500))
    let inside = select(isHuge, t, add(t, builder.unary(.sqrt, add(square, float(1)))))
    let large = add(log(inside), select(isHuge, float(0.693_147_180_559_945_3), float(0)))
    return select(less(t, float(0.5)), small, select(builder.unary(.isNaN, x), x, copySign(abs(large), x)))
  }

  /// At most 3 ULP.
  func areaCosine(_ x: Register) -> Register {
    let z = subtract(x, float(1))
    let p = polynomial(
      z, [1.759_688_107_1e-3, -7.527_288_671_3e-3, 2.645_490_501_9e-2, -1.178_474_170_3e-1, 1.414_213_526_3])
    let small = multiply(p, builder.unary(.sqrt, z))
    let isHuge = greater(x, float(1500))
    let root = builder.unary(.sqrt, multiply(z, add(x, float(1))))
    let large = add(
      log(select(isHuge, x, add(x, root))), select(isHuge, float(0.693_147_180_559_945_3), float(0)))
    return select(less(x, float(1)), float(.nan), select(less(z, float(0.5)), small, large))
  }

  /// At most 3 ULP.
  func areaTangent(_ x: Register) -> Register {
    let square = multiply(x, x)
    let p = polynomial(
      square, [1.817_400_783_49e-1, 8.243_703_010_58e-2, 1.466_914_317_30e-1, 1.997_821_645_00e-1, 3.333_373_003_03e-1])
    let small = fused(multiply(p, square), x, x)
    let large = multiply(float(0.5), log(divide(add(float(1), x), subtract(float(1), x))))
    return select(less(abs(x), float(0.5)), small, large)
  }
}
