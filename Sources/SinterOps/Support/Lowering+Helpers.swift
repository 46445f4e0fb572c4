import SinterCore
import SinterForms

extension Lowering {
  /// The elements converted to another type; the operand itself where it has that type.
  mutating func cast(_ operand: Operand, to type: ElementType) throws -> Operand {
    if operand.element == type { return operand }
    return try element(operand.shape) { builder, index in builder.load(operand.id, index).cast(to: type) }
  }
}

extension Expr {
  /// The product with a number, in this value's own type; for integers the number is rounded toward zero first.
  func scaled(by factor: Double) -> Expr { self * builder.constant(factor, type) }
}
