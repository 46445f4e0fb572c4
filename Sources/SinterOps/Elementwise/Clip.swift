import SinterCore
import SinterForms
import SinterIR

/// Elements held between a least and a greatest value, which are scalar inputs and may be absent. Where they cross, the greatest wins.
public struct Clip: Primitive, Elementwise {
  public static let name = "Clip"
  public static let summary = "Elements held between two bounds, either of which may be absent."

  public init() {}

  public static var onnx: [OnnxRule] {
    [
      .direct(Clip.self, since: 11),
      OnnxRule("Clip", since: 1) { node, builder in
        guard let x = node.input(0) else { return try builder.add(Clip(), node.inputs) }
        let type = try builder.type(x).element
        var inputs: [ValueID?] = [x]
        for name in ["min", "max"] { inputs.append(try node.float(name).map { try builder.scalar($0, type) }) }
        return try builder.add(Clip(), inputs)
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 12) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat || $0.isInteger }
    for (index, name) in [(1, "min"), (2, "max")] where inputs.has(index) {
      let bound = try inputs.tensor(index)
      guard bound.element == x.element else {
        throw DiagnosticError(.user, "clip.bound", "\(name) must be one \(x.element), but is \(bound)")
      }
      try obligations.scalar(bound, name)
    }
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let bounds = try [1, 2].map { node.has($0) ? try node.input($0) : nil }
    return [
      try lowering.element(x.shape) { builder, index in
        var value = builder.load(x.id, index).cast(to: x.element.computeType)
        func bound(_ operand: Operand) -> Expr {
          builder.load(operand.id, operand.shape.map { _ in builder.constant(0, .i64) }).cast(to: x.element.computeType)
        }
        if let low = bounds[0] { value = value.maximum(bound(low)) }
        if let high = bounds[1] { value = value.minimum(bound(high)) }
        return value.cast(to: x.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 4]), -2...2)
    let sizes = [Symbol("n"): 3]
    return [
      OperatorExample(Clip(), [x, .constant(.f32([], [-1])), .given(.f32([], [0.5]))], sizes: sizes),
      OperatorExample(Clip(), [x, .absent, .constant(.f32([], [0.5]))], sizes: sizes),
      OperatorExample(
        Clip(), [.random(TensorType(.i32, [8]), -9...9), .constant(HostTensor(.i32, [], values: [Int32(-3)]))]),
    ]
  }
}

extension Clip: Differentiable {
  /// On a bound itself the gradient is the element's, as PyTorch has it.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let x = try node.input(0)
    let g = try node.gradient()
    let below = node.has(1) ? try x.compare(.less, try node.input(1)) : nil
    let above = node.has(2) ? try x.compare(.greater, try node.input(2)) : nil
    var inside = g
    if let below { inside = try inside.dropped(where: below) }
    if let above { inside = try inside.dropped(where: above) }
    func ofBound(_ index: Int, _ condition: GradientTensor?) throws -> GradientTensor? {
      guard node.wants(index), let condition else { return nil }
      return try g.kept(where: condition).summed(to: try node.input(index))
    }
    return [inside, try ofBound(1, below), try ofBound(2, above)]
  }
}
