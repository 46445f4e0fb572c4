import SinterCore
import SinterIR

/// Gelu of a sum with a bias, a list of one element for each place of the last axis.
public struct BiasGelu: Composite {
  public static let name = "BiasGelu"
  public static let summary = "Gelu of x + bias, exactly or by tanh."

  /// Whether Φ is computed by the error function or by tanh.
  public var approximate = Gelu.Approximation.none

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("approximate", &approximate, default: .none)
  }
  public static var onnx: [OnnxRule] {
    [
      .direct(BiasGelu.self, domain: .microsoft),
      .direct(BiasGelu.self, as: "FastGelu", domain: .microsoft) { op, _ in op.approximate = .tanh },
      OnnxRule("GemmFastGelu", domain: .microsoft) { node, builder in
        var op = BiasGelu()
        op.approximate = .tanh
        return try builder.add(op, [try builder.add1(MatMul(), [node.input(0), node.input(1)]), node.input(2)])
      },
    ]
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    var x = try inputs.value(0)
    if let bias = inputs.id(1) {
      let (type, own) = (try inputs.tensor(0), try inputs.tensor(1))
      guard own.rank == 1, let last = type.shape.last else {
        throw DiagnosticError(
          .user, "gelu.bias", "the bias must be a list along the last axis of \(type), but is \(own)")
      }
      try builder.require(by: Self.name) {
        try $0.equal(own.shape[0], last, "number of entries of the bias \(own) and size of the last axis of \(type)")
      }
      x = try builder.add1(Binary(.add), [x, bias])
    }
    return [try builder.add1(Gelu(approximate), [x])]
  }

  public static var examples: [OperatorExample] {
    var fast = BiasGelu()
    fast.approximate = .tanh
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 5]), -2...2)
    return [
      OperatorExample(BiasGelu(), [x, .random(TensorType(.f32, [5]), -1...1)], sizes: [Symbol("n"): 3]),
      OperatorExample(fast, [x], sizes: [Symbol("n"): 3]),
    ]
  }
}
