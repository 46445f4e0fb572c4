import SinterCore
import SinterForms
import SinterIR

/// The input itself, of whatever type.
public struct Identity: Primitive {
  public static let name = "Identity"
  public static let summary = "The input itself."

  public init() {}

  public static var onnx: [OnnxRule] {
    [
      OnnxRule(values: "Identity") { node, builder in
        guard let value = node.value(0) else {
          throw DiagnosticError(.user, "operator.input", "input 0 is missing", hint: "connect it")
        }
        guard let tensor = value.tensor else { return [value] }
        return [.tensor(try builder.add1(Identity(), [tensor]))]
      }
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    [try inputs.fact(0)]
  }

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

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("ratio", &ratio, default: 0.5)
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
      OnnxRule("Dropout", since: 7) { node, builder in try withMaskOfInputType(node, &builder) },
      OnnxRule("Dropout", since: 1) { node, builder in
        if node.int("is_test") ?? 0 == 0 {
          throw DiagnosticError(
            .limit, "dropout.training", "dropout in training mode is not supported", hint: "set is_test")
        }
        return try withMaskOfInputType(node, &builder)
      },
    ]
  }

  /// Opsets before 10 give the mask in the input's type.
  private static func withMaskOfInputType(_ node: OnnxNode, _ builder: inout GraphBuilder) throws -> [ValueID] {
    var op = Dropout()
    if let ratio = node.float("ratio") { op.ratio = ratio }
    var results = try builder.add(op, node.inputs, outputs: node.outputCount)
    if results.count > 1 { results[1] = try builder.add1(Cast(to: try builder.type(results[0]).element), [results[1]]) }
    return results
  }

  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? {
    if inputs.count > 1 { return OnnxForm("Dropout", since: 12) }
    return OnnxForm(
      "Dropout", since: 12, inputs: [.operand(0), .constant(.f32([], [Float(ratio)]))])
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    if inputs.has(2) {
      let isTraining = inputs.constant(2)?.integers?.first
      let ratio = inputs.has(1) ? inputs.constant(1)?.uniformNumber : ratio
      if isTraining != 0 && ratio != 0 {
        throw DiagnosticError(
          .limit, "dropout.training",
          isTraining == nil
            ? "training_mode must be known ahead of time"
            : "dropout in training mode is not supported in an imported model",
          hint: "export the model in inference mode")
      }
    }
    return [Fact(.tensor(x)), Fact(.bool, x.shape)]
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

extension Identity: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] { [try node.gradient()] }
}
