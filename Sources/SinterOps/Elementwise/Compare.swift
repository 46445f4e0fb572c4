import SinterCore
import SinterForms
import SinterIR

/// Comparisons of two elements, with NumPy's broadcasting. The result is a truth value.
public struct Compare: Primitive, Elementwise {
  public static let name = "Compare"
  public static let summary = "Comparisons of two elements with broadcasting."

  /// Which comparison.
  public enum Kind: String, CaseIterable, Sendable {
    case equal, less, lessOrEqual, greater, greaterOrEqual

    var onnxName: String {
      switch self {
      case .equal: "Equal"
      case .less: "Less"
      case .lessOrEqual: "LessOrEqual"
      case .greater: "Greater"
      case .greaterOrEqual: "GreaterOrEqual"
      }
    }

    var comparison: Comparison {
      switch self {
      case .equal: .equal
      case .less: .less
      case .lessOrEqual: .lessOrEqual
      case .greater: .greater
      case .greaterOrEqual: .greaterOrEqual
      }
    }

    var since: Int {
      switch self {
      case .equal, .less, .greater: 7
      case .lessOrEqual, .greaterOrEqual: 12
      }
    }

    func accepts(_ type: ElementType) -> Bool {
      type.isFloat || type.isInteger || (self == .equal && (type == .bool || type == .string))
    }
  }

  /// Which comparison it is.
  public var kind = Kind.equal

  public init() {}
  /// A comparison of two elements.
  public init(_ kind: Kind) { self.kind = kind }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .equal)
  }

  public static var onnx: [OnnxRule] {
    Kind.allCases.map { kind in .direct(Compare.self, as: kind.onnxName, since: kind.since) { op, _ in op.kind = kind }
    }
      + Kind.allCases.filter { $0.since == 7 }.map { legacyBroadcast(Compare($0), as: $0.onnxName) }
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(kind.onnxName, since: max(kind.since, 9))
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (a, b) = (try inputs.tensor(0), try inputs.tensor(1))
    try requireElement(a, kind.accepts, name: "input 0")
    guard a.element == b.element else {
      throw DiagnosticError(
        .user, "operator.type", "inputs must have one element type, but are \(a) and \(b)", hint: "insert a Cast")
    }
    return [Fact(.bool, try obligations.broadcast(a.shape, b.shape))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (a, b) = (try node.input(0), try node.input(1))
    let shape = try node.output().shape
    return [
      try lowering.element(shape) { builder, index in
        builder.load(a, at: index, of: shape).comparing(kind.comparison, builder.load(b, at: index, of: shape))
      }
    ]
  }

  public static var examples: [OperatorExample] {
    Kind.allCases.map { kind in
      OperatorExample(
        Compare(kind), [.random(TensorType(.i32, ["n", 4]), 0...4), .random(TensorType(.i32, [4]), 0...4)],
        sizes: [Symbol("n"): 3])
    } + [
      OperatorExample(
        Compare(.less), [.random(TensorType(.f32, [2, 3]), -1...1), .random(TensorType(.f32, [2, 1]), -1...1)]),
      OperatorExample(
        Compare(.equal),
        [
          .given(HostTensor(strings: ["a", "é", ""], shape: [3])),
          .constant(HostTensor(strings: ["a", "e\u{301}", ""], shape: [3])),
        ]),
      OperatorExample(
        Compare(.equal), [.random(TensorType(.bool, [6]), 0...2), .random(TensorType(.bool, [6]), 0...2)]),
      OperatorExample(
        Compare(.greater), [.random(TensorType(.f32, ["a", "b"]), -1...1), .random(TensorType(.f32, ["c"]), -1...1)],
        sizes: [Symbol("a"): 2, Symbol("b"): 1, Symbol("c"): 3]),
    ]
  }
}

extension Compare: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] { [nil, nil] }
}
