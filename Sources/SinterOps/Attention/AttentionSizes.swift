import SinterCore
import SinterIR
import SinterKernel

/// The sizes of an attention, and where its elements lie in inputs of three or four axes.
struct AttentionSizes {
  var batch: Dim
  var keyHeads: Dim
  /// How many query heads share one head of keys.
  var group: Int
  var queries: Dim
  /// With those of the past.
  var keys: Dim
  var past: Dim
  /// Of a head of queries and keys, and of values.
  var size: Dim
  var valueSize: Dim

  init(_ attention: Attention, _ q: TensorType, _ k: TensorType, _ v: TensorType, past cache: TensorType?) throws {
    guard q.rank == 3 || q.rank == 4, k.rank == q.rank, v.rank == q.rank else {
      throw DiagnosticError(
        .user, "attention.rank", "queries, keys and values must all have 3 axes, or all 4, but are \(q), \(k) and \(v)")
    }
    var (queryHeads, heads) = (q.shape[1], k.shape[1])
    (size, valueSize) = (q.shape[q.rank - 1], v.shape[v.rank - 1])
    if q.rank == 3 {
      guard let own = attention.queryHeads, let other = attention.keyHeads, own > 0, other > 0 else {
        throw DiagnosticError(
          .user, "attention.heads", "q_num_heads and kv_num_heads must be given for inputs of 3 axes such as \(q)")
      }
      (queryHeads, heads) = (Dim(own), Dim(other))
      (size, valueSize) = (size / Dim(own), valueSize / Dim(other))
    }
    guard let group = queryHeads.exactQuotient(by: heads)?.value ?? (queryHeads == heads ? 1 : nil), group > 0 else {
      throw DiagnosticError(
        .user, "attention.heads", "\(queryHeads) query heads must be a multiple of \(heads) key heads")
    }
    guard size.isConstant else {
      throw DiagnosticError(.limit, "attention.size", "the size of a head must be known ahead of time, but is \(size)")
    }
    batch = q.shape[0]
    keyHeads = heads
    self.group = group
    queries = q.shape[q.rank - 2]
    past = cache?.shape[2] ?? 0
    keys = past + k.shape[k.rank - 2]
  }

  /// A query head's number from that of its key head and its place among those that share it.
  func head(_ builder: BodyBuilder, _ keyHead: Expr, _ member: Expr?) -> Expr {
    member.map { keyHead * builder.constant(group, .i64) + $0 } ?? keyHead
  }

  /// The key head of a query head and its place among those that share it, as indices of scores.
  func split(_ builder: BodyBuilder, _ head: Expr) -> [Expr] {
    if group == 1 { return [head] }
    let members = builder.constant(group, .i64)
    return [head.floorDivided(by: members), head.modulo(members)]
  }

  /// The index of an element of an input of either layout.
  func index(
    _ builder: BodyBuilder, _ batch: Expr, _ head: Expr, _ place: Expr, _ element: Expr, size: Dim, of input: Operand
  ) -> [Expr] {
    input.rank == 4 ? [batch, head, place, element] : [batch, place, head * builder.size(size) + element]
  }

  /// What an index of the result of either layout means.
  func parts(_ builder: BodyBuilder, _ index: [Expr], size: Dim) -> (batch: Expr, head: Expr, query: Expr, place: Expr) {
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
      let full = [sizes.batch, sizes.keyHeads * Dim(sizes.group), sizes.queries, sizes.keys]
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
    if attention.rightWindow >= 0 { counts = counts && (key - position <= builder.constant(attention.rightWindow, .i64)) }
    return builder.select(counts, value, builder.constant(-.infinity, value.type))
  }
}
