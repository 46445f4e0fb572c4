import SinterCore
import SinterIR
import SinterKernel

/// The first elements along the time axis in reverse, as many for each batch as the second input says.
public struct ReverseSequence: Primitive {
  public static let name = "ReverseSequence"
  public static let summary = "The beginning of each sequence of a batch reversed."

  public var batchAxis = 1
  public var timeAxis = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("batch_axis", &batchAxis, default: 1)
    list.int("time_axis", &timeAxis, default: 0)
  }

  public static var onnx: [OnnxRule] { [.direct(ReverseSequence.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 10) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, lengths) = (try inputs.tensor(0), try inputs.tensor(1))
    let batch = try normalizedAxis(batchAxis, rank: x.rank, name: "batch_axis")
    let time = try normalizedAxis(timeAxis, rank: x.rank, name: "time_axis")
    guard batch != time, lengths.rank == 1, lengths.element.isInteger else {
      throw DiagnosticError(
        .user, "reversesequence", "lengths must be [\(x.shape[batch])] integers along another axis than time, but are \(lengths)")
    }
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, lengths) = (try node.input(0), try node.input(1))
    let batch = try normalizedAxis(batchAxis, rank: x.rank)
    let time = try normalizedAxis(timeAxis, rank: x.rank)
    return [
      try lowering.element(x.shape) { builder, index in
        let length = builder.load(lengths.id, [index[batch]]).cast(to: .i64).minimum(builder.size(x.shape[time]))
        var own = index
        own[time] = builder.select(index[time] < length, length - index[time] - 1, index[time])
        return builder.load(x.id, own)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        ReverseSequence(), [.random(TensorType(.f32, [4, "n"]), -1...1), .given(.i64([3], [1, 4, 2]))], sizes: [Symbol("n"): 3])
    ]
  }
}
