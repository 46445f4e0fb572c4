import SinterCore
import SinterForms
import SinterIR

/// A convolution of each channel with its own weights that sees no later element, going on from a state that holds the last elements before.
/// Inputs: x [batch, channels, length], weights [channels, 1, k], bias, the state [batch, channels, k - 1]. Results: y, the next state.
public struct CausalConvWithState: Composite {
  public static let name = "CausalConvWithState"
  public static let summary = "A causal convolution of each channel, with its state carried on."

  public enum Activation: String, CaseIterable, Sendable { case none, silu, swish }

  public var activation = Activation.none

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("activation", &activation, default: .none)
  }

  public static var onnx: [OnnxRule] { [.direct(CausalConvWithState.self, since: 27)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 27) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let (x, weights) = (try inputs.tensor(0), try inputs.tensor(1))
    guard x.rank == 3, weights.rank == 3 else {
      throw DiagnosticError(
        .user, "causalconv.shape",
        "x must be [batch, channels, length] and the weights [channels, 1, k], but are \(x) and \(weights)")
    }
    guard let kernel = weights.shape[2].value, let channels = weights.shape[0].value else {
      throw DiagnosticError(
        .limit, "causalconv.weights", "sizes of the weights must be known ahead of time, but they are \(weights)")
    }
    try builder.require(by: Self.name) { obligations in
      try obligations.equal(
        weights.shape[1], 1, "numbers of input channels of each result channel of the weights \(weights) and 1")
      if inputs.has(3) {
        let state = try inputs.tensor(3)
        guard state.rank == 3 else {
          throw DiagnosticError(
            .user, "causalconv.state", "the state must be [batch, channels, \(kernel - 1)], but is \(state)")
        }
        _ = try obligations.equal(
          state.shape, [x.shape[0], x.shape[1], Dim(kernel - 1)],
          "sizes of the state \(state) and of one that fits the input \(x)")
      }
    }
    let whole: ValueID
    if let state = inputs.id(3) {
      whole = try builder.add1(Concat(axis: 2), [state, try inputs.value(0)])
    } else {
      whole = try builder.add1(Pad(), [try inputs.value(0), builder.integers([0, 0, kernel - 1, 0, 0, 0])])
    }
    var conv = Conv()
    conv.group = channels
    var y = try builder.add1(conv, [whole, try inputs.value(1)] + (inputs.has(2) ? [inputs.id(2)] : []))
    if activation != .none { y = try builder.add1(Swish(), [y]) }
    let last = Int(Int32.max)
    let state = try builder.add1(
      Slice(),
      [
        whole, kernel > 1 ? builder.integers([1 - kernel]) : builder.integers([last]), builder.integers([last]),
        builder.integers([2]),
      ])
    return [y, state]
  }

  public static var examples: [OperatorExample] {
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    var silu = CausalConvWithState()
    silu.activation = .silu
    return [
      OperatorExample(
        CausalConvWithState(), [random(["n", 3, 6]), random([3, 1, 4]), random([3])], outputs: 2,
        sizes: [Symbol("n"): 2]),
      OperatorExample(
        silu, [random(["n", 3, 2]), random([3, 1, 4]), .absent, random(["n", 3, 3])], outputs: 2,
        sizes: [Symbol("n"): 2]),
    ]
  }
}
