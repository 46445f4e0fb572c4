/// The weights of one step of a recurrence, with PyTorch's names: `weight_ih` [gates · hidden, inputs], `weight_hh` [gates · hidden, hidden],
/// `bias_ih` and `bias_hh` [gates · hidden].
private struct CellWeights: Sendable {
  var inputWeight: Parameter, stateWeight: Parameter
  var inputBias: Parameter?, stateBias: Parameter?
  let inputs: Int, hidden: Int

  init(_ inputs: Int, _ hidden: Int, gates: Int, bias: Bool) {
    (self.inputs, self.hidden) = (inputs, hidden)
    let start = Initializer.fanIn(hidden)
    let rows = Parameter.rows(gates, hidden)
    inputWeight = Parameter([rows, inputs], initializer: start)
    stateWeight = Parameter([rows, hidden], initializer: start)
    inputBias = bias ? Parameter([rows], initializer: start) : nil
    stateBias = bias ? Parameter([rows], initializer: start) : nil
  }

  var named: [(name: String, value: Any)] {
    [("weight_ih", inputWeight), ("weight_hh", stateWeight)]
      + [("bias_ih", inputBias), ("bias_hh", stateBias)].compactMap { name, bias in bias.map { (name, $0) } }
  }

  var printed: String { "\(inputs), \(hidden)" + (inputBias == nil ? ", bias=False" : "") }

  /// Zeros [batch, hidden].
  func firstState(_ x: Tensor) -> Tensor {
    x.slice(-1, from: 0, to: 1).zerosLike().repeatInterleave(hidden, axis: -1)
  }

  /// What the input gives to the gates, and what the state gives.
  func sums(_ x: Tensor, _ state: Tensor) -> (Tensor, Tensor) {
    func sum(_ x: Tensor, _ weight: Parameter, _ bias: Parameter?) -> Tensor {
      let product = x.matmul(x.trace.tensor(weight).transpose(0, 1))
      return bias.map { product + x.trace.tensor($0) } ?? product
    }
    return (sum(x, inputWeight, inputBias), sum(state, stateWeight, stateBias))
  }
}

/// One step of `RNN`: [batch, inputs] and [batch, hidden] give the next [batch, hidden].
public struct RNNCell: Layer, NamedChildren {
  private var weights: CellWeights
  /// The activation of the new state.
  public var nonlinearity: RNN.Nonlinearity

  /// From [batch, inputs] to [batch, hidden].
  public init(_ inputs: Int, _ hidden: Int, bias: Bool = true, nonlinearity: RNN.Nonlinearity = .tanh) {
    weights = CellWeights(inputs, hidden, gates: 1, bias: bias)
    self.nonlinearity = nonlinearity
  }

  /// The next state, [batch, hidden]; `state` is zeros where it is nil.
  public func callAsFunction(
    _ x: Tensor, _ state: Tensor? = nil, file: StaticString = #fileID, line: UInt = #line
  ) -> Tensor {
    run(x, file: file, line: line) {
      let (a, b) = weights.sums(x, state ?? weights.firstState(x))
      return nonlinearity == .tanh ? (a + b).tanh() : (a + b).relu()
    }
  }

  public var children: [(name: String, value: Any)] { weights.named }
  public var printedArguments: String { weights.printed }
}

/// One step of `GRU`.
public struct GRUCell: Layer, NamedChildren {
  private var weights: CellWeights

  /// From [batch, inputs] to [batch, hidden].
  public init(_ inputs: Int, _ hidden: Int, bias: Bool = true) {
    weights = CellWeights(inputs, hidden, gates: 3, bias: bias)
  }

  /// The next state, [batch, hidden]; `state` is zeros where it is nil.
  public func callAsFunction(
    _ x: Tensor, _ state: Tensor? = nil, file: StaticString = #fileID, line: UInt = #line
  ) -> Tensor {
    run(x, file: file, line: line) {
      let state = state ?? weights.firstState(x)
      let (a, b) = weights.sums(x, state)
      let (inputs, states) = (a.chunk(3, axis: -1), b.chunk(3, axis: -1))
      let reset = (inputs[0] + states[0]).sigmoid()
      let update = (inputs[1] + states[1]).sigmoid()
      let candidate = (inputs[2] + reset * states[2]).tanh()
      return candidate + update * (state - candidate)
    }
  }

  public var children: [(name: String, value: Any)] { weights.named }
  public var printedArguments: String { weights.printed }
}

/// One step of `LSTM`: states are pairs (hidden, cell).
public struct LSTMCell: Layer, NamedChildren {
  private var weights: CellWeights

  /// From [batch, inputs] to [batch, hidden].
  public init(_ inputs: Int, _ hidden: Int, bias: Bool = true) {
    weights = CellWeights(inputs, hidden, gates: 4, bias: bias)
  }

  /// The next hidden and cell states, each [batch, hidden]; both are zeros where `state` is nil.
  public func callAsFunction(
    _ x: Tensor, _ state: (Tensor, Tensor)? = nil, file: StaticString = #fileID, line: UInt = #line
  ) -> (Tensor, Tensor) {
    run(x, file: file, line: line) {
      let (hidden, cell) = state ?? (weights.firstState(x), weights.firstState(x))
      let (a, b) = weights.sums(x, hidden)
      let gates = (a + b).chunk(4, axis: -1)
      let next = gates[1].sigmoid() * cell + gates[0].sigmoid() * gates[2].tanh()
      return (gates[3].sigmoid() * next.tanh(), next)
    }
  }

  public var children: [(name: String, value: Any)] { weights.named }
  public var printedArguments: String { weights.printed }
}
