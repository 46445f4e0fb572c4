import SinterIR
import SinterOps

/// softmax(q · kᵀ · scale + mask) · v over the last two axes: `F.scaled_dot_product_attention`.
///
/// - Parameters:
///   - mask: broadcasts to [batch, heads, queries, keys]: of `bool`, true where a query may look; else added to the scores.
///   - isCausal: whether a query looks at no key behind its own place.
///   - dropout: a probability of weights to be dropped while training.
///   - scale: 1 / sqrt(size of a head) where nil.
public func scaledDotProductAttention(
  _ q: Tensor, _ k: Tensor, _ v: Tensor, mask: Tensor? = nil, dropout: Double = 0, isCausal: Bool = false,
  scale: Double? = nil
) -> Tensor {
  attention(q, k, v, blocked: mask.map { $0.element == .bool ? !$0 : $0 }, dropout, isCausal, scale).result
}

/// - Parameter blocked: of `bool`, true where a query may not look; else added to the scores.
private func attention(
  _ q: Tensor, _ k: Tensor, _ v: Tensor, blocked: Tensor?, _ dropout: Double, _ isCausal: Bool, _ scale: Double?
) -> (result: Tensor, weights: Tensor) {
  let trace = q.trace
  guard q.rank >= 2, let size = q.size(-1).value, size > 0 else {
    let failed = trace.fail("attention", "the last axis of \(q.type) must be a number", like: q)
    return (failed, failed)
  }
  var scores = q.matmul(k.transpose(-2, -1)) * (scale ?? 1 / Double(size).squareRoot())
  if let blocked { scores = blocked.element == .bool ? scores.maskedFill(blocked, -.infinity) : scores + blocked }
  if isCausal {
    let future: Tensor
    if let queries = scores.size(-2).value, let keys = scores.size(-1).value {
      future = trace.constant(
        HostTensor(.bool, [queries, keys], integers: (0..<(queries * keys)).map { $0 % keys > $0 / keys ? 1 : 0 }))
    } else {
      future = scores.onesLike().triu(1) > 0
    }
    scores = scores.maskedFill(future, -.infinity)
  }
  let weights = scores.softmax(-1)
  return (weights.dropout(dropout).matmul(v), weights)
}

/// Attention by several heads over sequences: PyTorch's `nn.MultiheadAttention`, whose parameters have the same names and shapes.
///
/// Inputs are [length, batch, width], or [batch, length, width] where `batchFirst`, or [length, width] of one sequence.
public struct MultiheadAttention: Layer, CustomParameterNames {
  /// The projections of query, key and value, one under the other: [3 · width, width]. Nil where keys or values have another width.
  public var inWeight: Parameter?
  /// The projections one by one, [width, width of the query, the key or the value]. Nil where `inWeight` has all three.
  public var queryWeight: Parameter?, keyWeight: Parameter?, valueWeight: Parameter?
  /// The biases of the projections of queries, keys and values.
  public var inBias: Parameter?
  /// The projection of what the heads give.
  public var outProjection: Linear
  /// The number of heads.
  public var heads: Int
  /// How likely a weight of attention is dropped in training.
  public var dropout: Double
  /// Whether the batch comes before the sequence.
  public var batchFirst: Bool

  /// - Parameters:
  ///   - keyWidth: of the keys before their projection; `width` where nil.
  ///   - valueWidth: likewise of the values.
  public init(
    _ width: Int, heads: Int, dropout: Double = 0, bias: Bool = true, keyWidth: Int? = nil, valueWidth: Int? = nil,
    batchFirst: Bool = false
  ) {
    let (keyWidth, valueWidth) = (keyWidth ?? width, valueWidth ?? width)
    if keyWidth == width && valueWidth == width {
      inWeight = Parameter([3 * width, width], initializer: .xavierUniform())
    } else {
      queryWeight = Parameter([width, width], initializer: .xavierUniform())
      keyWeight = Parameter([width, keyWidth], initializer: .xavierUniform())
      valueWeight = Parameter([width, valueWidth], initializer: .xavierUniform())
    }
    inBias = bias ? Parameter([3 * width]) : nil
    outProjection = Linear(width, width, bias: bias)
    outProjection.bias = outProjection.bias?.initialized(.zeros)
    self.heads = heads
    self.dropout = dropout
    self.batchFirst = batchFirst
  }

  /// - Parameters:
  ///   - mask: [queries, keys], or [batch · heads, queries, keys], or what broadcasts to [batch, heads, queries, keys]; of `bool`, true where a
  ///     query may not look, else added to the scores: PyTorch's `attn_mask`.
  ///   - paddingMask: [batch, keys] of `bool`, true where a key does not count: PyTorch's `key_padding_mask`.
  public func callAsFunction(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, mask: Tensor? = nil, paddingMask: Tensor? = nil,
    isCausal: Bool = false, file: StaticString = #fileID, line: UInt = #line
  ) -> Tensor {
    run(query, file: file, line: line) { forward(query, key, value, mask, paddingMask, isCausal).output }
  }

  /// The result, and the weights as a mean over heads, [batch, queries, keys].
  public func withWeights(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, mask: Tensor? = nil, paddingMask: Tensor? = nil,
    isCausal: Bool = false, file: StaticString = #fileID, line: UInt = #line
  ) -> (Tensor, Tensor) {
    run(query, file: file, line: line) {
      let result = forward(query, key, value, mask, paddingMask, isCausal)
      return (result.output, result.weights.mean(1))
    }
  }

  private func forward(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, _ mask: Tensor?, _ paddingMask: Tensor?, _ isCausal: Bool
  ) -> (output: Tensor, weights: Tensor) {
    let trace = query.trace
    let width = outProjection.weight.size(0)
    func failed(_ text: String) -> (Tensor, Tensor) {
      let failed = trace.fail("attention", text, like: query)
      return (failed, failed)
    }
    guard heads > 0, width % heads == 0 else {
      return failed("a width of \(width) does not divide into \(heads) heads")
    }
    guard query.rank == 3 || query.rank == 2, key.rank == query.rank, value.rank == query.rank else {
      return failed("query, key and value must have 3 axes, or 2, but are \(query.type), \(key.type), \(value.type)")
    }
    guard query.size(-1).value.map({ $0 == width }) ?? true else {
      return failed("the query must have \(width) features, but is \(query.type)")
    }
    let hasBatch = query.rank == 3
    func ordered(_ x: Tensor) -> Tensor { hasBatch ? (batchFirst ? x : x.transpose(0, 1)) : x.unsqueeze(0) }
    let weights =
      inWeight.map { trace.tensor($0).chunk(3) }
      ?? [queryWeight, keyWeight, valueWeight].compactMap { $0.map { trace.tensor($0) } }
    let biases = inBias.map { trace.tensor($0).chunk(3) }
    func project(_ x: Tensor, _ part: Int) -> Tensor {
      var projected = x.matmul(weights[part].transpose(0, 1))
      if let biases { projected = projected + biases[part] }
      return projected.reshape([x.size(0), x.size(1), Dim(heads), Dim(width / heads)]).transpose(1, 2)
    }
    let queries = ordered(query)
    let (q, k, v) = (project(queries, 0), project(ordered(key), 1), project(ordered(value), 2))
    var blocked = mask
    if let mask, mask.rank == 3 {
      blocked = mask.reshape([queries.size(0), Dim(heads), mask.size(1), mask.size(2)])
    }
    if let paddingMask {
      let padding = (paddingMask.rank == 1 ? paddingMask.unsqueeze(0) : paddingMask).unsqueeze(1).unsqueeze(1)
      let added =
        padding.element == .bool
        ? padding.where(trace.scalar(-.infinity, like: query), trace.scalar(0, like: query)) : padding
      blocked =
        blocked.map { other in
          let other =
            other.element == .bool
            ? other.where(trace.scalar(-.infinity, like: query), trace.scalar(0, like: query)) : other
          return other + added
        } ?? padding
    }
    let (mixed, scores) = attention(q, k, v, blocked: blocked, dropout, isCausal, nil)
    let joined = mixed.transpose(1, 2).reshape([queries.size(0), queries.size(1), Dim(width)])
    let output = outProjection.forward(in: joined)
    return (hasBatch ? (batchFirst ? output : output.transpose(0, 1)) : output.squeeze(0), scores)
  }

  public func parameterName(_ property: String) -> String? {
    switch property {
    case "inWeight": "in_proj_weight"
    case "queryWeight": "q_proj_weight"
    case "keyWeight": "k_proj_weight"
    case "valueWeight": "v_proj_weight"
    case "inBias": "in_proj_bias"
    case "outProjection": "out_proj"
    default: nil
    }
  }
}
