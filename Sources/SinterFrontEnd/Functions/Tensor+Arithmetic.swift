import SinterIR
import SinterOps

extension Tensor {
  func binary(_ kind: Binary.Kind, _ other: Tensor) -> Tensor {
    let (a, b) = promoted(with: other)
    return a.applying(Binary(kind), b)
  }
  func binary(_ kind: Binary.Kind, _ number: Double) -> Tensor {
    let x = holding(number)
    return x.applying(Binary(kind), x.trace.scalar(number, like: x))
  }

  /// A quotient of numbers with fractions, of whole ones as well.
  private func quotient(_ other: Tensor) -> Tensor {
    element.isFloat || other.element.isFloat ? binary(.divide, other) : cast(to: .f32).binary(.divide, other)
  }

  /// The sum, with NumPy's broadcasting.
  public static func + (a: Tensor, b: Tensor) -> Tensor { a.binary(.add, b) }
  /// The difference, with NumPy's broadcasting.
  public static func - (a: Tensor, b: Tensor) -> Tensor { a.binary(.subtract, b) }
  /// The product of elements, with NumPy's broadcasting; a matrix product is `matmul`.
  public static func * (a: Tensor, b: Tensor) -> Tensor { a.binary(.multiply, b) }
  /// Of integers too a quotient with fractions, f32; `floorDivide` gives whole ones.
  public static func / (a: Tensor, b: Tensor) -> Tensor { a.quotient(b) }
  /// What is left of a division, with the sign of the divisor, as Python has it.
  public static func % (a: Tensor, b: Tensor) -> Tensor { a.remainder(b) }
  /// The sum with a number.
  public static func + (a: Tensor, b: Double) -> Tensor { a.binary(.add, b) }
  /// The difference from a number.
  public static func - (a: Tensor, b: Double) -> Tensor { a.binary(.subtract, b) }
  /// The product with a number.
  public static func * (a: Tensor, b: Double) -> Tensor { a.binary(.multiply, b) }
  /// The quotient by a number, which always has fractions.
  public static func / (a: Tensor, b: Double) -> Tensor {
    (a.element.isFloat ? a : a.cast(to: .f32)).binary(.divide, b)
  }
  /// The remainder by a number, with the divisor's sign.
  public static func % (a: Tensor, b: Double) -> Tensor { a.holding(b).remainder(number: b) }
  /// The sum with a number.
  public static func + (a: Double, b: Tensor) -> Tensor { number(a, before: b) { $0 + $1 } }
  /// A number less each element.
  public static func - (a: Double, b: Tensor) -> Tensor { number(a, before: b) { $0 - $1 } }
  /// The product with a number.
  public static func * (a: Double, b: Tensor) -> Tensor { number(a, before: b) { $0 * $1 } }
  /// A number divided by each element.
  public static func / (a: Double, b: Tensor) -> Tensor { number(a, before: b) { $0 / $1 } }
  /// Each element negated.
  public static prefix func - (a: Tensor) -> Tensor { a.applying(Unary(.negate)) }

  /// The sum in place of the left side.
  public static func += (a: inout Tensor, b: Tensor) { a = a + b }
  /// The difference in place of the left side.
  public static func -= (a: inout Tensor, b: Tensor) { a = a - b }
  /// The product of elements in place of the left side.
  public static func *= (a: inout Tensor, b: Tensor) { a = a * b }
  /// The quotient in place of the left side.
  public static func /= (a: inout Tensor, b: Tensor) { a = a / b }
  /// The sum with a number in place of the left side.
  public static func += (a: inout Tensor, b: Double) { a = a + b }
  /// The difference from a number in place of the left side.
  public static func -= (a: inout Tensor, b: Double) { a = a - b }
  /// The product with a number in place of the left side.
  public static func *= (a: inout Tensor, b: Double) { a = a * b }
  /// The quotient by a number in place of the left side.
  public static func /= (a: inout Tensor, b: Double) { a = a / b }

  /// Each element to a power.
  public func pow(_ exponent: Double) -> Tensor { binary(.power, exponent) }
  /// Each element to the power of another's.
  public func pow(_ exponent: Tensor) -> Tensor { binary(.power, exponent) }

  /// What is left of a division, with the sign of the divisor: PyTorch's `remainder`.
  public func remainder(_ divisor: Tensor) -> Tensor {
    guard element.isFloat || divisor.element.isFloat else { return binary(.modulo, divisor) }
    let (x, divisor) = promoted(with: divisor)
    func number(_ value: Double) -> Tensor { divisor.trace.scalar(value, like: divisor) }
    let isEndless = divisor.isInf() .& x.isFinite()
    let finite = isEndless.where(number(1), divisor)
    // A number of the other sign is a whole infinity behind.
    let isBehind = (x * isEndless.where(divisor.sign(), number(0))) < 0
    return isEndless.where(isBehind.where(divisor, x), x - (x / finite).floor() * finite)
  }

  /// The quotient rounded down: PyTorch's `floor_divide`.
  public func floorDivide(_ divisor: Tensor) -> Tensor {
    if element.isFloat || divisor.element.isFloat { return (self / divisor).floor() }
    return (self - binary(.modulo, divisor)).binary(.divide, divisor)
  }

  // MARK: Comparisons, giving tensors of `bool`

  private func compare(_ kind: Compare.Kind, _ other: Tensor) -> Tensor {
    let (a, b) = promoted(with: other)
    return a.applying(Compare(kind), b)
  }
  private func compare(_ kind: Compare.Kind, _ number: Double) -> Tensor {
    let x = holding(number)
    return x.applying(Compare(kind), x.trace.scalar(number, like: x))
  }

  /// Where elements are less, as truth values.
  public static func < (a: Tensor, b: Tensor) -> Tensor { a.compare(.less, b) }
  /// Where elements are less or equal, as truth values.
  public static func <= (a: Tensor, b: Tensor) -> Tensor { a.compare(.lessOrEqual, b) }
  /// Where elements are greater, as truth values.
  public static func > (a: Tensor, b: Tensor) -> Tensor { a.compare(.greater, b) }
  /// Where elements are greater or equal, as truth values.
  public static func >= (a: Tensor, b: Tensor) -> Tensor { a.compare(.greaterOrEqual, b) }
  /// Where elements are equal, as truth values.
  public static func .== (a: Tensor, b: Tensor) -> Tensor { a.compare(.equal, b) }
  /// Where elements differ, as truth values.
  public static func .!= (a: Tensor, b: Tensor) -> Tensor { !a.compare(.equal, b) }
  /// Where elements are less than a number, as truth values.
  public static func < (a: Tensor, b: Double) -> Tensor { a.compare(.less, b) }
  /// Where elements are at most a number, as truth values.
  public static func <= (a: Tensor, b: Double) -> Tensor { a.compare(.lessOrEqual, b) }
  /// Where elements are greater than a number, as truth values.
  public static func > (a: Tensor, b: Double) -> Tensor { a.compare(.greater, b) }
  /// Where elements are at least a number, as truth values.
  public static func >= (a: Tensor, b: Double) -> Tensor { a.compare(.greaterOrEqual, b) }
  /// Where elements equal a number, as truth values.
  public static func .== (a: Tensor, b: Double) -> Tensor { a.compare(.equal, b) }
  /// Where elements differ from a number, as truth values.
  public static func .!= (a: Tensor, b: Double) -> Tensor { !a.compare(.equal, b) }

  /// Of tensors of `bool`: PyTorch's `logical_and`, `logical_or`, `logical_xor`, `logical_not`.
  public static func .& (a: Tensor, b: Tensor) -> Tensor { a.binary(.and, b) }
  /// Whether one of two truth values is true.
  public static func .| (a: Tensor, b: Tensor) -> Tensor { a.binary(.or, b) }
  /// Whether just one of two truth values is true.
  public static func .^ (a: Tensor, b: Tensor) -> Tensor { a.binary(.xor, b) }
  /// Each truth value inverted.
  public static prefix func ! (a: Tensor) -> Tensor { a.applying(Unary(.not)) }

  /// Elements of `a` where this tensor of `bool` holds, of `b` elsewhere.
  public func `where`(_ a: Tensor, _ b: Tensor) -> Tensor {
    let (a, b) = a.promoted(with: b)
    return applying(Where(), a, b)
  }

  /// The elements with a number in place of those where `mask`, a tensor of `bool`, holds. The type stays; one of whole numbers must hold the
  /// number.
  public func maskedFill(_ mask: Tensor, _ value: Double) -> Tensor {
    guard element.isFloat || isMistake || value.magnitude < 0x1p63 else {
      return trace.fail(
        "masked_fill", "\(element) does not hold \(value)", like: self, hint: "convert it first: x.float()")
    }
    return mask.applying(Where(), trace.scalar(value, like: self), self)
  }

  /// The smaller of two elements; NaN where one is NaN.
  public func minimum(_ other: Tensor) -> Tensor {
    let (a, b) = promoted(with: other)
    return a.applying(Variadic(.minimum), b)
  }
  /// The greater of two elements; NaN where one is NaN.
  public func maximum(_ other: Tensor) -> Tensor {
    let (a, b) = promoted(with: other)
    return a.applying(Variadic(.maximum), b)
  }

  /// Elements kept within bounds; nil leaves a side open. Bounds with fractions make f32 of whole numbers.
  public func clamp(min: Double? = nil, max: Double? = nil) -> Tensor {
    let x = [min, max].compactMap { $0 }.reduce(self) { $0.holding($1) }
    return x.applying(Clip(), min.map { trace.scalar($0, like: x) }, max.map { trace.scalar($0, like: x) })
  }

  /// start + weight · (end − start).
  public func lerp(_ end: Tensor, _ weight: Double) -> Tensor { self + (end - self) * weight }

  /// Where elements are NaN, as truth values.
  public func isNaN() -> Tensor { applying(IsNaN()) }
  /// Where elements are infinite, as truth values.
  public func isInf() -> Tensor { applying(IsInf()) }
  /// Where elements are neither infinite nor NaN, as truth values.
  public func isFinite() -> Tensor { !(isNaN() .| isInf()) }

  // MARK: Functions of one tensor

  /// Magnitudes.
  public func abs() -> Tensor { applying(Unary(.abs)) }
  /// Signs: −1, 0 or 1.
  public func sign() -> Tensor { applying(Unary(.sign)) }
  /// 1 / x.
  public func reciprocal() -> Tensor { applying(Unary(.reciprocal)) }
  /// x².
  public func square() -> Tensor { self * self }
  /// e to the power of x.
  public func exp() -> Tensor { applying(Unary(.exp)) }
  /// exp(x) − 1, of small numbers as well: tanh(x / 2) · (exp(x) + 1).
  public func expm1() -> Tensor {
    let x = holding(0.5)
    return (x / 2).tanh() * (x.exp() + 1)
  }
  /// The natural logarithm.
  public func log() -> Tensor { applying(Unary(.log)) }
  /// log(1 + x), of small numbers as well: what rounding 1 + x to u takes is put right by x / (u − 1).
  public func log1p() -> Tensor {
    let one = trace.scalar(1, like: self), u = self + 1
    let isLost = u .== 1, isLarge = abs() >= 1
    let put = isLarge.where(one, self) / (isLost .| isLarge).where(one, u - 1)
    return isLost.where(self, isLost.where(one, u).log() * put)
  }
  /// The logarithm to base 2.
  public func log2() -> Tensor { log() * 1.442695040888963407 }
  /// The logarithm to base 10.
  public func log10() -> Tensor { log() * 0.434294481903251828 }
  /// The square root.
  public func sqrt() -> Tensor { applying(Unary(.sqrt)) }
  /// 1 / √x.
  public func rsqrt() -> Tensor { sqrt().reciprocal() }
  /// The sine.
  public func sin() -> Tensor { applying(Unary(.sin)) }
  /// The cosine.
  public func cos() -> Tensor { applying(Unary(.cos)) }
  /// The tangent.
  public func tan() -> Tensor { applying(Unary(.tan)) }
  /// The inverse of the sine.
  public func asin() -> Tensor { applying(Unary(.asin)) }
  /// The inverse of the cosine.
  public func acos() -> Tensor { applying(Unary(.acos)) }
  /// The inverse of the tangent.
  public func atan() -> Tensor { applying(Unary(.atan)) }
  /// The hyperbolic sine.
  public func sinh() -> Tensor { applying(Unary(.sinh)) }
  /// The hyperbolic cosine.
  public func cosh() -> Tensor { applying(Unary(.cosh)) }
  /// The error function.
  public func erf() -> Tensor { applying(Unary(.erf)) }
  /// Rounded down.
  public func floor() -> Tensor { applying(Unary(.floor)) }
  /// Rounded up.
  public func ceil() -> Tensor { applying(Unary(.ceil)) }
  /// To the nearest whole number, halves to the even one.
  public func round() -> Tensor { applying(Unary(.round)) }
  /// Toward zero.
  public func trunc() -> Tensor { sign() * abs().floor() }
  /// The hyperbolic tangent.
  public func tanh() -> Tensor { applying(Unary(.tanh)) }
  /// 1 / (1 + exp(−x)).
  public func sigmoid() -> Tensor { applying(Unary(.sigmoid)) }

  /// The elements converted to another type.
  public func cast(to type: ElementType) -> Tensor { type == element ? self : applying(Cast(to: type)) }
  /// As f32.
  public func float() -> Tensor { cast(to: .f32) }
  /// As f64.
  public func double() -> Tensor { cast(to: .f64) }
  /// As i64.
  public func long() -> Tensor { cast(to: .i64) }
  /// As truth values: whether an element is not zero.
  public func bool() -> Tensor { cast(to: .bool) }
}

infix operator .& : LogicalConjunctionPrecedence
infix operator .| : LogicalDisjunctionPrecedence
infix operator .^ : LogicalDisjunctionPrecedence
