import SinterIR
import SinterOps

/// A tensor inside a trace: a symbol for what a model computes. It has a type and sizes, but no numbers.
///
/// There is no conversion to `Bool` or to a number, so that a model cannot branch on a value by mistake.
public struct Tensor {
  /// Nil stands in for the result of a mistake.
  let id: ValueID?
  public let type: TensorType
  public let trace: Trace

  public var shape: [Dim] { type.shape }
  public var rank: Int { type.rank }
  public var element: ElementType { type.element }

  /// The result of an operator with one result.
  public func applying(_ op: some Operator, _ others: Tensor?...) -> Tensor {
    trace.apply(op, [self] + others)[0]
  }

  /// A small integer tensor as an argument of an operator.
  func integers(_ values: [Int]) -> Tensor { trace.constant(.i64([values.count], values)) }

  /// A size along an axis; negative axes count from the back.
  public func size(_ axis: Int) -> Dim {
    let position = axis < 0 ? axis + rank : axis
    return shape.indices.contains(position) ? shape[position] : 0
  }
}
