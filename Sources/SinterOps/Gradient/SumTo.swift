import SinterCore
import SinterForms
import SinterIR

/// The adjoint of broadcasting: each element is the sum of all elements of the first input that broadcasting would make of it.
///
/// Needed only where it is not known ahead of time which axes were broadcast; elsewhere it is a sum over axes. Inputs: what is summed, and a
/// value of the result's shape, which broadcasts to that of the first.
public struct SumTo: Primitive {
  public static let name = "SumTo"
  public static let summary = "Sums over the axes along which a value of a given shape was broadcast."

  public init() {}

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, like) = (try inputs.tensor(0), try inputs.tensor(1))
    try requireElement(x) { $0.isFloat || $0.isInteger }
    guard x.rank >= like.rank else {
      throw DiagnosticError(.user, "operator.rank", "\(x) has fewer axes than \(like), to which it is to be summed")
    }
    let joint = try obligations.broadcast(x.shape, like.shape)
    for (size, joint) in zip(x.shape, joint) {
      try obligations.equal(size, joint, "sizes of \(x) and of what \(like) broadcasts to")
    }
    return [Fact(x.element, like.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let result = try node.output()
    let leading = x.shape.count - result.shape.count
    // Along each axis either the place or the position within the sum is 0.
    let inner = x.shape.enumerated().map { axis, size in
      axis < leading ? size : size / Dim.max(result.shape[axis - leading], 1)
    }
    let sum = try lowering.reduce(.sum, result.shape, over: inner) { builder, index, inner in
      let at = inner.indices.map { axis in axis < leading ? inner[axis] : index[axis - leading] + inner[axis] }
      return builder.load(x.id, at).cast(to: x.element.computeType)
    }
    return [try lowering.cast(sum, to: x.element)]
  }

  public static var examples: [OperatorExample] {
    func sum(_ from: [Dim], _ to: [Dim], _ sizes: [Symbol: Int] = [:]) -> OperatorExample {
      OperatorExample(
        SumTo(), [.random(TensorType(.f32, from), -1...1), .random(TensorType(.f32, to), -1...1)], sizes: sizes)
    }
    return [
      sum([2, 3, 4], [3, 1]), sum([2, 3], [2, 3]), sum([2, 3], []),
      sum(["a", "b", 4], ["c", 4], [Symbol("a"): 2, Symbol("b"): 3, Symbol("c"): 1]),
      sum(["a", "b"], ["a", "c"], [Symbol("a"): 2, Symbol("b"): 3, Symbol("c"): 3]),
    ]
  }
}

/// The same in operators that ONNX has: each element is added at the place that it would be read from if the result were broadcast.
extension SumTo: Composite {
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let (x, like) = (try inputs.value(0), try inputs.value(1))
    let (from, to) = (try builder.add1(Shape(), [x]), try builder.add1(Shape(), [like]))
    let line = builder.integers([-1])
    let count = try builder.add1(Size(), [like])
    let places = try builder.add1(
      Range(), [builder.constant(.i64([], [0])), count, builder.constant(.i64([], [1]))])
    let spread = try builder.add1(Expand(), [try builder.add1(Reshape(allowZero: true), [places, to]), from])
    var (zeros, scatter) = (ConstantOfShape(), ScatterElements())
    zeros.value = try HostTensor(scalar: 0, try builder.type(x).element).reshaped([1])
    scatter.reduction = .add
    let sums = try builder.add1(
      scatter,
      [
        try builder.add1(zeros, [try builder.add1(Reshape(), [count, line])]),
        try builder.add1(Reshape(), [spread, line]), try builder.add1(Reshape(), [x, line]),
      ])
    return [try builder.add1(Reshape(allowZero: true), [sums, to])]
  }
}

extension SumTo: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    [try node.gradient().expanded(like: try node.input(0)), nil]
  }
}
