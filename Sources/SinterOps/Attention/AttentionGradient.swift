import SinterCore
import SinterIR

extension Attention: Differentiable {
  /// The probabilities P are computed again, as a result of their own: dV = Pᵀ·g; dS = P ⊙ (g·Vᵀ − Σ (g·Vᵀ) ⊙ P), from which dQ = s·dS·K and
  /// dK = s·dSᵀ·Q. What masks leave out has a probability of 0, and so no gradient.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    func refuse(_ what: String) -> DiagnosticError {
      DiagnosticError(
        .limit, "gradient.operator", "attention with \(what) cannot be differentiated",
        hint: "write it as products and a softmax")
    }
    guard !node.has(4), !node.has(5) else { throw refuse("keys of the past") }
    guard softcap == 0 else { throw refuse("a soft cap") }
    guard node.outputGradients.dropFirst().allSatisfy({ $0 == nil }) else {
      throw refuse("gradients of its scores or keys")
    }
    let inputs = try (0..<3).map { try node.input($0) }
    let isFlat = try inputs[0].rank == 3
    var settled = Obligations()
    let sizes = try AttentionSizes(self, node.facts, &settled)
    guard let group = sizes.group.value, let queryHeads = isFlat ? self.queryHeads : sizes.queryHeads.value ?? 1 else {
      throw refuse("a number of heads that is not known ahead of time")
    }

    var whole = self
    whole.scoresMode = 3
    let probabilities = try node.tape.add(whole, node.inputs, outputs: 4)[3]
    let keyHeads = isFlat ? self.keyHeads ?? queryHeads : queryHeads / group
    let q = try heads(inputs[0], queryHeads, isFlat)
    let k = try shared(try heads(inputs[1], keyHeads, isFlat), group)
    let v = try shared(try heads(inputs[2], keyHeads, isFlat), group)
    let g = try heads(try node.gradient(), queryHeads, isFlat)

    let ofProbabilities = try g.applying(MatMul(), v.matrixTransposed())
    let weighted = try ofProbabilities * probabilities
    let ofScores = try weighted - probabilities * weighted.sum([3])
    let scaled = try ofScores * scaleFactor(q)
    let ofQueries = try scaled.applying(MatMul(), k)
    let ofKeys = try scaled.matrixTransposed().applying(MatMul(), q)
    let ofValues = try probabilities.matrixTransposed().applying(MatMul(), g)
    var results: [GradientTensor?] = [
      node.wants(0) ? try joined(ofQueries, like: inputs[0], isFlat) : nil,
      node.wants(1) ? try joined(try summed(ofKeys, group), like: inputs[1], isFlat) : nil,
      node.wants(2) ? try joined(try summed(ofValues, group), like: inputs[2], isFlat) : nil,
    ]
    if node.has(3) {
      guard !node.wants(3) else { throw refuse("a mask that gradients are asked for") }
      results.append(nil)
    }
    return results
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
