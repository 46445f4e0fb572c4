/// Attention by several heads over sequences [batch, length, width], batch first. Parameters are named and shaped as PyTorch's.
public struct MultiheadAttention: CustomParameterNames {
  /// The projections of query, key and value, one under the other: [3 · width, width].
  public var inWeight: Parameter
  public var inBias: Parameter
  public var outProjection: Linear
  public var heads: Int

  public init(_ width: Int, heads: Int) {
    inWeight = Parameter([3 * width, width], initializer: .xavierUniform(fanIn: width, fanOut: 3 * width))
    inBias = Parameter([3 * width])
    outProjection = Linear(width, width)
    self.heads = heads
  }

  /// - Parameter mask: added to the scores; broadcasts to [batch, heads, queries, keys].
  public func callAsFunction(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, mask: Tensor? = nil, file: StaticString = #fileID,
    line: UInt = #line
  ) -> Tensor {
    query.trace.enter(self, file: file, line: line) { forward(query, key, value, mask) }
  }

  private func forward(_ query: Tensor, _ key: Tensor, _ value: Tensor, _ mask: Tensor?) -> Tensor {
    let trace = query.trace
    let width = outProjection.weight.shape[0]
    guard heads > 0, width % heads == 0 else {
      return trace.fail("attention", "a width of \(width) does not divide into \(heads) heads", like: query)
    }
    let weights = trace.tensor(inWeight).chunk(3)
    let biases = trace.tensor(inBias).chunk(3)
    func project(_ x: Tensor, _ part: Int) -> Tensor {
      let projected = x.matmul(weights[part].transpose(0, 1)) + biases[part]
      return projected.reshape([x.size(0), x.size(1), Dim(heads), Dim(width / heads)]).transpose(1, 2)
    }
    let (q, k, v) = (project(query, 0), project(key, 1), project(value, 2))
    var scores = q.matmul(k.transpose(2, 3)) * (1 / Double(width / heads).squareRoot())
    if let mask { scores = scores + mask }
    let mixed = scores.softmax(-1).matmul(v).transpose(1, 2)
    return outProjection(mixed.reshape([query.size(0), query.size(1), Dim(width)]))
  }

  public func parameterName(_ property: String) -> String? {
    switch property {
    case "inWeight": "in_proj_weight"
    case "inBias": "in_proj_bias"
    case "outProjection": "out_proj"
    default: nil
    }
  }
}
