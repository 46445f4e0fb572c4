import SinterCore
import SinterForms
import SinterIR

/// The largest or smallest elements along an axis, and where they are. Inputs: data, how many.
public struct TopK: Primitive {
  public static let name = "TopK"
  public static let summary = "The largest or smallest elements along an axis with their indices."

  /// The axis, from the end where negative.
  public var axis = -1
  /// Whether the largest elements are taken, else the smallest.
  public var isLargest = true
  /// Whether the results must be in order; they always are.
  public var isSorted = true

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: -1)
    list.bool("largest", &isLargest, default: true)
    list.bool("sorted", &isSorted, default: true)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(TopK.self, since: 10),
      OnnxRule("TopK", since: 1) { node, builder in
        var op = TopK()
        op.axis = node.int("axis") ?? -1
        return try builder.add(op, [node.input(0), builder.integers([node.int("k") ?? 1])], outputs: node.outputCount)
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(1)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat || $0.isInteger }
    let axis = try normalizedAxis(axis, rank: x.rank)
    guard try inputs.tensor(1).rank == 1 else {
      throw DiagnosticError(.user, "topk.count", "k must be a list of one number, but is \(try inputs.tensor(1))")
    }
    let count = try inputs.size(1, "k", requiring: &obligations)
    try obligations.atLeast(x.shape[axis], count, "size of axis \(axis) of \(x), of which k elements are taken,")
    var shape = x.shape
    shape[axis] = count
    return [Fact(x.element, shape), Fact(.i64, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let axis = try normalizedAxis(axis, rank: x.rank)
    let shape = try node.output().shape
    let order = try lowering.sort(x.shape, axis: axis, count: shape[axis], descending: isLargest) { builder, index in
      builder.load(x.id, index).cast(to: x.element.computeType)
    }
    let values = try lowering.element(shape) { builder, index in
      var own = index
      own[axis] = builder.load(order.id, index)
      return builder.load(x.id, own)
    }
    return [values, order]
  }

  public static var examples: [OperatorExample] {
    var smallest = TopK()
    smallest.axis = 0
    smallest.isLargest = false
    let x = OperatorExample.Input.random(TensorType(.f32, [6, "n"]), -1...1)
    return [
      OperatorExample(TopK(), [x, .constant(.i64([1], [3]))], outputs: 2, sizes: [Symbol("n"): 7]),
      OperatorExample(smallest, [x, .constant(.i64([1], [2]))], outputs: 2, sizes: [Symbol("n"): 3]),
      OperatorExample(
        smallest, [.random(TensorType(.f32, ["m", "n"]), -1...1), .given(.i64([1], [2]))], outputs: 2,
        sizes: [Symbol("m"): 4, Symbol("n"): 3]),
    ]
  }
}

extension TopK: Differentiable {
  /// Each element goes back to where it was taken.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let x = try node.input(0)
    let places = try node.outputs.count > 1 ? node.outputs[1] : node.tape.add(self, [x, node.input(1)], outputs: 2)[1]
    var scatter = ScatterElements()
    scatter.axis = axis
    return [try x.zeros().applying(scatter, places, try node.gradient()), nil]
  }
}
