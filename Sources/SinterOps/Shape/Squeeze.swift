import SinterCore
import SinterForms
import SinterIR

/// Without the axes of size 1 that the second input names, or without all of them.
public struct Squeeze: Primitive {
  public static let name = "Squeeze"
  public static let summary = "Axes of size 1 removed."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(Squeeze.self, since: 13), .axesAttribute(Squeeze())] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 13) }

  /// Whether the axes are known only at run time.
  private func isOpen(_ inputs: NodeInputs) -> Bool { inputs.has(1) && inputs.integers(1) == nil }

  private func kept(_ inputs: NodeInputs, _ obligations: inout Obligations) throws -> [Int] {
    let x = try inputs.tensor(0)
    guard let given = try inputs.optionalIntegers(1, "axes"), !given.isEmpty else {
      if let open = x.shape.first(where: { !$0.isConstant }) {
        throw DiagnosticError(
          .limit, "squeeze.axes",
          "without axes, which sizes of \(x) are 1 must be known ahead of time, but \(open) is not",
          hint: "give axes, or fix the size with --bind")
      }
      return x.shape.indices.filter { x.shape[$0] != 1 }
    }
    let axes = Set(try given.map { try normalizedAxis($0, rank: x.rank, name: "axes") })
    for axis in axes.sorted() { try obligations.equal(x.shape[axis], 1, "size of axis \(axis) of \(x) and 1") }
    return x.shape.indices.filter { !axes.contains($0) }
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let fact = try inputs.fact(0)
    let x = try inputs.tensor(0)
    if isOpen(inputs) {
      let count = try inputs.countOfAxes(1, rank: x.rank)
      return [Fact(x.element, inputs.freshShape(rank: x.rank - count))]
    }
    return [Fact(x.element, try kept(inputs, &obligations).map { x.shape[$0] }, contents: fact.contents)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    if isOpen(node.facts) {
      let (axes, shape) = (NamedAxes(try node.input(1), rank: x.rank), try node.output().shape)
      try lowering.defineSizes(shape, of: "the result, as an axis to remove has another size than 1 or is none,") {
        builder, place in
        func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
        var (size, right) = (number(-1), axes.areRight(builder, mayRepeat: false))
        for axis in 0..<x.rank {
          let isNamed = axes.names(builder, axis)
          right = right && (!isNamed || (builder.size(x.shape[axis]) .== number(1)))
          let isHere = !isNamed && (axes.countOfOthers(builder, before: axis) .== number(place))
          size = builder.select(isHere, builder.size(x.shape[axis]), size)
        }
        return builder.select(right, size, number(-1))
      }
      return [try lowering.reshape(x, to: shape)]
    }
    var settled = Obligations()
    let kept = try kept(node.facts, &settled)
    return [
      try lowering.element(kept.map { x.shape[$0] }) { builder, index in
        var own = x.shape.map { _ in builder.constant(0, .i64) }
        for (j, axis) in kept.enumerated() { own[axis] = index[j] }
        return builder.load(x.id, own)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        Squeeze(), [.random(TensorType(.f32, ["n", 1, 3, 1]), -1...1), .constant(.i64([2], [1, -1]))],
        sizes: [Symbol("n"): 2]),
      OperatorExample(Squeeze(), [.random(TensorType(.f32, [1, 3, 1, 2]), -1...1)]),
      OperatorExample(
        Squeeze(), [.random(TensorType(.f32, ["n", "m"]), -1...1), .constant(.i64([1], [-1]))],
        sizes: [Symbol("n"): 2, Symbol("m"): 1]),
      OperatorExample(
        Squeeze(), [.random(TensorType(.f32, ["n", "m", "k"]), -1...1), .given(.i64([1], [-2]))],
        sizes: [Symbol("n"): 2, Symbol("m"): 1, Symbol("k"): 3]),
    ]
  }
}

extension Squeeze: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    [try node.gradient().reshaped(like: try node.input(0))]
  }
}
