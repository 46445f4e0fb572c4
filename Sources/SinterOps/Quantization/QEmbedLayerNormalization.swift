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

  public var epsilon = 1e-12

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.float("epsilon", &epsilon, default: 1e-12) }
  public static var onnx: [OnnxRule] { [.direct(QEmbedLayerNormalization.self, domain: .microsoft)] }

  /// Where a table, its scale and its zero point stand.
  private enum Part: Int, CaseIterable {
    case words, places, segments, gamma, beta
    var value: Int { rawValue + 2 }
    var scale: Int { rawValue + 8 }
    var zero: Int { rawValue + 13 }
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let (ids, segments) = (try inputs.value(0), inputs.id(1))
    let idType = try inputs.tensor(0)
    guard idType.rank == 2 else {
      throw DiagnosticError(.user, "embed.rank", "ids must be [batch, length], but are \(idType)")
    }
    let given = Part.allCases.filter { inputs.has($0.value) }
    guard inputs.has(Part.segments.value) == (segments != nil) else {
      throw DiagnosticError(
        .user, "embed.segments", "ids of segments and their embeddings must be given together, or neither")
    }
    let size = try inputs.tensor(Part.words.value).shape.last ?? 0
    for part in given {
      let type = try inputs.tensor(part.value)
      let isTable = part.rawValue <= Part.segments.rawValue
      guard type.rank == (isTable ? 2 : 1) else {
        throw DiagnosticError(
          .user, "embed.rank", "\(part) must be \(isTable ? "a table" : "a list"), but are \(type)")
      }
      try builder.require(by: Self.name) {
        try $0.equal(type.shape[type.rank - 1], size, "sizes of \(part) \(type) and of an embedding")
      }
    }
    func real(_ part: Part, _ bytes: ValueID) throws -> ValueID {
      let element = try builder.byteType(inputs, part.value)
      return try builder.add1(
        DequantizeLinear(),
        [
          bytes, try builder.number(Self.name, inputs, part.scale, "the scale of \(part)", .f32),
          try builder.number(Self.name, inputs, part.zero, "the zero point of \(part)", element),
        ])
    }
    func rows(_ part: Part, _ ids: ValueID) throws -> ValueID {
      try real(part, try builder.add1(Gather(), [try inputs.value(part.value), ids]))
    }
    let table = try inputs.tensor(Part.places.value)
    try builder.require(by: Self.name) {
      try $0.atLeast(table.shape[0], idType.shape[1], "number of places of \(table), of which a sequence of \(idType) has")
    }
    var length = Shape()
    length.start = 1
    let first = try builder.add1(
      Slice(),
      [
        try inputs.value(Part.places.value), builder.integers([0]), try builder.add1(length, [ids]), builder.integers([0]),
      ])
    var sum = try builder.add1(Binary(.add), [try rows(.words, ids), try real(.places, first)])
    if let segments {
      let type = try inputs.tensor(1)
      try builder.require(by: Self.name) {
        _ = try $0.equal(type.shape, idType.shape, "sizes of ids of segments \(type) and of words \(idType)")
      }
      sum = try builder.add1(Binary(.add), [sum, try rows(.segments, segments)])
    }
    var normalization = LayerNormalization()
    normalization.epsilon = epsilon
    let gamma = try real(.gamma, try inputs.value(Part.gamma.value))
    let beta = try real(.beta, try inputs.value(Part.beta.value))
    let result = try builder.add1(normalization, [sum, gamma, beta])
    return [result, try maskCounts(inputs, idType, into: &builder)]
  }

  private func maskCounts(_ inputs: NodeInputs, _ ids: TensorType, into builder: inout GraphBuilder) throws -> ValueID {
    let isOne: ValueID
    if let mask = inputs.id(7) {
      let type = try inputs.tensor(7)
      try builder.require(by: Self.name) {
        _ = try $0.equal(type.shape, ids.shape, "sizes of the mask \(type) and of ids \(ids)")
      }
      isOne = try builder.add1(Compare(.equal), [mask, try builder.scalar(1, type.element)])
    } else {
      isOne = try builder.add1(Compare(.less), [try inputs.value(0), try inputs.value(0)])
    }
    return try builder.add1(
      Reduce(.sum, keepsAxes: false), [try builder.add1(Cast(to: .i32), [isOne]), builder.integers([1])])
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
