import SinterIR
import SinterOps

/// Which recurrence a layer computes, and how PyTorch's order of gates relates to ONNX's.
private enum Recurrence: Sendable {
  case plain(String), gated, longShort

  /// For each of ONNX's gates, its place among PyTorch's: i o f c of i f g o; z r h of r z n.
  var gates: [Int] {
    switch self {
    case .plain: [0]
    case .gated: [1, 0, 2]
    case .longShort: [0, 3, 1, 2]
    }
  }
  var states: Int { if case .longShort = self { 2 } else { 1 } }
}

/// The weights of all layers and directions of a recurrent layer, under PyTorch's names: `weight_ih_l0` [gates · hidden, inputs],
/// `weight_hh_l0` [gates · hidden, hidden], `bias_ih_l0`, `bias_hh_l0`, those of the second direction with `_reverse`. Where outputs are
/// projected, `weight_hr_l0` [projection, hidden], and `weight_hh_l0` has that many columns.
private struct RecurrentStack: Sendable {
  struct Cell: Sendable {
    var suffix: String
    var inputWeight: Parameter, stateWeight: Parameter
    var inputBias: Parameter?, stateBias: Parameter?
    var projection: Parameter?

    var named: [(name: String, value: Any)] {
      [("weight_ih_l\(suffix)", inputWeight), ("weight_hh_l\(suffix)", stateWeight)]
        + [("bias_ih_l\(suffix)", inputBias), ("bias_hh_l\(suffix)", stateBias), ("weight_hr_l\(suffix)", projection)]
        .compactMap { name, parameter in parameter.map { (name, $0) } }
    }
  }

  let recurrence: Recurrence
  let inputs: Int, hidden: Int, layers: Int
  let hasBias: Bool, batchFirst: Bool, bidirectional: Bool
  let dropout: Double
  /// The size of outputs, where it is not that of the hidden state; else 0.
  let projection: Int
  var cells: [[Cell]]

  private var outputs: Int { projection > 0 ? projection : hidden }

  init(
    _ recurrence: Recurrence, _ inputs: Int, _ hidden: Int, _ layers: Int, _ bias: Bool, _ batchFirst: Bool,
    _ dropout: Double, _ bidirectional: Bool, projection: Int = 0
  ) {
    self.recurrence = recurrence
    self.projection = projection
    (self.inputs, self.hidden, self.layers) = (inputs, hidden, layers)
    (hasBias, self.batchFirst, self.dropout, self.bidirectional) = (bias, batchFirst, dropout, bidirectional)
    let rows = Parameter.rows(recurrence.gates.count, hidden)
    let start = Initializer.fanIn(hidden)
    let outputs = projection > 0 ? projection : hidden
    cells = (0..<max(0, layers)).map { layer in
      (bidirectional ? ["", "_reverse"] : [""]).map { direction in
        let width = layer == 0 ? inputs : outputs * (bidirectional ? 2 : 1)
        return Cell(
          suffix: "\(layer)\(direction)", inputWeight: Parameter([rows, width], initializer: start),
          stateWeight: Parameter([rows, outputs], initializer: start),
          inputBias: bias ? Parameter([rows], initializer: start) : nil,
          stateBias: bias ? Parameter([rows], initializer: start) : nil,
          projection: projection > 0 ? Parameter([projection, hidden], initializer: start) : nil)
      }
    }
  }

  var named: [(name: String, value: Any)] { cells.flatMap { $0.flatMap(\.named) } }

  var printed: String {
    var text = "\(inputs), \(hidden)"
    if projection != 0 { text += ", proj_size=\(projection)" }
    if layers != 1 { text += ", num_layers=\(layers)" }
    if !hasBias { text += ", bias=False" }
    if batchFirst { text += ", batch_first=True" }
    if dropout != 0 { text += ", dropout=\(PrintedForm.number(dropout))" }
    if bidirectional { text += ", bidirectional=True" }
    return text
  }

  private func problem(_ x: Tensor, _ states: [Tensor], _ lengths: Tensor?) -> String? {
    if hidden < 1 || layers < 1 { return "hidden size and layers must be positive, but are \(hidden) and \(layers)" }
    if projection < 0 || projection > 0 && projection >= hidden {
      return "a projection is smaller than the hidden size, \(hidden), or 0 for none, but is \(projection)"
    }
    if !(0...1).contains(dropout) { return "a probability lies between 0 and 1, but is \(dropout)" }
    if x.rank != 3 && x.rank != 2 {
      return "the input must be [\(batchFirst ? "batch, steps" : "steps, batch"), \(inputs)], but is \(x.type)"
    }
    if let width = x.size(-1).value, width != inputs {
      return "the input has \(width) features, but \(inputs) are needed"
    }
    for state in states where state.rank != x.rank {
      return "a state must be [\(layers * (bidirectional ? 2 : 1)), batch, \(outputs)], but is \(state.type)"
    }
    if let lengths, !lengths.element.isInteger || lengths.rank != 1 || x.rank != 3 {
      return "lengths must be a list of integers, one for each sequence of a batch, but are \(lengths.type)"
    }
    return nil
  }

  /// - Parameters:
  ///   - states: those before the first step, all layers and directions one under the other; empty for zeros.
  ///   - lengths: how many steps of each sequence count.
  /// - Returns: the states after each step, in the last layer, and those after the last one.
  func run(_ x: Tensor, _ states: [Tensor], _ lengths: Tensor?) -> (output: Tensor, states: [Tensor]) {
    let trace = x.trace
    if let problem = problem(x, states, lengths) {
      let failed = trace.fail("recurrent", problem, like: x)
      return (failed, [Tensor](repeating: failed, count: recurrence.states))
    }
    let hasBatch = x.rank == 3
    let states = hasBatch ? states : states.map { $0.unsqueeze(1) }
    // ONNX's order is [steps, batch, features].
    var sequence = hasBatch ? (batchFirst ? x.transpose(0, 1) : x) : x.unsqueeze(1)
    let directions = bidirectional ? 2 : 1
    var last = [[Tensor]](repeating: [], count: recurrence.states)
    for (layer, cells) in cells.enumerated() {
      if layer > 0 { sequence = sequence.dropout(dropout) }
      let weights = stack(cells.map { ordered(trace.tensor($0.inputWeight)) })
      let recurrent = stack(cells.map { ordered(trace.tensor($0.stateWeight)) })
      var bias: Tensor?
      if hasBias {
        bias = stack(
          cells.map { cell in
            cat([cell.inputBias, cell.stateBias].compactMap { $0 }.map { ordered(trace.tensor($0)) })
          })
      }
      let first = states.map { $0.slice(0, from: layer * directions, to: (layer + 1) * directions) }
      var inputs: [Tensor?] = [sequence, weights, recurrent, bias, lengths?.cast(to: .i32)] + first
      if projection > 0 {
        inputs += [Tensor?](repeating: nil, count: 7 - inputs.count)
        inputs.append(stack(cells.compactMap { $0.projection.map { trace.tensor($0) } }))
      }
      let results = apply(trace, inputs)
      // [steps, directions, batch, hidden] to [steps, batch, directions · hidden].
      sequence = directions == 1 ? results[0].squeeze(1) : results[0].transpose(1, 2).flatten(from: 2)
      for (place, state) in results.dropFirst().enumerated() { last[place].append(state) }
    }
    let output = hasBatch ? (batchFirst ? sequence.transpose(0, 1) : sequence) : sequence.squeeze(1)
    return (output, last.map { hasBatch ? cat($0) : cat($0).squeeze(1) })
  }

  /// Rows of gates in ONNX's order.
  private func ordered(_ weight: Tensor) -> Tensor {
    guard recurrence.gates.count > 1 else { return weight }
    let parts = weight.chunk(recurrence.gates.count)
    return cat(recurrence.gates.map { parts[$0] })
  }

  private func apply(_ trace: Trace, _ inputs: [Tensor?]) -> [Tensor] {
    var attributes: [String: OnnxAttribute] = ["hidden_size": .int(hidden)]
    if bidirectional { attributes["direction"] = .string("bidirectional") }
    func made<Op: Operator>(_ op: Op) -> Op {
      var op = op
      let node = OnnxNode(
        domain: "", opType: "", opset: 0, name: "", values: [], outputCount: 0, attributes: attributes)
      var reader = OnnxAttributeReader(node)
      op.attributes(&reader)
      return op
    }
    switch recurrence {
    case .plain(let activation):
      if activation != "Tanh" {
        attributes["activations"] = .strings([String](repeating: activation, count: bidirectional ? 2 : 1))
      }
      return trace.apply(made(SinterOps.RNN()), inputs, outputs: 2)
    case .gated:
      attributes["linear_before_reset"] = .int(1)
      return trace.apply(made(SinterOps.GRU()), inputs, outputs: 2)
    case .longShort where projection > 0: return trace.apply(made(SinterOps.ProjectedLSTM()), inputs, outputs: 3)
    case .longShort: return trace.apply(made(SinterOps.LSTM()), inputs, outputs: 3)
    }
  }
}

/// h = f(W·x + b + R·h + c) over a sequence, by several layers, in one or both directions: PyTorch's `nn.RNN`.
///
/// The input is [steps, batch, inputs], or [batch, steps, inputs] where `batchFirst`, or [steps, inputs] of one sequence. Results are the states
/// of the last layer after each step, [steps, batch, directions · hidden], and those after the last step, [layers · directions, batch, hidden].
public struct RNN: Layer, NamedChildren {
  /// The function of a step.
  public enum Nonlinearity: String, Sendable { case tanh = "Tanh", relu = "Relu" }

  private var stack: RecurrentStack

  /// From `inputs` numbers a step to `hidden` numbers. `dropout` is the probability between layers, in training.
  public init(
    _ inputs: Int, _ hidden: Int, layers: Int = 1, nonlinearity: Nonlinearity = .tanh, bias: Bool = true,
    batchFirst: Bool = false, dropout: Double = 0, bidirectional: Bool = false
  ) {
    stack = RecurrentStack(
      .plain(nonlinearity.rawValue), inputs, hidden, layers, bias, batchFirst, dropout, bidirectional)
  }

  /// - Parameters:
  ///   - state: before the first step; zeros where nil.
  ///   - lengths: how many steps of each sequence count: what `pack_padded_sequence` tells in PyTorch. Results behind them are zeros.
  public func callAsFunction(
    _ x: Tensor, _ state: Tensor? = nil, lengths: Tensor? = nil, file: StaticString = #fileID, line: UInt = #line
  ) -> (Tensor, Tensor) {
    run(x, file: file, line: line) {
      let result = stack.run(x, state.map { [$0] } ?? [], lengths)
      return (result.output, result.states[0])
    }
  }

  public var children: [(name: String, value: Any)] { stack.named }
  public var printedArguments: String { stack.printed }
}

/// Gated recurrent units over a sequence: PyTorch's `nn.GRU`. Inputs and results are those of `RNN`.
public struct GRU: Layer, NamedChildren {
  private var stack: RecurrentStack

  /// From `inputs` numbers a step to `hidden` numbers. `dropout` is the probability between layers, in training.
  public init(
    _ inputs: Int, _ hidden: Int, layers: Int = 1, bias: Bool = true, batchFirst: Bool = false, dropout: Double = 0,
    bidirectional: Bool = false
  ) {
    stack = RecurrentStack(.gated, inputs, hidden, layers, bias, batchFirst, dropout, bidirectional)
  }

  /// The states after each step and after the last one; `state` and `lengths` are those of `RNN`.
  public func callAsFunction(
    _ x: Tensor, _ state: Tensor? = nil, lengths: Tensor? = nil, file: StaticString = #fileID, line: UInt = #line
  ) -> (Tensor, Tensor) {
    run(x, file: file, line: line) {
      let result = stack.run(x, state.map { [$0] } ?? [], lengths)
      return (result.output, result.states[0])
    }
  }

  public var children: [(name: String, value: Any)] { stack.named }
  public var printedArguments: String { stack.printed }
}

/// Long short-term memory over a sequence: PyTorch's `nn.LSTM`. Inputs and results are those of `RNN`, but states are pairs (hidden, cell):
///
///     let (output, (hidden, cell)) = lstm(x)
///
/// With a projection, PyTorch's `proj_size`, outputs and hidden states are products of what the cells put out with a matrix [projection, hidden],
/// which are what the next step reads: [.., projection], while states of cells stay [.., hidden].
public struct LSTM: Layer, NamedChildren {
  private var stack: RecurrentStack

  /// From `inputs` numbers a step to `hidden` numbers. `dropout` is the probability between layers, in training.
  public init(
    _ inputs: Int, _ hidden: Int, layers: Int = 1, bias: Bool = true, batchFirst: Bool = false, dropout: Double = 0,
    bidirectional: Bool = false, projection: Int = 0
  ) {
    stack = RecurrentStack(
      .longShort, inputs, hidden, layers, bias, batchFirst, dropout, bidirectional, projection: projection)
  }

  /// The hidden states after each step, and both states after the last one; `lengths` are those of `RNN`.
  public func callAsFunction(
    _ x: Tensor, _ state: (Tensor, Tensor)? = nil, lengths: Tensor? = nil, file: StaticString = #fileID,
    line: UInt = #line
  ) -> (Tensor, (Tensor, Tensor)) {
    run(x, file: file, line: line) {
      let result = stack.run(x, state.map { [$0.0, $0.1] } ?? [], lengths)
      return (result.output, (result.states[0], result.states[1]))
    }
  }

  public var children: [(name: String, value: Any)] { stack.named }
  public var printedArguments: String { stack.printed }
}
