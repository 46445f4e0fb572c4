import SinterCore

/// A constant of some element type: floats as a Double that the type holds exactly or rounds, integers and truth values (0
/// and 1) as 64 bits.
public enum Scalar: Hashable, Sendable {
  case float(Double)
  case int(Int64)

  public static func bool(_ value: Bool) -> Scalar { .int(value ? 1 : 0) }

  /// The element of a tensor that has just one, of a type that arithmetic is done in.
  init?(only tensor: HostTensor) {
    guard tensor.count == 1, tensor.element.computeType == tensor.element else { return nil }
    if tensor.element.isFloat, let value = tensor.doubles?.first {
      self = .float(value)
    } else if let value = tensor.int64s?.first {
      self = .int(value)
    } else {
      return nil
    }
  }

  /// Equal bits: NaN equals itself, and zeros of different sign differ.
  public static func == (a: Scalar, b: Scalar) -> Bool {
    switch (a, b) {
    case (.float(let x), .float(let y)): x.bitPattern == y.bitPattern
    case (.int(let x), .int(let y)): x == y
    case (.float, .int), (.int, .float): false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .float(let value):
      hasher.combine(0)
      hasher.combine(value.bitPattern)
    case .int(let value):
      hasher.combine(1)
      hasher.combine(value)
    }
  }
}

/// Functions of one argument. The result has the argument's type, but where said otherwise.
public enum UnaryFunction: String, Hashable, Sendable, CaseIterable {
  case negate, abs
  /// Floats only.
  case exp, log, sqrt, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, erf
  /// Floats only: e^x as a weight beside others of which the greatest is one, as softmax has them. In f32 what no sum would show, below e^-80,
  /// is zero, so that no weight lies below the normal numbers: masks of -100 give such, and some processors take hundreds of cycles for each.
  case weight
  /// Floats only; `round` goes to even at halves.
  case floor, ceil, round, truncate
  /// Bits of integers; truth values.
  case not
  /// Floats; the result is a truth value.
  case isNaN
}

/// Functions of two arguments of one type, which is also the result's.
public enum BinaryFunction: String, Hashable, Sendable, CaseIterable {
  case add, subtract, multiply
  /// Floats as IEEE has it; integers toward zero (by zero: zero).
  case divide
  /// Integers toward minus infinity; sizes and indices use this one.
  case floorDivide
  /// The remainder with the sign of the divisor, as Python has it. Floats and integers.
  case modulo
  /// The remainder with the sign of the dividend, as C has it. Floats and integers.
  case remainder
  case power
  /// Floats: NaN where either is NaN.
  case minimum, maximum
  /// Truth values and bits of integers.
  case and, or, xor
  /// Integers; shifts by the width or more give zero. `shiftRight` of signed integers keeps the sign.
  case shiftLeft, shiftRight
  case arcTangent2
}

/// Comparisons of two arguments of one type; the result is a truth value. With NaN only `notEqual` holds.
public enum Comparison: String, Hashable, Sendable, CaseIterable {
  case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
}

/// How many values become one. All are associative and commutative up to rounding.
public enum Combine: String, Hashable, Sendable, CaseIterable {
  case sum, product, minimum, maximum, and, or
  /// The position of the smallest or largest element along the reduced axes (row-major); the first of equal ones, or the last. NaN
  /// counts as smaller (larger) than anything. The result is i64.
  case firstMinimumIndex, lastMinimumIndex, firstMaximumIndex, lastMaximumIndex

  /// Whether the result is a position, of type i64, rather than a combined value of the elements' type.
  public var isIndex: Bool {
    switch self {
    case .sum, .product, .minimum, .maximum, .and, .or: false
    case .firstMinimumIndex, .lastMinimumIndex, .firstMaximumIndex, .lastMaximumIndex: true
    }
  }

  /// What a combination of nothing gives; nil for positions, which nothing has none of.
  public func identity(of type: ElementType) -> Scalar? {
    switch self {
    case .sum, .or: type.isFloat ? .float(0) : .int(0)
    case .product: type.isFloat ? .float(1) : .int(1)
    case .and: .int(type == .bool ? 1 : -1)
    case .minimum: type.isFloat ? .float(.infinity) : .int(type.integerRange.upperBound)
    case .maximum: type.isFloat ? .float(-.infinity) : .int(type.integerRange.lowerBound)
    case .firstMinimumIndex, .lastMinimumIndex, .firstMaximumIndex, .lastMaximumIndex: nil
    }
  }

  /// The function that joins two partial results, where one does.
  public var function: BinaryFunction? {
    switch self {
    case .sum: .add
    case .product: .multiply
    case .minimum: .minimum
    case .maximum: .maximum
    case .and: .and
    case .or: .or
    case .firstMinimumIndex, .lastMinimumIndex, .firstMaximumIndex, .lastMaximumIndex: nil
    }
  }
}

extension ElementType {
  /// The least and the greatest integer, as 64 bits: for u64 the upper bound is -1, all ones.
  public var integerRange: (lowerBound: Int64, upperBound: Int64) {
    switch self {
    case .bool: (0, 1)
    case .u64: (0, -1)
    case .i64: (.min, .max)
    case .i8, .i16, .i32, .i4, .i2: (-(1 << Int64(bits - 1)), (1 << Int64(bits - 1)) - 1)
    case .u8, .u16, .u32, .u4, .u2: (0, (1 << Int64(bits)) - 1)
    case .f32, .f64, .f16, .bf16, .string, .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1:
      (0, 0)
    }
  }
}
