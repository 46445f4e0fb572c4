import SinterCore
import SinterForms
import SinterIR

/// Parts of the input along an axis: of the sizes that the second input gives; or `num_outputs` equal ones, the last one smaller where
/// these do not divide the axis; or without either as many equal ones as there are results.
public struct Split: Primitive {
  public static let name = "Split"
  public static let summary = "Parts of a tensor along an axis."

  /// The axis, from the end where negative.
  public var axis = 0
  /// The number of parts; 0 where the number of results says it.
  public var numOutputs = 0

  public init() {}
  /// Parts along an axis.
  public init(axis: Int) { self.axis = axis }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: 0)
    list.int("num_outputs", &numOutputs, default: 0)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(Split.self, since: 13),
      OnnxRule("Split", since: 1) { node, builder in
        var op = Split()
        op.axis = node.int("axis") ?? 0
        let sizes = node.input(1) ?? node.ints("split").map { builder.integers($0) }
        return try builder.add(op, [node.input(0), sizes], outputs: node.outputCount)
      },
    ]
  }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(1)] }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    if inputs.has(1) { return NodeSpecification("Split", since: 13, attributes: [("axis", .int(axis))]) }
    return NodeSpecification(
      "Split", since: 18,
      attributes: [("axis", .int(axis)), ("num_outputs", .int(numOutputs > 0 ? numOutputs : inputs.outputCount))])
  }

  /// The sizes of the parts.
  private func parts(_ inputs: NodeInputs, _ obligations: inout Obligations) throws -> [Dim] {
    let x = try inputs.tensor(0)
    let axis = try normalizedAxis(axis, rank: x.rank)
    let size = x.shape[axis]
    if inputs.has(1) {
      let parts = try inputs.sizes(1, "split", requiring: &obligations)
      guard parts.count >= inputs.outputCount else {
        throw DiagnosticError(
          .user, "split.parts", "split \(parts) has \(parts.count) parts, but there are \(inputs.outputCount) results")
      }
      try obligations.equal(
        size, parts.reduce(0, +), "size of axis \(axis) of \(x) and the sum of the parts \(Broadcast.list(parts))")
      return parts
    }
    let count = numOutputs > 0 ? numOutputs : inputs.outputCount
    guard (max(inputs.outputCount, 1)...Window.limit).contains(count) else {
      throw DiagnosticError(
        .user, "split.parts", "num_outputs is \(count), but there are \(inputs.outputCount) results")
    }
    // Parts that are no results need not be told.
    if numOutputs == 0 {
      try obligations.divisible(size, by: Dim(count), "size of axis \(axis) of \(x), which is split into equal parts,")
      return [Dim](repeating: size.exactQuotient(by: Dim(count)) ?? size / Dim(count), count: inputs.outputCount)
    }
    let part = size.exactQuotient(by: Dim(count)) ?? size.ceilDivided(by: Dim(count))
    let last = size - part * Dim(count - 1)
    try obligations.atLeast(last, 1, "last of \(count) parts of axis \(axis) of \(x)")
    return (1...max(inputs.outputCount, 1)).map { $0 < count ? part : last }
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let axis = try normalizedAxis(axis, rank: x.rank)
    return try parts(inputs, &obligations).map { part in
      var shape = x.shape
      shape[axis] = part
      return Fact(x.element, shape)
    }
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let axis = try normalizedAxis(axis, rank: x.rank)
    var (start, settled) = (Dim(0), Obligations())
    return try parts(node.facts, &settled).prefix(node.outputs.count).map { part in
      var shape = x.shape
      shape[axis] = part
      let offset = start
      start = start + part
      return try lowering.element(shape) { builder, index in
        var own = index
        own[axis] = index[axis] + builder.size(offset)
        return builder.load(x.id, own)
      }
    }
  }

  public static var examples: [OperatorExample] {
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    var uneven = Split(axis: 0)
    uneven.numOutputs = 3
    return [
      OperatorExample(Split(axis: 1), [random(["n", 6])], outputs: 3, sizes: [Symbol("n"): 2]),
      OperatorExample(uneven, [random([7, 2])], outputs: 3),
      OperatorExample(uneven, [random(["n", "m"])], outputs: 3, sizes: [Symbol("n"): 8, Symbol("m"): 2]),
      OperatorExample(Split(axis: 1), [random(["n", "m"])], outputs: 2, sizes: [Symbol("n"): 2, Symbol("m"): 6]),
      OperatorExample(
        Split(axis: 0), [random(["n", "m"]), .given(.i64([2], [1, 3]))], outputs: 2,
        sizes: [Symbol("n"): 4, Symbol("m"): 2]),
      OperatorExample(Split(axis: -1), [random([2, 6]), .constant(.i64([3], [1, 2, 3]))], outputs: 3),
    ]
  }
}

extension Split: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let parts = try node.outputs.indices.map { try node.gradient(of: $0) }
    return [try node.tape.add(Concat(axis: axis), parts)[0], nil]
  }
}
