import SinterCore
import SinterForms
import SinterIR

/// Axes of size 1 added at the places, in the result, that the second input names.
public struct Unsqueeze: Primitive {
  public static let name = "Unsqueeze"
  public static let summary = "Axes of size 1 added."

  public init() {}

  public static var onnx: [OnnxRule] {
    [
      .direct(Unsqueeze.self, since: 13), .axesAttribute(Unsqueeze()),
      OnnxRule("ExpandDims", domain: .microsoft) { node, builder in
        // The axis is one i32.
        guard let axis = node.input(1) else { return try builder.add(Unsqueeze(), node.inputs) }
        let list = try builder.add1(Reshape(), [try builder.add1(Cast(to: .i64), [axis]), builder.integers([1])])
        return try builder.add(Unsqueeze(), [node.input(0), list])
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 13) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let fact = try inputs.fact(0)
    let x = try inputs.tensor(0)
    guard let added = inputs.integers(1) else {
      let count = try inputs.countOfAxes(1, rank: Fact.contentsLimit)
      return [Fact(x.element, inputs.freshShape(rank: x.rank + count))]
    }
    let rank = x.rank + added.count
    let axes = Set(try added.map { try normalizedAxis($0, rank: rank, name: "axes") })
    guard axes.count == added.count else {
      throw DiagnosticError(.user, "unsqueeze.axes", "axes must name each axis once, but is \(added)")
    }
    var own = x.shape.makeIterator()
    let shape = (0..<rank).map { axes.contains($0) ? Dim(1) : own.next() ?? 1 }
    return [Fact(x.element, shape, contents: fact.contents)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    guard let added = node.facts.integers(1) else {
      let axes = NamedAxes(try node.input(1), rank: shape.count)
      try lowering.defineSizes(shape, of: "the result, whose new axes are not right,") { builder, axis in
        func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
        let place = axes.countOfOthers(builder, before: axis)
        let own = x.shape.enumerated().reduce(number(-1)) { size, other in
          builder.select(place .== number(other.offset), builder.size(other.element), size)
        }
        let size = builder.select(axes.names(builder, axis), number(1), own)
        return builder.select(axes.areRight(builder, mayRepeat: false), size, number(-1))
      }
      return [try lowering.reshape(x, to: shape)]
    }
    let axes = Set(try added.map { try normalizedAxis($0, rank: shape.count) })
    return [
      try lowering.element(shape) { builder, index in
        builder.load(x.id, index.indices.filter { !axes.contains($0) }.map { index[$0] })
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 3]), -1...1)
    return [
      OperatorExample(Unsqueeze(), [x, .constant(.i64([1], [1]))], sizes: [Symbol("n"): 2]),
      OperatorExample(Unsqueeze(), [x, .constant(.i64([2], [0, -1]))], sizes: [Symbol("n"): 2]),
      OperatorExample(Unsqueeze(), [x, .given(.i64([2], [0, -2]))], sizes: [Symbol("n"): 2]),
    ]
  }
}

extension Unsqueeze: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    [try node.gradient().reshaped(like: try node.input(0))]
  }
}
