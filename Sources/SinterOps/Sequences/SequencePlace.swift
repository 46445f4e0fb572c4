import SinterCore
import SinterForms
import SinterIR

/// Where an element of a sequence lies, whose shapes are the rows of a matrix.
///
/// Inputs: the shapes, i64 [length, rank], where less than zero stands for an axis that a tensor does not have, and a position, one integer that counts from the end where it is negative. Results: the position from
/// the front, the number of scalars in all tensors before it, and, where there is an element at the position, its sizes, i64 [rank]. A position
/// beyond the sequence ends the run with an error that names it as it was given.
public struct SequencePlace: Primitive, Composite {
  public static let name = "SequencePlace"
  public static let summary = "Where an element of a sequence lies among the scalars of all of them, and its sizes."

  /// Whether the position is one between elements, before which something is put in: the length itself is one of them.
  public var isGap = false
  /// The operator of the model, for messages.
  public var reader = "SequenceAt"

  public init() {}
  /// The place of an element, or of a gap between elements, for messages of an operator.
  public init(isGap: Bool = false, for reader: String) {
    self.isGap = isGap
    self.reader = reader
  }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("gap", &isGap, default: false)
    list.string("for", &reader, default: "SequenceAt")
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (shapes, position) = (try inputs.tensor(0), try inputs.indices(1))
    guard shapes.element == .i64, shapes.rank == 2 else {
      throw DiagnosticError(
        .user, "sequence.shapes", "the shapes of a sequence must be an i64 matrix, but are \(shapes)")
    }
    try obligations.scalar(position, "the position")
    if let length = shapes.shape[0].value, let given = inputs.integers(1)?.first,
      !(-length..<(isGap ? length + 1 : length)).contains(given)
    {
      throw DiagnosticError(
        .user, "sequence.position", "\(reader): position \(given) lies outside of a sequence of \(length) elements")
    }
    return [Fact(.i64, []), Fact(.i64, []), Fact(.i64, [shapes.shape[1]])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (shapes, position) = (try node.input(0), try node.input(1))
    let problem =
      isGap
      ? "position %0 is none of the %1 places before, between and behind the tensors of the sequence"
      : "position %0 lies outside of a sequence of %1 tensors"
    let error = lowering.error("\(reader): \(problem)")
    let (isGap, length) = (self.isGap, shapes.shape[0])
    let place = try lowering.element([]) { builder, _ in
      let given = builder.load(position.id, position.shape.map { _ in builder.constant(0, .i64) }).cast(to: .i64)
      let count = builder.size(length)
      // What is too small stays as it is, so that the error tells the position that was given.
      let fromFront = builder.select(given < 0 && given >= -count, given + count, given)
      return fromFront.checked(below: isGap ? count + builder.constant(1, .i64) : count, error: error)
    }
    let counts = try lowering.reduce(.product, [length], over: [shapes.shape[1]]) { builder, outer, inner in
      let size = builder.load(shapes.id, outer + inner)
      return builder.select(size < 0, builder.constant(1, .i64), size)
    }
    // What is read as a size is computed, and so checked, whatever becomes of the results.
    lowering.define(lowering.freshSize(), as: place, "position")
    let start = try lowering.reduce(.sum, [], over: [length]) { builder, _, inner in
      builder.select(inner[0] < builder.load(place.id, []), builder.load(counts.id, inner), builder.constant(0, .i64))
    }
    let results = [place, start]
    if isGap || node.outputs.count < 3 { return results }
    let sizes = try lowering.element([shapes.shape[1]]) { builder, index in
      builder.load(shapes.id, [builder.load(place.id, [])] + index)
    }
    return results + [sizes]
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let shapes = try inputs.value(0)
    let position = try builder.integerScalar(try inputs.value(1))
    let length = try builder.add1(Squeeze(), [try builder.sizes(of: shapes, from: 0, to: 1), builder.integers([0])])
    let isNegative = try builder.add1(Compare(.less), [position, builder.constant(.i64([], [0]))])
    let fromFront = try builder.add1(
      Where(), [isNegative, try builder.add1(Binary(.add), [position, length]), position])
    let isAbsent = try builder.add1(Compare(.less), [shapes, builder.constant(.i64([], [0]))])
    let sizes = try builder.add1(Where(), [isAbsent, builder.constant(.i64([], [1])), shapes])
    let counts = try builder.add1(Reduce(.product, keepsAxes: false), [sizes, builder.integers([1])])
    let places = try builder.add1(
      Range(), [builder.constant(.i64([], [0])), length, builder.constant(.i64([], [1]))])
    let isBefore = try builder.add1(Compare(.less), [places, fromFront])
    let before = try builder.add1(Where(), [isBefore, counts, builder.constant(.i64([], [0]))])
    let results = [fromFront, try builder.add1(Reduce(.sum, keepsAxes: false), [before, builder.integers([0])])]
    return isGap ? results : results + [try builder.add1(Gather(axis: 0), [shapes, fromFront])]
  }

  public static var examples: [OperatorExample] {
    let shapes = HostTensor.i64([3, 2], [2, 3, 5, -1, 4, 1])
    let given = OperatorExample.Input.given(shapes)
    return [
      OperatorExample(SequencePlace(), [given, .given(.i64([], [2]))], outputs: 3),
      OperatorExample(SequencePlace(), [given, .given(HostTensor(.i32, [1], values: [Int32(-2)]))], outputs: 3),
      OperatorExample(SequencePlace(isGap: true, for: "SequenceInsert"), [given, .given(.i64([], [3]))], outputs: 2),
      OperatorExample(SequencePlace(), [.constant(shapes), .constant(.i64([], [0]))], outputs: 3),
    ]
  }
}
