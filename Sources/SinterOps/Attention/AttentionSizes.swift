import SinterCore
import SinterForms
import SinterIR

/// The sizes of an attention, and where its elements lie in inputs of three or four axes.
struct AttentionSizes {
  var batch: Dim
  var keyHeads: Dim
  var queryHeads: Dim
  /// How many query heads share one head of keys.
  var group: Dim
  var queries: Dim
  /// With those of the past.
  var keys: Dim
  var past: Dim
  /// Of a head of queries and keys, and of values.
  var size: Dim
  var valueSize: Dim

  init(_ attention: Attention, _ inputs: NodeInputs, _ obligations: inout Obligations) throws {
    let (q, k, v) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    guard q.rank == 3 || q.rank == 4, k.rank == q.rank, v.rank == q.rank else {
      throw DiagnosticError(
        .user, "attention.rank", "queries, keys and values must all have 3 axes, or all 4, but are \(q), \(k) and \(v)")
    }
    batch = try obligations.equal(q.shape[0], k.shape[0], "batch sizes of queries \(q) and keys \(k)")
    batch = try obligations.equal(batch, v.shape[0], "batch sizes of queries \(q) and values \(v)")
    let sequence = q.rank - 2
    keys = try obligations.equal(k.shape[sequence], v.shape[sequence], "lengths of keys \(k) and values \(v)")
    queries = q.shape[sequence]
    if q.rank == 3 {
      guard let own = attention.queryHeads, let other = attention.keyHeads, own > 0, other > 0 else {
        throw DiagnosticError(
          .user, "attention.heads", "q_num_heads and kv_num_heads must be given for inputs of 3 axes such as \(q)")
      }
      (queryHeads, keyHeads) = (Dim(own), Dim(other))
      try obligations.divisible(q.shape[2], by: queryHeads, "size of queries \(q) of \(own) heads")
      try obligations.divisible(v.shape[2], by: keyHeads, "size of values \(v) of \(other) heads")
      (size, valueSize) = (q.shape[2] / queryHeads, v.shape[2] / keyHeads)
      try obligations.equal(
        k.shape[2], keyHeads * size, "size of keys \(k) and that of \(other) heads like those of queries \(q)")
    } else {
      queryHeads = q.shape[1]
      keyHeads = try obligations.equal(k.shape[1], v.shape[1], "numbers of heads of keys \(k) and values \(v)")
      size = try obligations.equal(q.shape[3], k.shape[3], "sizes of a head of queries \(q) and keys \(k)")
      valueSize = v.shape[3]
    }
    // No number is a multiple of zero.
    if keyHeads.isConstant { try obligations.atLeast(keyHeads, 1, "number of heads of keys \(k)") }
    group = queryHeads == keyHeads ? 1 : queryHeads / keyHeads
    if queryHeads != keyHeads {
      try obligations.divisible(queryHeads, by: keyHeads, "number of heads of queries \(q), which share those of keys,")
    }
    past = 0
    guard inputs.has(4) == inputs.has(5) else {
      throw DiagnosticError(.user, "attention.past", "past keys and past values must be given together")
    }
    if inputs.has(4) {
      let (pastKeys, pastValues) = (try inputs.tensor(4), try inputs.tensor(5))
      guard pastKeys.rank == 4, pastValues.rank == 4 else {
        throw DiagnosticError(
          .user, "attention.past", "past keys and values must have 4 axes, but are \(pastKeys) and \(pastValues)")
      }
      past = try obligations.equal(
        pastKeys.shape[2], pastValues.shape[2], "lengths of past keys \(pastKeys) and values \(pastValues)")
      for (type, own) in [(pastKeys, size), (pastValues, valueSize)] {
        let expected = [batch, keyHeads, past, own]
        _ = try obligations.equal(
          type.shape, expected, "sizes of what is past \(type) and what fits the inputs \(Broadcast.list(expected))")
      }
      keys = past + keys
    }
    if inputs.has(3) { try check(mask: try inputs.tensor(3), &obligations) }
    if inputs.has(6) { try obligations.matchChannels(inputs, 6, batch, "examples") }
  }

  /// A mask broadcasts to scores, but along the last axis, where it may be short.
  private func check(mask: TensorType, _ obligations: inout Obligations) throws {
    guard mask.rank <= 4 else {
      throw DiagnosticError(.user, "attention.mask", "the mask must have at most 4 axes, but is \(mask)")
    }
    guard let last = mask.shape.last else { return }
    try obligations.broadcast(mask.shape.dropLast() + [1], to: [batch, queryHeads, queries, 1])
    try obligations.atLeast(keys, last, "number of keys, of which a mask \(mask) is,")
  }

  /// A query head's number from that of its key head and its place among those that share it.
  func head(_ builder: BodyBuilder, _ keyHead: Expr, _ member: Expr?) -> Expr {
    member.map { keyHead * builder.size(group) + $0 } ?? keyHead
  }

  /// The key head of a query head and its place among those that share it, as indices of scores.
  func split(_ builder: BodyBuilder, _ head: Expr) -> [Expr] {
    if group == 1 { return [head] }
    let members = builder.size(group)
    return [head.floorDivided(by: members), head.modulo(members)]
  }

  /// The index of an element of an input of either layout.
  func index(
    _ builder: BodyBuilder, _ batch: Expr, _ head: Expr, _ place: Expr, _ element: Expr, size: Dim, of input: Operand
  ) -> [Expr] {
    input.rank == 4 ? [batch, head, place, element] : [batch, place, head * builder.size(size) + element]
  }

  /// What an index of the result of either layout means.
  func parts(_ builder: BodyBuilder, _ index: [Expr], size: Dim) -> (batch: Expr, head: Expr, query: Expr, place: Expr)
  {
    if index.count == 4 { return (index[0], index[1], index[2], index[3]) }
    let width = builder.size(size)
    return (index[0], index[2].floorDivided(by: width), index[1], index[2].modulo(width))
  }
}

/// What is added to scores, or keeps a query from a key.
struct AttentionMask {
  let attention: Attention
  let node: LoweringNode
  let sizes: AttentionSizes

  var isEmpty: Bool {
    !node.has(3) && !node.has(6) && !attention.isCausal && attention.leftWindow < 0 && attention.rightWindow < 0
  }

  /// The score of a key for a query, minus infinity where it does not count. The index is one of scores.
  func apply(_ score: Expr, _ index: [Expr]) throws -> Expr {
    let builder = score.builder
    let (batch, query, key) = (index[0], index[index.count - 2], index[index.count - 1])
    var value = score
    var counts = builder.bool(true)
    if node.has(3) {
      let mask = try node.input(3)
      let head = sizes.head(builder, index[1], index.count > 4 ? index[2] : nil)
      let full = [sizes.batch, sizes.queryHeads, sizes.queries, sizes.keys]
      var own = Broadcast.index(builder, [batch, head, query, key], of: full, into: mask.shape)
      // A mask that is too short covers the first keys; the others do not count.
      let last = mask.rank - 1
      if last >= 0, mask.shape[last] != sizes.keys {
        own[last] = key
        counts = key < builder.size(mask.shape[last])
      }
      if mask.element == .bool {
        counts = counts && builder.load(mask.id, own, where: counts)
      } else {
        value = value + builder.load(mask.id, own, where: counts).cast(to: score.type)
      }
    }
    var position = query + builder.size(sizes.past)
    if node.has(6) {
      let lengths = try node.input(6)
      let length = builder.load(lengths.id, [batch]).cast(to: .i64)
      counts = counts && (key < length)
      if !node.has(4) { position = query + length - builder.size(sizes.queries) }
    }
    if attention.isCausal { counts = counts && (key <= position) }
    if attention.leftWindow >= 0 { counts = counts && (position - key <= builder.constant(attention.leftWindow, .i64)) }
    if attention.rightWindow >= 0 {
      counts = counts && (key - position <= builder.constant(attention.rightWindow, .i64))
    }
    return builder.select(counts, value, builder.constant(-.infinity, value.type))
  }
}
