import SinterCore
import SinterIR

/// LSTM, GRU and RNN told in other operators: a product of all inputs with W, then a `Scan` for each direction whose iteration is one step. Their own
/// lowering is faster; the expansion is what gradients go through.
extension Recurrence {
  /// What one step of one direction sees.
  struct Step {
    /// x[t] · Wᵀ plus whatever bias does not depend on the state: [batch, gates · hidden].
    var projected: GradientTensor
    /// The states before the step: [batch, hidden] each.
    var states: [GradientTensor]
    /// Rᵀ: [hidden, gates · hidden].
    var weights: GradientTensor
    /// What else the cell has of this direction.
    var extras: [GradientTensor]
    var functions: [Function]
    /// An element's bound before each activation.
    var clip: Double?

    /// state · Rᵀ, with the columns of some gates.
    func product(_ state: GradientTensor, _ columns: GradientTensor? = nil) throws -> GradientTensor {
      try state.applying(MatMul(), columns ?? weights)
    }

    /// The activation of this number of what it is applied to.
    func activation(_ index: Int, _ x: GradientTensor) throws -> GradientTensor {
      guard let clip else { return try functions[index].applied(to: x) }
      return try functions[index].applied(to: x.applying(Clip(), x.number(-clip), x.number(clip)))
    }
  }

  /// The lengths of sequences, on condition that each is at most the number of steps, as the layers' own lowering asks.
  private func checkedLengths(_ given: GradientTensor, of x: GradientTensor) throws -> GradientTensor {
    let lengths = try given.cast(to: .i64)
    func greatest(_ value: GradientTensor) throws -> GradientTensor {
      try value.applying(Reduce(.maximum, keepsAxes: true), lengths.integers([0]))
    }
    let isShort = try greatest(lengths).compare(.lessOrEqual, x.size(0))
    let isNegative = try greatest(-lengths).compare(.greater, 0)
    let fits = try isShort.applying(Binary(.and), isNegative.unary(.not))
    return try fits.applying(
      Expect(true, reason: "a sequence length is negative or above the number of steps"), lengths)
  }

  /// A value with a first axis of directions, taken apart along it.
  private func directions(of value: GradientTensor) throws -> [GradientTensor] {
    let parts = directions == 1 ? [value] : try value.split(into: directions, along: 0)
    return try parts.map { try $0.squeezed([0]) }
  }

  /// - Parameters:
  ///   - given: inputs whose sizes are known to fit.
  ///   - gates, states: as in `lower`.
  ///   - standard: the activations of a direction where none are given.
  ///   - widths: the size of each state, from a direction's recurrent weights and its extras; nil: that of the weights' rows.
  ///   - keepsLastBias: whether the part of B that belongs to the last gate's R stays out of the product (GRU's linear_before_reset); it is the
  ///     first of the step's extras then.
  ///   - extras: what else a direction has, in the order of the step's.
  ///   - step: the next states.
  func expand(
    _ given: NodeInputs, into builder: inout GraphBuilder, name: String, gates: Int, states: Int,
    standard: [Activation], keepsLastBias: Bool = false,
    widths: ((_ weights: GradientTensor, _ extras: [GradientTensor]) throws -> [GradientTensor])? = nil,
    extras: (_ direction: Int, _ tape: GradientTape) throws -> [GradientTensor] = { _, _ in [] },
    step: (Step) throws -> [GradientTensor]
  ) throws -> [ValueID] {
    let tape = GradientTape(builder)
    defer { builder = tape.builder }
    func input(_ index: Int) throws -> GradientTensor { GradientTensor(try given.value(index), tape) }
    let isBatchFirst = layout == 1
    let x = try isBatchFirst ? input(0).transposed([1, 0, 2]) : input(0)
    let (w, r) = (try directions(of: input(1)), try directions(of: input(2)))
    let bias = given.has(3) ? try directions(of: input(3)) : nil
    let lengths = given.has(4) ? try checkedLengths(input(4), of: x) : nil
    let initial = try (0..<states).map { state in
      try given.has(5 + state)
        ? directions(of: isBatchFirst ? input(5 + state).transposed([1, 0, 2]) : input(5 + state)) : nil
    }
    let times = try x.positions(along: 0)
    var (outputs, finals): ([GradientTensor], [[GradientTensor]]) = ([], [])
    for d in 0..<directions {
      var projected = try x.applying(MatMul(), w[d].transposed([1, 0]))
      var own = try extras(d, tape)
      if let bias = bias?[d] {
        if keepsLastBias {
          let parts = try bias.split(into: 2 * gates, along: 0)
          let sums = try (0..<gates).map { $0 == gates - 1 ? parts[$0] : try parts[$0] + parts[$0 + gates] }
          projected = try projected + tape.add(Concat(axis: 0), sums)[0]
          own.insert(parts[2 * gates - 1], at: 0)
        } else {
          let parts = try bias.split(into: 2, along: 0)
          projected = try projected + (parts[0] + parts[1])
        }
      }
      let stateWidths = try widths?(r[d], own)
      let start = try initial.enumerated().map { state, given in
        try given?[d] ?? x.zeros(sizes: [x.size(1), stateWidths?[state] ?? r[d].size(1)])
      }
      let weights = try r[d].transposed([1, 0])
      let functions = try functions(standard, direction: d)
      let captures = [weights] + own + (lengths.map { [$0] } ?? [])
      let body = try iteration(
        start, projected, times, captures, name: name, hasLengths: lengths != nil,
        cell: Step(projected: x, states: [], weights: x, extras: [], functions: functions, clip: clip), step)
      var scan = Scan()
      scan.stateCount = states
      scan.slicedCount = lengths == nil ? 1 : 2
      if direction == .reverse || d == 1 {
        scan.inputDirections = [Int](repeating: 1, count: scan.slicedCount)
        scan.outputDirections = [1]
      }
      let sliced = lengths == nil ? [projected] : [projected, times]
      let results = try tape.builder.add(
        scan, (start + sliced + captures).map(\.id), outputs: states + 1, bodies: [body]
      ).map { GradientTensor($0, tape) }
      outputs.append(results[states])
      finals.append(Array(results.prefix(states)))
    }
    func joined(_ parts: [GradientTensor], at axis: Int, _ order: [Int]) throws -> GradientTensor {
      let whole = try parts.map { try $0.unsqueezed([axis]) }
      let joined = whole.count == 1 ? whole[0] : try tape.add(Concat(axis: axis), whole)[0]
      return isBatchFirst ? try joined.transposed(order) : joined
    }
    return try [joined(outputs, at: 1, [2, 0, 1, 3]).id]
      + (0..<states).map { state in try joined(finals.map { $0[state] }, at: 0, [1, 0, 2]).id }
  }

  /// The graph of one step.
  private func iteration(
    _ start: [GradientTensor], _ projected: GradientTensor, _ times: GradientTensor, _ captures: [GradientTensor],
    name: String, hasLengths: Bool, cell: Step, _ step: (Step) throws -> [GradientTensor]
  ) throws -> Graph {
    let tape = GradientTape(GraphBuilder(name: "step of \(name)"))
    func input(_ type: TensorType, _ name: String) -> GradientTensor {
      GradientTensor(tape.builder.input(Fact(.tensor(type)), named: name), tape)
    }
    func slice(_ value: GradientTensor, _ name: String) throws -> GradientTensor {
      input(TensorType(try value.element, Array(try value.shape.dropFirst())), name)
    }
    var cell = cell
    cell.states = try start.enumerated().map { input(try $1.type, "state\($0)") }
    cell.projected = try slice(projected, "projected")
    let time = hasLengths ? try slice(times, "time") : nil
    let inner = try captures.enumerated().map { input(try $1.type, "capture\($0)") }
    cell.weights = inner[0]
    cell.extras = Array(inner.dropFirst().dropLast(hasLengths ? 1 : 0))
    var next = try step(cell)
    var output = next[0]
    if let time, let lengths = inner.last {
      // Behind the end of an example its states stay, and its outputs are zero.
      let isInside = try lengths.compare(.greater, time).unsqueezed([1])
      output = try output.kept(where: isInside)
      next = try zip(next, cell.states).map { try isInside.applying(Where(), $0, $1) }
    }
    for (index, value) in next.enumerated() { tape.builder.output(value.id, named: "next\(index)") }
    tape.builder.output(output.id, named: "output")
    return tape.builder.graph
  }
}

extension Recurrence.Function {
  /// The function as operators.
  func applied(to x: GradientTensor) throws -> GradientTensor {
    switch activation {
    case .relu: return try x.unary(.relu)
    case .tanh: return try x.unary(.tanh)
    case .sigmoid: return try x.unary(.sigmoid)
    case .softsign: return try x.unary(.softsign)
    case .softplus: return try x.unary(.softplus)
    case .affine: return try x * alpha + beta
    case .scaledTanh: return try (x * beta).unary(.tanh) * alpha
    case .leakyRelu:
      var op = LeakyRelu()
      op.alpha = alpha
      return try x.applying(op)
    case .thresholdedRelu:
      var op = ThresholdedRelu()
      op.alpha = alpha
      return try x.applying(op)
    case .hardSigmoid:
      var op = HardSigmoid()
      (op.alpha, op.beta) = (alpha, beta)
      return try x.applying(op)
    case .elu:
      var op = Elu()
      op.alpha = alpha
      return try x.applying(op)
    }
  }
}

extension LSTM: Composite {
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.require(by: Self.name) { _ = try recurrence.sizes(inputs, gates: 4, states: 2, &$0) }
    let (hasPeepholes, forgetsInput) = (inputs.has(7), inputForget)
    return try recurrence.expand(
      inputs, into: &builder, name: Self.name, gates: 4, states: 2, standard: [.sigmoid, .tanh, .tanh],
      extras: { direction, tape in
        guard hasPeepholes else { return [] }
        let weights = GradientTensor(try inputs.value(7), tape)
        let own = recurrence.directions == 1 ? weights : try weights.split(into: 2, along: 0)[direction]
        return try own.squeezed([0]).split(into: 3, along: 0)
      }
    ) { cell in
      let (before, gates) = (
        cell.states[1], try (cell.projected + cell.product(cell.states[0])).split(into: 4, along: 1)
      )
      func gate(_ number: Int, _ state: GradientTensor) throws -> GradientTensor {
        let sum = hasPeepholes && number < 3 ? try gates[number] + state * cell.extras[number] : gates[number]
        return try cell.activation(number == 3 ? 1 : 0, sum)
      }
      let input = try gate(0, before)
      let forget = try forgetsInput ? 1 - input : gate(2, before)
      let next = try forget * before + input * gate(3, before)
      return [try gate(1, next) * cell.functions[2].applied(to: next), next]
    }
  }
}

extension GRU: Composite {
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.require(by: Self.name) { _ = try recurrence.sizes(inputs, gates: 3, states: 1, &$0) }
    let isLinear = linearBeforeReset
    return try recurrence.expand(
      inputs, into: &builder, name: Self.name, gates: 3, states: 1, standard: [.sigmoid, .tanh],
      keepsLastBias: isLinear,
      extras: { direction, tape in
        // The columns of the first two gates and of the last one.
        guard !isLinear else { return [] }
        let weights = GradientTensor(try inputs.value(2), tape)
        let own = recurrence.directions == 1 ? weights : try weights.split(into: 2, along: 0)[direction]
        let gates = try own.squeezed([0]).transposed([1, 0]).split(into: 3, along: 1)
        return [try tape.add(Concat(axis: 1), Array(gates.prefix(2)))[0], gates[2]]
      }
    ) { cell in
      let state = cell.states[0]
      let inputs = try cell.projected.split(into: 3, along: 1)
      let candidate: GradientTensor
      let update: GradientTensor
      if isLinear {
        let products = try cell.product(state).split(into: 3, along: 1)
        update = try cell.activation(0, inputs[0] + products[0])
        let reset = try cell.activation(0, inputs[1] + products[1])
        let inner = try cell.extras.isEmpty ? products[2] : products[2] + cell.extras[0]
        candidate = try cell.activation(1, inputs[2] + reset * inner)
      } else {
        let products = try cell.product(state, cell.extras[0]).split(into: 2, along: 1)
        update = try cell.activation(0, inputs[0] + products[0])
        let reset = try cell.activation(0, inputs[1] + products[1])
        candidate = try cell.activation(1, inputs[2] + cell.product(reset * state, cell.extras[1]))
      }
      return [try (1 - update) * candidate + update * state]
    }
  }
}

extension RNN: Composite {
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.require(by: Self.name) { _ = try recurrence.sizes(inputs, gates: 1, states: 1, &$0) }
    return try recurrence.expand(
      inputs, into: &builder, name: Self.name, gates: 1, states: 1, standard: [.tanh]
    ) { cell in [try cell.activation(0, cell.projected + cell.product(cell.states[0]))] }
  }
}
