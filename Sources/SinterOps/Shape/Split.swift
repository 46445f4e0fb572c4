import SinterCore
import SinterIR
import SinterKernel

/// Parts of the input along an axis: of the sizes that the second input gives, or as many equal ones as there are results, the last one
/// smaller where they do not divide the axis.
public struct Split: Primitive {
  public static let name = "Split"
  public static let summary = "Parts of a tensor along an axis."

  public var axis = 0
  /// The number of parts; 0 where the number of results says it.
  public var numOutputs = 0

  public init() {}
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
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? {
    if inputs.has(1) { return OnnxForm("Split", since: 13, attributes: [("axis", .int(axis))]) }
    return OnnxForm(
      "Split", since: 18,
      attributes: [("axis", .int(axis)), ("num_outputs", .int(numOutputs > 0 ? numOutputs : inputs.outputCount))])
  }

  /// The sizes of the parts.
  private func parts(_ inputs: NodeInputs) throws -> [Dim] {
    let x = try inputs.tensor(0)
    let size = x.shape[try normalizedAxis(axis, rank: x.rank)]
    if inputs.has(1) {
      if inputs.contents(1) == nil, let declared = declaredParts(inputs) {
        guard declared.reduce(Dim(0), +) == size else {
          throw DiagnosticError(
            .user, "operator.declared", "the file declares parts of \(declared), which do not add up to \(size)",
            hint: "declare the right shapes")
        }
        return declared
      }
      let parts = try inputs.knownSizes(1, "split")
      let sum = parts.reduce(Dim(0), +)
      guard parts.count >= inputs.outputCount else {
        throw DiagnosticError(
          .user, "split.parts", "split \(parts) has \(parts.count) parts, but there are \(inputs.outputCount) results")
      }
      if let given = sum.value, let total = size.value, given != total {
        throw DiagnosticError(.user, "split.parts", "the parts \(parts) must add up to \(total), but give \(given)")
      }
      return parts
    }
    let count = numOutputs > 0 ? numOutputs : inputs.outputCount
    guard (inputs.outputCount...Window.limit).contains(count) else {
      throw DiagnosticError(
        .user, "split.parts", "num_outputs is \(count), but there are \(inputs.outputCount) results")
    }
    // Parts that are no results need not be told.
    if let even = size.exactQuotient(by: Dim(count)) { return [Dim](repeating: even, count: inputs.outputCount) }
    let part = size.ceilDivided(by: Dim(count))
    return (1...max(inputs.outputCount, 1)).map { $0 < count ? part : size - part * Dim(count - 1) }
  }

  private func declaredParts(_ inputs: NodeInputs) -> [Dim]? {
    let parts = (0..<inputs.outputCount).compactMap { index in
      inputs.declaredShape(index).flatMap { shape in
        (try? normalizedAxis(axis, rank: shape.count)).map { shape[$0] }
      }
    }
    return parts.count == inputs.outputCount ? parts : nil
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let axis = try normalizedAxis(axis, rank: x.rank)
    return try parts(inputs).map { part in
      var shape = x.shape
      shape[axis] = part
      return Fact(x.element, shape)
    }
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let axis = try normalizedAxis(axis, rank: x.rank)
    var start = Dim(0)
    return try parts(node.facts).prefix(node.outputs.count).map { part in
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
    return [
      OperatorExample(Split(axis: 1), [random(["n", 6])], outputs: 3, sizes: [Symbol("n"): 2]),
      OperatorExample(Split(axis: 0), [random([7, 2])], outputs: 3),
      OperatorExample(Split(axis: -1), [random([2, 6]), .constant(.i64([3], [1, 2, 3]))], outputs: 3),
    ]
  }
}
