import SinterCore
import SinterIR

/// The attention of decoders in onnxruntime's domain: heads of queries in groups that share a head of keys, positions rotated by angles, a past.
///
/// Inputs: queries [batch, length, heads · head], keys and values [batch, length, key heads · head] (absent where queries hold all three, side by
/// side), keys and values of the past [batch, key heads, past length, head], for each sample the number of its positions less one, the greatest
/// number of positions, cosines and sines [positions, half], positions [batch, length], numbers that are added to scores [batch or 1, heads or 1,
/// length, number of positions], and a score of no key for each head. Results: [batch, length, heads · head], keys and values for the next step,
/// as many as there are positions or as the past has, and scores or weights.
///
/// The past is written behind its own positions, which are the sample's but those that are new. Where there are no more positions than new ones,
/// there is no past, whatever its buffers hold. What lies behind a sample's positions in a buffer is what lay there.
public struct GroupQueryAttention: Composite {
  public static let name = "GroupQueryAttention"
  public static let summary = "Attention of a decoder: shared key heads, rotary positions, a cache, windows, a sink."

  /// Whether a query sees no key behind its own position.
  public var isCausal = true
  /// Whether queries and keys are rotated by the angles of their positions.
  public var rotates = false
  /// The number of heads of keys and values; at least 1.
  public var keyHeads = 0
  /// The number of heads of queries, a multiple of `keyHeads`.
  public var heads = 0
  /// How many positions a query sees, itself counted; -1 for all.
  public var window = -1
  /// Whether rotated pairs are neighbours, else one element of each half of a head.
  public var isInterleaved = false
  /// What scores are multiplied by; nil: 1 / √(size of a head).
  public var scale: Double?
  /// Whether there is a score of no key, 0 where no input tells it.
  public var smooth = -1
  /// Scores s become softcap · tanh(s / softcap); 0: they stay.
  public var softcap = 0.0
  /// What the fourth result is: 1, the scores; 2, the weights.
  public var scores = 0
  var keyQuantization = "NONE"
  var valueQuantization = "NONE"
  var slidesCache = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("causal", &isCausal, default: true)
    list.bool("do_rotary", &rotates, default: false)
    list.string("k_quant_type", &keyQuantization, default: "NONE")
    list.int("kv_num_heads", &keyHeads, default: 0)
    list.int("local_window_size", &window, default: -1)
    list.int("num_heads", &heads, default: 0)
    list.int("qk_output", &scores, default: 0)
    list.bool("rotary_interleaved", &isInterleaved, default: false)
    list.optionalFloat("scale", &scale)
    list.bool("sliding_window_cache", &slidesCache, default: false)
    list.int("smooth_softmax", &smooth, default: -1)
    list.float("softcap", &softcap, default: 0)
    list.string("v_quant_type", &valueQuantization, default: "NONE")
  }

  public static var onnx: [OnnxRule] { [.direct(GroupQueryAttention.self, domain: .microsoft)] }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(6)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try checkOptions(inputs)
    let parts = try split(inputs, into: &builder)
    let query = try builder.type(parts[0])
    let batch = try builder.size(of: parts[0], along: 0)
    let length = try builder.size(of: parts[0], along: 2)
    // The greatest number of positions, and whether all of them are new.
    let total = try builder.add1(
      Reshape(), [try builder.add1(Cast(to: .i64), [try inputs.value(6)]), builder.integers([1])])
    let known = try inputs.size(6)
    try builder.require(by: Self.name) {
      try $0.atLeast(known, query.shape[2], "number of positions and of new ones")
      try $0.matchChannels(inputs, 5, query.shape[0], "samples")
    }
    if inputs.has(9) {
      let given = try inputs.tensor(9)
      try builder.require(by: Self.name) {
        _ = try $0.equal(
          given.shape, [query.shape[0], query.shape[2]],
          "sizes of positions \(given) and batch and length of the queries")
      }
    }
    let positions = try SamplePositions(
      counts: try inputs.value(5), isPrompt: try builder.add1(Compare(.equal), [total, length]), length: length,
      &builder)
    var (q, k) = (parts[0], parts[1])
    if rotates {
      let turned = try rotated([q, k], inputs, positions, batch: batch, &builder)
      (q, k) = (turned[0], turned[1])
    }
    let cache = try written([k, parts[2]], inputs, positions, total: total, known: known, &builder)
    let bias = try ScoreBias.sum(
      inputs.id(10), nil, queries: query.shape[2], keys: known, by: Self.name, into: &builder)
    let hasSink = smooth == 1 || inputs.has(11)
    var attention = Attention()
    (attention.scale, attention.softcap) = (scale == 0 ? nil : scale, softcap)
    attention.scoresMode = scores == 1 ? 2 : 3
    let asksForScores = inputs.outputCount > 3
    var results: [ValueID]
    if hasSink {
      let sink = AttentionSink(op: Self.name, isCausal: isCausal, window: window)
      let mask = try sink.mask(
        inputs.id(11), bias: bias, heads: heads, cache[0], positions, batch: batch, &builder)
      let longer = try cache.map { try sink.extended($0, &builder) }
      results = try builder.add(attention, [q] + longer + [mask], outputs: asksForScores ? 4 : 1)
    } else {
      attention.isCausal = isCausal
      attention.leftWindow = window < 0 ? -1 : window - 1
      let operands = [q] + cache + [bias, nil, nil, positions.filled]
      results = try builder.add(attention, operands, outputs: asksForScores ? 4 : 1)
    }
    let result = try builder.joinHeads(results[0])
    guard asksForScores else { return [result] + cache }
    return [result] + cache + [try shown(results[3], total: total, &builder)]
  }

  private func checkOptions(_ inputs: NodeInputs) throws {
    guard heads > 0, keyHeads > 0, heads % keyHeads == 0 else {
      throw DiagnosticError(
        .user, "attention.heads", "num_heads must be a multiple of kv_num_heads, but they are \(heads) and \(keyHeads)")
    }
    if inputs.has(12) || inputs.has(13) || keyQuantization != "NONE" || valueQuantization != "NONE" {
      throw DiagnosticError(
        .limit, "attention.cache", "caches of bytes are not supported", hint: "export the model with a cache of floats")
    }
    if slidesCache {
      throw DiagnosticError(
        .limit, "attention.cache", "sliding_window_cache is not supported",
        hint: "export the model with a cache of all positions")
    }
    if inputs.has(14) || inputs.has(15) {
      throw DiagnosticError(
        .limit, "attention.norm", "a normalization of queries and keys inside of the operator is not supported",
        hint: "export the model with RMSNormalization before it")
    }
    guard window != 0, isCausal || window < 0 else {
      throw DiagnosticError(
        .user, "attention.window", "local_window_size must be positive and the attention causal, but it is \(window)")
    }
  }

  /// Queries, keys and values, each [batch, heads, length, head].
  private func split(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let query = try inputs.tensor(0)
    guard inputs.has(1) == inputs.has(2), query.rank == 3 else {
      throw DiagnosticError(
        .user, "attention.rank",
        "queries must have 3 axes, and keys and values be given together, but queries are \(query)"
      )
    }
    if inputs.has(1) {
      let parts = [try inputs.value(0), try inputs.value(1), try inputs.value(2)]
      let types = try (1..<3).map { try inputs.tensor($0) }
      try builder.require(by: Self.name) {
        for type in types {
          guard type.rank == 3 else {
            throw DiagnosticError(.user, "attention.rank", "keys and values must have 3 axes, but are \(type)")
          }
          try $0.equal(type.shape[1], query.shape[1], "lengths of \(type) and of the queries \(query)")
          try $0.equal(type.shape[2], types[0].shape[2], "sizes of keys and values \(types[0]) and \(type)")
        }
      }
      return try zip(parts, [heads, keyHeads, keyHeads]).map { try builder.splitHeads($0, $1, by: Self.name) }
    }
    let all = try builder.splitHeads(try inputs.value(0), heads + 2 * keyHeads, by: Self.name)
    return try builder.add(Split(axis: 1), [all, builder.integers([heads, keyHeads, keyHeads])], outputs: 3)
  }

  /// Queries and keys turned by the angles of their positions.
  private func rotated(
    _ parts: [ValueID], _ inputs: NodeInputs, _ positions: SamplePositions, batch: ValueID,
    _ builder: inout GraphBuilder
  ) throws -> [ValueID] {
    let (cosines, sines) = (try inputs.value(7), try inputs.value(8))
    let (table, type) = (try builder.type(cosines), try builder.type(parts[0]))
    guard table.rank == 2 else {
      throw DiagnosticError(.user, "attention.rotary", "cosines must be [positions, half], but are \(table)")
    }
    var op = RotaryEmbedding()
    op.isInterleaved = isInterleaved
    if let half = table.shape[1].value, type.shape[3] != Dim(2 * half) { op.rotated = 2 * half }
    let places = try positions.places(batch: batch, given: inputs.id(9), &builder)
    return try parts.map { try builder.add1(op, [$0, cosines, sines, places]) }
  }

  /// Keys and values behind those of the past.
  private func written(
    _ new: [ValueID], _ inputs: NodeInputs, _ positions: SamplePositions, total: ValueID, known: Dim,
    _ builder: inout GraphBuilder
  ) throws -> [ValueID] {
    guard inputs.has(3) == inputs.has(4) else {
      throw DiagnosticError(.user, "attention.past", "past keys and past values must be given together")
    }
    guard inputs.has(3) else {
      let length = try builder.type(new[0]).shape[2]
      try builder.require(by: Self.name) {
        try $0.equal(known, length, "number of positions and of new ones, since there is no past,")
      }
      return new
    }
    return try zip([3, 4], new).map { index, fresh in
      let (past, type) = (try inputs.value(index), try inputs.tensor(index))
      let own = try builder.type(fresh)
      guard type.rank == 4 else {
        throw DiagnosticError(.user, "attention.past", "the past must be [batch, heads, length, head], but is \(type)")
      }
      try builder.require(by: Self.name) { obligations in
        for axis in [0, 1, 3] {
          try obligations.equal(
            type.shape[axis], own.shape[axis], "sizes of the past \(type) and of what is new \(own) along axis \(axis)")
        }
        try obligations.atLeast(type.shape[2] + own.shape[2], known, "number of past and new positions of \(type)")
      }
      // As many positions as there are, if the buffer has not more.
      let before = try builder.size(of: past, along: 2)
      let behind = try builder.add1(
        Binary(.subtract), [try builder.add1(Variadic(.maximum), [total, before]), before])
      let (zeros, zero) = (builder.integers([0, 0, 0, 0, 0, 0]), builder.integers([0]))
      let longer = try builder.add1(
        Pad(), [past, try builder.add1(Concat(axis: 0), [zeros, behind, zero])])
      return try builder.add1(TensorScatter(), [longer, fresh, positions.before])
    }
  }

  /// Scores or weights of as many positions as there are, zero where one may not be seen.
  private func shown(_ stage: ValueID, total: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
    let part = try builder.add1(Slice(), [stage, builder.integers([0]), total, builder.integers([3])])
    if scores != 1 { return part }
    let type = try builder.type(part).element
    let isSeen = try builder.add1(Compare(.greater), [part, try builder.scalar(-.infinity, type)])
    return try builder.add1(Where(), [isSeen, part, try builder.scalar(0, type)])
  }

  public static var examples: [OperatorExample] {
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    func ints(_ values: [Int32]) -> OperatorExample.Input {
      .given(HostTensor(.i32, [values.count], values: values))
    }
    func total(_ count: Int32) -> OperatorExample.Input { .constant(HostTensor(.i32, [], values: [count])) }
    func example(
      _ inputs: [OperatorExample.Input], outputs: Int, _ change: (inout GroupQueryAttention) -> Void = { _ in }
    ) -> OperatorExample {
      var op = GroupQueryAttention()
      (op.heads, op.keyHeads) = (4, 2)
      change(&op)
      return OperatorExample(
        op, inputs, outputs: outputs, sizes: [Symbol("s"): 3, Symbol("p"): 5])
    }
    let (query, key, table) = (floats([2, "s", 32]), floats([2, "s", 16]), floats([16, 4]))
    let past = floats([2, 2, "p", 8])
    return [
      example([query, key, key, .absent, .absent, ints([2, 2]), total(3)], outputs: 3),
      example(
        [floats([2, "s", 64]), .absent, .absent, past, past, ints([7, 7]), total(8), table, table], outputs: 4
      ) { ($0.rotates, $0.scores, $0.window) = (true, 1, 2) },
      example(
        [
          query, key, key, past, past, ints([3, 4]), total(5), table, table,
          .random(TensorType(.i64, [2, "s"]), 0...7),
          floats([2, 1, "s", 5]), floats([4]),
        ], outputs: 4
      ) { ($0.rotates, $0.isInterleaved, $0.softcap, $0.scores, $0.window) = (true, true, 1.5, 2, 3) },
    ]
  }
}

extension NodeInputs {
  /// The one number of an input whose elements are sizes.
  fileprivate func size(_ index: Int) throws -> Dim {
    guard let size = contents(index)?.first else {
      throw DiagnosticError(.user, "attention.total", "total_sequence_length must be one number")
    }
    return size
  }
}
