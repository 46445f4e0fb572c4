import SinterCore
import SinterForms
import SinterIR

/// Attention without softmax, as a recurrence over a state that adds up products of keys and values.
///
/// With S the state of a head, at each step: S is decayed by exp(g); the value becomes beta · (v - Sᵀk) where the rule corrects; S gets the outer
/// product of key and value added; the result is scale · Sᵀq. Inputs: queries, keys and values [batch, steps, heads · size], the state before
/// [batch, heads, key size, value size], the decays and the rates. Results: [batch, steps, heads · value size], the state after.
public struct LinearAttention: Primitive {
  public static let name = "LinearAttention"
  public static let summary = "Attention without softmax, as a recurrence over a state."

  /// What a step does to the state: whether it decays first, and whether the value is corrected by what the state
  /// gives already.
  public enum Rule: String, CaseIterable, Sendable {
    case linear, gated, delta
    case gatedDelta = "gated_delta"

    var decays: Bool { self == .gated || self == .gatedDelta }
    var corrects: Bool { self == .delta || self == .gatedDelta }
  }

  /// How many steps ONNX suggests to compute at once; it has no effect.
  public var chunkSize = 64
  /// The number of heads of keys and values; at least 1.
  public var keyHeads = 1
  /// The number of heads of queries, a multiple of `keyHeads`.
  public var queryHeads = 1
  /// 0: 1 / √size.
  public var scale = 0.0
  /// What a step does to the state.
  public var rule = Rule.gatedDelta

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("chunk_size", &chunkSize, default: 64)
    list.int("kv_num_heads", &keyHeads, default: 0)
    list.int("q_num_heads", &queryHeads, default: 0)
    list.float("scale", &scale, default: 0)
    list.choice("update_rule", &rule, default: .gatedDelta)
  }

  public static var onnx: [OnnxRule] { [.direct(LinearAttention.self, since: 27)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 27) }

  private struct Sizes {
    var batch: Dim, steps: Dim
    var key: Dim, value: Dim
  }

  private func sizes(_ inputs: NodeInputs, _ obligations: inout Obligations) throws -> Sizes {
    let (q, k, v) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    guard queryHeads > 0, keyHeads > 0, queryHeads % keyHeads == 0 else {
      throw DiagnosticError(
        .user, "linearattention.heads",
        "q_num_heads must be a multiple of kv_num_heads, but they are \(queryHeads) and \(keyHeads)")
    }
    guard q.rank == 3, k.rank == 3, v.rank == 3 else {
      throw DiagnosticError(
        .user, "linearattention.shape",
        "queries, keys and values must be [batch, steps, heads·size], but are \(q), \(k) and \(v)")
    }
    try obligations.divisible(q.shape[2], by: Dim(queryHeads), "size of queries \(q) of \(queryHeads) heads")
    try obligations.divisible(v.shape[2], by: Dim(keyHeads), "size of values \(v) of \(keyHeads) heads")
    var sizes = Sizes(
      batch: q.shape[0], steps: q.shape[1], key: q.shape[2] / Dim(queryHeads), value: v.shape[2] / Dim(keyHeads))
    for index in [1, 2, 4, 5] where inputs.has(index) {
      let type = try inputs.tensor(index)
      guard type.rank == 3 else {
        throw DiagnosticError(
          .user, "linearattention.shape", "input \(index) must be [batch, steps, heads·size], but is \(type)")
      }
      sizes.batch = try obligations.equal(
        sizes.batch, type.shape[0], "batch sizes of queries \(q) and of input \(index), \(type),")
      sizes.steps = try obligations.equal(
        sizes.steps, type.shape[1], "numbers of steps of queries \(q) and of input \(index), \(type),")
    }
    try obligations.equal(
      k.shape[2], Dim(keyHeads) * sizes.key,
      "size of keys \(k) and that of \(keyHeads) heads like those of queries \(q)")
    if inputs.has(3) {
      let past = try inputs.tensor(3)
      let state = [sizes.batch, Dim(keyHeads), sizes.key, sizes.value]
      guard past.rank == 4 else {
        throw DiagnosticError(
          .user, "linearattention.state", "the state must be \(Broadcast.list(state)), but is \(past)")
      }
      _ = try obligations.equal(
        past.shape, state, "sizes of the state \(past) and of one that fits \(Broadcast.list(state))")
    }
    if inputs.has(4) {
      let decays = try inputs.tensor(4)
      try obligations.divisible(decays.shape[2], by: Dim(keyHeads), "number of decays of a step of \(decays)")
      try obligations.broadcasts(
        decays.shape[2] / Dim(keyHeads), to: sizes.key, "decays of a head, of \(decays), and size of a head of keys")
    }
    if inputs.has(5) {
      let rates = try inputs.tensor(5)
      try obligations.broadcasts(
        rates.shape[2], to: Dim(keyHeads), "rates of a step, of \(rates), and number of heads of keys")
    }
    return sizes
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let q = try inputs.tensor(0)
    try requireElement(q) { $0.isFloat }
    let sizes = try sizes(inputs, &obligations)
    guard inputs.has(4) == rule.decays, inputs.has(5) == rule.corrects else {
      throw DiagnosticError(
        .user, "linearattention.rule",
        "update_rule \(rule.rawValue) \(rule.decays ? "needs" : "has no") decay and \(rule.corrects ? "needs" : "has no") beta"
      )
    }
    let state = [sizes.batch, Dim(keyHeads), sizes.key, sizes.value]
    return [
      Fact(q.element, [sizes.batch, sizes.steps, Dim(queryHeads) * sizes.value]),
      Fact(inputs.has(3) ? try inputs.tensor(3).element : q.element, state),
    ]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (q, v) = (try node.input(0), try node.input(2))
    var settled = Obligations()
    let sizes = try sizes(node.facts, &settled)
    let compute: ElementType = q.element == .f64 ? .f64 : .f32
    /// [batch, steps, heads · size] as [steps, batch, heads, size].
    func steps(_ operand: Operand, heads: Dim, size: Dim) throws -> Operand {
      try lowering.element([sizes.steps, sizes.batch, heads, size]) { builder, index in
        builder.load(operand.id, [index[1], index[0], index[2] * builder.size(size) + index[3]]).cast(to: compute)
      }
    }
    var sliced = [
      try steps(q, heads: Dim(queryHeads), size: sizes.key),
      try steps(try node.input(1), heads: Dim(keyHeads), size: sizes.key),
      try steps(v, heads: Dim(keyHeads), size: sizes.value),
    ]
    if rule.decays {
      // One entry per head, or one per head and element.
      let decays = try node.input(4)
      sliced.append(try steps(decays, heads: Dim(keyHeads), size: decays.shape[2] / Dim(keyHeads)))
    }
    if rule.corrects {
      // One entry per head, or one for all heads.
      let rates = try node.input(5)
      sliced.append(try steps(rates, heads: rates.shape[2], size: 1))
    }
    let stateShape = [sizes.batch, Dim(keyHeads), sizes.key, sizes.value]
    let past = node.has(3) ? try node.input(3) : nil
    let initial = try lowering.element(stateShape) { builder, index in
      past.map { builder.load($0.id, index).cast(to: compute) } ?? builder.constant(0, compute)
    }
    let (final, collected) = try lowering.repetition(count: sizes.steps, carried: [initial], sliced: sliced) {
      lowering, current, slices in
      let (next, result) = try step(current[0], slices, sizes, compute, &lowering)
      return ([next], [result])
    }
    let outputs = collected[0]
    let result = try lowering.element(try node.output(0).shape) { builder, index in
      let width = builder.size(sizes.value)
      let (head, place) = (index[2].floorDivided(by: width), index[2].modulo(width))
      return builder.load(outputs.id, [index[1], index[0], head, place]).cast(to: q.element)
    }
    let state = final[0]
    if node.outputs.count < 2 { return [result, state] }
    return [result, try lowering.cast(state, to: try node.output(1).element)]
  }

  /// The next state and the result of one step.
  private func step(
    _ state: Operand, _ slices: [Operand], _ sizes: Sizes, _ compute: ElementType, _ lowering: inout Lowering
  ) throws -> (next: Operand, result: Operand) {
    let (q, k, v) = (slices[0], slices[1], slices[2])
    let decay = rule.decays ? slices[3] : nil
    let rate = rule.corrects ? slices[slices.count - 1] : nil
    func entry(_ builder: BodyBuilder, _ operand: Operand, _ index: [Expr]) -> Expr {
      builder.load(operand.id, Broadcast.index(builder, index, of: Array(state.shape.prefix(3)), into: operand.shape))
    }
    let decayed = try lowering.element(state.shape) { builder, index in
      let value = builder.load(state.id, index)
      return decay.map { value * entry(builder, $0, Array(index.prefix(3))).unary(.exp) } ?? value
    }
    var written = v
    if let rate {
      let recalled = try lowering.reduce(.sum, v.shape, over: [sizes.key]) { builder, index, inner in
        builder.load(decayed.id, [index[0], index[1], inner[0], index[2]])
          * builder.load(k.id, [index[0], index[1], inner[0]])
      }
      written = try lowering.element(v.shape) { builder, index in
        let factor = entry(builder, rate, [index[0], index[1], builder.constant(0, .i64)])
        return factor * (builder.load(v.id, index) - builder.load(recalled.id, index))
      }
    }
    let next = try lowering.element(state.shape) { builder, index in
      builder.load(decayed.id, index)
        + builder.load(k.id, Array(index.prefix(3))) * builder.load(written.id, [index[0], index[1], index[3]])
    }
    let known = scale == 0 ? sizes.key.value.map { 1 / Double($0).squareRoot() } : scale
    let shape = [sizes.batch, Dim(queryHeads), sizes.value]
    let sum = try lowering.reduce(.sum, shape, over: [sizes.key]) { builder, index, inner in
      let head = index[1].floorDivided(by: builder.constant(queryHeads / keyHeads, .i64))
      return builder.load(q.id, [index[0], index[1], inner[0]])
        * builder.load(next.id, [index[0], head, inner[0], index[2]])
    }
    let result = try lowering.element(shape) { builder, index in
      let product = builder.load(sum.id, index)
      if let known { return product * known }
      return product * (1 / builder.size(sizes.key).cast(to: .f64).unary(.sqrt)).cast(to: product.type)
    }
    return (next, result)
  }

  public static var examples: [OperatorExample] {
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    let sizes = [Symbol("b"): 2, Symbol("t"): 3]
    var open = LinearAttention()
    (open.rule, open.keyHeads, open.queryHeads) = (.gatedDelta, 2, 4)
    let anySize = OperatorExample(
      open,
      [
        random(["b", "t", Dim(4) * "k"]), random(["b", "t", Dim(2) * "k"]), random(["b", "t", Dim(2) * "v"]), .absent,
        random(["b", "t", "d"]), random(["b", "t", "r"]),
      ], outputs: 2, sizes: sizes.merging([Symbol("k"): 3, Symbol("v"): 2, Symbol("d"): 6, Symbol("r"): 1]) { $1 })
    return [anySize]
      + Rule.allCases.map { rule in
        var op = LinearAttention()
        op.rule = rule
        op.keyHeads = 2
        op.queryHeads = rule == .linear ? 4 : 2
        return OperatorExample(
          op,
          [
            random(["b", "t", Dim(op.queryHeads * 3)]), random(["b", "t", 6]), random(["b", "t", 8]),
            rule == .gated ? random(["b", 2, 3, 4]) : .absent, rule.decays ? random(["b", "t", 2]) : .absent,
            rule.corrects ? random(["b", "t", 2]) : .absent,
          ], outputs: 2, sizes: sizes)
      }
  }
}

extension LinearAttention: Composite {
  /// A `Scan` whose iteration is one step. The operator's own lowering is faster; gradients go through this.
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.require(by: Self.name) { _ = try infer(inputs, requiring: &$0) }
    let tape = GradientTape(builder)
    defer { builder = tape.builder }
    func input(_ index: Int) throws -> GradientTensor { GradientTensor(try inputs.value(index), tape) }
    let (q, v) = (try input(0), try input(2))
    let compute: ElementType = try q.element == .f64 ? .f64 : .f32
    func number(_ value: Int) -> GradientTensor { q.integers([value]) }
    /// What the last axis has for each head.
    func size(_ value: GradientTensor, of heads: Int) throws -> GradientTensor {
      try value.size(2).applying(Binary(.divide), number(heads))
    }
    /// [batch, steps, heads · size] as [steps, batch, heads, size].
    func steps(_ value: GradientTensor, heads: GradientTensor, size: GradientTensor) throws -> GradientTensor {
      try value.cast(to: compute).reshaped(to: [value.size(0), value.size(1), heads, size]).transposed([1, 0, 2, 3])
    }
    let heads = number(keyHeads)
    let (key, value) = (try size(q, of: queryHeads), try size(v, of: keyHeads))
    var sliced = [
      try steps(q, heads: number(queryHeads), size: key), try steps(input(1), heads: heads, size: key),
      try steps(v, heads: heads, size: value),
    ]
    // One decay per head, or one per head and element; one rate per head, or one for all heads.
    if rule.decays { sliced.append(try steps(input(4), heads: heads, size: size(input(4), of: keyHeads))) }
    if rule.corrects { sliced.append(try steps(input(5), heads: input(5).size(2), size: number(1))) }
    let start =
      try inputs.has(3) ? input(3).cast(to: compute) : sliced[2].zeros(sizes: [q.size(0), heads, key, value])
    var scan = Scan()
    (scan.stateCount, scan.slicedCount) = (1, sliced.count)
    let results = try tape.builder.add(
      scan, ([start] + sliced).map(\.id), outputs: 2, bodies: [iteration(start, sliced)]
    ).map { GradientTensor($0, tape) }
    let output = try results[1].transposed([1, 0, 2, 3])
      .reshaped(to: [q.size(0), q.size(1), number(queryHeads) * value])
    let state = inputs.has(3) ? try input(3).element : try q.element
    return [try output.cast(to: q.element).id, try results[0].cast(to: state).id]
  }

  /// The graph of one step.
  private func iteration(_ start: GradientTensor, _ sliced: [GradientTensor]) throws -> Graph {
    let tape = GradientTape(GraphBuilder(name: "step of \(Self.name)"))
    func input(_ type: TensorType, _ name: String) -> GradientTensor {
      GradientTensor(tape.builder.input(Fact(.tensor(type)), named: name), tape)
    }
    let state = input(try start.type, "state")
    let slices = try sliced.enumerated().map { index, value in
      input(TensorType(try value.element, Array(try value.shape.dropFirst())), "slice\(index)")
    }
    let (q, k, v) = (slices[0], slices[1], slices[2])
    // Where it is open how many decays and rates there are, so would be the sizes of what they are multiplied with.
    let decayed = rule.decays ? try (state * slices[3].unary(.exp).unsqueezed([3])).reshaped(like: state) : state
    var written = v
    if rule.corrects {
      let recalled = try k.unsqueezed([2]).applying(MatMul(), decayed).squeezed([2])
      written = try (slices[slices.count - 1] * (v - recalled)).reshaped(like: v)
    }
    let next = try (decayed + k.unsqueezed([3]) * written.unsqueezed([2])).reshaped(like: state)
    func number(_ value: Int) -> GradientTensor { q.integers([value]) }
    // Heads of queries that share a head of keys stand together.
    let grouped = try q.reshaped(to: [q.size(0), number(keyHeads), number(queryHeads / keyHeads), q.size(2)])
    var result = try grouped.applying(MatMul(), next)
    result = try scale == 0 ? result / q.size(2).cast(to: q.element).unary(.sqrt) : result * scale
    result = try result.reshaped(to: [q.size(0), number(queryHeads), v.size(2)])
    tape.builder.output(next.id, named: "next")
    tape.builder.output(result.id, named: "output")
    return tape.builder.graph
  }
}
