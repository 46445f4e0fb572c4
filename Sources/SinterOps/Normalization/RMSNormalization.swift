import SinterCore
import SinterForms
import SinterIR

/// Each row, which is all axes from `axis` on, divided by the root of its mean square, then times a scale, whose type the result has.
public struct RMSNormalization: Primitive {
  public static let name = "RMSNormalization"
  public static let summary = "Divides rows by the root of their mean square, with a scale."

  /// The first axis of a row, from the end where negative.
  public var axis = -1
  /// What is added to a row's mean square before its root is taken.
  public var epsilon = 1e-5
  /// The type that the mean square is computed in.
  public var stashType = ElementType.f32

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: -1)
    list.float("epsilon", &epsilon, default: 1e-5)
    list.elementType("stash_type", &stashType)
  }

  public static var onnx: [OnnxRule] { [.direct(RMSNormalization.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 23) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try RowNormalization.requireElements(x, from: try normalizedAxis(axis, rank: x.rank), &obligations)
    let scale = try inputs.tensor(1)
    try requireElement(scale) { $0.isFloat }
    try obligations.broadcast(scale.shape, to: x.shape)
    return [Fact(scale.element, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, scale) = (try node.input(0), try node.input(1))
    let axis = try normalizedAxis(axis, rank: x.rank)
    let compute = x.element == .f64 || scale.element == .f64 ? ElementType.f64 : .f32
    let row = RowNormalization(x: x, rows: Array(x.shape[..<axis]), inner: Array(x.shape[axis...]), compute: compute)
    let inverse = try row.inverseDeviation(&lowering, mean: nil, epsilon: epsilon)
    let result = try lowering.element(x.shape) { builder, index in
      let factor = builder.load(scale.id, Broadcast.index(builder, index, of: x.shape, into: scale.shape))
      let value = builder.load(x.id, index).cast(to: compute) * builder.load(inverse.id, Array(index[..<axis]))
      // By definition what is scaled has the type of x again, which shows where the scale's is another.
      let isRounded = x.element != scale.element && x.element.bits == 16
      let normalized = isRounded ? value.rounded(to: x.element).cast(to: compute) : value
      return (normalized * factor.cast(to: compute)).cast(to: scale.element)
    }
    return [result]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        RMSNormalization(), [.random(TensorType(.f32, ["n", 20]), -1...1), .random(TensorType(.f32, [20]), 0.5...2)],
        sizes: [Symbol("n"): 3]),
      OperatorExample(
        RMSNormalization(),
        [.random(TensorType(.f32, ["n", "w"]), -1...1), .random(TensorType(.f32, ["s"]), 0.5...2)],
        sizes: [Symbol("n"): 3, Symbol("w"): 4, Symbol("s"): 4]),
    ]
  }
}

extension RMSNormalization: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    let axes = Array(try normalizedAxis(axis, rank: try x.rank)..<(try x.rank))
    let compute = try x.element == .f64 ? ElementType.f64 : .f32
    let (wide, wideG) = (try x.cast(to: compute), try g.cast(to: compute))
    func mean(_ value: GradientTensor) throws -> GradientTensor {
      try value.applying(Reduce(.mean), x.integers(axes))
    }
    let inverse = try 1 / (mean(wide * wide) + epsilon).unary(.sqrt)
    let normalized = try wide * inverse
    let scaled = node.has(1) ? try wideG * (try node.input(1)).cast(to: compute) : wideG
    var results: [GradientTensor?] = [
      node.wants(0) ? try (inverse * (scaled - normalized * mean(scaled * normalized))).cast(to: try x.element) : nil
    ]
    if node.has(1) {
      let scale = try node.input(1)
      results.append(
        node.wants(1) ? try (wideG * normalized).cast(to: try scale.element).summed(to: scale) : nil)
    }
    return results
  }
}
