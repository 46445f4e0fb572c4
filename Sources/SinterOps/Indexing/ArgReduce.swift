import SinterCore
import SinterForms
import SinterIR

/// Where the largest or smallest element along an axis is.
public struct ArgReduce: Primitive {
  public static let name = "ArgReduce"
  public static let summary = "The index of the largest or smallest element along an axis."

  /// Which extreme is looked for.
  public enum Kind: String, CaseIterable, Sendable {
    case maximum, minimum
    var onnxName: String { self == .maximum ? "ArgMax" : "ArgMin" }
  }

  /// Which extreme is looked for.
  public var kind = Kind.maximum
  /// The axis, from the end where negative.
  public var axis = 0
  /// Whether the axis stays with size 1, else it disappears.
  public var keepsAxes = true
  /// Whether the last of equal elements counts, not the first.
  public var takesLast = false

  public init() {}
  /// The place of an extreme along the first axis, which stays.
  public init(_ kind: Kind) { self.kind = kind }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .maximum)
    list.int("axis", &axis, default: 0)
    list.bool("keepdims", &keepsAxes, default: true)
    list.bool("select_last_index", &takesLast, default: false)
  }

  public static var onnx: [OnnxRule] {
    Kind.allCases.map { kind in .direct(ArgReduce.self, as: kind.onnxName) { op, _ in op.kind = kind } }
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    var attributes: [(name: String, value: OnnxAttribute)] = [
      ("axis", .int(axis)), ("keepdims", .int(keepsAxes ? 1 : 0)),
    ]
    if takesLast { attributes.append(("select_last_index", .int(1))) }
    return NodeSpecification(kind.onnxName, since: takesLast ? 12 : 11, attributes: attributes)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat || $0.isInteger }
    let axis = try normalizedAxis(axis, rank: x.rank)
    var shape = x.shape
    // Where there is a result there must be an element.
    let others = shape.indices.filter { $0 != axis }.reduce(Dim(1)) { $0 * shape[$1] }
    try obligations.atLeast(
      shape[axis], Dim.min(others, 1), "size of axis \(axis) of \(x), of whose elements one is the \(kind.rawValue),")
    if keepsAxes { shape[axis] = 1 } else { shape.remove(at: axis) }
    return [Fact(.i64, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let axis = try normalizedAxis(axis, rank: x.rank)
    let combine: Combine =
      switch (kind, takesLast) {
      case (.maximum, false): .firstMaximumIndex
      case (.maximum, true): .lastMaximumIndex
      case (.minimum, false): .firstMinimumIndex
      case (.minimum, true): .lastMinimumIndex
      }
    return [
      try lowering.reduce(combine, try node.output().shape, over: [x.shape[axis]]) { builder, index, inner in
        var own = index
        if keepsAxes { own[axis] = inner[0] } else { own.insert(inner[0], at: axis) }
        return builder.load(x.id, own).cast(to: x.element.computeType)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var last = ArgReduce(.minimum)
    last.axis = -1
    last.keepsAxes = false
    last.takesLast = true
    return [
      OperatorExample(ArgReduce(.maximum), [.random(TensorType(.f32, [5, "n"]), -1...1)], sizes: [Symbol("n"): 3]),
      OperatorExample(last, [.random(TensorType(.i32, ["n", 9]), 0...3)], sizes: [Symbol("n"): 2]),
      OperatorExample(ArgReduce(.minimum), [.random(TensorType(.f16, [5, 2]), -1...1)]),
      OperatorExample(
        ArgReduce(.maximum), [.random(TensorType(.f32, ["m", "n"]), -1...1)], sizes: [Symbol("m"): 4, Symbol("n"): 3]),
    ]
  }
}
