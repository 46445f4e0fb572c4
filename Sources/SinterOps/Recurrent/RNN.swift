import SinterCore
import SinterForms
import SinterIR

/// A plain recurrent network over a sequence: h = f(x · Wᵀ + h · Rᵀ + b).
public struct RNN: Primitive {
  public static let name = "RNN"
  public static let summary = "Plain recurrent network over a sequence, in one or both directions."

  var recurrence = Recurrence()

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { recurrence.attributes(&list) }

  public static var onnx: [OnnxRule] { [.direct(RNN.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 14) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let sizes = try recurrence.sizes(inputs, gates: 1, states: 1, &obligations)
    return recurrence.facts(x, sizes, states: 1)
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let recurrence = recurrence
    return try recurrence.lower(node, into: &lowering, gates: 1, states: 1, addRecurrentBias: { _, _, bias in bias }) {
      lowering, cell in
      let function = try recurrence.functions([.tanh], direction: cell.direction)[0]
      let product = try recurrence.recurrentProduct(&lowering, cell, state: cell.states[0], firstGate: 0, count: 1)
      let next = try lowering.element([cell.sizes.batch, cell.sizes.hidden]) { builder, index in
        function(recurrence.clipped(builder.load(cell.projected.id, index) + builder.load(product.id, index)))
      }
      return [next]
    }
  }

  public static var examples: [OperatorExample] {
    var (both, reverse) = (RNN(), RNN())
    (both.recurrence.direction, both.recurrence.layout) = (.bidirectional, 1)
    both.recurrence.activations = ["Relu", "ThresholdedRelu"]
    both.recurrence.activationAlpha = [0.1]
    reverse.recurrence.direction = .reverse
    return [
      OperatorExample(RNN(), Recurrence.exampleInputs(gates: 1, directions: 1, bias: true), outputs: 2),
      Recurrence.symbolicExample(RNN(), gates: 1, states: 1),
      Recurrence.fullExample(both, both.recurrence, gates: 1, states: 1),
      Recurrence.fullExample(reverse, reverse.recurrence, gates: 1, states: 1),
    ]
  }
}
