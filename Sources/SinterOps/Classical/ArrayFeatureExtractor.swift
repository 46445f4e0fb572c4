import SinterCore
import SinterIR

/// Elements along the last axis, picked by index; one axis becomes a row. Inputs: the data, the indices.
public struct ArrayFeatureExtractor: Composite {
  public static let name = "ArrayFeatureExtractor"
  public static let summary = "Elements along the last axis, picked by index."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(ArrayFeatureExtractor.self, domain: .ml)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let indices = try inputs.indices(1)
    var picks = try inputs.value(1)
    if indices.rank != 1 { picks = try builder.add1(Reshape(), [picks, builder.integers([-1])]) }
    let picked = try builder.add1(Gather(axis: -1), [try inputs.value(0), picks])
    return [try inputs.tensor(0).rank == 1 ? builder.add1(Unsqueeze(), [picked, builder.integers([0])]) : picked]
  }

  public static var examples: [OperatorExample] {
    let picks = OperatorExample.Input.constant(.i64([1, 3], [2, 0, 2]))
    return [
      OperatorExample(
        ArrayFeatureExtractor(), [.random(TensorType(.f32, ["n", 4]), -1...1), picks], sizes: [Symbol("n"): 3]),
      OperatorExample(
        ArrayFeatureExtractor(), [.random(TensorType(.i64, ["m"]), -9...9), .given(.i64([2], [1, 0]))],
        sizes: [Symbol("m"): 2]),
      OperatorExample(
        ArrayFeatureExtractor(), [.random(TensorType(.f64, [2, "n", 3]), -1...1), picks], sizes: [Symbol("n"): 0]),
    ]
  }
}
