import SinterCore
import SinterForms

extension Cast {
  /// Whether texts are cast from and to a type: numbers and truth values.
  static func hasText(_ type: ElementType) -> Bool { type.isFloat || type.isInteger || type == .bool }

  /// Numbers as text: integers in full, truth values as 0 and 1, floats with up to eight digits.
  func printed(_ x: Operand, into lowering: inout Lowering) throws -> Operand {
    let (wide, kind) = Self.wide(x.element)
    let numbers = try lowering.element(x.shape) { builder, index in
      let value = builder.load(x.id, index)
      return value.cast(to: x.element.computeType).cast(to: wide)
    }
    return lowering.call(.print, [numbers], [kind], gives: TensorType(.string, x.shape))
  }

  /// Texts as numbers: what each begins with, behind white space. What does not fit an integer type keeps its low bits.
  func parsed(_ x: Operand, into lowering: inout Lowering) throws -> Operand {
    let (wide, kind) = Self.wide(to)
    let error = lowering.error(
      "Cast: text %0 of the input begins with no \(to.isFloat ? "number" : "integer") that \(to) can be made of")
    let numbers = lowering.call(.parse, [x], [kind, Int64(error)], gives: TensorType(wide, x.shape))
    if wide == to { return numbers }
    return try lowering.element(x.shape) { builder, index in convert(builder.load(numbers.id, index)) }
  }

  /// The type of 64 bits in which numbers of a type are printed and parsed, and the `NumberText` of it.
  private static func wide(_ type: ElementType) -> (ElementType, Int64) {
    switch type.kind {
    case .float: (.f64, 2)
    case .unsigned, .bool: (.u64, 1)
    case .signed, .string, .complex: (.i64, 0)
    }
  }
}
