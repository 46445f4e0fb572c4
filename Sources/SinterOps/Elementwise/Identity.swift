import SinterCore
import SinterIR
import SinterKernel

/// The input itself, of whatever type.
public struct Identity: Primitive {
  public static let name = "Identity"
  public static let summary = "The input itself."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(Identity.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self) }

  public func infer(_ inputs: NodeInputs) throws -> [Fact] { [try inputs.fact(0)] }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] { [try node.input(0)] }

  public static var examples: [OperatorExample] {
    [OperatorExample(Identity(), [.random(TensorType(.f32, ["n", 3]), -1...1)], sizes: [Symbol("n"): 2])]
  }
}

/// The input itself, and a mask of what was kept: all. Dropping happens in training, which is a transformation of the traced program.
public struct Dropout: Primitive {
  public static let name = "Dropout"
  public static let summary = "The input itself, and a mask that is true everywhere: dropout in inference."

  /// Kept for export; it has no effect in inference.
  public var ratio = 0.5
  /// Opsets before 10 give the mask in the input's type.
  public var hasFloatMask = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("ratio", &ratio, default: 0.5)
    list.bool("float_mask", &hasFloatMask, default: false)
  }

  public static var onnx: [OnnxRule] {
    [
      OnnxRule("Dropout", since: 12) { node, builder in
        var op = Dropout()
        let inputs = builder.inputs(node.inputs, outputs: node.outputCount)
        if let ratio = inputs.constant(1)?.uniformNumber { op.ratio = ratio }
        return try builder.add(op, node.inputs, outputs: node.outputCount)
      },
      .direct(Dropout.self, since: 10),
      .direct(Dropout.self, since: 7) { op, _ in op.hasFloatMask = true },
      .direct(Dropout.self, since: 1) { op, node in
        op.hasFloatMask = true
        if node.int("is_test") ?? 0 == 0 {
          throw DiagnosticError(.limit, "dropout.training", "dropout in training mode is not supported", hint: "set is_test")
        }
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? {
    if hasFloatMask { return OnnxForm("Dropout", since: 7, attributes: [("ratio", .float(ratio))]) }
    if inputs.count > 1 { return OnnxForm("Dropout", since: 12) }
    return OnnxForm(
      "Dropout", since: 12, inputs: [.operand(0), .constant(.f32([], [Float(ratio)]))])
  }

  public func infer(_ inputs: NodeInputs) throws -> [Fact] {
    let x = try inputs.tensor(0)
    if inputs.has(2) {
      let isTraining = inputs.constant(2)?.integers?.first
      let ratio = inputs.has(1) ? inputs.constant(1)?.uniformNumber : ratio
      if isTraining != 0 && ratio != 0 {
        throw DiagnosticError(
          .limit, "dropout.training",
          isTraining == nil
            ? "training_mode must be known ahead of time" : "dropout in training mode is not supported in an imported model",
          hint: "export the model in inference mode")
      }
    }
    return [Fact(.tensor(x)), Fact(hasFloatMask ? x.element : .bool, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    if node.facts.outputCount < 2 { return [x] }
    let type = try node.output(1).element
    return [x, try lowering.element(x.shape) { builder, _ in builder.constant(1, type) }]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(Dropout(), [.random(TensorType(.f32, ["n", 3]), -1...1)], sizes: [Symbol("n"): 2]),
      OperatorExample(Dropout(), [.random(TensorType(.f32, [4, 3]), -1...1)], outputs: 2),
    ]
  }
}
