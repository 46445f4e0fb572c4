import SinterIR
import SinterOps

/// A tensor inside a trace: a symbol for what a model computes. It has a type and sizes, but no numbers.
///
/// There is no conversion to `Bool` or to a number, so that a model cannot branch on a value by mistake. Outside of a trace, `tensor([1, 2, 3])`
/// and the like make tensors that do have numbers, with the same functions: see `Tensor+Immediate.swift`.
public struct Tensor {
  /// Its value in the graph of its trace. Nil for a tensor with numbers, and for one that stands in for the result of a mistake.
  package let id: ValueID?
  /// What a tensor with numbers is computed from.
  let immediate: ImmediateValue?
  /// The element type and the sizes.
  public let type: TensorType
  /// The trace that it is part of.
  public let trace: Trace

  package init(id: ValueID?, type: TensorType, trace: Trace, immediate: ImmediateValue? = nil) {
    self.id = id
    self.immediate = immediate
    self.type = type
    self.trace = trace
  }

  /// The sizes, which are numbers or symbols.
  public var shape: [Dim] { type.shape }
  /// The number of axes.
  public var rank: Int { type.rank }
  /// The element type.
  public var element: ElementType { type.element }

  /// Whether it stands in for the result of a mistake.
  package var isMistake: Bool { id == nil && immediate == nil }

  /// The same, or a tensor of numbers whose computation failed.
  var isFailed: Bool {
    if case .mistake? = immediate?.source { return true }
    return isMistake
  }

  /// The result of an operator with one result.
  public func applying(_ op: some Operator, _ others: Tensor?...) -> Tensor {
    trace.apply(op, [self] + others)[0]
  }

  /// A small integer tensor as an argument of an operator.
  package func integers(_ values: [Int]) -> Tensor { trace.constant(.i64([values.count], values)) }

  /// A size along an axis; negative axes count from the back.
  public func size(_ axis: Int) -> Dim {
    let position = axis < 0 ? axis + rank : axis
    return shape.indices.contains(position) ? shape[position] : 0
  }
}
