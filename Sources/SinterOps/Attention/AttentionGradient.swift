import SinterCore
import SinterIR

extension Attention: Differentiable {
  /// The probabilities P are computed again, as a result of their own: dV = Pᵀ·g; dS = P ⊙ (g·Vᵀ − Σ (g·Vᵀ) ⊙ P), which goes to the mask, and
  /// through the soft cap to the products, from which dQ = s·dS·K and dK = s·dSᵀ·Q. What masks leave out has a probability of 0, and so no
  /// gradient. Gradients of the scores enter at the stage that the scores are of; those of keys and values are added to these, which
  /// come apart into what is new and what is of the past.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let inputs = try (0..<3).map { try node.input($0) }
    let isFlat = try inputs[0].rank == 3
    var settled = Obligations()
    let sizes = try AttentionSizes(self, node.facts, &settled)
    guard let group = sizes.group.value, let queryHeads = isFlat ? self.queryHeads : sizes.queryHeads.value ?? 1 else {
      throw DiagnosticError(
        .limit, "gradient.operator",
        "attention with a number of heads that is not known ahead of time cannot be differentiated",
        hint: "write it as products and a softmax")
    }
    var whole = self
    whole.scoresMode = 3
    let full = try node.tape.add(whole, node.inputs, outputs: 4)
    let (k, v, probabilities) = (try shared(full[1], group), try shared(full[2], group), full[3])
    let q = try heads(inputs[0], queryHeads, isFlat)
    let g = try heads(try node.gradient(), queryHeads, isFlat)
    func ofStage(_ mode: Int) -> GradientTensor? {
      scoresMode == mode && node.outputGradients.count > 3 ? node.outputGradients[3] : nil
    }
    func adding(_ part: GradientTensor?, _ sum: GradientTensor) throws -> GradientTensor {
      try part.map { try sum + $0 } ?? sum
    }

    let ofProbabilities = try adding(ofStage(3), g.applying(MatMul(), v.matrixTransposed()))
    let weighted = try ofProbabilities * probabilities
    let ofScores = try weighted - probabilities * weighted.sum([3])
    // Scores that a mask has made infinite depend on nothing.
    let masked = try ofStage(2).map { try $0.dropped(where: node.outputs[3].compare(.equal, -.infinity)) }
    let ofMasked = try adding(masked, ofScores)
    var ofProducts = try adding(ofStage(1), ofMasked)
    if softcap > 0 {
      let bent = try (q.applying(MatMul(), k.matrixTransposed()) * scaleFactor(q) / softcap).unary(.tanh)
      ofProducts = try ofProducts * (1 - bent * bent)
    }
    let scaled = try adding(ofStage(0), ofProducts) * scaleFactor(q)
    func present(_ index: Int, _ own: GradientTensor) throws -> GradientTensor {
      let given = node.outputGradients.count > index ? node.outputGradients[index] : nil
      return try adding(given, summed(own, group))
    }
    let ofKeys = try present(1, scaled.matrixTransposed().applying(MatMul(), q))
    let ofValues = try present(2, probabilities.matrixTransposed().applying(MatMul(), g))
    let (oldKeys, newKeys) = try apart(ofKeys, node.has(4) ? try node.input(4) : nil)
    let (oldValues, newValues) = try apart(ofValues, node.has(5) ? try node.input(5) : nil)
    return [
      try joined(scaled.applying(MatMul(), k), like: inputs[0], isFlat), try joined(newKeys, like: inputs[1], isFlat),
      try joined(newValues, like: inputs[2], isFlat), node.wants(3) ? try ofMasked.summed(to: node.input(3)) : nil,
      oldKeys, oldValues,
    ]
  }

  /// The gradient of keys or values of the past, and of those that are new.
  private func apart(
    _ all: GradientTensor, _ past: GradientTensor?
  ) throws -> (old: GradientTensor?, new: GradientTensor) {
    guard let past else { return (nil, all) }
    let sizes = try all.tape.add(Concat(axis: 0), [past.size(2), all.size(2) - past.size(2)])[0]
    let parts = try all.tape.add(Split(axis: 2), [all, sizes], outputs: 2)
    return (try parts[0].reshaped(like: past), parts[1])
  }

  private func scaleFactor(_ q: GradientTensor) throws -> GradientTensor {
    if let scale { return try q.number(scale) }
    return try 1 / q.size(3).squeezed([0]).cast(to: try q.element).unary(.sqrt)
  }

  /// [batch, sequence, heads · size] as [batch, heads, sequence, size].
  private func heads(_ x: GradientTensor, _ count: Int, _ isFlat: Bool) throws -> GradientTensor {
    isFlat ? try x.applying(Reshape(), x.integers([0, 0, count, -1])).transposed([0, 2, 1, 3]) : x
  }

  private func joined(_ x: GradientTensor, like input: GradientTensor, _ isFlat: Bool) throws -> GradientTensor {
    try (isFlat ? x.transposed([0, 2, 1, 3]) : x).reshaped(like: input)
  }

  /// Each head of keys once for each head of queries that shares it.
  private func shared(_ x: GradientTensor, _ group: Int) throws -> GradientTensor {
    if group == 1 { return x }
    let repeats = x.integers([1, 1, group, 1, 1])
    let copies = try x.unsqueezed([2]).applying(Tile(), repeats)
    return try copies.applying(Reshape(), try Self.merged(copies))
  }

  private func summed(_ x: GradientTensor, _ group: Int) throws -> GradientTensor {
    if group == 1 { return x }
    let sizes = try x.tape.add(
      Concat(axis: 0), [x.size(0), x.integers([-1]), x.integers([group]), x.size(2), x.size(3)])[0]
    return try x.applying(Reshape(), sizes).sum([2], keepsAxes: false)
  }

  /// The shape of [b, h, group, s, d] with heads as one axis.
  private static func merged(_ x: GradientTensor) throws -> GradientTensor {
    try x.tape.add(Concat(axis: 0), [x.size(0), x.integers([-1]), x.size(3), x.size(4)])[0]
  }
}
