import SinterCore
import SinterForms
import SinterIR

/// Gated recurrent units over a sequence. Gates in ONNX's order: update, reset, hidden.
public struct GRU: Primitive {
  public static let name = "GRU"
  public static let summary = "Gated recurrent units over a sequence, in one or both directions."

  var recurrence = Recurrence()
  /// The reset gate applies after the product with the recurrent weights, as cuDNN and PyTorch have it.
  public var linearBeforeReset = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    recurrence.attributes(&list)
    list.bool("linear_before_reset", &linearBeforeReset, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(GRU.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 14) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let sizes = try recurrence.sizes(inputs, gates: 3, states: 1, &obligations)
    return recurrence.facts(x, sizes, states: 1)
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let r = try node.input(2)
    let bias = node.has(3) ? try node.input(3) : nil
    let hidden = recurrence.hiddenSize.map { Dim($0) } ?? r.shape[2]
    let (recurrence, linear) = (recurrence, linearBeforeReset)
    // The recurrent bias of the hidden gate is scaled by the reset gate, so it cannot be added ahead.
    let keepsBias: (BodyBuilder, Expr, Expr) -> Expr = { builder, position, value in
      guard linear else { return value }
      let isHidden = position >= builder.size(hidden * 5)
      return builder.select(isHidden, builder.constant(0.0, value.type), value)
    }
    return try recurrence.lower(node, into: &lowering, gates: 3, states: 1, addRecurrentBias: keepsBias) {
      lowering, cell in
      let functions = try recurrence.functions([.sigmoid, .tanh], direction: cell.direction)
      let state = cell.states[0]
      let shape = [cell.sizes.batch, hidden]
      let product = try recurrence.recurrentProduct(&lowering, cell, state: state, firstGate: 0, count: linear ? 3 : 2)
      func gate(_ builder: BodyBuilder, _ index: [Expr], _ number: Int) -> Expr {
        let at = [index[0], index[1] + builder.size(hidden * Dim(number))]
        return functions[0](
          recurrence.clipped(builder.load(cell.projected.id, at) + builder.load(product.id, at)))
      }
      let candidate: Operand
      if linear {
        candidate = try lowering.element(shape) { builder, index in
          let column = index[1] + builder.size(hidden * 2)
          var inner = builder.load(product.id, [index[0], column])
          if let bias {
            let at = [builder.constant(cell.direction, .i64), index[1] + builder.size(hidden * 5)]
            inner = inner + builder.load(bias.id, at).cast(to: inner.type)
          }
          let sum = builder.load(cell.projected.id, [index[0], column]) + gate(builder, index, 1) * inner
          return functions[1](recurrence.clipped(sum))
        }
      } else {
        let reset = try lowering.element(shape) { builder, index in
          gate(builder, index, 1) * builder.load(state.id, index)
        }
        let inner = try recurrence.recurrentProduct(&lowering, cell, state: reset, firstGate: 2, count: 1)
        candidate = try lowering.element(shape) { builder, index in
          let column = index[1] + builder.size(hidden * 2)
          let sum = builder.load(cell.projected.id, [index[0], column]) + builder.load(inner.id, index)
          return functions[1](recurrence.clipped(sum))
        }
      }
      let next = try lowering.element(shape) { builder, index in
        let update = gate(builder, index, 0)
        return (1 - update) * builder.load(candidate.id, index) + update * builder.load(state.id, index)
      }
      return [next]
    }
  }

  public static var examples: [OperatorExample] {
    var linear = GRU()
    linear.linearBeforeReset = true
    linear.recurrence.direction = .bidirectional
    var (full, reverse) = (GRU(), GRU())
    full.recurrence.direction = .bidirectional
    full.recurrence.layout = 1
    full.recurrence.activations = ["Sigmoid", "Elu", "Softplus", "LeakyRelu"]
    (reverse.linearBeforeReset, reverse.recurrence.direction, reverse.recurrence.clip) = (true, .reverse, 0.3)
    return [
      OperatorExample(GRU(), Recurrence.exampleInputs(gates: 3, directions: 1, bias: true), outputs: 2),
      OperatorExample(
        linear, Recurrence.exampleInputs(gates: 3, directions: 2, steps: "t", bias: true), outputs: 2,
        sizes: [Symbol("t"): 3]),
      Recurrence.symbolicExample(GRU(), gates: 3, states: 1),
      Recurrence.fullExample(full, full.recurrence, gates: 3, states: 1),
      Recurrence.fullExample(reverse, reverse.recurrence, gates: 3, states: 1),
    ]
  }
}
