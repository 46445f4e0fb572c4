/// x · Wᵀ + b over the last axis. Weight [outputs, inputs], bias [outputs]; both start uniform within 1 / sqrt(inputs).
public struct Linear: UnaryLayer {
  /// The weight, a parameter.
  public var weight: Parameter
  /// The bias, a parameter; nil for a layer without one.
  public var bias: Parameter?

  /// From [… , inputs] to [… , outputs], with a bias unless told otherwise.
  public init(_ inputs: Int, _ outputs: Int, bias: Bool = true) {
    weight = Parameter([outputs, inputs], initializer: .fanIn(inputs))
    self.bias = bias ? Parameter([outputs], initializer: .fanIn(inputs)) : nil
  }

  public func forward(_ x: Tensor) -> Tensor {
    let product = x.matmul(x.trace.tensor(weight).transpose(0, 1))
    return bias.map { product + x.trace.tensor($0) } ?? product
  }

  public var printedArguments: String {
    "in_features=\(weight.size(1)), out_features=\(weight.size(0)), bias=\(PrintedForm.bool(bias != nil))"
  }
}

/// aᵀ · W · b + bias for each output, over the last axes. Weight [outputs, first, second], bias [outputs].
public struct Bilinear: Layer {
  /// The weight, a parameter.
  public var weight: Parameter
  /// The bias, a parameter; nil for a layer without one.
  public var bias: Parameter?

  /// From [… , first] and [… , second] to [… , outputs], with a bias unless told otherwise.
  public init(_ first: Int, _ second: Int, _ outputs: Int, bias: Bool = true) {
    weight = Parameter([outputs, first, second], initializer: .fanIn(first))
    self.bias = bias ? Parameter([outputs], initializer: .fanIn(first)) : nil
  }

  /// [… , outputs] of `a`, [… , first], and `b`, [… , second]; the axes before the last must be equal.
  public func callAsFunction(
    _ a: Tensor, _ b: Tensor, file: StaticString = #fileID, line: UInt = #line
  ) -> Tensor {
    run(a, file: file, line: line) {
      // [outputs, first, second] to [first, outputs · second], so that one product does for all outputs.
      let (outputs, first, second) = (weight.size(0), weight.size(1), weight.size(2))
      let table = a.trace.tensor(weight).permute(1, 0, 2).reshape(first, outputs * second)
      let rows = a.matmul(table).unflatten(-1, [outputs, second])
      let product = (rows * b.unsqueeze(-2)).sum(-1)
      return bias.map { product + a.trace.tensor($0) } ?? product
    }
  }

  public var printedArguments: String {
    "in1_features=\(weight.size(1)), in2_features=\(weight.size(2)), out_features=\(weight.size(0)), "
      + "bias=\(PrintedForm.bool(bias != nil))"
  }
}

/// Rows of a table by index. Weight [count, width], normal at first; the input is an integer tensor of any shape.
public struct Embedding: UnaryLayer {
  /// The weight, a parameter.
  public var weight: Parameter
  /// The index of a row that starts as zeros and is not trained, counted from the front.
  public let paddingIndex: Int?

  /// - Parameter paddingIndex: negative numbers count from the back.
  public init(_ count: Int, _ width: Int, paddingIndex: Int? = nil) {
    self.paddingIndex = paddingIndex.map { $0 < 0 ? $0 + count : $0 }
    let normal = Initializer.normal(mean: 0, deviation: 1)
    weight = Parameter([count, width], initializer: self.paddingIndex.map { .zeroRow($0, of: normal) } ?? normal)
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.element.isInteger else {
      return x.trace.fail(
        "embedding", "an embedding is read at indices, integers, but is given \(x.type)", like: x,
        hint: "make the input .i64(…)")
    }
    if let paddingIndex, !(0..<weight.size(0)).contains(paddingIndex) {
      return x.trace.fail(
        "embedding", "the padding index \(paddingIndex) lies outside of the table of \(weight.size(0)) rows", like: x)
    }
    // As in PyTorch, indices do not count from the end.
    let rows = x.trace.tensor(weight).gather(x, countsFromEnd: false)
    guard let paddingIndex else { return rows }
    return (x .== Double(paddingIndex)).unsqueeze(-1).where(rows.stopGradient(), rows)
  }

  public var printedArguments: String {
    "\(weight.size(0)), \(weight.size(1))" + (paddingIndex.map { ", padding_idx=\($0)" } ?? "")
  }
}

/// 1 − (a · b) / max(|a| · |b|, ε) is PyTorch's cosine distance; this is the similarity, along an axis.
public struct CosineSimilarity: Layer {
  /// The axis; a negative one counts from the back.
  public var axis: Int
  /// A small number that keeps a divisor from being zero.
  public var epsilon: Double
  /// Compares vectors along the given axis.
  public init(_ axis: Int = 1, epsilon: Double = 1e-8) {
    self.axis = axis
    self.epsilon = epsilon
  }
  /// The similarities, from −1 to 1, without the axis; the shapes of `a` and `b` must broadcast.
  public func callAsFunction(_ a: Tensor, _ b: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
    run(a, file: file, line: line) { cosineSimilarity(a, b, axis: axis, epsilon: epsilon) }
  }
}

/// a · b / (max(|a|, ε) · max(|b|, ε)) along an axis.
public func cosineSimilarity(_ a: Tensor, _ b: Tensor, axis: Int = 1, epsilon: Double = 1e-8) -> Tensor {
  (a.normalized(axis, epsilon: epsilon) * b.normalized(axis, epsilon: epsilon)).sum(axis)
}
