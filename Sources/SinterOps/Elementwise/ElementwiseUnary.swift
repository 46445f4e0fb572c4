import SinterCore
import SinterForms
import SinterIR

/// An operator that computes each element of its result from the same element of its one input, in the same type.
public protocol ElementwiseUnary: Primitive, Elementwise {
  /// What element types it takes.
  static func accepts(_ type: ElementType) -> Bool

  /// The result for one element, in the compute type of the input's elements; narrow types are converted around it.
  func apply(_ x: Expr) -> Expr
}

extension ElementwiseUnary {
  public static func accepts(_ type: ElementType) -> Bool { type.isFloat }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x, Self.accepts)
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    return [
      try lowering.element(x.shape) { builder, index in
        apply(builder.load(x.id, index).cast(to: x.element.computeType)).cast(to: x.element)
      }
    ]
  }
}

/// Throws where a tensor has an element type that an operator does not take, naming those that it does.
func requireElement(_ type: TensorType, _ accepts: (ElementType) -> Bool, name: String = "the input") throws {
  if accepts(type.element) { return }
  let accepted = ElementType.allCases.filter(accepts).map(\.name).joined(separator: ", ")
  throw DiagnosticError(
    .user, "operator.type", "\(name) must have elements of type \(accepted), but is \(type)", hint: "insert a Cast")
}
