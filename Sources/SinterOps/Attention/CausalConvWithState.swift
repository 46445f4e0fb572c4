import SinterCore
import SinterForms
import SinterIR

/// A convolution of each channel with its own weights that sees no later element, going on from a state that holds the last elements before.
/// Inputs: x [batch, channels, length], weights [channels, 1, k], bias, the state [batch, channels, k - 1]. Results: y, the next state.
public struct CausalConvWithState: Composite {
  public static let name = "CausalConvWithState"
  public static let summary = "A causal convolution of each channel, with its state carried on."

  /// What the sum goes through: nothing, or x · sigmoid(x), which goes by two names.
  public enum Activation: String, CaseIterable, Sendable { case none, silu, swish }

  /// What the sum goes through.
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
    let kernel = weights.shape[2]
    try builder.require(by: Self.name) { obligations in
      try obligations.atLeast(kernel, 1, "number of taps of the weights \(weights)")
      try obligations.equal(x.shape[1], weights.shape[0], "channels of the input \(x) and of the weights \(weights)")
      if inputs.has(2) { _ = try Conv.check(bias: try inputs.tensor(2), weights.shape[0], &obligations) }
      try obligations.equal(
        weights.shape[1], 1, "numbers of input channels of each result channel of the weights \(weights) and 1")
      if inputs.has(3) {
        let state = try inputs.tensor(3)
        guard state.rank == 3 else {
          throw DiagnosticError(
            .user, "causalconv.state", "the state must be [batch, channels, \(kernel - Dim(1))], but is \(state)")
        }
        _ = try obligations.equal(
          state.shape, [x.shape[0], x.shape[1], kernel - Dim(1)],
          "sizes of the state \(state) and of one that fits the input \(x)")
      }
    }
    // Positions before the first one that a window has.
    let before = try builder.add1(
      Binary(.subtract), [try builder.size(of: try inputs.value(1), along: 2), builder.integers([1])])
    let whole: ValueID
    if let state = inputs.id(3) {
      whole = try builder.add1(Concat(axis: 2), [state, try inputs.value(0)])
    } else {
      let pads = try builder.add1(
        Concat(axis: 0), [builder.integers([0, 0]), before, builder.integers([0, 0, 0])])
      whole = try builder.add1(Pad(), [try inputs.value(0), pads])
    }
    var y = try convolved(whole, inputs, into: &builder)
    if activation != .none { y = try builder.add1(Swish(), [y]) }
    let first = try builder.add1(Binary(.subtract), [try builder.size(of: whole, along: 2), before])
    let state = try builder.add1(
      Slice(), [whole, first, builder.integers([Int(Int32.max)]), builder.integers([2])])
    return [y, state]
  }

  /// The sums of the windows that end at each position, [batch, channels, length], with the bias.
  private func convolved(
    _ whole: ValueID, _ inputs: NodeInputs, into builder: inout GraphBuilder
  ) throws -> ValueID {
    let weights = try inputs.tensor(1)
    if let channels = weights.shape[0].value, weights.shape[2].value != nil {
      var conv = Conv()
      conv.group = channels
      return try builder.add1(conv, [whole, try inputs.value(1)] + (inputs.has(2) ? [inputs.id(2)] : []))
    }
    // Of sizes that only a run knows, no convolution can be chosen: the windows are gathered, [batch, channels, length, k].
    let ends = try builder.add1(
      Unsqueeze(),
      [try builder.places(below: try builder.size(of: try inputs.value(0), along: 2)), builder.integers([1])])
    let taps = try builder.places(below: try builder.size(of: try inputs.value(1), along: 2))
    let windows = try builder.add1(Gather(axis: 2), [whole, try builder.add1(Binary(.add), [ends, taps])])
    let products = try builder.add1(Binary(.multiply), [windows, try inputs.value(1)])
    let sums = try builder.add1(Reduce(.sum, keepsAxes: false), [products, builder.integers([3])])
    guard let bias = inputs.id(2) else { return sums }
    return try builder.add1(
      Binary(.add), [sums, try builder.add1(Unsqueeze(), [bias, builder.integers([1])])])
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
