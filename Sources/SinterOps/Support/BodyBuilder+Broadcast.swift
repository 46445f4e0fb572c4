import SinterCore
import SinterForms

extension BodyBuilder {
  /// The element of an operand for an index of the joint shape that it broadcasts to, in the operand's compute type.
  func load(_ operand: Operand, at index: [Expr], of joint: [Dim]) -> Expr {
    load(operand.id, Broadcast.index(self, index, of: joint, into: operand.shape)).cast(to: operand.element.computeType)
  }
}
