import SinterCore

/// How a float of 16 bits or less is laid out: a sign, an exponent, a fraction, and what stands for infinity and NaN.
struct NarrowLayout {
  enum Special {
    /// Exponent all ones: infinity, or NaN where the fraction is not zero.
    case ieee
    /// All ones below the sign is NaN; no infinity.
    case allOnes
    /// Only the bits of -0 are NaN; no infinity, no -0.
    case negativeZero
    /// Neither infinity nor NaN.
    case none
  }

  var exponentBits: Int
  var fractionBits: Int
  var bias: Int
  var special: Special
  /// Values too large become the largest number, not infinity or NaN.
  var saturates: Bool

  var bits: Int { 1 + exponentBits + fractionBits }
  var signBit: Int { 1 << (bits - 1) }
  var infinity: Int { ((1 << exponentBits) - 1) << fractionBits }

  /// The bits of the largest number.
  var largest: Int {
    switch special {
    case .ieee: infinity - 1
    case .allOnes: signBit - 2
    case .negativeZero, .none: signBit - 1
    }
  }

  /// The bits of NaN, without a sign where the sign does not make it; the largest number where there is none.
  var nan: Int {
    switch special {
    case .ieee, .allOnes: signBit - 1
    case .negativeZero: signBit
    case .none: largest
    }
  }

  /// Nil for types that have no sign and no fraction (f8e8m0) and for those that are not narrow.
  init?(_ element: ElementType) {
    switch element {
    case .f16: self.init(5, 10, 15, .ieee, saturates: false)
    case .bf16: self.init(8, 7, 127, .ieee, saturates: false)
    case .f8e4m3fn: self.init(4, 3, 7, .allOnes, saturates: true)
    case .f8e4m3fnuz: self.init(4, 3, 8, .negativeZero, saturates: true)
    case .f8e5m2: self.init(5, 2, 15, .ieee, saturates: true)
    case .f8e5m2fnuz: self.init(5, 2, 16, .negativeZero, saturates: true)
    case .f4e2m1: self.init(2, 1, 1, .none, saturates: true)
    case .f8e8m0, .f32, .f64, .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool, .string, .c64, .c128, .i4, .u4, .i2,
      .u2:
      return nil
    }
  }

  private init(_ exponentBits: Int, _ fractionBits: Int, _ bias: Int, _ special: Special, saturates: Bool) {
    self.exponentBits = exponentBits
    self.fractionBits = fractionBits
    self.bias = bias
    self.special = special
    self.saturates = saturates
  }
}
