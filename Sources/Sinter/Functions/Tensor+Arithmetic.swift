import SinterIR
import SinterOps

extension Tensor {
  private func binary(_ kind: Binary.Kind, _ other: Tensor) -> Tensor { applying(Binary(kind), other) }
  private func binary(_ kind: Binary.Kind, _ number: Double) -> Tensor {
    binary(kind, trace.scalar(number, like: self))
  }

  public static func + (a: Tensor, b: Tensor) -> Tensor { a.binary(.add, b) }
  public static func - (a: Tensor, b: Tensor) -> Tensor { a.binary(.subtract, b) }
  public static func * (a: Tensor, b: Tensor) -> Tensor { a.binary(.multiply, b) }
  public static func / (a: Tensor, b: Tensor) -> Tensor { a.binary(.divide, b) }
  public static func + (a: Tensor, b: Double) -> Tensor { a.binary(.add, b) }
  public static func - (a: Tensor, b: Double) -> Tensor { a.binary(.subtract, b) }
  public static func * (a: Tensor, b: Double) -> Tensor { a.binary(.multiply, b) }
  public static func / (a: Tensor, b: Double) -> Tensor { a.binary(.divide, b) }
  public static func + (a: Double, b: Tensor) -> Tensor { b.trace.scalar(a, like: b) + b }
  public static func - (a: Double, b: Tensor) -> Tensor { b.trace.scalar(a, like: b) - b }
  public static func * (a: Double, b: Tensor) -> Tensor { b.trace.scalar(a, like: b) * b }
  public static func / (a: Double, b: Tensor) -> Tensor { b.trace.scalar(a, like: b) / b }
  public static prefix func - (a: Tensor) -> Tensor { a.applying(Unary(.negate)) }

  /// Each element to a power.
  public func pow(_ exponent: Double) -> Tensor { binary(.power, exponent) }
  public func pow(_ exponent: Tensor) -> Tensor { binary(.power, exponent) }

  // MARK: Comparisons, giving tensors of `bool`

  public static func < (a: Tensor, b: Tensor) -> Tensor { a.applying(Compare(.less), b) }
  public static func <= (a: Tensor, b: Tensor) -> Tensor { a.applying(Compare(.lessOrEqual), b) }
  public static func > (a: Tensor, b: Tensor) -> Tensor { a.applying(Compare(.greater), b) }
  public static func >= (a: Tensor, b: Tensor) -> Tensor { a.applying(Compare(.greaterOrEqual), b) }
  public static func .== (a: Tensor, b: Tensor) -> Tensor { a.applying(Compare(.equal), b) }
  public static func < (a: Tensor, b: Double) -> Tensor { a < a.trace.scalar(b, like: a) }
  public static func > (a: Tensor, b: Double) -> Tensor { a > a.trace.scalar(b, like: a) }

  /// Elements of `a` where this tensor of `bool` holds, of `b` elsewhere.
  public func `where`(_ a: Tensor, _ b: Tensor) -> Tensor { applying(Where(), a, b) }

  public func minimum(_ other: Tensor) -> Tensor { applying(Variadic(.minimum), other) }
  public func maximum(_ other: Tensor) -> Tensor { applying(Variadic(.maximum), other) }

  /// Elements kept within bounds; nil leaves a side open.
  public func clamp(min: Double? = nil, max: Double? = nil) -> Tensor {
    applying(Clip(), min.map { trace.scalar($0, like: self) }, max.map { trace.scalar($0, like: self) })
  }

  // MARK: Functions of one tensor

  public func abs() -> Tensor { applying(Unary(.abs)) }
  public func exp() -> Tensor { applying(Unary(.exp)) }
  public func log() -> Tensor { applying(Unary(.log)) }
  public func sqrt() -> Tensor { applying(Unary(.sqrt)) }
  public func sin() -> Tensor { applying(Unary(.sin)) }
  public func cos() -> Tensor { applying(Unary(.cos)) }
  public func erf() -> Tensor { applying(Unary(.erf)) }
  public func floor() -> Tensor { applying(Unary(.floor)) }
  public func relu() -> Tensor { applying(Unary(.relu)) }
  public func sigmoid() -> Tensor { applying(Unary(.sigmoid)) }
  public func tanh() -> Tensor { applying(Unary(.tanh)) }
  public func softplus() -> Tensor { applying(Unary(.softplus)) }
  public func hardswish() -> Tensor { applying(Unary(.hardSwish)) }
  public func mish() -> Tensor { applying(Unary(.mish)) }
  public func silu() -> Tensor { self * sigmoid() }
  public func leakyRelu(_ slope: Double = 0.01) -> Tensor {
    var op = LeakyRelu()
    op.alpha = slope
    return applying(op)
  }
  public func elu(alpha: Double = 1) -> Tensor {
    var op = Elu()
    op.alpha = alpha
    return applying(op)
  }
  public func selu() -> Tensor { applying(Selu()) }
  /// x · Φ(x), exact by default, by tanh on request.
  public func gelu(approximate: Gelu.Approximation = .none) -> Tensor { applying(Gelu(approximate)) }

  /// The elements converted to another type.
  public func cast(to type: ElementType) -> Tensor { type == element ? self : applying(Cast(to: type)) }
}
