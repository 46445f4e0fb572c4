import SinterCore
import SinterForms
import SinterIR

/// Softmax(scale · Q · Kᵀ + mask) · V over heads, where groups of query heads may share one head of keys and values, with a cache and the masks
/// that ONNX knows.
///
/// Inputs: queries, keys, values, each [batch, heads, sequence, size] or [batch, sequence, heads · size]; a mask (truth values, or numbers that
/// are added); keys and values of the past; how many keys of each sample count. Results: the attended values, the keys and values with
/// the past before them, and the scores at the stage that `qk_matmul_output_mode` names. A query that may attend to nothing gives zeros.
public struct Attention: Primitive {
  public static let name = "Attention"
  public static let summary = "Attention over heads, with masks, cache and shared key heads."

  /// Whether a query sees no key behind its own position.
  public var isCausal = false
  /// The number of heads of keys and values where these have three axes; nil where they have four.
  public var keyHeads: Int?
  /// The number of heads of queries where these have three axes; nil where they have four. A multiple of that of the
  /// keys.
  public var queryHeads: Int?
  /// 0: the scores, 1: after the soft cap, 2: with the mask, 3: the probabilities.
  public var scoresMode = 0
  /// What scores are multiplied by; nil: 1 / √size.
  public var scale: Double?
  /// Scores s become softcap · tanh(s / softcap); 0: they stay.
  public var softcap = 0.0
  /// ONNX's number of the type that softmax is computed in. Never less than f32 here.
  public var softmaxPrecision = 0
  /// How many keys before its own position a query sees; -1 for all.
  public var leftWindow = -1
  /// How many keys behind its own position a query sees; -1 for all.
  public var rightWindow = -1

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("is_causal", &isCausal, default: false)
    list.optionalInt("kv_num_heads", &keyHeads)
    list.optionalInt("q_num_heads", &queryHeads)
    list.int("qk_matmul_output_mode", &scoresMode, default: 0)
    list.optionalFloat("scale", &scale)
    list.float("softcap", &softcap, default: 0)
    list.int("softmax_precision", &softmaxPrecision, default: 0)
    list.int("left_window_size", &leftWindow, default: -1)
    list.int("right_window_size", &rightWindow, default: -1)
  }

  public static var onnx: [OnnxRule] {
    [
      // onnxruntime has no attention over nothing.
      OnnxRule.direct(Attention.self, since: 23).requiring { inputs, obligations in
        for (index, name) in ["queries", "keys", "values"].enumerated() {
          let type = try inputs.tensor(index)
          try obligations.atLeast(type.count, 1, "number of elements of \(name) \(type)")
        }
      },
      FlexAttention.rule,
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, since: leftWindow >= 0 || rightWindow >= 0 ? 25 : inputs.has(6) ? 24 : 23)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (q, k, v) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    try requireElement(q) { $0.isFloat }
    try requireElement(v, { $0.isFloat }, name: "values")
    for (index, name, other, like) in [
      (1, "keys", "queries", q), (4, "past keys", "keys", k), (5, "past values", "values", v),
    ]
    where inputs.has(index) {
      let type = try inputs.tensor(index)
      guard type.element == like.element else {
        throw DiagnosticError(
          .user, "operator.type", "\(name) must have the element type of the \(other) \(like), but are \(type)",
          hint: "insert a Cast")
      }
    }
    let sizes = try AttentionSizes(self, inputs, &obligations)
    let heads = sizes.queryHeads
    let result =
      q.rank == 4
      ? [sizes.batch, heads, sizes.queries, sizes.valueSize] : [sizes.batch, sizes.queries, heads * sizes.valueSize]
    return [
      Fact(q.element, result), Fact(k.element, [sizes.batch, sizes.keyHeads, sizes.keys, sizes.size]),
      Fact(v.element, [sizes.batch, sizes.keyHeads, sizes.keys, sizes.valueSize]),
      Fact(q.element, [sizes.batch, heads, sizes.queries, sizes.keys]),
    ]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (q, k, v) = (try node.input(0), try node.input(1), try node.input(2))
    let past = node.has(4) ? try node.input(4) : nil
    var settled = Obligations()
    let sizes = try AttentionSizes(self, node.facts, &settled)
    let keys = try present(k, past, sizes, size: sizes.size, &lowering)
    let values = try present(v, node.has(5) ? try node.input(5) : nil, sizes, size: sizes.valueSize, &lowering)
    let precise = softmaxPrecision == ElementType.f64.onnx || q.element == .f64
    let compute: ElementType = precise ? .f64 : .f32

    // The axes of scores are batch, key heads, (the heads that share one,) queries, keys.
    let shared: [Dim] = sizes.group == 1 ? [] : [sizes.group]
    let batch = [sizes.batch, sizes.keyHeads]
    let rows = shared + [sizes.queries]
    let mask = AttentionMask(attention: self, node: node, sizes: sizes)
    func query(_ builder: BodyBuilder, _ batch: [Expr], _ row: [Expr], _ depth: Expr) -> Expr {
      let head = sizes.head(builder, batch[1], row.count > 1 ? row[0] : nil)
      return builder.load(
        q.id, sizes.index(builder, batch[0], head, row[row.count - 1], depth, size: sizes.size, of: q))
    }
    func scaled(_ product: Expr) -> Expr {
      if let factor = scale ?? sizes.size.value.map({ 1 / Double($0).squareRoot() }) { return product * factor }
      return product * (1 / product.builder.size(sizes.size).cast(to: .f64).unary(.sqrt)).cast(to: product.type)
    }
    func capped(_ product: Expr) -> Expr {
      let score = scaled(product)
      return softcap > 0 ? (score / softcap).unary(.tanh) * softcap : score
    }
    /// The element that an index of the result or of scores names, in a value whose heads are taken apart.
    func result(_ attended: Operand, size: Dim, shape: [Dim], _ lowering: inout Lowering) throws -> Operand {
      try lowering.element(shape) { builder, index in
        let (batch, head, query, place) = sizes.parts(builder, index, size: size)
        return builder.load(attended.id, [batch] + sizes.split(builder, head) + [query, place]).cast(to: q.element)
      }
    }
    if node.outputs.count <= 3, AttendForm.fits([sizes.size]), AttendForm.fits([sizes.valueSize]) {
      let attended = try lowering.attend(
        batch: batch, rows: rows, keys: sizes.keys, depth: sizes.size, columns: sizes.valueSize, accumulate: compute,
        emptyIsZero: !mask.isEmpty, query: query,
        key: { builder, batch, key, depth in builder.load(keys.id, batch + [key, depth]) },
        score: { builder, product, index in
          mask.isEmpty ? capped(product) : try mask.apply(capped(product), index)
        },
        value: { builder, batch, column, key in builder.load(values.id, batch + [key, column]) })
      return [try result(attended, size: sizes.valueSize, shape: try node.output().shape, &lowering), keys, values]
    }

    // Scores that somebody wants to see are computed one stage after another.
    let full = batch + rows + [sizes.keys]
    let products = try lowering.contract(
      batch: batch, m: rows, n: [sizes.keys], k: [sizes.size], accumulate: compute,
      lhs: { builder, batch, m, k in query(builder, batch, m, k[0]) },
      rhs: { builder, batch, n, k in builder.load(keys.id, batch + n + k) })
    let cappedScores = try lowering.element(full) { builder, index in capped(builder.load(products.id, index)) }
    let scores =
      mask.isEmpty
      ? cappedScores
      : try lowering.element(full) { builder, index in
        try mask.apply(builder.load(cappedScores.id, index), index)
      }
    let probabilities = try softmax(scores, rows: batch + rows, keys: sizes.keys, isMasked: !mask.isEmpty, &lowering)
    let attended = try lowering.contract(
      batch: batch, m: rows, n: [sizes.valueSize], k: [sizes.keys], accumulate: compute,
      lhs: { builder, batch, m, k in builder.load(probabilities.id, batch + m + k) },
      rhs: { builder, batch, n, k in builder.load(values.id, batch + k + n) })
    let stage: Operand
    switch scoresMode {
    case 1: stage = cappedScores
    case 2: stage = scores
    case 3: stage = probabilities
    default: stage = products
    }
    var results = [
      try result(attended, size: sizes.valueSize, shape: try node.output().shape, &lowering), keys, values,
    ]
    if node.outputs.count > 3 {
      results.append(
        try lowering.element(try node.output(3).shape) { builder, index in
          let value = builder.load(stage.id, [index[0]] + sizes.split(builder, index[1]) + index[2...])
          return (scoresMode == 0 ? scaled(value) : value).cast(to: q.element)
        })
    }
    return results
  }

  /// Keys or values as [batch, heads, sequence, size], behind those of the past.
  private func present(
    _ new: Operand, _ past: Operand?, _ sizes: AttentionSizes, size: Dim, _ lowering: inout Lowering
  ) throws -> Operand {
    if past == nil && new.rank == 4 { return new }
    let before = past?.shape[2] ?? 0
    return try lowering.element([sizes.batch, sizes.keyHeads, sizes.keys, size]) { builder, index in
      let place = index[2] - builder.size(before)
      func source(_ at: Expr) -> [Expr] {
        sizes.index(builder, index[0], index[1], at, index[3], size: size, of: new)
      }
      guard let past else { return builder.load(new.id, source(place)) }
      let isOld = index[2] < builder.size(before)
      return builder.select(
        isOld, builder.load(past.id, index, where: isOld),
        builder.load(new.id, source(place), where: index[2] >= builder.size(before)))
    }
  }

  /// Softmax over the last axis. Masked rows without any finite element become zeros.
  private func softmax(
    _ scores: Operand, rows: [Dim], keys: Dim, isMasked: Bool, _ lowering: inout Lowering
  ) throws -> Operand {
    let row = rows + [1]
    func at(_ builder: BodyBuilder, _ index: [Expr]) -> [Expr] { index.dropLast() + [builder.constant(0, .i64)] }
    let greatest = try lowering.reduce(.maximum, row, over: [keys]) { builder, index, inner in
      builder.load(scores.id, index.dropLast() + inner)
    }
    func shifted(_ builder: BodyBuilder, _ index: [Expr]) -> Expr {
      var top = builder.load(greatest.id, at(builder, index))
      if isMasked {
        let isOpen = top > builder.constant(-.infinity, top.type)
        top = builder.select(isOpen, top, builder.constant(0, top.type))
      }
      return (builder.load(scores.id, index) - top).unary(.weight)
    }
    let sum = try lowering.reduce(.sum, row, over: [keys]) { builder, index, inner in
      shifted(builder, index.dropLast() + inner)
    }
    return try lowering.element(rows + [keys]) { builder, index in
      var total = builder.load(sum.id, at(builder, index))
      if isMasked { total = builder.select(total > 0, total, builder.constant(1, total.type)) }
      return shifted(builder, index) / total
    }
  }

  public static var examples: [OperatorExample] {
    func attention(_ change: (inout Attention) -> Void) -> Attention {
      var op = Attention()
      change(&op)
      return op
    }
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    let sizes = [Symbol("b"): 2, Symbol("s"): 3, Symbol("p"): 4]
    return [
      OperatorExample(
        Attention(), [random(["b", 3, "s", 8]), random(["b", 3, 5, 8]), random(["b", 3, 5, 6])], sizes: sizes),
      OperatorExample(
        attention {
          $0.isCausal = true
          $0.queryHeads = 4
          $0.keyHeads = 2
        }, [random(["b", "s", 16]), random(["b", "s", 8]), random(["b", "s", 8])], sizes: sizes),
      OperatorExample(
        attention {
          $0.isCausal = true
          $0.softcap = 2
          $0.scoresMode = 3
        },
        [
          random(["b", 2, "s", 4]), random(["b", 2, "s", 4]), random(["b", 2, "s", 4]), .absent,
          random(["b", 2, "p", 4]),
          random(["b", 2, "p", 4]),
        ], outputs: 4, sizes: sizes),
      OperatorExample(
        attention {
          $0.leftWindow = 1
          $0.rightWindow = 1
        },
        [
          random([1, 2, 4, 4]), random([1, 2, 6, 4]), random([1, 2, 6, 4]),
          .random(TensorType(.bool, [4, 6]), 0...2),
        ]),
      OperatorExample(
        Attention(),
        [
          random(["b", "h", "q", "d"]), random(["c", "g", "k", "e"]), random(["a", "f", "l", "v"]),
          random(["m", "q0", "n"]),
          random(["b1", "h1", "p", "d1"]), random(["b2", "h2", "p2", "v2"]),
        ], outputs: 4,
        sizes: [
          Symbol("b"): 2, Symbol("h"): 4, Symbol("q"): 3, Symbol("d"): 5, Symbol("c"): 2, Symbol("g"): 2,
          Symbol("k"): 3,
          Symbol("e"): 5, Symbol("a"): 2, Symbol("f"): 2, Symbol("l"): 3, Symbol("v"): 2, Symbol("m"): 4,
          Symbol("q0"): 1,
          Symbol("n"): 4, Symbol("b1"): 2, Symbol("h1"): 2, Symbol("p"): 2, Symbol("d1"): 5, Symbol("b2"): 2,
          Symbol("h2"): 2,
          Symbol("p2"): 2, Symbol("v2"): 2,
        ]),
    ]
  }
}
