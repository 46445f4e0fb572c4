import SinterCore
import SinterForms
import SinterIR

/// The input itself; in training, each element dropped with a probability and what is kept divided by that of keeping it. The second result
/// tells what was kept. Equal seeds drop equally, in every run; see `RandomDraw`.
///
/// Inputs: x, the probability (`ratio`), whether this is training (no).
public struct Dropout: Primitive {
  public static let name = "Dropout"
  public static let summary = "The input itself, or in training with elements dropped, and a mask of what is kept."

  /// The probability where no input tells it.
  public var ratio = 0.5
  /// What the numbers follow from; nil: 0. Reading a node without one sets one made of its name.
  public var seed: Int?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("ratio", &ratio, default: 0.5)
    list.optionalInt("seed", &seed)
  }

  public static var onnx: [OnnxRule] {
    [
      OnnxRule("Dropout", since: 12) { node, builder in
        var op = Dropout()
        op.seed = node.int("seed")
        let inputs = builder.inputs(node.inputs, outputs: node.outputCount)
        if inputs.has(2), inputs.constant(2)?.integers?.first != 0 { op.seed = op.seed ?? Int(Philox.seed(of: node)) }
        if let ratio = inputs.constant(1)?.uniformNumber { op.ratio = ratio }
        return try builder.add(op, node.inputs, outputs: node.outputCount)
      },
      .direct(Dropout.self, since: 10),
      OnnxRule("Dropout", since: 7) { node, builder in try withMaskOfInputType(node, isTraining: false, &builder) },
      OnnxRule("Dropout", since: 1) { node, builder in
        try withMaskOfInputType(node, isTraining: node.int("is_test") ?? 0 == 0, &builder)
      },
    ]
  }

  /// Opsets before 10 give the mask in the input's type.
  private static func withMaskOfInputType(
    _ node: OnnxNode, isTraining: Bool, _ builder: inout GraphBuilder
  ) throws -> [ValueID] {
    var op = Dropout()
    if let ratio = node.float("ratio") { op.ratio = ratio }
    var inputs = node.inputs
    if isTraining {
      op.seed = Int(Philox.seed(of: node))
      inputs += [nil, builder.constant(HostTensor(.bool, [], values: [true]))]
    }
    var results = try builder.add(op, inputs, outputs: node.outputCount)
    if results.count > 1 { results[1] = try builder.add1(Cast(to: try builder.type(results[0]).element), [results[1]]) }
    return results
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    let seeds: [(name: String, value: OnnxAttribute)] = seed.map { [("seed", .int($0))] } ?? []
    if inputs.has(1) { return NodeSpecification("Dropout", since: 12, attributes: seeds) }
    let ratio = NodeSpecification.Input.constant(.f32([], [Float(ratio)]))
    return NodeSpecification(
      "Dropout", since: 12, attributes: seeds, inputs: [.operand(0), ratio] + (inputs.has(2) ? [.operand(2)] : []))
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    if inputs.has(1) { try obligations.scalar(try inputs.tensor(1), "the ratio") }
    if inputs.has(2) {
      let training = try inputs.tensor(2)
      guard training.element == .bool else {
        throw DiagnosticError(.user, "dropout.training", "training_mode must be a truth value, but is \(training)")
      }
      try obligations.scalar(training, "training_mode")
      try requireElement(x) { $0.isFloat }
    }
    return [Fact(.tensor(x)), Fact(.bool, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let known = node.has(1) ? node.facts.constant(1)?.uniformNumber : ratio
    guard node.has(2), node.facts.constant(2)?.integers?.first != 0, known != 0 else {
      if node.facts.outputCount < 2 { return [x] }
      return [x, try lowering.element(x.shape) { builder, _ in builder.constant(1, .bool) }]
    }
    let (philox, compute) = (Philox(seed: Double(seed ?? 0)), x.element.computeType)
    let training = try node.input(2)
    let ratioInput = node.has(1) ? try node.input(1) : nil
    func number(_ builder: BodyBuilder, _ operand: Operand) -> Expr {
      builder.load(operand.id, operand.shape.map { _ in builder.constant(0, .i64) })
    }
    func probability(_ builder: BodyBuilder) -> Expr {
      let given = ratioInput.map { number(builder, $0).cast(to: .f32) } ?? builder.constant(ratio, .f32)
      // Outside of training nothing is dropped.
      return builder.select(number(builder, training), given, builder.constant(0, .f32))
    }
    let mask = try lowering.element(x.shape) { builder, index in
      philox.uniform(Reshaping.place(builder, index, of: x.shape), as: .f32).0 >= probability(builder)
    }
    let result = try lowering.element(x.shape) { builder, index in
      let kept = builder.load(x.id, index).cast(to: compute) / (1 - probability(builder)).cast(to: compute)
      return builder.select(builder.load(mask.id, index), kept, builder.constant(0, compute)).cast(to: x.element)
    }
    return [result, mask]
  }

  public static var examples: [OperatorExample] {
    var seeded = Dropout()
    seeded.seed = 3
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 7]), -1...1)
    let sizes = [Symbol("n"): 4]
    func truth(_ value: Bool) -> HostTensor { HostTensor(.bool, [], values: [value]) }
    return [
      OperatorExample(Dropout(), [.random(TensorType(.f32, ["n", 3]), -1...1)], sizes: [Symbol("n"): 2]),
      OperatorExample(Dropout(), [.random(TensorType(.f32, [4, 3]), -1...1)], outputs: 2),
      OperatorExample(
        seeded, [x, .constant(.f32([], [0.25])), .constant(truth(true))], outputs: 2, sizes: sizes),
      OperatorExample(seeded, [x, .given(.f32([], [0.75])), .given(truth(true))], outputs: 2, sizes: sizes),
      OperatorExample(seeded, [x, .absent, .given(truth(false))], outputs: 2, sizes: sizes),
    ]
  }
}

extension Dropout: Differentiable {
  /// What was kept has the gradient, divided as the element was.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let g = try node.gradient()
    guard node.has(2), node.facts.constant(2)?.integers?.first != 0 else { return [g] }
    // Equal seeds drop equally: ones show what was kept, and by what it was divided.
    let x = try node.input(0)
    let ones = try x.number(1).expanded(like: x)
    return [try g * ones.applying(self, node.has(1) ? try node.input(1) : nil, try node.input(2))]
  }
}
