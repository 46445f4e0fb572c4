import SinterCore
import SinterForms
import SinterIR

/// The slices of one tensor along its first axis, with those of another put in before a place.
///
/// Inputs: the first tensor, [n, …], the second, [m, …], and the place, from 0 to n.
public struct InsertRows: Primitive, Composite {
  public static let name = "InsertRows"
  public static let summary = "Slices along the first axis, with those of another tensor put in before a place."

  public init() {}

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, y) = (try inputs.tensor(0), try inputs.tensor(1))
    guard x.rank > 0, y.rank == x.rank, x.element == y.element else {
      throw DiagnosticError(.user, "rows.type", "slices of \(y) cannot be put between those of \(x)")
    }
    try obligations.scalar(try inputs.indices(2), "the place")
    var shape = x.shape
    for axis in shape.indices.dropFirst() {
      shape[axis] = try obligations.equal(
        x.shape[axis], y.shape[axis], "sizes of axis \(axis) of \(x) and of what is put in, \(y),")
    }
    shape[0] = x.shape[0] + y.shape[0]
    return [Fact(x.element, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, y, place) = (try node.input(0), try node.input(1), try node.input(2))
    let error = lowering.error("InsertRows: place %0 lies outside of the %1 places of an axis")
    return [
      try lowering.element(try node.output().shape) { builder, index in
        let start = builder.load(place.id, place.shape.map { _ in builder.constant(0, .i64) }).cast(to: .i64)
          .checked(below: builder.size(x.shape[0] + 1), error: error)
        let at = index[0]
        let end = start + builder.size(y.shape[0])
        let isNew = at >= start && at < end
        let old = builder.select(at < start, at, at - builder.size(y.shape[0]))
        let rest = Array(index.dropFirst())
        return builder.select(
          isNew, builder.load(y.id, [at - start] + rest, where: isNew), builder.load(x.id, [old] + rest, where: !isNew))
      }
    ]
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let (x, y) = (try inputs.value(0), try inputs.value(1))
    let place = try builder.integerScalar(try inputs.value(2))
    let (old, new) = (try builder.firstSize(of: x), try builder.firstSize(of: y))
    let both = try builder.add1(Concat(axis: 0), [x, y])
    let index = try builder.places(try builder.add1(Binary(.add), [old, new]))
    let end = try builder.add1(Binary(.add), [place, new])
    // The new slices lie behind the old ones here.
    let isBefore = try builder.add1(Compare(.less), [index, place])
    let isNew = try builder.add1(Compare(.less), [index, end])
    let shift = try builder.add1(Binary(.subtract), [old, place])
    let fromNew = try builder.add1(Binary(.add), [index, shift])
    let fromOld = try builder.add1(Binary(.subtract), [index, new])
    let behind = try builder.add1(Where(), [isNew, fromNew, fromOld])
    return [try builder.add1(Gather(axis: 0), [both, try builder.add1(Where(), [isBefore, index, behind])])]
  }

  public static var examples: [OperatorExample] {
    func rows(_ size: Dim) -> OperatorExample.Input { .random(TensorType(.f32, [size, 2]), -1...1) }
    let sizes = [Symbol("n"): 3, Symbol("m"): 2]
    return [0, 1, 3].map { place in
      OperatorExample(InsertRows(), [rows("n"), rows("m"), .given(.i64([], [place]))], sizes: sizes)
    } + [OperatorExample(InsertRows(), [rows(0), rows(2), .given(.i64([1], [0]))])]
  }
}
