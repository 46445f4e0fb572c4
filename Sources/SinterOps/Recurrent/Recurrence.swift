import SinterCore
import SinterForms
import SinterIR

/// What LSTM, GRU and RNN share: attributes, shapes, directions, sequence lengths, and the form of their computation.
///
/// The products of the inputs with W are computed for all steps at once; only the products with the recurrent weights R remain inside
/// the repetition.
struct Recurrence: Sendable {
  enum Direction: String, CaseIterable, Sendable { case forward, reverse, bidirectional }

  enum Activation: String, CaseIterable, Sendable {
    case relu = "relu", tanh = "tanh", sigmoid = "sigmoid", affine = "affine", leakyRelu = "leakyrelu"
    case thresholdedRelu = "thresholdedrelu", scaledTanh = "scaledtanh", hardSigmoid = "hardsigmoid", elu = "elu"
    case softsign = "softsign", softplus = "softplus"

    var defaultAlpha: Double {
      switch self {
      case .leakyRelu: 0.01
      case .hardSigmoid: 0.2
      case .thresholdedRelu, .elu, .affine, .scaledTanh: 1
      case .relu, .tanh, .sigmoid, .softsign, .softplus: 0
      }
    }
    var defaultBeta: Double { self == .hardSigmoid ? 0.5 : self == .scaledTanh ? 1 : 0 }
    var usesAlpha: Bool { defaultAlpha != 0 }
    var usesBeta: Bool { self == .hardSigmoid || self == .scaledTanh || self == .affine }

    func apply(_ x: Expr, alpha: Double, beta: Double) -> Expr {
      let zero = x.builder.constant(0, x.type)
      switch self {
      case .relu: return x.maximum(zero)
      case .tanh: return x.unary(.tanh)
      case .sigmoid: return 1 / ((-x).unary(.exp) + 1)
      case .affine: return x * alpha + beta
      case .leakyRelu: return x.builder.select(x < zero, x * alpha, x)
      case .thresholdedRelu: return x.builder.select(x > alpha, x, zero)
      case .scaledTanh: return (x * beta).unary(.tanh) * alpha
      case .hardSigmoid: return (x * alpha + beta).clamped(zero, x.builder.constant(1, x.type))
      case .elu: return x.builder.select(x < zero, (x.unary(.exp) - 1) * alpha, x)
      case .softsign: return x / (x.unary(.abs) + 1)
      case .softplus: return (x.unary(.exp) + 1).unary(.log)
      }
    }
  }

  /// An activation with its parameters.
  struct Function: Sendable {
    var activation: Activation
    var alpha: Double, beta: Double
    func callAsFunction(_ x: Expr) -> Expr { activation.apply(x, alpha: alpha, beta: beta) }
  }

  var activations: [String] = []
  var activationAlpha: [Double] = []
  var activationBeta: [Double] = []
  var clip: Double?
  var direction = Direction.forward
  var hiddenSize: Int?
  /// 0: [steps, batch, …]; 1: [batch, steps, …].
  var layout = 0

  mutating func attributes(_ list: inout some AttributeList) {
    list.floats("activation_alpha", &activationAlpha, default: [])
    list.floats("activation_beta", &activationBeta, default: [])
    list.strings("activations", &activations, default: [])
    list.optionalFloat("clip", &clip)
    list.choice("direction", &direction, default: .forward)
    list.optionalInt("hidden_size", &hiddenSize)
    list.int("layout", &layout, default: 0)
  }

  var directions: Int { direction == .bidirectional ? 2 : 1 }

  /// The activation functions of one direction.
  func functions(_ standard: [Activation], direction: Int) throws -> [Function] {
    var chosen: [Activation] = []
    for name in activations {
      guard let known = Activation(rawValue: name.lowercased()) else {
        throw DiagnosticError(
          .user, "recurrent.activation",
          "unknown activation \"\(name)\"; known are \(Activation.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      chosen.append(known)
    }
    if chosen.isEmpty { chosen = (0..<directions).flatMap { _ in standard } }
    guard chosen.count == standard.count * directions else {
      throw DiagnosticError(
        .user, "recurrent.activation",
        "\(standard.count * directions) activations are needed, but \(chosen.count) are given")
    }
    var alphas = activationAlpha[...], betas = activationBeta[...]
    let all = chosen.map { activation in
      Function(
        activation: activation,
        alpha: activation.usesAlpha ? alphas.popFirst() ?? activation.defaultAlpha : 0,
        beta: activation.usesBeta ? betas.popFirst() ?? activation.defaultBeta : 0)
    }
    return Array(all[(direction * standard.count)..<((direction + 1) * standard.count)])
  }

  /// The sizes, from X [steps, batch, input] and R [directions, gates · hidden, hidden].
  struct Sizes {
    var steps: Dim, batch: Dim, input: Dim, hidden: Dim
  }

  /// - Parameter areTransposed: whether the last two axes of W and R are the other way round.
  func sizes(
    _ inputs: NodeInputs, gates: Int, states: Int, areTransposed: Bool = false, _ obligations: inout Obligations
  ) throws -> Sizes {
    let (x, w, r) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    guard x.rank == 3, w.rank == 3, r.rank == 3 else {
      throw DiagnosticError(.user, "recurrent.rank", "X, W and R must have 3 axes, but are \(x), \(w) and \(r)")
    }
    guard layout == 0 || layout == 1 else {
      throw DiagnosticError(.user, "recurrent.layout", "layout must be 0 or 1, but is \(layout)")
    }
    let own = r.shape[areTransposed ? 1 : 2]
    var sizes =
      layout == 0
      ? Sizes(steps: x.shape[0], batch: x.shape[1], input: x.shape[2], hidden: own)
      : Sizes(steps: x.shape[1], batch: x.shape[0], input: x.shape[2], hidden: own)
    if let hiddenSize {
      sizes.hidden = try obligations.equal(
        sizes.hidden, Dim(hiddenSize), "elements of a state in R \(r) and hidden_size")
    }
    let d = Dim(directions)
    func match(_ index: Int, _ name: String, _ shape: [Dim]) throws {
      guard inputs.has(index) else { return }
      let type = try inputs.tensor(index)
      guard type.rank == shape.count else {
        throw DiagnosticError(.user, "recurrent.shape", "\(name) must be \(Broadcast.list(shape)), but is \(type)")
      }
      _ = try obligations.equal(
        type.shape, shape,
        "sizes of \(name) \(type) and those needed, \(Broadcast.list(shape)) for direction \(direction.rawValue),")
    }
    let width = sizes.hidden * Dim(gates)
    try match(1, "W", areTransposed ? [d, sizes.input, width] : [d, width, sizes.input])
    try match(2, "R", areTransposed ? [d, sizes.hidden, width] : [d, width, sizes.hidden])
    try match(3, "B", [d, width * 2])
    try match(4, "sequence_lens", [sizes.batch])
    let state = layout == 0 ? [d, sizes.batch, sizes.hidden] : [sizes.batch, d, sizes.hidden]
    try match(5, "initial_h", state)
    if states > 1 {
      try match(6, "initial_c", state)
      try match(7, "P", [d, sizes.hidden * 3])
    }
    if let lengths = inputs.integers(4),
      let wrong = lengths.first(where: { length in length < 0 || sizes.steps.value.map { length > $0 } ?? false })
    {
      throw DiagnosticError(
        .user, "recurrent.length", "sequence_lens must be from 0 to \(sizes.steps), but holds \(wrong)")
    }
    return sizes
  }

  /// Facts of Y, of Y_h, and of Y_c where the cell has one.
  func facts(_ x: TensorType, _ sizes: Sizes, states: Int) -> [Fact] {
    let d = Dim(directions)
    let y: [Dim] =
      layout == 0 ? [sizes.steps, d, sizes.batch, sizes.hidden] : [sizes.batch, sizes.steps, d, sizes.hidden]
    let state: [Dim] = layout == 0 ? [d, sizes.batch, sizes.hidden] : [sizes.batch, d, sizes.hidden]
    return [Fact(x.element, y)] + (0..<states).map { _ in Fact(x.element, state) }
  }

  /// One direction of a cell.
  struct Cell {
    /// x[t] · Wᵀ plus whatever bias does not depend on the state: [batch, gates · hidden].
    var projected: Operand
    /// The states before the step: [batch, hidden] each.
    var states: [Operand]
    /// The recurrent weights [directions, gates · hidden, hidden], and the direction.
    var r: Operand
    var direction: Int
    var sizes: Sizes
    /// The step's number, a tensor of no axes, and how many steps each example has, where they differ.
    var time: Operand
    var lengths: Operand?
  }

  /// Computes all directions and puts the results together.
  ///
  /// - Parameters:
  ///   - gates: how many blocks of rows W and R have.
  ///   - states: the number of state vectors; the first is the output.
  ///   - stateBias: whether the part of B that belongs to R stays out of the hoisted product (GRU's linear_before_reset).
  ///   - areTransposed: whether the last two axes of W and R are the other way round.
  ///   - projection: the products of all inputs with W in a direction, [steps, batch, gates · hidden], where they are not those of the tensors.
  ///   - startsTogether: whether examples that are walked from their ends all begin in the first step, however long they are. Otherwise each
  ///     begins where its end is reached, which is the same where steps of different examples have nothing to do with each other.
  ///   - step: the next states.
  func lower(
    _ node: LoweringNode, into lowering: inout Lowering, gates: Int, states: Int, areTransposed: Bool = false,
    addRecurrentBias: (BodyBuilder, Expr, Expr) -> Expr,
    projection: ((inout Lowering, Int) throws -> Operand)? = nil, startsTogether: Bool = false,
    step: (inout Lowering, Cell) throws -> [Operand]
  ) throws -> [Operand] {
    let (x, w, r) = (try node.input(0), try node.input(1), try node.input(2))
    var settled = Obligations()
    let sizes = try sizes(node.facts, gates: gates, states: states, areTransposed: areTransposed, &settled)
    let wrongLength = lowering.error("sequence length %0 is not below %1, the number of steps plus one")
    let bias = node.has(3) ? try node.input(3) : nil
    let lengths = node.has(4) ? try node.input(4) : nil
    let compute = x.element.computeType
    let batchFirst = layout == 1
    let width = sizes.hidden * Dim(gates)
    var outputs: [Operand] = []
    var finals: [[Operand]] = []
    for d in 0..<directions {
      let reversed = direction == .reverse || d == 1
      let product =
        try projection?(&lowering, d)
        ?? lowering.contract(
          batch: [], m: [sizes.steps, sizes.batch], n: [width], k: [sizes.input], accumulate: compute,
          lhs: { builder, _, m, k in builder.load(x.id, (batchFirst ? [m[1], m[0]] : m) + k) },
          rhs: { builder, _, n, k in builder.load(w.id, [builder.constant(d, .i64)] + n + k) })
      let turned = reversed && startsTogether ? lengths : nil
      /// Each example's steps from its own end, those behind it as they are.
      func place(_ builder: BodyBuilder, _ index: [Expr]) -> [Expr] {
        guard let turned else { return index }
        let length = builder.load(turned.id, [index[1]]).cast(to: .i64)
          .checked(below: builder.size(sizes.steps + 1), error: wrongLength)
        return [builder.select(index[0] < length, length - index[0] - builder.constant(1, .i64), index[0])]
          + index[1...]
      }
      let projected = try lowering.element([sizes.steps, sizes.batch, width]) { builder, index in
        let value = builder.load(product.id, place(builder, index))
        guard let bias else { return value }
        let direction = builder.constant(d, .i64)
        let own = builder.load(bias.id, [direction, index[2]]).cast(to: compute)
        let other = builder.load(bias.id, [direction, index[2] + builder.size(width)]).cast(to: compute)
        return value + addRecurrentBias(builder, index[2], own)
          + addRecurrentBias(builder, index[2] + builder.size(width), other)
      }
      var initial: [Operand] = []
      for state in 0..<states {
        let given = node.has(5 + state) ? try node.input(5 + state) : nil
        initial.append(
          try lowering.element([sizes.batch, sizes.hidden]) { builder, index in
            guard let given else { return builder.constant(0.0, compute) }
            let direction = builder.constant(d, .i64)
            let at = batchFirst ? [index[0], direction, index[1]] : [direction] + index
            return builder.load(given.id, at).cast(to: compute)
          })
      }
      let times = try lowering.element([sizes.steps]) { _, index in index[0] }
      let (final, collected) = try lowering.repetition(
        count: sizes.steps, carried: initial, sliced: [projected, times], reversed: reversed && turned == nil
      ) { lowering, current, slices in
        let cell = Cell(
          projected: slices[0], states: current, r: r, direction: d, sizes: sizes, time: slices[1], lengths: lengths)
        var next = try step(&lowering, cell)
        var output = next[0]
        if let lengths {
          // Behind the end of an example its states stay, and its outputs are zero.
          let time = slices[1]
          func kept(_ value: Operand, _ otherwise: Operand?) throws -> Operand {
            try lowering.element(value.shape) { builder, index in
              let length = builder.load(lengths.id, [index[0]]).cast(to: .i64)
                .checked(below: builder.size(sizes.steps + 1), error: wrongLength)
              let before = otherwise.map { builder.load($0.id, index) } ?? builder.constant(0.0, compute)
              return builder.select(builder.load(time.id, []) < length, builder.load(value.id, index), before)
            }
          }
          output = try kept(output, nil)
          next = try next.indices.map { try kept(next[$0], current[$0]) }
        }
        return (next, [output])
      }
      outputs.append(
        turned == nil
          ? collected[0]
          : try lowering.element(collected[0].shape) { builder, index in
            builder.load(collected[0].id, place(builder, index))
          })
      finals.append(final)
    }
    func join(_ parts: [Operand], _ index: (BodyBuilder, [Expr]) -> (direction: Expr, inner: [Expr]), _ shape: [Dim])
      throws
      -> Operand
    {
      try lowering.element(shape) { builder, at in
        let (direction, inner) = index(builder, at)
        var value = builder.load(parts[0].id, inner)
        if parts.count == 2 {
          value = builder.select(direction .== builder.constant(0, .i64), value, builder.load(parts[1].id, inner))
        }
        return value.cast(to: x.element)
      }
    }
    var results = [
      try join(
        outputs, { _, at in batchFirst ? (at[2], [at[1], at[0], at[3]]) : (at[1], [at[0], at[2], at[3]]) },
        try node.output(0).shape)
    ]
    for state in 0..<states where results.count < node.facts.outputCount {
      results.append(
        try join(
          finals.map { $0[state] }, { _, at in batchFirst ? (at[1], [at[0], at[2]]) : (at[0], [at[1], at[2]]) },
          try node.output(1 + state).shape))
    }
    return results
  }

  /// state · Rᵀ for rows [first ·hidden, (first + count) · hidden) of R: [batch, count · hidden].
  func recurrentProduct(
    _ lowering: inout Lowering, _ cell: Cell, state: Operand, firstGate: Int, count: Int
  ) throws -> Operand {
    try lowering.contract(
      batch: [], m: [cell.sizes.batch], n: [cell.sizes.hidden * Dim(count)], k: [cell.sizes.hidden],
      accumulate: state.element,
      lhs: { builder, _, m, k in builder.load(state.id, m + k) },
      rhs: { builder, _, n, k in
        let row = n[0] + builder.size(cell.sizes.hidden * Dim(firstGate))
        return builder.load(cell.r.id, [builder.constant(cell.direction, .i64), row] + k)
      })
  }

  func clipped(_ x: Expr) -> Expr {
    guard let clip else { return x }
    return x.clamped(x.builder.constant(-clip, x.type), x.builder.constant(clip, x.type))
  }

  /// Inputs for examples, every size its own symbol, and what these are.
  static func symbolicExample(_ op: some Operator, gates: Int, states: Int) -> OperatorExample {
    var sizes: [Symbol: Int] = [:]
    func random(_ shape: [Int]) -> OperatorExample.Input {
      .random(
        TensorType(
          .f32,
          shape.map { size in
            let symbol = Symbol("s\(sizes.count)")
            sizes[symbol] = size
            return Dim(symbol)
          }), -0.5...0.5)
    }
    let inputs = [
      random([4, 3, 5]), random([1, gates * 2, 5]), random([1, gates * 2, 2]), random([1, gates * 4]), .absent,
    ]
    return OperatorExample(
      op, inputs + (0..<states).map { _ in random([1, 3, 2]) } + (states > 1 ? [random([1, 6])] : []),
      outputs: 1 + states, sizes: sizes)
  }

  /// An example with all inputs: lengths, initial states, and peepholes where the cell has them; batch first where `layout` is 1.
  static func fullExample(_ op: some Operator, _ recurrence: Recurrence, gates: Int, states: Int) -> OperatorExample {
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -0.5...0.5) }
    let d = Dim(recurrence.directions)
    let isBatchFirst = recurrence.layout == 1
    let rows = Dim(gates * 2)
    var inputs = [
      random(isBatchFirst ? [3, "t", 5] : ["t", 3, 5]), random([d, rows, 5]), random([d, rows, 2]),
      random([d, rows * 2]), .given(HostTensor(.i32, [3], values: [Int32(4), 1, 2])),
    ]
    for _ in 0..<states { inputs.append(random(isBatchFirst ? [3, d, 2] : [d, 3, 2])) }
    if states > 1 { inputs.append(random([d, 6])) }
    return OperatorExample(op, inputs, outputs: 1 + states, sizes: [Symbol("t"): 4])
  }

  /// Inputs for examples: 4 steps, batch 3, 5 features, 6 hidden.
  static func exampleInputs(gates: Int, directions: Int, steps: Dim = 4, bias: Bool) -> [OperatorExample.Input] {
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -0.5...0.5) }
    let d = Dim(directions)
    let rows = Dim(gates * 6)
    return [random([steps, 3, 5]), random([d, rows, 5]), random([d, rows, 6])] + (bias ? [random([d, rows * 2])] : [])
  }
}
