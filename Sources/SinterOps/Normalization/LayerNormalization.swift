import SinterCore
import SinterForms
import SinterIR

/// Each row, which is all axes from `axis` on, shifted to mean 0 and scaled to variance 1, then times a scale and plus a bias. Further
/// results are the mean and the inverse standard deviation, in f32, with the row's axes of size 1.
public struct LayerNormalization: Primitive {
  public static let name = "LayerNormalization"
  public static let summary = "Normalizes rows to mean 0 and variance 1, with scale and bias."

  /// The first axis of a row, from the end where negative.
  public var axis = -1
  /// What is added to a row's variance before its root is taken.
  public var epsilon = 1e-5
  /// The type that mean and variance are computed in, and that they have as results.
  public var stashType = ElementType.f32

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: -1)
    list.float("epsilon", &epsilon, default: 1e-5)
    list.elementType("stash_type", &stashType)
  }

  public static var onnx: [OnnxRule] { [.direct(LayerNormalization.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 17) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let axis = try normalizedAxis(axis, rank: x.rank)
    try RowNormalization.requireElements(x, from: axis, &obligations)
    for index in 1..<3 where inputs.has(index) {
      try obligations.broadcast(try inputs.tensor(index).shape, to: x.shape)
    }
    let statistics = Fact(stashType, x.shape[..<axis] + x.shape[axis...].map { _ in Dim(1) })
    return [Fact(.tensor(x)), statistics, statistics]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let axis = try normalizedAxis(axis, rank: x.rank)
    let compute = x.element == .f64 ? ElementType.f64 : .f32
    let rows = Array(x.shape[..<axis])
    let row = RowNormalization(x: x, rows: rows, inner: Array(x.shape[axis...]), compute: compute)
    let mean = try row.mean(&lowering)
    let inverse = try row.inverseDeviation(&lowering, mean: mean, epsilon: epsilon)
    let (scale, bias) = (node.has(1) ? try node.input(1) : nil, node.has(2) ? try node.input(2) : nil)
    let result = try lowering.element(x.shape) { builder, index in
      let at = Array(index[..<axis])
      var value =
        (builder.load(x.id, index).cast(to: compute) - builder.load(mean.id, at)) * builder.load(inverse.id, at)
      func parameter(_ operand: Operand) -> Expr {
        builder.load(operand.id, Broadcast.index(builder, index, of: x.shape, into: operand.shape)).cast(to: compute)
      }
      if let scale { value = value * parameter(scale) }
      if let bias { value = value + parameter(bias) }
      return value.cast(to: x.element)
    }
    var results = [result]
    for (statistic, output) in zip([mean, inverse], node.outputs.dropFirst())
    where node.facts.outputCount > results.count {
      guard let type = output.type.tensor else { continue }
      results.append(
        try lowering.element(type.shape) { builder, index in
          builder.load(statistic.id, Array(index[..<axis])).cast(to: type.element)
        })
    }
    return results
  }

  public static var examples: [OperatorExample] {
    var second = LayerNormalization()
    second.axis = 1
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 3, 20]), -1...1)
    return [
      OperatorExample(
        LayerNormalization(), [x, .random(TensorType(.f32, [20]), 0.5...2), .random(TensorType(.f32, [20]), -1...1)],
        outputs: 3, sizes: [Symbol("n"): 2]),
      OperatorExample(second, [x, .random(TensorType(.f32, [3, 20]), 0.5...2)], sizes: [Symbol("n"): 4]),
      OperatorExample(
        second,
        [
          .random(TensorType(.f32, ["n", "h", "w"]), -1...1), .random(TensorType(.f32, ["a", "b"]), 0.5...2),
          .random(TensorType(.f32, ["c"]), 0.5...2),
        ], outputs: 3,
        sizes: [Symbol("n"): 2, Symbol("h"): 3, Symbol("w"): 4, Symbol("a"): 1, Symbol("b"): 4, Symbol("c"): 4]),
    ]
  }
}

/// Statistics over rows, which the normalizations share: element [rows…, inner…] of x belongs to row [rows…].
struct RowNormalization {
  let x: Operand
  let rows: [Dim]
  let inner: [Dim]
  let compute: ElementType

  /// A row without elements has no mean.
  static func requireElements(_ x: TensorType, from axis: Int, _ obligations: inout Obligations) throws {
    try obligations.atLeast(
      x.shape[axis...].reduce(1, *), 1, "number of elements of a row, axes \(axis) and up of \(x),")
  }

  func mean(_ lowering: inout Lowering) throws -> Operand {
    try average(&lowering) { builder, index, inner in builder.load(x.id, index + inner).cast(to: compute) }
  }

  /// 1 / sqrt(variance + epsilon).
  func inverseDeviation(_ lowering: inout Lowering, mean: Operand?, epsilon: Double) throws -> Operand {
    let variance = try average(&lowering) { builder, index, inner in
      var d = builder.load(x.id, index + inner).cast(to: compute)
      if let mean { d = d - builder.load(mean.id, index) }
      return d * d
    }
    return try lowering.element(rows) { builder, index in 1 / (builder.load(variance.id, index) + epsilon).unary(.sqrt)
    }
  }

  private func average(
    _ lowering: inout Lowering, _ value: (BodyBuilder, [Expr], [Expr]) throws -> Expr
  ) throws -> Operand {
    let sum = try lowering.reduce(.sum, rows, over: inner, value)
    return try lowering.element(rows) { builder, index in
      builder.load(sum.id, index) / builder.size(inner.reduce(1, *)).cast(to: compute)
    }
  }
}

extension LayerNormalization: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    guard node.outputGradients.dropFirst().allSatisfy({ $0 == nil }) else {
      throw DiagnosticError(
        .limit, "gradient.operator", "no gradient flows through the mean and the deviation that the operator gives")
    }
    let (x, g) = (try node.input(0), try node.gradient())
    let axes = Array(try normalizedAxis(axis, rank: try x.rank)..<(try x.rank))
    let compute = try x.element == .f64 ? ElementType.f64 : .f32
    let wide = try x.cast(to: compute)
    func mean(_ value: GradientTensor) throws -> GradientTensor {
      try value.applying(Reduce(.mean), x.integers(axes))
    }
    let shifted = try wide - mean(wide)
    let inverse = try 1 / (mean(shifted * shifted) + epsilon).unary(.sqrt)
    let normalized = try shifted * inverse
    let wideG = try g.cast(to: compute)
    let scaled = node.has(1) ? try wideG * (try node.input(1)).cast(to: compute) : wideG
    var results: [GradientTensor?] = [nil, nil, nil]
    if node.wants(0) {
      results[0] = try (inverse * (scaled - mean(scaled) - normalized * mean(scaled * normalized)))
        .cast(to: try x.element)
    }
    if node.wants(1) {
      let scale = try node.input(1)
      results[1] = try (wideG * normalized).cast(to: try scale.element).summed(to: scale)
    }
    if node.wants(2) {
      let bias = try node.input(2)
      results[2] = try g.cast(to: try bias.element).summed(to: bias)
    }
    return results
  }
}
