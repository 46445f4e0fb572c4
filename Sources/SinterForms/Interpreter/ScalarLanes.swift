import Glibc
import SinterCore

/// The scalar functions of bodies, applied to arrays on the host. This is what they mean.
package enum ScalarLanes {
  package typealias Integers = UnsafePointer<Int64>

  @inline(__always)
  private static func map<T, R>(
    _ a: UnsafePointer<T>, _ out: UnsafeMutablePointer<R>, _ count: Int, _ f: (T) -> R
  ) {
    for i in 0..<count { out[i] = f(a[i]) }
  }

  @inline(__always)
  private static func zip<T, R>(
    _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ out: UnsafeMutablePointer<R>, _ count: Int, _ f: (T, T) -> R
  ) {
    for i in 0..<count { out[i] = f(a[i], b[i]) }
  }

  // MARK: Floats

  /// All but `isNaN`. Transcendental functions are computed in Double and rounded once.
  @inline(__always)
  package static func unary<T: BinaryFloatingPoint>(
    _ function: UnaryFunction, _ a: UnsafePointer<T>, _ out: UnsafeMutablePointer<T>, _ count: Int
  ) {
    @inline(__always)
    func wide(_ f: (Double) -> Double) { map(a, out, count) { T(f(Double($0))) } }
    switch function {
    case .negate: map(a, out, count) { -$0 }
    case .abs: map(a, out, count) { $0.magnitude }
    case .exp: wide { Glibc.exp($0) }
    case .weight: wide { weight($0, isWide: T.self == Double.self) }
    case .log: wide { Glibc.log($0) }
    case .sqrt: map(a, out, count) { $0.squareRoot() }
    case .sin: wide { Glibc.sin($0) }
    case .cos: wide { Glibc.cos($0) }
    case .tan: wide { Glibc.tan($0) }
    case .asin: wide { Glibc.asin($0) }
    case .acos: wide { Glibc.acos($0) }
    case .atan: wide { Glibc.atan($0) }
    case .sinh: wide { Glibc.sinh($0) }
    case .cosh: wide { Glibc.cosh($0) }
    case .tanh: wide { Glibc.tanh($0) }
    case .asinh: wide { Glibc.asinh($0) }
    case .acosh: wide { Glibc.acosh($0) }
    case .atanh: wide { Glibc.atanh($0) }
    case .erf: wide { Glibc.erf($0) }
    case .floor: map(a, out, count) { $0.rounded(.down) }
    case .ceil: map(a, out, count) { $0.rounded(.up) }
    case .round: map(a, out, count) { $0.rounded(.toNearestOrEven) }
    case .truncate: map(a, out, count) { $0.rounded(.towardZero) }
    case .not, .isNaN: map(a, out, count) { $0 }
    }
  }

  @inline(__always)
  package static func binary<T: BinaryFloatingPoint>(
    _ function: BinaryFunction, _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ out: UnsafeMutablePointer<T>,
    _ count: Int
  ) {
    switch function {
    case .add: zip(a, b, out, count) { $0 + $1 }
    case .subtract: zip(a, b, out, count) { $0 - $1 }
    case .multiply: zip(a, b, out, count) { $0 * $1 }
    case .divide: zip(a, b, out, count) { $0 / $1 }
    case .floorDivide: zip(a, b, out, count) { ($0 / $1).rounded(.down) }
    case .modulo: zip(a, b, out, count) { modulo($0, $1) }
    case .remainder: zip(a, b, out, count) { T(Glibc.fmod(Double($0), Double($1))) }
    case .power: zip(a, b, out, count) { T(Glibc.pow(Double($0), Double($1))) }
    case .minimum: zip(a, b, out, count) { minimum($0, $1) }
    case .maximum: zip(a, b, out, count) { maximum($0, $1) }
    case .arcTangent2: zip(a, b, out, count) { T(Glibc.atan2(Double($0), Double($1))) }
    case .and, .or, .xor, .shiftLeft, .shiftRight: map(a, out, count) { $0 }
    }
  }

  /// Arguments of `UnaryFunction.weight` below which it is zero, but in f64.
  package static let leastWeight = -80.0

  static func weight(_ x: Double, isWide: Bool) -> Double { !isWide && x < leastWeight ? 0 : Glibc.exp(x) }

  private static func modulo<T: BinaryFloatingPoint>(_ a: T, _ b: T) -> T {
    let rest = T(Glibc.fmod(Double(a), Double(b)))
    // Zero has the divisor's sign, too.
    if rest == 0 { return b.sign == .minus ? -0.0 : 0 }
    return (rest < 0) != (b < 0) ? rest + b : rest
  }

  @inline(__always)
  static func minimum<T: BinaryFloatingPoint>(_ a: T, _ b: T) -> T { a < b || a.isNaN ? a : b }

  @inline(__always)
  static func maximum<T: BinaryFloatingPoint>(_ a: T, _ b: T) -> T { a > b || a.isNaN ? a : b }

  @inline(__always)
  package static func compare<T: Comparable>(
    _ comparison: Comparison, _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ out: UnsafeMutablePointer<Int64>,
    _ count: Int
  ) {
    switch comparison {
    case .equal: zip(a, b, out, count) { $0 == $1 ? 1 : 0 }
    case .notEqual: zip(a, b, out, count) { $0 != $1 ? 1 : 0 }
    case .less: zip(a, b, out, count) { $0 < $1 ? 1 : 0 }
    case .lessOrEqual: zip(a, b, out, count) { $0 <= $1 ? 1 : 0 }
    case .greater: zip(a, b, out, count) { $0 > $1 ? 1 : 0 }
    case .greaterOrEqual: zip(a, b, out, count) { $0 >= $1 ? 1 : 0 }
    }
  }

  // MARK: Integers

  package static func unary(
    _ function: UnaryFunction, _ type: ElementType, _ a: Integers, _ out: UnsafeMutablePointer<Int64>, _ count: Int
  ) {
    switch function {
    case .negate: map(a, out, count) { 0 &- $0 }
    case .abs:
      if type.kind == .signed { map(a, out, count) { $0 < 0 ? 0 &- $0 : $0 } } else { map(a, out, count) { $0 } }
    case .not:
      if type == .bool { map(a, out, count) { 1 - $0 } } else { map(a, out, count) { ~$0 } }
    case .exp, .weight, .log, .sqrt, .sin, .cos, .tan, .asin, .acos, .atan, .sinh, .cosh, .tanh, .asinh, .acosh, .atanh,
      .erf,
      .floor, .ceil, .round, .truncate, .isNaN:
      map(a, out, count) { $0 }
    }
    wrap(type, out, count)
  }

  package static func binary(
    _ function: BinaryFunction, _ type: ElementType, _ a: Integers, _ b: Integers, _ out: UnsafeMutablePointer<Int64>,
    _ count: Int
  ) {
    let isWide = type == .u64
    switch function {
    case .add: zip(a, b, out, count) { $0 &+ $1 }
    case .subtract: zip(a, b, out, count) { $0 &- $1 }
    case .multiply: zip(a, b, out, count) { $0 &* $1 }
    case .divide:
      if isWide {
        zip(a, b, out, count) { $1 == 0 ? 0 : Int64(bitPattern: UInt64(bitPattern: $0) / UInt64(bitPattern: $1)) }
      } else {
        zip(a, b, out, count) { $1 == 0 ? 0 : $0.dividedReportingOverflow(by: $1).partialValue }
      }
    case .floorDivide:
      if isWide {
        zip(a, b, out, count) { $1 == 0 ? 0 : Int64(bitPattern: UInt64(bitPattern: $0) / UInt64(bitPattern: $1)) }
      } else {
        zip(a, b, out, count) { floorDivide($0, $1) }
      }
    case .modulo:
      if isWide {
        zip(a, b, out, count) { $1 == 0 ? 0 : Int64(bitPattern: UInt64(bitPattern: $0) % UInt64(bitPattern: $1)) }
      } else {
        zip(a, b, out, count) { $1 == 0 ? 0 : $0 &- floorDivide($0, $1) &* $1 }
      }
    case .remainder:
      if isWide {
        zip(a, b, out, count) { $1 == 0 ? 0 : Int64(bitPattern: UInt64(bitPattern: $0) % UInt64(bitPattern: $1)) }
      } else {
        zip(a, b, out, count) { $1 == 0 ? 0 : $0.remainderReportingOverflow(dividingBy: $1).partialValue }
      }
    case .power: zip(a, b, out, count) { power($0, $1, isUnsigned: type.kind == .unsigned) }
    case .minimum:
      if isWide {
        zip(a, b, out, count) { UInt64(bitPattern: $0) < UInt64(bitPattern: $1) ? $0 : $1 }
      } else {
        zip(a, b, out, count) { $0 < $1 ? $0 : $1 }
      }
    case .maximum:
      if isWide {
        zip(a, b, out, count) { UInt64(bitPattern: $0) > UInt64(bitPattern: $1) ? $0 : $1 }
      } else {
        zip(a, b, out, count) { $0 > $1 ? $0 : $1 }
      }
    case .and: zip(a, b, out, count) { $0 & $1 }
    case .or: zip(a, b, out, count) { $0 | $1 }
    case .xor: zip(a, b, out, count) { $0 ^ $1 }
    case .shiftLeft:
      let width = Int64(type.bits)
      zip(a, b, out, count) { $1 < 0 || $1 >= width ? 0 : $0 &<< $1 }
    case .shiftRight:
      let width = Int64(type.bits)
      if isWide {
        zip(a, b, out, count) { $1 < 0 || $1 >= width ? 0 : Int64(bitPattern: UInt64(bitPattern: $0) >> UInt64($1)) }
      } else {
        zip(a, b, out, count) { $1 < 0 || $1 >= width ? 0 : $0 &>> $1 }
      }
    case .arcTangent2: map(a, out, count) { $0 }
    }
    wrap(type, out, count)
  }

  @inline(__always)
  static func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
    if b == 0 { return 0 }
    let (quotient, overflow) = a.dividedReportingOverflow(by: b)
    if overflow { return quotient }
    return quotient &* b != a && (a < 0) != (b < 0) ? quotient - 1 : quotient
  }

  /// By repeated squaring. A negative exponent gives zero, but for the bases 1 and -1.
  private static func power(_ base: Int64, _ exponent: Int64, isUnsigned: Bool) -> Int64 {
    if exponent < 0 && !isUnsigned {
      return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0
    }
    var result: Int64 = 1
    var square = base
    var rest = UInt64(bitPattern: exponent)
    while rest != 0 {
      if rest & 1 == 1 { result = result &* square }
      square = square &* square
      rest >>= 1
    }
    return result
  }

  package static func compare(
    _ comparison: Comparison, _ type: ElementType, _ a: Integers, _ b: Integers, _ out: UnsafeMutablePointer<Int64>,
    _ count: Int
  ) {
    guard type == .u64 else { return compare(comparison, a, b, out, count) }
    a.withMemoryRebound(to: UInt64.self, capacity: count) { a in
      b.withMemoryRebound(to: UInt64.self, capacity: count) { b in compare(comparison, a, b, out, count) }
    }
  }

  package static func wrap(_ type: ElementType, _ values: UnsafeMutablePointer<Int64>, _ count: Int) {
    switch type {
    case .i64, .u64: break
    case .i32: map(values, values, count) { Int64(Int32(truncatingIfNeeded: $0)) }
    default: map(values, values, count) { type.wrapped($0) }
    }
  }

  // MARK: Conversion

  package static func convert(
    _ a: Integers, of type: ElementType, _ out: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    if type == .u64 { map(a, out, count) { Double(UInt64(bitPattern: $0)) } } else { map(a, out, count) { Double($0) } }
  }

  package static func convert(
    _ a: Integers, of type: ElementType, _ out: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    if type == .u64 { map(a, out, count) { Float(UInt64(bitPattern: $0)) } } else { map(a, out, count) { Float($0) } }
  }

  @inline(__always)
  package static func convert<T: BinaryFloatingPoint>(
    _ a: UnsafePointer<T>, _ out: UnsafeMutablePointer<Int64>, of type: ElementType, _ count: Int
  ) {
    map(a, out, count) { type.integer(saturating: Double($0)) }
  }

  /// To a type narrower than f32, staying in Float.
  package static func round(_ values: UnsafeMutablePointer<Float>, to type: ElementType, _ count: Int) {
    if type != .f32 { map(values, values, count) { NarrowFloat.rounded($0, to: type) } }
  }
}
