import SinterCore
import SinterForms
import SinterIR

/// One element of each of any number of inputs joined into one, with broadcasting.
public struct Variadic: Primitive, Elementwise {
  public static let name = "Variadic"
  public static let summary = "Sum, mean, minimum or maximum of any number of inputs, with broadcasting."

  /// How the elements become one.
  public enum Kind: String, CaseIterable, Sendable {
    case sum, mean, minimum, maximum

    var onnxName: String {
      switch self {
      case .sum: "Sum"
      case .mean: "Mean"
      case .minimum: "Min"
      case .maximum: "Max"
      }
    }
  }

  /// How the elements become one.
  public var kind = Kind.sum

  public init() {}
  /// A function of any number of inputs.
  public init(_ kind: Kind) { self.kind = kind }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .sum)
  }

  public static var onnx: [OnnxRule] {
    Kind.allCases.map { kind in .direct(Variadic.self, as: kind.onnxName) { op, _ in op.kind = kind } }
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(kind.onnxName, since: kind == .minimum || kind == .maximum ? 12 : 8)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let first = try inputs.tensor(0)
    try requireElement(first, { $0.isFloat || $0.isInteger }, name: "input 0")
    let types = try (0..<inputs.count).map { try inputs.tensor($0) }
    if let odd = types.firstIndex(where: { $0.element != first.element }) {
      throw DiagnosticError(
        .user, "operator.type",
        "inputs must have one element type, but input 0 is \(first) and input \(odd) is \(types[odd])",
        hint: "insert a Cast")
    }
    return [Fact(first.element, try obligations.broadcast(types.map(\.shape)))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let operands = try (0..<node.inputs.count).map { try node.input($0) }
    let type = try node.output()
    return [
      try lowering.element(type.shape) { builder, index in
        let values = operands.map { builder.load($0, at: index, of: type.shape) }
        let joined = values.dropFirst().reduce(values[0]) { a, b in
          switch kind {
          case .sum, .mean: a + b
          case .minimum: a.minimum(b)
          case .maximum: a.maximum(b)
          }
        }
        return (kind == .mean ? joined / Double(values.count) : joined).cast(to: type.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    Kind.allCases.map { kind in
      OperatorExample(
        Variadic(kind),
        [
          .random(TensorType(.f32, ["n", 4]), -1...1), .random(TensorType(.f32, [4]), -1...1),
          .random(TensorType(.f32, ["n", 1]), -1...1),
        ], sizes: [Symbol("n"): 3])
    } + [
      OperatorExample(Variadic(.maximum), [.random(TensorType(.i8, [5]), -9...9)]),
      OperatorExample(
        Variadic(.sum),
        [
          .random(TensorType(.f32, ["a", "b"]), -1...1), .random(TensorType(.f32, ["c"]), -1...1),
          .random(TensorType(.f32, ["d", "e"]), -1...1),
        ],
        sizes: [Symbol("a"): 1, Symbol("b"): 4, Symbol("c"): 4, Symbol("d"): 3, Symbol("e"): 1]),
    ]
  }
}

extension Variadic: Differentiable {
  /// Where several inputs are the greatest or the least, they share the gradient.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let inputs = try node.inputs.indices.map { try node.input($0) }
    var g = try node.gradient()
    switch kind {
    case .sum: break
    case .mean: g = try g / Double(inputs.count)
    case .minimum, .maximum:
      let hits = try inputs.map { try $0.compare(.equal, node.output).cast(to: try g.element) }
      let count = try hits.dropFirst().reduce(hits[0]) { try $0 + $1 }
      g = try g / count
      return try inputs.indices.map { node.wants($0) ? try (g * hits[$0]).summed(to: inputs[$0]) : nil }
    }
    return try inputs.indices.map { node.wants($0) ? try g.summed(to: inputs[$0]) : nil }
  }
}
