import SinterCore
import SinterIR

/// The sum of embeddings of words, places and segments, which are tables of bytes that stand for real numbers, normalized row by row.
///
/// Inputs: ids of words and of segments [batch, length], the tables of words, places and segments […, size], gamma and beta [size], a mask
/// [batch, length], then the scales of the five, then their zero points. What is of segments may be absent, and so may the mask. Results: [batch,
/// length, size], and how many elements of the mask are 1 for each sample (0 without a mask).
public struct QEmbedLayerNormalization: Composite {
  public static let name = "QEmbedLayerNormalization"
  public static let summary = "Sum of quantized embeddings of words, places and segments, normalized."

  /// What is added to a row's variance before its root is taken.
  public var epsilon = 1e-12

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.float("epsilon", &epsilon, default: 1e-12) }
  public static var onnx: [OnnxRule] { [.direct(QEmbedLayerNormalization.self, domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let embeddings = Embeddings(op: Self.name, inputs: inputs, epsilon: epsilon)
    return try embeddings.normalized(places: nil, into: &builder) { builder, part, bytes in
      let element = try builder.byteType(inputs, part.value)
      return try builder.add1(
        DequantizeLinear(),
        [
          bytes, try builder.number(Self.name, inputs, part.rawValue + 8, "the scale of \(part)", .f32),
          try builder.number(Self.name, inputs, part.rawValue + 13, "the zero point of \(part)", element),
        ])
    }
  }

  public static var examples: [OperatorExample] {
    func bytes(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.u8, shape), 0...255) }
    func ids(_ limit: Double) -> OperatorExample.Input { .random(TensorType(.i32, ["b", "s"]), 0...limit) }
    func scale(_ value: Float) -> OperatorExample.Input { .constant(.f32([], [value])) }
    let zero = OperatorExample.Input.constant(HostTensor(.u8, [], values: [UInt8(120)]))
    return [
      OperatorExample(
        QEmbedLayerNormalization(),
        [ids(6), ids(1), bytes([7, 8]), bytes([5, 8]), bytes([2, 8]), bytes([8]), bytes([8]), ids(1)]
          + [0.01, 0.02, 0.03, 0.01, 0.02].map(scale) + [zero, zero, zero, zero, zero],
        outputs: 2, sizes: [Symbol("b"): 2, Symbol("s"): 4])
    ]
  }
}
