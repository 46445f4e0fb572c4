import SinterCore
import SinterIR
import SinterOps

extension RewriteRule {
  /// Attention over heads, however the scale and the masks are spelled. A query that may attend to nothing then gives zeros.
  static let attention: [RewriteRule] = [
    RewriteRule("softmax(scale · Q · Kᵀ + mask) · V = attention(Q, K, V, mask)", at: MatMul.self) { _, site in
      guard let weights = site.input(0), let values = site.input(1), let (scores, _) = site.softmaxed(weights),
        let spelling = AttentionSpelling(of: scores, in: site), let q = site.type(spelling.query),
        let k = site.type(spelling.transposedKey), let v = site.type(values), let result = site.type(site.outputs[0]),
        q.element.isFloat, q.element == k.element, q.element == v.element, q.rank == 3 || q.rank == 4, k.rank == q.rank,
        v.rank == q.rank, q.shape[q.rank - 1].isConstant, result.shape[q.rank - 1].isConstant
      else { return nil }
      let heads = q.rank - 2
      guard q.shape.prefix(heads) == k.shape.prefix(heads), q.shape.prefix(heads) == v.shape.prefix(heads),
        k.shape[q.rank - 1] == v.shape[q.rank - 2]
      else { return nil }
      guard let mask = try spelling.mask(in: site, queries: q.shape[q.rank - 2], keys: k.shape[q.rank - 1]) else {
        return nil
      }
      var attention = Attention()
      attention.scale = spelling.scale
      attention.isCausal = mask.isCausal
      let key = try site.swappingLast(spelling.transposedKey)
      // Heads without a batch get one.
      func headed(_ value: ValueID) throws -> ValueID {
        q.rank == 4 ? value : try site.add1(Unsqueeze(), [value, site.constant(.i64([1], [0]))])
      }
      var inputs: [ValueID?] = [try headed(spelling.query), try headed(key), try headed(values)]
      if let value = mask.value { inputs.append(value) }
      let attended = try site.add1(attention, inputs)
      return q.rank == 4 ? attended : try site.add1(Squeeze(), [attended, site.constant(.i64([1], [0]))])
    }
  ]
}

extension RewriteSite {
  /// The argument of a softmax over the last axis that is all a value is, also where zeros take the place of what is no number.
  fileprivate func softmaxed(_ value: ValueID) -> (scores: ValueID, isGuarded: Bool)? {
    guard isUsedOnce(value) else { return nil }
    if let (_, _, inputs) = producer(of: value, as: Where.self), let test = inputs[0], number(inputs[1]) == 0,
      let x = inputs[2],
      let (_, _, tested) = producer(of: test, as: IsNaN.self), tested[0] == x, isUsedOnce(test), useCount(x) == 2
    {
      return softmaxArgument(x).map { ($0, true) }
    }
    return softmaxArgument(value).map { ($0, false) }
  }

  private func softmaxArgument(_ value: ValueID) -> ValueID? {
    guard let (softmax, _, inputs) = producer(of: value, as: Softmax.self), softmax.kind == .soft, let x = inputs[0],
      let rank = type(x)?.rank, softmax.axis == -1 || softmax.axis == rank - 1, isUsedOnce(x)
    else { return nil }
    return x
  }

  /// A value with its last two axes swapped; a transpose that it is already takes the swap in.
  fileprivate func swappingLast(_ value: ValueID) throws -> ValueID {
    guard let rank = type(value)?.rank else { return value }
    let swap = Permutation(Array(0..<(rank - 2)) + [rank - 1, rank - 2])
    guard let (x, permutation) = transpose(value) else { return try add1(Transpose(swap.order), [value]) }
    let whole = permutation.followed(by: swap)
    return whole.isIdentity ? x : try add1(Transpose(whole.order), [x])
  }
}

/// Scores taken apart: scale · (query · transposedKey), then masks.
private struct AttentionSpelling {
  var query: ValueID
  var transposedKey: ValueID
  var scale = 1.0
  private var added: [ValueID] = []
  private var choices: [Choice] = []
  private var scoreShape: [Dim]
  private var element: ElementType

  /// A score where a condition holds (or does not), else a number.
  struct Choice {
    var condition: ValueID
    var score: ValueID
    var fill: Double
    var isInverted: Bool

    init?(_ value: ValueID, _ site: RewriteSite) {
      guard let (_, _, inputs) = site.producer(of: value, as: Where.self), let condition = inputs[0], let a = inputs[1],
        let b = inputs[2]
      else { return nil }
      self.condition = condition
      if let number = site.number(b) {
        (score, fill, isInverted) = (a, number, false)
      } else if let number = site.number(a) {
        (score, fill, isInverted) = (b, number, true)
      } else {
        return nil
      }
    }
  }

  /// What adding a score leaves as it is: to choose this number or to add it is the same.
  private static let absorbing = -1e30

  init?(of scores: ValueID, in site: RewriteSite) {
    guard let type = site.type(scores) else { return nil }
    let shape = type.shape
    scoreShape = shape
    element = type.element
    var value = scores
    var isScaled = false
    while true {
      guard value == scores || site.isUsedOnce(value), site.type(value)?.shape == shape else { return nil }
      if let (_, _, inputs) = site.producer(of: value, as: MatMul.self), let q = inputs[0], let k = inputs[1] {
        (query, scale) = Self.withoutScale(q, scale, site)
        (transposedKey, scale) = Self.withoutScale(k, scale, site)
        return
      }
      if let (a, b) = site.operands(of: value, .add), !isScaled {
        guard let own = [a, b].first(where: { Self.leadsToProduct($0, shape, site) }) else { return nil }
        added.append(own == a ? b : a)
        value = own
      } else if let (a, b) = site.operands(of: value, .multiply), let (x, number) = Self.scaled(a, b, site) {
        scale *= number
        isScaled = true
        value = x
      } else if let (a, b) = site.operands(of: value, .divide), let number = site.number(b), number != 0 {
        scale /= number
        isScaled = true
        value = a
      } else if !isScaled, let choice = Choice(value, site), choice.fill <= Self.absorbing {
        choices.append(choice)
        value = choice.score
      } else {
        return nil
      }
    }
  }

  private static func scaled(_ a: ValueID, _ b: ValueID, _ site: RewriteSite) -> (ValueID, Double)? {
    if let number = site.number(b) { return (a, number) }
    return site.number(a).map { (b, $0) }
  }

  /// A factor of the product without a number that it is multiplied with.
  private static func withoutScale(_ value: ValueID, _ scale: Double, _ site: RewriteSite) -> (ValueID, Double) {
    let type = site.type(value)
    if let (a, b) = site.operands(of: value, .multiply), let (x, number) = scaled(a, b, site), site.type(x) == type {
      return (x, scale * number)
    }
    if let (a, b) = site.operands(of: value, .divide), let number = site.number(b), number != 0, site.type(a) == type {
      return (a, scale / number)
    }
    return (value, scale)
  }

  /// Whether a value is a product, or one that was scaled and masked.
  private static func leadsToProduct(_ value: ValueID, _ shape: [Dim], _ site: RewriteSite, depth: Int = 0) -> Bool {
    guard depth < 8, site.isUsedOnce(value), site.type(value)?.shape == shape else { return false }
    if site.producer(of: value, as: MatMul.self) != nil { return true }
    for kind in [Binary.Kind.add, .multiply, .divide] {
      guard let (a, b) = site.operands(of: value, kind) else { continue }
      return leadsToProduct(a, shape, site, depth: depth + 1) || leadsToProduct(b, shape, site, depth: depth + 1)
    }
    return Choice(value, site).map { leadsToProduct($0.score, shape, site, depth: depth + 1) } ?? false
  }

  // MARK: Masks

  struct Mask {
    var value: ValueID?
    var isCausal = false
  }

  /// All masks as one; nil where one of them has another shape than the operator's.
  func mask(in site: RewriteSite, queries: Dim, keys: Dim) throws -> Mask? {
    var result = Mask()
    var sum: ValueID?
    var condition: ValueID?
    func number(_ value: Double) throws -> ValueID {
      let constant = site.constant(HostTensor(.f64, [], values: [value]))
      return element == .f64 ? constant : try site.add1(Cast(to: element), [constant])
    }
    for value in added {
      if isCausal(value, site, queries, keys, allowed: 0, refused: { $0 <= Self.absorbing }) {
        result.isCausal = true
      } else {
        sum = try sum.map { try site.add1(Binary(.add), [$0, value]) } ?? value
      }
    }
    for choice in choices {
      let (allowed, refused) = choice.isInverted ? (0.0, 1.0) : (1.0, 0.0)
      if isCausal(choice.condition, site, queries, keys, allowed: allowed, refused: { $0 == refused }) {
        // Each query counts for itself, so that no row is empty, whatever the number.
        result.isCausal = true
        continue
      }
      let own = choice.isInverted ? try site.add1(Unary(.not), [choice.condition]) : choice.condition
      if choice.fill == -.infinity {
        condition = try condition.map { try site.add1(Binary(.and), [$0, own]) } ?? own
      } else {
        let mask = try site.add1(Where(), [own, number(0), number(choice.fill)])
        sum = try sum.map { try site.add1(Binary(.add), [$0, mask]) } ?? mask
      }
    }
    if let known = condition, let given = sum {
      sum = try site.add1(Where(), [known, given, number(-.infinity)])
      condition = nil
    }
    guard let value = sum ?? condition else { return result }
    // A mask of fewer keys would mean that the others do not count.
    guard let shape = site.type(value)?.shape, let last = shape.last, last == keys, shape.count <= scoreShape.count
    else {
      return nil
    }
    result.value =
      shape.count == 3 && scoreShape.count == 3
      ? try site.add1(Unsqueeze(), [value, site.constant(.i64([1], [0]))]) : value
    return result
  }

  /// Whether a constant keeps each query from the keys behind it, and from no others.
  private func isCausal(
    _ value: ValueID, _ site: RewriteSite, _ queries: Dim, _ keys: Dim, allowed: Double, refused: (Double) -> Bool
  ) -> Bool {
    guard let tensor = site.constant(value), let rows = queries.value, let columns = keys.value, rows > 1,
      tensor.count == rows * columns, tensor.shape.suffix(2) == [rows, columns], let numbers = tensor.doubles
    else { return false }
    return numbers.indices.allSatisfy { $0 % columns <= $0 / columns ? numbers[$0] == allowed : refused(numbers[$0]) }
  }
}
