import SinterCore
import SinterForms
import SinterIR

/// A long short-term memory over a sequence. Gates in ONNX's order: input, output, forget, cell.
public struct LSTM: Primitive {
  public static let name = "LSTM"
  public static let summary = "Long short-term memory over a sequence, in one or both directions."

  var recurrence = Recurrence()
  /// Whether the forget gate is 1 less the input gate.
  public var inputForget = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    recurrence.attributes(&list)
    list.bool("input_forget", &inputForget, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(LSTM.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 14) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let sizes = try recurrence.sizes(inputs, gates: 4, states: 2, &obligations)
    return recurrence.facts(x, sizes, states: 2)
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let gates = LSTMGates(node, recurrence, inputForget: inputForget)
    return try recurrence.lower(node, into: &lowering, gates: 4, states: 2, addRecurrentBias: { _, _, bias in bias }) {
      lowering, cell in
      let product = try gates.recurrence.recurrentProduct(
        &lowering, cell, state: cell.states[0], firstGate: 0, count: 4)
      return try gates.next(&lowering, cell, product)
    }
  }

  public static var examples: [OperatorExample] {
    var both = LSTM()
    both.recurrence.direction = .bidirectional
    var (full, coupled) = (both, LSTM())
    full.recurrence.layout = 1
    full.recurrence.activations = ["Sigmoid", "Tanh", "Softsign", "HardSigmoid", "Affine", "ScaledTanh"]
    full.recurrence.activationAlpha = [0.3, 0.5, 0.7]
    full.recurrence.activationBeta = [0.4, 0.1, 0.6]
    coupled.inputForget = true
    coupled.recurrence.clip = 0.4
    coupled.recurrence.direction = .reverse
    return [
      OperatorExample(LSTM(), Recurrence.exampleInputs(gates: 4, directions: 1, bias: true), outputs: 3),
      OperatorExample(
        both, Recurrence.exampleInputs(gates: 4, directions: 2, steps: "t", bias: false), outputs: 3,
        sizes: [Symbol("t"): 3]),
      Recurrence.symbolicExample(LSTM(), gates: 4, states: 2),
      Recurrence.fullExample(full, full.recurrence, gates: 4, states: 2),
      Recurrence.fullExample(coupled, coupled.recurrence, gates: 4, states: 2),
    ]
  }
}

/// What an LSTM makes of its products: gates, then the next states.
struct LSTMGates {
  let recurrence: Recurrence
  let inputForget: Bool
  let peephole: Operand?

  /// - Parameter node: one whose input 7 are the peephole weights, which may be absent.
  init(_ node: LoweringNode, _ recurrence: Recurrence, inputForget: Bool) {
    self.recurrence = recurrence
    self.inputForget = inputForget
    peephole = node.has(7) ? try? node.input(7) : nil
  }

  /// The output and the next state of the cell, [batch, hidden] each, from the product of the last output with R, [batch, 4 · hidden].
  func next(_ lowering: inout Lowering, _ cell: Recurrence.Cell, _ product: Operand) throws -> [Operand] {
    let functions = try recurrence.functions([.sigmoid, .tanh, .tanh], direction: cell.direction)
    let hidden = cell.sizes.hidden
    let gates = try lowering.element([cell.sizes.batch, hidden * 4]) { builder, index in
      builder.load(cell.projected.id, index) + builder.load(product.id, index)
    }
    func gate(_ builder: BodyBuilder, _ index: [Expr], _ number: Int) -> Expr {
      builder.load(gates.id, [index[0], index[1] + builder.size(hidden * Dim(number))])
    }
    func peep(_ builder: BodyBuilder, _ index: [Expr], _ number: Int, _ state: Expr) -> Expr? {
      guard let peephole else { return nil }
      let at = [builder.constant(cell.direction, .i64), index[1] + builder.size(hidden * Dim(number))]
      return builder.load(peephole.id, at).cast(to: state.type) * state
    }
    let next = try lowering.element([cell.sizes.batch, hidden]) { builder, index in
      let old = builder.load(cell.states[1].id, index)
      var (i, f) = (gate(builder, index, 0), gate(builder, index, 2))
      if let p = peep(builder, index, 0, old) { i = i + p }
      if let p = peep(builder, index, 2, old) { f = f + p }
      let input = functions[0](recurrence.clipped(i))
      let forget = inputForget ? 1 - input : functions[0](recurrence.clipped(f))
      return forget * old + input * functions[1](recurrence.clipped(gate(builder, index, 3)))
    }
    let output = try lowering.element([cell.sizes.batch, hidden]) { builder, index in
      let state = builder.load(next.id, index)
      var o = gate(builder, index, 1)
      if let p = peep(builder, index, 1, state) { o = o + p }
      return functions[0](recurrence.clipped(o)) * functions[2](state)
    }
    return [output, next]
  }
}
