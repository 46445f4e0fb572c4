import SinterCore
import SinterForms
import SinterIR

// What the quantized operators of onnxruntime's domain share.

extension String {
  /// The domain of onnxruntime's own operators.
  static let microsoft = "com.microsoft"
}

extension Quantization {
  /// A number as an element of an integer type: rounded half to even, then held within the type. A zero point is added before.
  static func fitted(_ value: Expr, to type: ElementType) -> Expr {
    if value.type == .f32 { return rounded(value, plus: nil, to: type) }
    let (builder, range) = (value.builder, type.integerRange)
    return value.unary(.round).clamped(
      builder.constant(Double(range.lowerBound), value.type), builder.constant(Double(range.upperBound), value.type)
    ).cast(to: .i32).cast(to: type)
  }
}

extension NodeInputs {
  /// States that an input, where it is there, is one number of a type.
  func requireNumber(
    _ index: Int, _ name: String, _ element: ElementType, requiring obligations: inout Obligations
  ) throws {
    guard has(index) else { return }
    let type = try tensor(index)
    guard type.element == element else {
      throw DiagnosticError(.user, "quantized.type", "\(name) must be of type \(element), but is \(type)")
    }
    try obligations.scalar(type, name)
  }
}

extension BodyBuilder {
  /// An input that is one number; nil where it is absent.
  func number(_ node: LoweringNode, _ index: Int) throws -> Expr? {
    guard node.has(index) else { return nil }
    let operand = try node.input(index)
    return load(operand.id, operand.shape.map { _ in constant(0, .i64) })
  }
}

extension GraphBuilder {
  /// An input that is one number, as a tensor of no axes; zero of the given type where it is absent.
  mutating func number(
    _ op: String, _ inputs: NodeInputs, _ index: Int, _ name: String, _ element: ElementType
  ) throws -> ValueID {
    guard let value = inputs.id(index) else { return try scalar(0, element) }
    try require(by: op) { try inputs.requireNumber(index, name, element, requiring: &$0) }
    return try type(value).rank == 0 ? value : add1(Squeeze(), [value, integers([0])])
  }

  /// The real numbers that bytes stand for. `zero` may be absent.
  mutating func dequantized(
    _ op: String, _ inputs: NodeInputs, _ value: Int, scale: Int, zero: Int, _ name: String
  ) throws -> ValueID {
    let element = try byteType(inputs, value)
    return try add1(
      DequantizeLinear(),
      [
        try inputs.value(value), try number(op, inputs, scale, "the scale of \(name)", .f32),
        try number(op, inputs, zero, "the zero point of \(name)", element),
      ])
  }

  /// Numbers as bytes of a type, with the scale and the zero point that two inputs are: round(x / scale) + zero point.
  mutating func quantized(
    _ value: ValueID, _ op: String, _ inputs: NodeInputs, scale: Int, zero: Int, as element: ElementType
  ) throws -> ValueID {
    try add1(
      QuantizeLinear(),
      [
        value, try number(op, inputs, scale, "the result's scale", .f32),
        try number(op, inputs, zero, "the result's zero point", element),
      ])
  }

  /// The same with the zero point added before rounding, which differs where x / scale is a half.
  mutating func quantizedAtOnce(
    _ value: ValueID, _ op: String, _ inputs: NodeInputs, scale: Int, zero: Int, as element: ElementType
  ) throws -> ValueID {
    let scale = try number(op, inputs, scale, "the result's scale", .f32)
    let zero = try number(op, inputs, zero, "the result's zero point", element)
    let offset = try add1(Cast(to: .f32), [zero])
    let moved = try add1(Binary(.add), [try add1(Binary(.divide), [value, scale]), offset])
    return try add1(QuantizeLinear(), [moved, try scalar(1, .f32), try scalar(0, element)])
  }

  /// The type of an input that must hold bytes.
  func byteType(_ inputs: NodeInputs, _ index: Int) throws -> ElementType {
    let type = try inputs.tensor(index)
    guard type.element == .u8 || type.element == .i8 else {
      throw DiagnosticError(.user, "quantized.type", "input \(index) must be of type i8 or u8, but is \(type)")
    }
    return type.element
  }
}
