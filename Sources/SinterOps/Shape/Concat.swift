import SinterCore
import SinterForms
import SinterIR

/// The inputs one after another along an axis.
public struct Concat: Primitive {
  public static let name = "Concat"
  public static let summary = "Tensors one after another along an axis."

  /// The axis, from the end where negative. Sizes along all others are equal.
  public var axis = 0

  public init() {}
  /// Tensors one after another along an axis.
  public init(axis: Int) { self.axis = axis }

  public mutating func attributes(_ list: inout some AttributeList) { list.int("axis", &axis, default: 0) }
  public static var onnx: [OnnxRule] {
    [
      .direct(Concat.self, since: 4),
      .direct(Concat.self, since: 1) { op, node in op.axis = node.int("axis") ?? 1 },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification("Concat", since: axis < 0 ? 11 : 4, attributes: [("axis", .int(axis))])
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let first = try inputs.tensor(0)
    let axis = try normalizedAxis(axis, rank: first.rank)
    var shape = first.shape
    for index in 1..<max(inputs.count, 1) {
      let next = try inputs.tensor(index)
      guard next.element == first.element, next.rank == first.rank else {
        throw DiagnosticError(.user, "concat.type", "input 0 is \(first), but input \(index) is \(next)")
      }
      for other in shape.indices where other != axis {
        shape[other] = try obligations.equal(
          shape[other], next.shape[other], "sizes of axis \(other) of input 0, \(first), and input \(index), \(next),")
      }
      shape[axis] = shape[axis] + next.shape[axis]
    }
    var contents: [Dim]? = []
    for fact in inputs.facts { contents = fact?.contents.flatMap { own in contents.map { $0 + own } } }
    return [Fact(first.element, shape, contents: first.rank == 1 ? contents : nil)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let type = try node.output()
    let axis = try normalizedAxis(axis, rank: type.rank)
    // Parts without elements; all of them, where the whole has none: then their other sizes may be what no run fulfils.
    let operands = try node.inputs.indices.map { try node.input($0) }.filter { type.count != 0 && $0.type.count != 0 }
    if operands.count == 1, operands[0].type == type { return operands }
    var starts = [Dim(0)]
    for operand in operands { starts.append(starts[starts.count - 1] + operand.shape[axis]) }
    return [
      try lowering.element(type.shape) { builder, index in
        if operands.isEmpty { return builder.constant(0, type.element) }
        let at = index[axis]
        var result: Expr?
        for (k, operand) in operands.enumerated().reversed() {
          var own = index
          own[axis] = at - builder.size(starts[k])
          var inside = at < builder.size(starts[k + 1])
          if k == operands.count - 1 { inside = at >= builder.size(starts[k]) }
          let isInside = k == 0 || k == operands.count - 1 ? inside : inside && (at >= builder.size(starts[k]))
          let value = builder.load(operand.id, own, where: isInside)
          result = result.map { builder.select(inside, value, $0) } ?? value
        }
        return result ?? builder.constant(0, type.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    return [
      OperatorExample(Concat(axis: 0), [random([2, 3]), random([1, 3]), random([4, 3])]),
      OperatorExample(
        Concat(axis: -1), [random(["n", 3]), random(["n", "m"])], sizes: [Symbol("n"): 2, Symbol("m"): 4]),
      OperatorExample(Concat(axis: 1), [random([2, 3])]),
      OperatorExample(
        Concat(axis: 1), [random(["a", "b"]), random(["c", "d"]), random(["e", 2])],
        sizes: [Symbol("a"): 2, Symbol("b"): 3, Symbol("c"): 2, Symbol("d"): 0, Symbol("e"): 2]),
      OperatorExample(Concat(axis: 1), [random([2, 3]), random([2, 0]), random([2, 1])]),
    ]
  }
}

extension Concat: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let inputs = try node.inputs.indices.map { try node.input($0) }
    let axis = try normalizedAxis(axis, rank: try node.output.rank)
    let sizes = try node.tape.add(Concat(axis: 0), try inputs.map { try $0.size(axis) })[0]
    return try node.tape.add(Split(axis: axis), [try node.gradient(), sizes], outputs: inputs.count)
  }
}
