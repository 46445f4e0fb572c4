import SinterCore
import SinterForms

extension KernelBuilder {
  /// A function of one argument. For f32 the transcendental ones are polynomials, the same for any number of lanes; f64
  /// keeps the statement, which is a call of libm a lane.
  ///
  /// Largest errors in units in the last place, measured over the range of f32: exp 1.1, log 1, tanh 4, erf 2, sin and
  /// cos 2, tan 3, asin 3, acos 2, atan 3, sinh 3, cosh 2, asinh 3, acosh 3, atanh 3.
  package func math(_ function: UnaryFunction, _ x: Register) -> Register {
    guard type(x).element == .f32 else { return unary(function == .weight ? .exp : function, x) }
    let math = FloatMath(self, lanes: type(x).lanes)
    switch function {
    case .exp: return math.exp(x)
    case .weight: return math.exp(x, zeroBelow: ScalarLanes.leastWeight)
    case .log: return math.log(x)
    case .tanh: return math.tanh(x)
    case .erf: return math.erf(x)
    case .sin: return math.circular(.sin, x)
    case .cos: return math.circular(.cos, x)
    case .tan: return math.circular(.tan, x)
    case .asin: return math.arcSine(x)
    case .acos: return math.arcCosine(x)
    case .atan: return math.arcTangent(x)
    case .sinh: return math.sinh(x)
    case .cosh: return math.cosh(x)
    case .asinh: return math.areaSine(x)
    case .acosh: return math.areaCosine(x)
    case .atanh: return math.areaTangent(x)
    case .negate, .abs, .sqrt, .floor, .ceil, .round, .truncate, .not, .isNaN: return unary(function, x)
    }
  }

  /// A function of two arguments. Powers of f32 with small whole exponents are products; others are computed in f64
  /// lanes.
  package func math(_ function: BinaryFunction, _ a: Register, _ b: Register) -> Register {
    guard function == .power, type(a).element == .f32 else { return binary(function, a, b) }
    return FloatMath(self, lanes: type(a).lanes).power(a, b)
  }
}

/// Shorthand for arithmetic on registers of one width, in which `FloatMath`'s formulas are written.
struct FloatMath {
  let builder: KernelBuilder
  let lanes: Int

  init(_ builder: KernelBuilder, lanes: Int) {
    self.builder = builder
    self.lanes = lanes
  }

  func float(_ value: Double) -> Register { builder.constant(.float(value), .f32, lanes: lanes) }
  func double(_ value: Double) -> Register { builder.constant(.float(value), .f64, lanes: lanes) }
  func int(_ value: Int64, _ type: ElementType = .i32) -> Register { builder.constant(.int(value), type, lanes: lanes) }

  func add(_ a: Register, _ b: Register) -> Register { builder.binary(.add, a, b) }
  func subtract(_ a: Register, _ b: Register) -> Register { builder.binary(.subtract, a, b) }
  func multiply(_ a: Register, _ b: Register) -> Register { builder.binary(.multiply, a, b) }
  func divide(_ a: Register, _ b: Register) -> Register { builder.binary(.divide, a, b) }
  func abs(_ a: Register) -> Register { builder.unary(.abs, a) }
  func negate(_ a: Register) -> Register { builder.unary(.negate, a) }
  func less(_ a: Register, _ b: Register) -> Register { builder.compare(.less, a, b) }
  func greater(_ a: Register, _ b: Register) -> Register { builder.compare(.greater, a, b) }
  func select(_ condition: Register, _ a: Register, _ b: Register) -> Register { builder.select(condition, a, b) }

  /// a · b + c, in one rounding where the processor can.
  func fused(_ a: Register, _ b: Register, _ c: Register) -> Register {
    builder.fusesMultiplyAdd ? builder.multiplyAdd(a, b, c) : add(multiply(a, b), c)
  }

  /// By Horner's rule; the first coefficient is that of the highest power.
  func polynomial(_ x: Register, _ coefficients: [Double]) -> Register {
    let isDouble = builder.type(x).element == .f64
    func constant(_ value: Double) -> Register { isDouble ? double(value) : float(value) }
    return coefficients.dropFirst().reduce(constant(coefficients[0])) { fused($0, x, constant($1)) }
  }

  /// The sign of `sign` on the magnitude of `magnitude`, which is not negative.
  func copySign(_ magnitude: Register, _ sign: Register) -> Register {
    let bit = builder.binary(.and, builder.bitcast(sign, to: .i32), int(-0x8000_0000))
    return builder.bitcast(builder.binary(.or, builder.bitcast(magnitude, to: .i32), bit), to: .f32)
  }
}
