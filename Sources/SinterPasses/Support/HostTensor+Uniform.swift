import SinterCore
import SinterIR
import SinterOps

extension HostTensor {
  /// The number that all elements are; nil where they differ, where there are many, or for types that Swift has no numbers for.
  var uniformValue: Double? {
    guard count >= 1, count <= 65536 else { return nil }
    let values: [Double]
    switch element {
    case .f32: values = array(of: Float.self).map { Double($0) }
    case .f64: values = array(of: Double.self)
    case .f16: values = array(of: Float16.self).map { Double($0) }
    case .bf16: values = array(of: UInt16.self).map { Double(Float(bitPattern: UInt32($0) << 16)) }
    case .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool:
      guard let integers else { return nil }
      values = integers.map { Double($0) }
    case .string, .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1, .i4, .u4, .i2, .u2:
      return nil
    }
    return values.allSatisfy { $0 == values[0] } ? values[0] : nil
  }
}

extension RewriteSite {
  /// The number that all elements of a constant are.
  func number(_ value: ValueID?) -> Double? { constant(value)?.uniformValue }

  /// Whether a number is the given one up to the rounding of literals in exported models.
  func isNear(_ value: ValueID?, _ expected: Double) -> Bool {
    number(value).map { abs($0 - expected) <= 1e-4 * abs(expected) } ?? false
  }

  /// The operands of a binary node of the given kind, where a value is one.
  func operands(of value: ValueID?, _ kind: Binary.Kind) -> (a: ValueID, b: ValueID)? {
    guard let (op, _, inputs) = producer(of: value, as: Binary.self), op.kind == kind, let a = inputs[0],
      let b = inputs[1]
    else { return nil }
    return (a, b)
  }

  /// The operand of a unary node of the given kind, where a value is one.
  func operand(of value: ValueID?, _ kind: Unary.Kind) -> ValueID? {
    guard let (op, _, inputs) = producer(of: value, as: Unary.self), op.kind == kind else { return nil }
    return inputs[0]
  }

  /// The other operand, where one is near a number: `x` of `x + 3` or `3 + x`.
  func operand(of value: ValueID?, _ kind: Binary.Kind, with number: Double) -> ValueID? {
    guard let (a, b) = operands(of: value, kind) else { return nil }
    if isNear(b, number) { return a }
    return isNear(a, number) ? b : nil
  }
}
