import SinterCore
import SinterForms
import SinterIR

/// The slices of a tensor along its first axis without some that follow one another.
///
/// Inputs: the tensor, [n, …], the place of the first one to go, and how many go.
public struct RemoveRows: Primitive, Composite {
  public static let name = "RemoveRows"
  public static let summary = "Slices along the first axis without some that follow one another."

  public init() {}

  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(2)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard x.rank > 0 else {
      throw DiagnosticError(.user, "rows.type", "slices are taken from a tensor with axes, but it is \(x)")
    }
    try obligations.scalar(try inputs.indices(1), "the place")
    let count = try inputs.size(2, "the number of slices", requiring: &obligations)
    try obligations.atLeast(x.shape[0], count, "size of axis 0 of \(x), from which slices are taken,")
    return [Fact(x.element, [x.shape[0] - count] + x.shape.dropFirst())]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, place) = (try node.input(0), try node.input(1))
    let shape = try node.output().shape
    let error = lowering.error("RemoveRows: place %0 lies outside of the %1 places of an axis")
    return [
      try lowering.element(shape) { builder, index in
        let start = builder.load(place.id, place.shape.map { _ in builder.constant(0, .i64) }).cast(to: .i64)
          .checked(below: builder.size(shape[0] + 1), error: error)
        let old = builder.select(index[0] < start, index[0], index[0] + builder.size(x.shape[0] - shape[0]))
        return builder.load(x.id, [old] + index.dropFirst())
      }
    ]
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let x = try inputs.value(0)
    let (start, count) = (
      try builder.integerScalar(try inputs.value(1)), try builder.integerScalar(try inputs.value(2))
    )
    let left = try builder.add1(Binary(.subtract), [try builder.firstSize(of: x), count])
    let index = try builder.places(left)
    let isBefore = try builder.add1(Compare(.less), [index, start])
    let behind = try builder.add1(Binary(.add), [index, count])
    return [try builder.add1(Gather(axis: 0), [x, try builder.add1(Where(), [isBefore, index, behind])])]
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 2]), -1...1)
    return [0, 1, 2].map { place in
      OperatorExample(
        RemoveRows(), [x, .given(.i64([], [place])), .constant(.i64([], [2]))], sizes: [Symbol("n"): 4])
    } + [
      OperatorExample(RemoveRows(), [x, .given(.i64([1], [1])), .given(.i64([], [3]))], sizes: [Symbol("n"): 4])
    ]
  }
}
