import SinterCore
import SinterIR
import SinterKernel

/// Without the axes of size 1 that the second input names, or without all of them.
public struct Squeeze: Primitive {
  public static let name = "Squeeze"
  public static let summary = "Axes of size 1 removed."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(Squeeze.self, since: 13), .axesAttribute(Squeeze())] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 13) }

  /// Whether the axes are known only at run time.
  private func isOpen(_ inputs: NodeInputs) -> Bool { inputs.has(1) && inputs.integers(1) == nil }

  private func kept(_ inputs: NodeInputs) throws -> [Int] {
    let x = try inputs.tensor(0)
    guard let given = try inputs.optionalIntegers(1, "axes") else {
      if let open = x.shape.first(where: { !$0.isConstant }) {
        throw DiagnosticError(
          .limit, "squeeze.axes",
          "without axes, which sizes of \(x) are 1 must be known ahead of time, but \(open) is not",
          hint: "give axes")
      }
      return x.shape.indices.filter { x.shape[$0] != 1 }
    }
    let axes = Set(try given.map { try normalizedAxis($0, rank: x.rank, name: "axes") })
    for axis in axes {
      if let size = x.shape[axis].value, size != 1 {
        throw DiagnosticError(.user, "squeeze.size", "axis \(axis) of \(x) must have size 1, but has \(size)")
      }
    }
    return x.shape.indices.filter { !axes.contains($0) }
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let fact = try inputs.fact(0)
    let x = try inputs.tensor(0)
    if isOpen(inputs), let declared = try inputs.declaredReshape(of: x) { return [Fact(x.element, declared)] }
    return [Fact(x.element, try kept(inputs).map { x.shape[$0] }, contents: fact.contents)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    if isOpen(node.facts) { return [try lowering.reshape(x, to: try node.output().shape)] }
    let kept = try kept(node.facts)
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
    ]
  }
}
