import SinterCore
import SinterIR

/// The sum of embeddings of words, places and segments, normalized row by row.
///
/// Inputs: ids of words and of segments [batch, length], the tables of words, places and segments […, size], gamma and beta [size], a mask
/// [batch, length], and the places [batch or 1, length] (0, 1, …). What is of segments may be absent, and so may the last two. Results: [batch,
/// length, size], how many elements of the mask are 1 for each sample (0 without a mask), and the sum that was normalized.
public struct EmbedLayerNormalization: Composite {
  public static let name = "EmbedLayerNormalization"
  public static let summary = "Sum of embeddings of words, places and segments, normalized."

  /// What is added to a row's variance before its root is taken.
  public var epsilon = 1e-12
  /// What the second result is used for, which changes nothing here.
  public var maskIndexType = 1

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("epsilon", &epsilon, default: 1e-12)
    list.int("mask_index_type", &maskIndexType, default: 1)
  }
  public static var onnx: [OnnxRule] { [.direct(EmbedLayerNormalization.self, domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let embeddings = Embeddings(op: Self.name, inputs: inputs, epsilon: epsilon)
    return try embeddings.normalized(places: inputs.has(8) ? 8 : nil, into: &builder) { _, _, rows in rows }
  }

  public static var examples: [OperatorExample] {
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    func ids(_ limit: Double) -> OperatorExample.Input { .random(TensorType(.i32, ["b", "s"]), 0...limit) }
    return [
      OperatorExample(
        EmbedLayerNormalization(),
        [
          ids(6), ids(1), floats([7, 8]), floats([5, 8]), floats([2, 8]), floats([8]), floats([8]), ids(1),
          .random(TensorType(.i32, [1, "s"]), 0...4),
        ], outputs: 3, sizes: [Symbol("b"): 2, Symbol("s"): 4])
    ]
  }
}

/// What EmbedLayerNormalization and its quantized form share: their first eight inputs.
struct Embeddings {
  /// The operator's name.
  let op: String
  let inputs: NodeInputs
  let epsilon: Double

  /// What is looked up, then the parameters of the normalization, in the order of the inputs.
  enum Part: Int, CaseIterable {
    case words, places, segments, gamma, beta
    /// The input that it is.
    var value: Int { rawValue + 2 }
  }

  /// The normalized sum, the number of ones in each row of the mask, and the sum.
  ///
  /// - Parameters:
  ///   - places: which input tells the places, where one does.
  ///   - real: the floats that rows of a part stand for.
  func normalized(
    places: Int?, into builder: inout GraphBuilder, real: (inout GraphBuilder, Part, ValueID) throws -> ValueID
  ) throws -> [ValueID] {
    let (ids, segments) = (try inputs.value(0), inputs.id(1))
    let idType = try inputs.tensor(0)
    guard idType.rank == 2 else {
      throw DiagnosticError(.user, "embed.rank", "ids must be [batch, length], but are \(idType)")
    }
    guard inputs.has(Part.segments.value) == (segments != nil) else {
      throw DiagnosticError(
        .user, "embed.segments", "ids of segments and their embeddings must be given together, or neither")
    }
    try checkSizes(&builder)
    func rows(_ part: Part, _ ids: ValueID) throws -> ValueID {
      try real(&builder, part, try builder.add1(Gather(), [try inputs.value(part.value), ids]))
    }
    var sum = try builder.add1(Binary(.add), [try rows(.words, ids), try placeRows(places, idType, &builder, real)])
    if let segments {
      let type = try inputs.tensor(1)
      try builder.require(by: op) {
        _ = try $0.equal(type.shape, idType.shape, "sizes of ids of segments \(type) and of words \(idType)")
      }
      sum = try builder.add1(Binary(.add), [sum, try rows(.segments, segments)])
    }
    var normalization = LayerNormalization()
    normalization.epsilon = epsilon
    let gamma = try real(&builder, .gamma, try inputs.value(Part.gamma.value))
    let beta = try real(&builder, .beta, try inputs.value(Part.beta.value))
    return [try builder.add1(normalization, [sum, gamma, beta]), try maskCounts(idType, &builder), sum]
  }

  /// All tables have rows of one size, which the parameters have too.
  private func checkSizes(_ builder: inout GraphBuilder) throws {
    let size = try inputs.tensor(Part.words.value).shape.last ?? 0
    for part in Part.allCases where inputs.has(part.value) {
      let type = try inputs.tensor(part.value)
      let isTable = part.rawValue <= Part.segments.rawValue
      guard type.rank == (isTable ? 2 : 1) else {
        throw DiagnosticError(.user, "embed.rank", "\(part) must be a \(isTable ? "table" : "list"), but are \(type)")
      }
      try builder.require(by: op) {
        try $0.equal(type.shape[type.rank - 1], size, "sizes of \(part) \(type) and of an embedding")
      }
    }
  }

  /// Embeddings of places: those that an input names, or the first ones.
  private func placeRows(
    _ places: Int?, _ ids: TensorType, _ builder: inout GraphBuilder,
    _ real: (inout GraphBuilder, Part, ValueID) throws -> ValueID
  ) throws -> ValueID {
    let value = try inputs.value(Part.places.value)
    if let places {
      let type = try inputs.tensor(places)
      guard type.rank == 2 else {
        throw DiagnosticError(.user, "embed.places", "places must be [batch or 1, length], but are \(type)")
      }
      try builder.require(by: op) {
        try $0.broadcasts(type.shape[0], to: ids.shape[0], "number of rows of places \(type)")
        try $0.equal(type.shape[1], ids.shape[1], "lengths of places \(type) and of ids \(ids)")
      }
      return try real(&builder, .places, try builder.add1(Gather(), [value, try inputs.value(places)]))
    }
    let table = try inputs.tensor(Part.places.value)
    try builder.require(by: op) {
      try $0.atLeast(table.shape[0], ids.shape[1], "number of places of \(table), of which a sequence of \(ids) has")
    }
    var length = Shape()
    length.start = 1
    let count = try builder.add1(length, [try inputs.value(0)])
    let first = try builder.add1(Slice(), [value, builder.integers([0]), count, builder.integers([0])])
    return try real(&builder, .places, first)
  }

  private func maskCounts(_ ids: TensorType, _ builder: inout GraphBuilder) throws -> ValueID {
    let isOne: ValueID
    if let mask = inputs.id(7) {
      let type = try inputs.tensor(7)
      try builder.require(by: op) {
        _ = try $0.equal(type.shape, ids.shape, "sizes of the mask \(type) and of ids \(ids)")
      }
      isOne = try builder.add1(Compare(.equal), [mask, try builder.scalar(1, type.element)])
    } else {
      isOne = try builder.add1(Compare(.less), [try inputs.value(0), try inputs.value(0)])
    }
    return try builder.add1(
      Reduce(.sum, keepsAxes: false), [try builder.add1(Cast(to: .i32), [isOne]), builder.integers([1])])
  }
}
