import SinterCore
import SinterForms
import SinterIR

/// A tensor whose elements lie one after another in a list of scalars.
///
/// Inputs: the list, the place of the tensor's first element, and its sizes.
public struct Excerpt: Primitive, Composite {
  public static let name = "Excerpt"
  public static let summary = "A tensor whose elements lie one after another in a list, from a place on."

  public init() {}

  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(1), SizeInput(2)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let list = try inputs.tensor(0)
    guard list.rank == 1 else {
      throw DiagnosticError(.user, "excerpt.list", "what is taken from must have one axis, but is \(list)")
    }
    let start = try inputs.size(1, "the first place", requiring: &obligations)
    let shape = try inputs.sizes(2, "sizes", requiring: &obligations)
    let result = TensorType(list.element, shape)
    try obligations.atLeast(
      list.shape[0], start + result.count, "number of scalars of \(list), of which some are taken,")
    return [Fact(.tensor(result))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let list = try node.input(0)
    let start = try node.facts.knownSizes(1, "the first place")[0]
    let shape = try node.output().shape
    return [
      try lowering.element(shape) { builder, index in
        builder.load(list.id, [builder.size(start) + Reshaping.linearize(builder, index, shape)])
      }
    ]
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let sizes = try inputs.value(2)
    let start = try builder.integerScalar(try inputs.value(1))
    let count = try builder.add1(Reduce(.product, keepsAxes: false), [sizes, builder.integers([0])])
    let index = try builder.add1(Binary(.add), [try builder.places(count), start])
    let part = try builder.add1(Gather(axis: 0), [try inputs.value(0), index])
    return [try builder.add1(Reshape(allowZero: true), [part, sizes])]
  }

  public static var examples: [OperatorExample] {
    let list = OperatorExample.Input.random(TensorType(.f32, ["n"]), -1...1)
    return [
      OperatorExample(
        Excerpt(), [list, .constant(.i64([], [2])), .constant(.i64([2], [3, 2]))], sizes: [Symbol("n"): 9]),
      OperatorExample(Excerpt(), [list, .constant(.i64([], [4])), .constant(.i64([0], []))], sizes: [Symbol("n"): 5]),
      OperatorExample(Excerpt(), [list, .given(.i64([], [1])), .given(.i64([2], [2, 2]))], sizes: [Symbol("n"): 5]),
    ]
  }
}
