import SinterCore
import SinterIR

/// The attention of onnxruntime's domain whose queries, keys and values are projected already; a bias of the projections may be added here.
///
/// Inputs: queries [batch, length, size], keys and values likewise or [batch, heads, length, head], a bias of the three, a mask of keys, numbers
/// that are added to scores, keys and values of the past [batch, heads, past length, head]. Without values, keys hold both, [batch, length, heads,
/// 2, head]; without keys, queries hold all three. With the number of past positions given, the past is a buffer that new keys and values are
/// written into behind these, and `cache_indirection` [samples, beams, length] tells the beam whose past a position is of.
///
/// Results: [batch, length, size of values], keys and values for the next step, and the scores with all that was added to them.
public struct MultiHeadAttention: Composite {
  public static let name = "MultiHeadAttention"
  public static let summary = "Attention over heads of projected queries, keys and values, with masks, past and a bias."

  /// The number of heads; at least 1.
  public var heads = 0
  /// What is added to the score of a key that the mask leaves out.
  public var filter = -10_000.0
  /// What scores are multiplied by; nil: 1 / √(size of a head).
  public var scale: Double?
  /// Whether a query sees no key behind its own position.
  public var isCausal = false
  /// Whether the inputs are in the order of DecoderMaskedMultiHeadAttention, whose queries have one position, and whose packed form has no axis
  /// of its own for the three.
  public var isDecoder = false
  /// Of the decoder's form: whether the past is a buffer.
  public var sharesBuffer = false
  /// Of the decoder's form: whether the scores are a result.
  public var returnsScores = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("decoder", &isDecoder, default: false)
    list.float("mask_filter_value", &filter, default: -10_000)
    list.int("num_heads", &heads, default: 0)
    list.bool("output_qk", &returnsScores, default: false)
    list.bool("past_present_share_buffer", &sharesBuffer, default: false)
    list.optionalFloat("scale", &scale)
    list.bool("unidirectional", &isCausal, default: false)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(MultiHeadAttention.self, domain: .microsoft),
      .direct(MultiHeadAttention.self, as: "DecoderMaskedMultiHeadAttention", domain: .microsoft) { op, _ in
        op.isDecoder = true
      },
    ]
  }

  /// The places of the inputs behind the first three.
  private struct Places {
    var bias = 3, mask = 4, scoreBias = 5, pastKeys = 6, pastValues = 7, pastLength = 8, beams = 9
    static let decoder = Places(
      bias: 10, mask: 3, scoreBias: 4, pastKeys: 5, pastValues: 6, pastLength: 7, beams: 9)
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let places = isDecoder ? Places.decoder : Places()
    guard heads > 0 else {
      throw DiagnosticError(.user, "attention.heads", "num_heads must be positive, but is \(heads)")
    }
    if isDecoder {
      let type = try inputs.tensor(0)
      guard type.rank == 3 else {
        throw DiagnosticError(.user, "attention.rank", "queries must be [batch, 1, size], but are \(type)")
      }
      try builder.require(by: Self.name) { try $0.equal(type.shape[1], 1, "length of queries \(type) and 1") }
    }
    var parts = try unpacked(inputs, into: &builder)
    let isCross = try builder.type(parts[1]).rank == 4 && inputs.has(2)
    if let bias = inputs.id(places.bias) { try add(bias, to: &parts, isCross: isCross, into: &builder) }
    if try parts.contains(where: { try builder.type($0).rank == 4 }) || inputs.has(places.pastLength) {
      parts = try parts.map { try builder.type($0).rank == 4 ? $0 : builder.splitHeads($0, heads, by: Self.name) }
    }
    return try attend(parts, inputs, places, isCross: isCross, into: &builder)
  }

  /// Queries, keys and values, each [batch, length, size] or [batch, heads, length, head].
  private func unpacked(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let query = try inputs.value(0)
    if inputs.has(2) { return [query, try inputs.value(1), try inputs.value(2)] }
    if let both = inputs.id(1) { return [query] + (try members(both, 2, into: &builder)) }
    let type = try inputs.tensor(0)
    if type.rank == 3 {
      // Of equal sizes, side by side.
      try builder.require(by: Self.name) {
        try $0.divisible(type.shape[2], by: Dim(3 * heads), "size of \(type), of three times \(heads) heads,")
      }
      var thirds = Split(axis: 2)
      thirds.numOutputs = 3
      return try builder.add(thirds, [query], outputs: 3)
    }
    return try members(query, 3, into: &builder)
  }

  /// [batch, length, heads, count, head] as `count` values [batch, heads, length, head].
  private func members(_ packed: ValueID, _ count: Int, into builder: inout GraphBuilder) throws -> [ValueID] {
    let type = try builder.type(packed)
    guard type.rank == 5 else {
      throw DiagnosticError(
        .user, "attention.packed", "a packed input must be [batch, length, heads, \(count), head], but is \(type)")
    }
    try builder.require(by: Self.name) {
      try $0.equal(type.shape[2], Dim(heads), "number of heads of the packed input \(type) and num_heads")
      try $0.equal(type.shape[3], Dim(count), "size of axis 3 of the packed input \(type) and \(count)")
    }
    return try (0..<count).map { place in
      var gather = Gather()
      gather.axis = 3
      let part = try builder.add1(gather, [packed, try builder.scalar(Double(place), .i64)])
      return try builder.add1(Transpose([0, 2, 1, 3]), [part])
    }
  }

  /// Adds the bias of the projections. Keys and values that are given as heads have theirs already.
  private func add(
    _ bias: ValueID, to parts: inout [ValueID], isCross: Bool, into builder: inout GraphBuilder
  ) throws {
    let type = try builder.type(bias)
    guard type.rank == 1 else {
      throw DiagnosticError(.user, "attention.bias", "the bias must be a list, but is \(type)")
    }
    /// The number of columns of a part, as an i64 of one entry.
    func columns(_ part: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
      let rank = try builder.type(part).rank
      let size = try builder.size(of: part, along: rank - 1)
      return rank == 3 ? size : try builder.add1(Binary(.multiply), [size, builder.integers([heads])])
    }
    let sizes = try parts.map { try columns($0, &builder) }
    let all = try builder.add1(Concat(axis: 0), sizes)
    let pieces = try builder.add(Split(axis: 0), [bias, all], outputs: 3)
    for index in isCross ? 0..<1 : parts.indices {
      let rank = try builder.type(parts[index]).rank
      var piece = pieces[index]
      if rank == 4 { piece = try builder.add1(Reshape(), [piece, builder.integers([heads, 1, -1])]) }
      parts[index] = try builder.add1(Binary(.add), [parts[index], piece])
    }
  }

  private func attend(
    _ parts: [ValueID], _ inputs: NodeInputs, _ places: Places, isCross: Bool, into builder: inout GraphBuilder
  ) throws -> [ValueID] {
    let types = try parts.map { try builder.type($0) }
    if let odd = types.first(where: { $0.rank != types[0].rank }) {
      throw DiagnosticError(
        .user, "attention.rank", "queries, keys and values must have as many axes, but are \(types[0]) and \(odd)")
    }
    let axis = types[0].rank - 2
    var attention = Attention()
    (attention.isCausal, attention.scale, attention.scoresMode) = (isCausal, scale == 0 ? nil : scale, 2)
    if types[0].rank == 3 { (attention.queryHeads, attention.keyHeads) = (heads, heads) }
    var keys = types[1].shape[axis]
    var count = try builder.size(of: parts[1], along: axis)
    var operands: [ValueID?] = parts
    var past: [ValueID?] = [nil, nil]
    var cache: CacheBuffer.Written?
    if !isCross, let pastKeys = inputs.id(places.pastKeys), let pastValues = inputs.id(places.pastValues) {
      if let length = inputs.id(places.pastLength), sharesBuffer || !isDecoder {
        let written = try CacheBuffer(op: Self.name, heads: heads).write(
          [parts[1], parts[2]], into: [pastKeys, pastValues], behind: length, beams: inputs.id(places.beams), &builder)
        cache = written
        operands = [parts[0]] + written.seen
        keys = try builder.type(written.buffers[0]).shape[2]
        count = try builder.size(of: written.buffers[0], along: 2)
      } else {
        past = [pastKeys, pastValues]
        let pastType = try builder.type(pastKeys)
        guard pastType.rank == 4 else {
          throw DiagnosticError(
            .user, "attention.rank", "past keys must be [batch, heads, length, head], but are \(pastType)")
        }
        keys = pastType.shape[2] + keys
        count = try builder.add1(Binary(.add), [try builder.size(of: pastKeys, along: 2), count])
      }
    }
    let added = try scoreShift(inputs, places, types[0], keys: keys, count, cache, &builder)
    let outputs = inputs.outputCount > 3 ? 4 : 3
    var results = try builder.add(attention, operands + [added] + past + [cache?.lengths], outputs: outputs)
    if types[0].rank == 4 { results[0] = try builder.joinHeads(results[0]) }
    if let cache { results.replaceSubrange(1...2, with: cache.buffers) }
    if outputs > 3 {
      // A position that may not be seen has the least number, not minus infinity.
      let element = try builder.type(results[3]).element
      let least = try builder.scalar(-Double(Float.greatestFiniteMagnitude), element)
      results[3] = try builder.add1(Variadic(.maximum), [results[3], least])
      if let cache {
        // Of a buffer, those of the positions that are filled.
        results[3] = try builder.add1(
          Slice(), [results[3], builder.integers([0]), cache.filled, builder.integers([3])])
      }
    }
    return results
  }

  /// What is added to scores.
  private func scoreShift(
    _ inputs: NodeInputs, _ places: Places, _ query: TensorType, keys: Dim, _ count: ValueID,
    _ cache: CacheBuffer.Written?, _ builder: inout GraphBuilder
  ) throws -> ValueID? {
    let queries = query.shape[query.rank - 2]
    // Of a buffer, a mask and a bias cover the positions that are filled.
    func own(_ index: Int) throws -> Dim {
      let type = try inputs.tensor(index)
      guard let cache, type.rank > 1 else { return keys }
      return cache.count ?? type.shape[type.rank - 1]
    }
    var added: ValueID?
    if let mask = inputs.id(places.mask) {
      let padding = KeyPadding(
        op: Self.name, filter: filter, batch: query.shape[0], queries: queries, keys: try own(places.mask))
      added = try padding.additive(mask, count: count, into: &builder)
    }
    guard let bias = inputs.id(places.scoreBias) else { return added }
    return try ScoreBias.sum(
      bias, added, queries: queries, keys: try own(places.scoreBias), by: Self.name, into: &builder)
  }

  public static var examples: [OperatorExample] {
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    func example(
      _ inputs: [OperatorExample.Input], outputs: Int, _ change: (inout MultiHeadAttention) -> Void = { _ in }
    ) -> OperatorExample {
      var op = MultiHeadAttention()
      op.heads = 2
      change(&op)
      return OperatorExample(
        op, inputs, outputs: outputs, sizes: [Symbol("b"): 2, Symbol("s"): 3, Symbol("l"): 5, Symbol("p"): 4])
    }
    let query = floats(["b", "s", 8])
    return [
      example(
        [
          query, floats(["b", "l", 8]), floats(["b", "l", 12]), floats([28]), .random(TensorType(.i32, ["b"]), 1...5),
        ],
        outputs: 4),
      example(
        [
          query, query, query, .absent, .random(TensorType(.i32, ["b", 7]), 0...1.9), floats([1, 2, "s", 7]),
          floats(["b", 2, 4, 4]), floats(["b", 2, 4, 4]),
        ], outputs: 3
      ) { _ in },
      example([query, floats(["b", 2, "l", 4]), floats(["b", 2, "l", 4]), floats([24])], outputs: 3),
      example([query, floats(["b", "l", 2, 2, 4]), .absent, floats([24])], outputs: 1),
      example([floats(["b", "s", 2, 3, 4]), .absent, .absent, floats([24])], outputs: 4) { $0.isCausal = true },
      example(
        [
          query, query, query, .absent, .absent, .absent, floats(["b", 2, 9, 4]), floats(["b", 2, 9, 4]),
          .given(HostTensor(.i32, [1], values: [Int32(4)])),
        ], outputs: 3
      ) { $0.isCausal = true },
      example(
        [
          floats(["b", 1, 24]), .absent, .absent, .absent, .absent, floats(["b", 2, 6, 4]), floats(["b", 2, 6, 4]),
          .given(HostTensor(.i32, [1], values: [Int32(3)])), .absent, .random(TensorType(.i32, [1, 2, 6]), 0...1.9),
        ], outputs: 3
      ) { ($0.isDecoder, $0.sharesBuffer) = (true, true) },
    ]
  }
}
