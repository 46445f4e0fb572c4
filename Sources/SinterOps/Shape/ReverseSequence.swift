import SinterCore
import SinterForms
import SinterIR

/// The first elements along the time axis in reverse, as many for each batch as the second input says.
public struct ReverseSequence: Primitive {
  public static let name = "ReverseSequence"
  public static let summary = "The beginning of each sequence of a batch reversed."

  /// The axis of sequences, 0 or 1.
  public var batchAxis = 1
  /// The axis that is reversed, 0 or 1, and not that of sequences.
  public var timeAxis = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("batch_axis", &batchAxis, default: 1)
    list.int("time_axis", &timeAxis, default: 0)
  }

  public static var onnx: [OnnxRule] { [.direct(ReverseSequence.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 10) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, lengths) = (try inputs.tensor(0), try inputs.tensor(1))
    let batch = try normalizedAxis(batchAxis, rank: x.rank, name: "batch_axis")
    let time = try normalizedAxis(timeAxis, rank: x.rank, name: "time_axis")
    guard batch != time, batch < 2, time < 2, lengths.rank == 1, lengths.element.isInteger else {
      throw DiagnosticError(
        .user, "reversesequence",
        "time and batch must be axes 0 and 1, and lengths \(x.shape[batch]) integers, but the axes are \(time) and \(batch), and lengths \(lengths)"
      )
    }
    try obligations.equal(lengths.shape[0], x.shape[batch], "number of lengths and size of axis \(batch) of \(x)")
    if x.isNeverEmpty { try inputs.requireKnown(1, "length", below: x.shape[time] + 1) }
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, lengths) = (try node.input(0), try node.input(1))
    let batch = try normalizedAxis(batchAxis, rank: x.rank)
    let time = try normalizedAxis(timeAxis, rank: x.rank)
    let error = lowering.error(
      "ReverseSequence: length %0 is negative or not less than %1, which is one more than the time axis is long")
    if !x.type.isNeverEmpty {
      // Lengths that no element asks for must be right all the same.
      let right = try lowering.reduce(.minimum, [], over: lengths.shape) { builder, _, inner in
        let length = builder.load(lengths.id, inner).cast(to: .i64)
        let isRight = (length >= 0) && (length <= builder.size(x.shape[time]))
        return builder.select(isRight, builder.constant(1, .i64), builder.constant(-1, .i64))
      }
      lowering.define(
        lowering.freshSize(), as: right,
        failing: "ReverseSequence: a length is negative or greater than the size of the time axis")
    }
    return [
      try lowering.element(x.shape) { builder, index in
        let length = builder.load(lengths.id, [index[batch]]).cast(to: .i64).checked(
          below: builder.size(x.shape[time] + 1), error: error)
        var own = index
        own[time] = builder.select(index[time] < length, length - index[time] - 1, index[time])
        return builder.load(x.id, own)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        ReverseSequence(), [.random(TensorType(.f32, ["t", "n"]), -1...1), .given(.i64([3], [1, 4, 2]))],
        sizes: [Symbol("t"): 4, Symbol("n"): 3])
    ]
  }
}

extension ReverseSequence: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    [try node.gradient().applying(self, try node.input(1)), nil]
  }
}
