/// The floats narrower than 32 bits: how they convert to and from `Float`.
///
/// Widening is exact. Narrowing rounds to the nearest value, ties to even; `f8e8m0`, which holds powers of two only, rounds up and has NaN for negative numbers. These
/// are the rules of ONNX's Cast with `saturate = 1` and `round_mode = "up"`: what is too large, infinity included, becomes the
/// largest finite value of an 8-bit or 4-bit type, and infinity in `f16` and `bf16`.
public struct NarrowFloat: Sendable {
  package let exponentBits: Int
  package let mantissaBits: Int
  package let bias: Int
  /// The code of the largest finite value.
  private let largest: UInt8
  private let infinity: UInt8?
  private let nan: UInt8?
  /// Whether the code that would be negative zero is one.
  private let hasNegativeZero: Bool
  /// The values of all codes.
  private let values: [Float]

  private init(
    exponentBits: Int, mantissaBits: Int, bias: Int, largest: UInt8, infinity: UInt8?, nan: UInt8?,
    hasNegativeZero: Bool
  ) {
    self.exponentBits = exponentBits
    self.mantissaBits = mantissaBits
    self.bias = bias
    self.largest = largest
    self.infinity = infinity
    self.nan = nan
    self.hasNegativeZero = hasNegativeZero
    let width = 1 + exponentBits + mantissaBits
    values = (0..<(1 << width)).map { code in
      let magnitude = code & ((1 << (width - 1)) - 1)
      let sign: Float = code == magnitude ? 1 : -1
      if let nan, code == nan || (hasNegativeZero && magnitude > largest && magnitude != infinity.map(Int.init)) {
        return .nan
      }
      if let infinity, magnitude == infinity { return sign * .infinity }
      let exponent = magnitude >> mantissaBits
      let mantissa = Float(magnitude & ((1 << mantissaBits) - 1)) / Float(1 << mantissaBits)
      let value =
        exponent == 0
        ? Float(sign: .plus, exponent: 1 - bias, significand: mantissa)
        : Float(sign: .plus, exponent: exponent - bias, significand: 1 + mantissa)
      return sign * value
    }
  }

  private static let e4m3fn = NarrowFloat(
    exponentBits: 4, mantissaBits: 3, bias: 7, largest: 0x7e, infinity: nil, nan: 0x7f, hasNegativeZero: true)
  private static let e4m3fnuz = NarrowFloat(
    exponentBits: 4, mantissaBits: 3, bias: 8, largest: 0x7f, infinity: nil, nan: 0x80, hasNegativeZero: false)
  private static let e5m2 = NarrowFloat(
    exponentBits: 5, mantissaBits: 2, bias: 15, largest: 0x7b, infinity: 0x7c, nan: 0x7f, hasNegativeZero: true)
  private static let e5m2fnuz = NarrowFloat(
    exponentBits: 5, mantissaBits: 2, bias: 16, largest: 0x7f, infinity: nil, nan: 0x80, hasNegativeZero: false)
  private static let e2m1 = NarrowFloat(
    exponentBits: 2, mantissaBits: 1, bias: 1, largest: 0x7, infinity: nil, nan: nil, hasNegativeZero: true)

  /// Nil for types of another width, and for `f8e8m0`, which has no sign and no mantissa.
  package static func table(of type: ElementType) -> NarrowFloat? {
    switch type {
    case .f8e4m3fn: e4m3fn
    case .f8e4m3fnuz: e4m3fnuz
    case .f8e5m2: e5m2
    case .f8e5m2fnuz: e5m2fnuz
    case .f4e2m1: e2m1
    default: nil
    }
  }

  /// The value of a code of an 8-bit or 4-bit type, or of the bits of f16, bf16 and f32.
  public static func decode(_ code: UInt32, as type: ElementType) -> Float {
    switch type {
    case .f16: decodeF16(UInt16(truncatingIfNeeded: code))
    case .bf16: Float(bitPattern: code << 16)
    case .f8e8m0: decodeE8M0(UInt8(truncatingIfNeeded: code))
    default: table(of: type).map { $0.values[Int(code) & ($0.values.count - 1)] } ?? Float(bitPattern: code)
    }
  }

  /// The code of the value nearest to a given one. Without `saturating`, what an 8-bit type cannot hold becomes infinity or NaN.
  public static func encode(_ value: Float, as type: ElementType, saturating: Bool = true) -> UInt32 {
    switch type {
    case .f16: UInt32(encodeF16(value))
    case .bf16: UInt32(encodeBF16(value))
    case .f8e8m0: UInt32(encodeE8M0(value))
    default: table(of: type).map { UInt32($0.code(value, saturating: saturating)) } ?? value.bitPattern
    }
  }

  /// The code of a value that a type holds: an infinity that is one of its values stays, where `encode` converts an infinity to the
  /// largest finite value.
  public static func code(of value: Float, as type: ElementType) -> UInt32 {
    encode(value, as: type, saturating: !(type == .f8e5m2 && value.isInfinite))
  }

  /// The value rounded to what a type can hold.
  public static func rounded(_ value: Float, to type: ElementType) -> Float {
    type == .f32 ? value : decode(encode(value, as: type), as: type)
  }

  private func code(_ value: Float, saturating: Bool) -> UInt8 {
    let signBit: UInt8 = value.sign == .minus ? UInt8(1 << (exponentBits + mantissaBits)) : 0
    // A type without NaN gives its largest value for it.
    if value.isNaN { return nan.map { hasNegativeZero ? $0 | signBit : $0 } ?? largest }
    let magnitude = Double(value.magnitude)
    var code = Int(largest) + 1
    if magnitude.isFinite {
      let exponent = Swift.max(magnitude == 0 ? 1 - bias : Int(magnitude.exponent), 1 - bias)
      if exponent + bias < 1 << (exponentBits + 1) {
        let quantum = Double(sign: .plus, exponent: exponent - mantissaBits, significand: 1)
        code = Int((magnitude / quantum).rounded(.toNearestOrEven)) + ((exponent + bias - 1) << mantissaBits)
      }
    }
    if code > largest {
      guard saturating else {
        return infinity.map { $0 | signBit } ?? nan.map { hasNegativeZero ? $0 | signBit : $0 } ?? largest | signBit
      }
      return largest | signBit
    }
    return code == 0 && !hasNegativeZero ? 0 : UInt8(code) | signBit
  }
}

extension NarrowFloat {
  /// The f16 number of these bits, exactly.
  @inline(__always)
  public static func decodeF16(_ bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let rest = UInt32(bits & 0x7fff) << 13
    let magnitude = rest >= 0x0f80_0000 ? rest | 0x7f80_0000 : (Float(bitPattern: rest) * 0x1p112).bitPattern
    return Float(bitPattern: magnitude | sign)
  }

  /// The bits of the f16 number nearest to a value, ties to even; what is too large becomes infinite.
  @inline(__always)
  public static func encodeF16(_ value: Float) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: (value.bitPattern >> 16) & 0x8000)
    let bits = value.bitPattern & 0x7fff_ffff
    if bits > 0x7f80_0000 { return sign | 0x7e00 | UInt16(truncatingIfNeeded: (bits >> 13) & 0x3ff) }
    if bits >= 0x4780_0000 { return sign | 0x7c00 }
    if bits < 0x3880_0000 {
      // Adding one half lines the subnormal's last bit up with the last bit of a Float, which then rounds.
      return sign | UInt16(truncatingIfNeeded: (Float(bitPattern: bits) + 0.5).bitPattern &- 0x3f00_0000)
    }
    return sign | UInt16(truncatingIfNeeded: (bits &+ 0xc800_0fff &+ ((bits >> 13) & 1)) >> 13)
  }

  /// The bits of the bf16 number nearest to a value, ties to even; NaN stays NaN.
  @inline(__always)
  public static func encodeBF16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16)
  }

  /// The power of two of a code of `f8e8m0`; NaN of 255.
  public static func decodeE8M0(_ code: UInt8) -> Float {
    code == 255 ? .nan : code == 0 ? 0x1p-127 : Float(bitPattern: UInt32(code) << 23)
  }

  /// The code of the least power of two that is not below a value, within the type's range; that of NaN for NaN and negative numbers.
  public static func encodeE8M0(_ value: Float) -> UInt8 {
    if value.isNaN || value < 0 { return 255 }
    let bits = value.bitPattern & 0x7fff_ffff
    if bits >= 0x7f00_0000 { return 254 }
    let exponent = UInt8(truncatingIfNeeded: bits >> 23)
    if exponent == 0 { return bits <= 0x0040_0000 ? 0 : 1 }
    return bits & 0x007f_ffff == 0 ? exponent : exponent + 1
  }
}
