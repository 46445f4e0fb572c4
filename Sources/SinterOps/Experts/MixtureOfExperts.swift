import SinterCore
import SinterIR

/// Layers of experts, of which a router chooses the best few for each token and weighs what they give.
///
/// Inputs: tokens [tokens, size] or [batch, length, size], the router's logits [tokens, experts], then the weights of the first layer [experts,
/// inner, size] with its bias [experts, inner], those of the second [experts, size, inner] with its bias, and those of a third one, like the
/// first, which is multiplied with it. Weights of a few bits have scales behind them, zero points at the end, and may have the weights of
/// experts apart from the logits that choose. With swiglu the first layer may hold the third, in pairs or behind its own.
///
/// An expert's weight is its share in the softmax of all logits, or of those chosen. Of equal logits the first one is chosen.
public struct MixtureOfExperts: Composite {
  public static let name = "MixtureOfExperts"
  public static let summary = "For each token the best few experts' layers, weighed."

  /// What the first layer's sums go through.
  public enum Activation: String, CaseIterable, Sendable { case relu, gelu, silu, swiglu, identity }

  /// What the first layer's sums go through.
  public var activation = Activation.relu
  /// Of swiglu: the slope inside the sigmoid.
  public var alpha = 1.0
  /// Of swiglu: what is added to the linear half before the gate multiplies it.
  public var beta = 0.0
  /// Of swiglu: what the gate is held below, and the linear half within on both sides; nil: no limit.
  public var limit: Double?
  public var count = 1
  /// Whether the weights of the experts chosen are divided by their sum.
  public var normalizes = false
  /// Whether experts are chosen by a sparse mixer; refused where true.
  public var usesSparseMixer = false
  /// 0: the third layer is apart; 1: in pairs with the first; 2: behind it.
  public var fusion = 0
  /// Whether weights have a few bits, with scales.
  public var isQuantized = false
  /// Bits of a weight, 4 or 8, where the layers do not say otherwise.
  public var bits = 4
  /// Bits of a weight of each of the three layers; nil: `bits`.
  public var firstBits: Int?, secondBits: Int?, thirdBits: Int?
  /// How many weights along the summed axis share a scale; 0: all of them.
  public var blockSize = 0
  /// How weights stand for numbers: `int`, or others, which are refused.
  public var quantization = "int"
  /// 1: weights are in another order, which is refused. Others change nothing.
  public var prepacking = -1

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("activation_alpha", &alpha, default: 1)
    list.float("activation_beta", &beta, default: 0)
    list.choice("activation_type", &activation, default: .relu)
    list.int("block_size", &blockSize, default: 0)
    list.int("expert_weight_bits", &bits, default: 4)
    list.optionalInt("fc1_expert_weight_bits", &firstBits)
    list.optionalInt("fc2_expert_weight_bits", &secondBits)
    list.optionalInt("fc3_expert_weight_bits", &thirdBits)
    list.int("k", &count, default: 1)
    list.bool("normalize_routing_weights", &normalizes, default: false)
    list.string("quant_type", &quantization, default: "int")
    list.bool("quantized", &isQuantized, default: false)
    list.int("swiglu_fusion", &fusion, default: 0)
    list.optionalFloat("swiglu_limit", &limit)
    list.bool("use_sparse_mixer", &usesSparseMixer, default: false)
    list.int("weights_prepacked", &prepacking, default: -1)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(MixtureOfExperts.self, as: "MoE", domain: .microsoft),
      .direct(MixtureOfExperts.self, as: "QMoE", domain: .microsoft) { op, _ in op.isQuantized = true },
    ]
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try checkOptions(inputs)
    let (type, router) = (try inputs.tensor(0), try inputs.tensor(1))
    guard type.rank == 2 || type.rank == 3, router.rank == 2 else {
      throw DiagnosticError(
        .user, "experts.rank",
        "tokens must have 2 axes or 3, and the router's logits 2, but they are \(type) and \(router)")
    }
    let size = type.shape[type.rank - 1]
    let inner = try builder.size(of: try inputs.value(0), along: type.rank - 1)
    let tokens = try builder.size(of: try inputs.value(1), along: 0)
    try builder.require(by: Self.name) {
      try $0.equal(type.shape.dropLast().reduce(1, *), router.shape[0], "numbers of tokens of \(type) and of \(router)")
      try $0.atLeast(router.shape[1], Dim(count), "number of experts of \(router), of which k are chosen,")
    }
    let layers = try layers(inputs)
    let width = try layers.first.check(experts: router.shape[1], inner: size, "fc1", into: &builder)
    if let third = layers.third {
      let other = try third.check(experts: router.shape[1], inner: size, "fc3", into: &builder)
      try builder.require(by: Self.name) { try $0.equal(width, other, "numbers of results of fc1 and fc3") }
    }
    let hiddenSize = try self.hiddenSize(width, into: &builder)
    _ = try layers.second.check(experts: router.shape[1], inner: hiddenSize, "fc2", into: &builder)
    let flat = try builder.add1(
      Reshape(allowZero: true), [try inputs.value(0), try builder.add1(Concat(axis: 0), [tokens, inner])])
    let sum = try sums(flat, inputs, into: &builder)
    if type.rank == 2 { return [sum] }
    return [try builder.add1(Reshape(allowZero: true), [sum, try builder.add1(Shape(), [try inputs.value(0)])])]
  }

  /// The results that are left of those of the first layer when it holds a gate as well.
  private func hiddenSize(_ width: Dim, into builder: inout GraphBuilder) throws -> Dim {
    if activation != .swiglu || fusion == 0 { return width }
    try builder.require(by: Self.name) { try $0.divisible(width, by: 2, "number of results of fc1 \(width)") }
    return width / 2
  }

  /// The weighed sums [tokens, size] for tokens [tokens, size].
  ///
  /// One token reads the weights of its experts where they lie. Many are sorted by experts, so that each expert's weights serve all of its tokens;
  /// weights of a few bits become floats for that, which pays only where many tokens share an expert.
  private func sums(_ x: ValueID, _ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> ValueID {
    let logits = try inputs.tensor(1)
    guard isQuantized else {
      let isOne = logits.shape[0] == 1
      return try isOne ? tokenByToken(x, inputs, into: &builder) : expertByExpert(x, inputs, into: &builder)
    }
    if let tokens = logits.shape[0].value, let experts = logits.shape[1].value {
      let (choices, overflows) = tokens.multipliedReportingOverflow(by: count)
      let isMany = overflows || (choices - 1) / Self.fewChoices >= experts
      return try isMany ? expertByExpert(x, inputs, into: &builder) : tokenByToken(x, inputs, into: &builder)
    }
    let captures = [x] + inputs.ids.compactMap { $0 }
    func branch(
      _ sums: (ValueID, NodeInputs, inout GraphBuilder) throws -> ValueID
    ) throws -> Graph {
      var inner = GraphBuilder(name: Self.name)
      inner.origin = builder.origin
      let x = inner.input(builder.fact(x), named: "tokens")
      let ids = inputs.ids.enumerated().map { index, id in
        id.map { inner.input(builder.fact($0), named: "input\(index)") }
      }
      inner.output(try sums(x, inner.inputs(ids, outputs: 1), &inner), named: "sums")
      return inner.graph
    }
    let choices = try builder.add1(
      Binary(.multiply), [try builder.size(of: x, along: 0), builder.integers([count])])
    let few = try builder.add1(
      Binary(.multiply), [try builder.size(of: try inputs.value(1), along: 1), builder.integers([Self.fewChoices])])
    let isMany = try builder.add1(Compare(.greater), [choices, few])
    let bodies = [
      try branch { try expertByExpert($0, $1, into: &$2) }, try branch { try tokenByToken($0, $1, into: &$2) },
    ]
    return try builder.add(If(), [isMany] + captures + captures, bodies: bodies)[0]
  }

  /// Where experts are chosen no more often than this on average, their integers are multiplied as they lie.
  private static let fewChoices = 24

  /// Each token with the weights of its own experts.
  private func tokenByToken(_ x: ValueID, _ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> ValueID {
    let layers = try layers(inputs)
    let (chosen, shares) = try route(inputs, into: &builder)
    let wide = try builder.add1(Unsqueeze(), [x, builder.integers([1])])
    let inner = try builder.size(of: x, along: 1)
    let first = try layers.first.apply(wide, chosen: chosen, inner: inner, into: &builder)
    let third = try layers.third?.apply(wide, chosen: chosen, inner: inner, into: &builder)
    let hidden = try activated(first, third, into: &builder)
    let second = try layers.second.apply(
      hidden, chosen: chosen, inner: try builder.size(of: hidden, along: 2), into: &builder)
    return try weighed(second, shares, into: &builder)
  }

  /// Each expert with the tokens that chose it.
  private func expertByExpert(_ x: ValueID, _ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> ValueID {
    let layers = try layers(inputs)
    let (chosen, shares) = try route(inputs, into: &builder)
    let blocks = try ExpertBlocks(
      chosen: chosen, experts: try builder.size(of: try inputs.value(1), along: 1), into: &builder)
    let rows = try builder.add1(Gather(), [x, blocks.tokens])
    let first = try layers.first.product(rows, experts: blocks.experts, into: &builder)
    let third = try layers.third?.product(rows, experts: blocks.experts, into: &builder)
    let hidden = try activated(first, third, into: &builder)
    let second = try layers.second.product(hidden, experts: blocks.experts, into: &builder)
    let count = try builder.add1(
      Binary(.multiply), [try builder.size(of: second, along: 0), try builder.size(of: second, along: 1)])
    let all = try builder.add1(
      Reshape(allowZero: true),
      [second, try builder.add1(Concat(axis: 0), [count, try builder.size(of: second, along: 2)])])
    return try weighed(try builder.add1(Gather(), [all, blocks.places]), shares, into: &builder)
  }

  /// The sums over the chosen experts of what they give [tokens, chosen, size], times their shares [tokens, chosen].
  private func weighed(_ results: ValueID, _ shares: ValueID, into builder: inout GraphBuilder) throws -> ValueID {
    let share = try builder.add1(Unsqueeze(), [shares, builder.integers([2])])
    let products = try builder.add1(Binary(.multiply), [results, share])
    return try builder.add1(Reduce(.sum, keepsAxes: false), [products, builder.integers([1])])
  }

  private func checkOptions(_ inputs: NodeInputs) throws {
    guard !usesSparseMixer else {
      throw DiagnosticError(
        .limit, "experts.mixer", "use_sparse_mixer is for GPUs' kernels only", hint: "export the model without it")
    }
    guard count > 0, (0...2).contains(fusion), fusion == 0 || activation == .swiglu else {
      throw DiagnosticError(
        .user, "experts.option",
        "k must be positive, and swiglu_fusion 1 or 2 only with swiglu, but they are \(count) and \(fusion)")
    }
    guard isQuantized else { return }
    guard quantization == "int", prepacking != 1, !(15...20).contains(where: { inputs.has($0) }) else {
      throw DiagnosticError(
        .limit, "experts.quantization", "weights of experts must be plain integers, but quant_type is \(quantization)",
        hint: "export the model with quant_type int and weights_prepacked 0")
    }
    for own in [bits, firstBits ?? bits, secondBits ?? bits, thirdBits ?? bits] { _ = try PackedBits(own) }
  }

  /// The chosen experts of each token [tokens, k], and their shares.
  private func route(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> (ValueID, ValueID) {
    let logits = try inputs.value(1)
    let best = try builder.add(TopK(), [logits, builder.integers([count])], outputs: 2)
    var gather = GatherElements()
    gather.axis = 1
    if isQuantized, let weights = inputs.id(14) {
      let type = try inputs.tensor(14)
      try builder.require(by: Self.name) {
        _ = try $0.equal(type.shape, try inputs.tensor(1).shape, "sizes of router_weights \(type) and of the logits")
      }
      let own = try builder.add1(gather, [weights, best[1]])
      if !normalizes { return (best[1], own) }
      let sum = try builder.add1(Reduce(.sum), [own, builder.integers([1])])
      return (best[1], try builder.add1(Binary(.divide), [own, sum]))
    }
    if normalizes { return (best[1], try builder.add1(Softmax(.soft, axis: 1), [best[0]])) }
    return (best[1], try builder.add1(gather, [try builder.add1(Softmax(.soft, axis: 1), [logits]), best[1]]))
  }

  private func layers(_ inputs: NodeInputs) throws -> (
    first: ExpertWeights, second: ExpertWeights, third: ExpertWeights?
  ) {
    func layer(_ number: Int) throws -> ExpertWeights? {
      guard isQuantized else {
        guard let values = inputs.id(2 + 2 * number) else { return nil }
        return ExpertWeights(op: Self.name, values: values, bias: inputs.id(3 + 2 * number))
      }
      guard let values = inputs.id(2 + 3 * number) else { return nil }
      guard let scales = inputs.id(3 + 3 * number), try inputs.tensor(2 + 3 * number).element == .u8 else {
        throw DiagnosticError(
          .user, "experts.scales", "weights of experts must be u8 and have scales, but fc\(number + 1) has not")
      }
      return ExpertWeights(
        op: Self.name, values: values, scales: scales, zero: inputs.id(11 + number), bias: inputs.id(4 + 3 * number),
        bits: [firstBits, secondBits, thirdBits][number] ?? bits)
    }
    guard let first = try layer(0), let second = try layer(1) else {
      throw DiagnosticError(.user, "experts.weights", "the weights of fc1 and fc2 must be given")
    }
    return (first, second, try layer(2))
  }

  /// The activation of the first layer [tokens, k, inner] or [blocks, rows, inner], times the third one.
  private func activated(_ first: ValueID, _ third: ValueID?, into builder: inout GraphBuilder) throws -> ValueID {
    if activation == .swiglu { return try gated(first, third, into: &builder) }
    let result: ValueID
    switch activation {
    case .relu: result = try builder.add1(Unary(.relu), [first])
    case .gelu: result = try builder.add1(Gelu(.tanh), [first])
    case .silu: result = try builder.add1(Swish(), [first])
    case .identity, .swiglu: result = first
    }
    return try third.map { try builder.add1(Binary(.multiply), [result, $0]) } ?? result
  }

  /// g · sigmoid(alpha · g) · (l + beta), where g and l are the two halves of the first layer or the first and the third, held within the limit.
  private func gated(_ first: ValueID, _ third: ValueID?, into builder: inout GraphBuilder) throws -> ValueID {
    var (gate, linear) = (first, third)
    if fusion != 0 {
      if fusion == 1 {
        let (axes, end) = (builder.integers([2]), builder.integers([Int(Int32.max)]))
        let halves = try (0..<2).map {
          try builder.add1(Slice(), [first, builder.integers([$0]), end, axes, builder.integers([2])])
        }
        (gate, linear) = (halves[0], halves[1])
      } else {
        let halves = try builder.add(Split(axis: 2), [first], outputs: 2)
        (gate, linear) = (halves[0], halves[1])
      }
    }
    guard var linear else {
      throw DiagnosticError(.user, "experts.swiglu", "swiglu needs fc3, or a swiglu_fusion of 1 or 2")
    }
    let element = try builder.type(gate).element
    if let limit {
      let (low, high) = (try builder.scalar(-limit, element), try builder.scalar(limit, element))
      gate = try builder.add1(Clip(), [gate, nil, high])
      linear = try builder.add1(Clip(), [linear, low, high])
    }
    var swish = Swish()
    swish.alpha = alpha
    let moved = try builder.add1(Binary(.add), [linear, try builder.scalar(beta, element)])
    return try builder.add1(Binary(.multiply), [try builder.add1(swish, [gate]), moved])
  }

  public static var examples: [OperatorExample] {
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    func bytes(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.u8, shape), 0...255.9) }
    func scales(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), 0.01...0.1) }
    var (plain, gated, third, packed) = (MixtureOfExperts(), MixtureOfExperts(), MixtureOfExperts(), MixtureOfExperts())
    plain.count = 2
    (gated.count, gated.activation, gated.fusion, gated.normalizes) = (2, .swiglu, 1, true)
    (gated.alpha, gated.beta, gated.limit) = (1.7, 1, 1.5)
    (third.activation, third.fusion) = (.swiglu, 0)
    (packed.isQuantized, packed.count, packed.normalizes, packed.activation) = (true, 2, true, .silu)
    let sizes = [Symbol("t"): 3]
    return [
      OperatorExample(
        plain,
        [
          floats(["t", 8]), floats(["t", 4]), floats([4, 6, 8]), floats([4, 6]), floats([4, 8, 6]), floats([4, 8]),
        ],
        sizes: sizes),
      OperatorExample(
        gated, [floats([2, "t", 8]), floats([Dim(2) * "t", 4]), floats([4, 12, 8]), .absent, floats([4, 8, 6])],
        sizes: sizes),
      OperatorExample(
        third,
        [
          floats(["t", 8]), floats(["t", 4]), floats([4, 6, 8]), .absent, floats([4, 8, 6]), .absent,
          floats([4, 6, 8]),
        ], sizes: sizes),
      OperatorExample(
        packed,
        [
          floats(["t", 8]), floats(["t", 4]), bytes([4, 6, 4]), scales([4, 6]), floats([4, 6]), bytes([4, 8, 3]),
          scales([4, 8]), floats([4, 8]), .absent, .absent, .absent, bytes([4, 3]), bytes([4, 4]),
        ], sizes: sizes),
      // So many tokens that their experts' weights become floats.
      OperatorExample(
        packed,
        [
          floats(["t", 8]), floats(["t", 2]), bytes([2, 6, 4]), scales([2, 6]), floats([2, 6]), bytes([2, 8, 3]),
          scales([2, 8]), floats([2, 8]), .absent, .absent, .absent, bytes([2, 3]), bytes([2, 4]),
        ], sizes: [Symbol("t"): 30]),
      OperatorExample(
        packed,
        [
          floats(["t", 32]), floats(["t", 4]), bytes([4, 16, 16]), scales([4, 16, 2]), .absent, bytes([4, 32, 8]),
          scales([4, 32, 1]), .absent, .absent, .absent, .absent, bytes([4, 16, 1]), bytes([4, 32, 1]),
        ], sizes: sizes),
    ]
  }
}
