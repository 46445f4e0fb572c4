import SinterCore

extension Fusion {
  /// Makes one form of two contractions around a softmax: scores that only softmax reads, and weights that only the second contraction
  /// reads. Element work between the first contraction and softmax becomes the body of the scores.
  mutating func formAttention() {
    var anyFound = false
    for position in nodes.indices where mayMove {
      guard case .compute(let value, .contract(let sums)) = nodes[position], let form = attention(sums, at: position)
      else {
        continue
      }
      report.add(.attention, [value])
      for operand in operands(of: nodes[position]) { users[operand]?.remove(position) }
      nodes[position] = .compute(value, .attend(form))
      for operand in form.all { users[operand, default: []].insert(position) }
      anyFound = true
    }
    // What it was made of is gone before anything asks who reads what.
    guard anyFound else { return }
    for position in nodes.indices.reversed() {
      if case .compute(let value, _) = nodes[position], isUnused(value) { drop(position) }
    }
  }

  private func attention(_ sums: ContractForm, at position: Int) -> AttendForm? {
    guard sums.k.count == 1, sums.accumulate == .f32 || sums.accumulate == .f64, sums.epilogue == nil,
      let weights = weights(of: sums, at: position), let softmax = softmax(weights.value)
    else { return nil }
    let axes = sums.batch + sums.m + sums.k
    guard let (products, score) = scores(softmax, weights.index, axes, sums, at: position) else { return nil }
    guard products.n.count == 1, products.epilogue == nil, products.accumulate == sums.accumulate,
      products.batch == sums.batch, products.m == sums.m, products.n == sums.k,
      AttendForm.fits(products.k), AttendForm.fits(sums.n)
    else { return nil }
    var form = AttendForm(
      batch: sums.batch, rows: sums.m, keys: sums.k[0], depth: products.k, columns: sums.n, query: products.lhs,
      key: products.rhs, score: score, value: sums.rhs, accumulate: sums.accumulate, emptyIsZero: false)
    moveScales(&form)
    return form
  }

  // MARK: Weights

  /// What the contraction reads as its left side, followed back through relayouts: an element of `value` at `index`.
  private struct Weights {
    var value: FormValueID
    /// A body over (batch, rows, keys) whose results are the index.
    var index: Body
  }

  private func weights(of sums: ContractForm, at position: Int) -> Weights? {
    let extents = sums.batch + sums.m + sums.k
    var body = sums.lhs
    var reader = position
    for _ in 0..<6 {
      let operands = body.operands
      guard operands.count == 1, let at = positions[operands[0]], users[operands[0]] == [reader],
        !outputs.contains(operands[0]), case .compute(_, .element(let element)) = nodes[at]
      else { return nil }
      if element.body.operands.count > 1 {
        guard body.isPlain,
          let load = body.exprs.first(where: { if case .load = $0.node { true } else { false } }),
          case .load(let value, let indices, nil, _) = load.node
        else { return nil }
        var index = body
        index.results = indices
        return Weights(value: value, index: index.pruned())
      }
      body = simplified(inlined(element.body, of: operands[0], into: body, axes: extents.count), extents)
      reader = at
    }
    return nil
  }

  // MARK: Softmax

  private struct Softmax {
    var argument: FormValueID
    /// The type it is computed in.
    var compute: ElementType
  }

  /// Whether a value is softmax of another along its last axis, spelled as the operator lowers.
  private func softmax(_ value: FormValueID) -> Softmax? {
    guard let at = positions[value], case .compute(_, .element(let weights)) = nodes[at],
      weights.body.operands.count == 3
    else { return nil }
    let shape = values[value].type.shape
    guard let last = shape.last else { return nil }
    let row = Array(shape.dropLast()) + [1]
    func reduction(_ id: FormValueID) -> (at: Int, form: ReduceForm)? {
      guard let at = positions[id], case .compute(_, .reduce(let form)) = nodes[at], form.inner == [last],
        form.epilogue == nil,
        values[id].type.shape == row, !outputs.contains(id)
      else { return nil }
      return (at, form)
    }
    let parts = weights.body.operands.map { ($0, reduction($0)) }
    guard let greatest = parts.first(where: { $0.1?.form.combine == .maximum }), let most = greatest.1,
      let total = parts.first(where: { $0.1?.form.combine == .sum }), let sum = total.1,
      let argument = parts.first(where: { $0.1 == nil })?.0, values[argument].type.shape == shape
    else { return nil }
    let compute = values[greatest.0].type.element
    func axes(_ builder: BodyBuilder) -> [Expr] { shape.indices.map { builder.axis($0) } }
    func body(_ axes: [Dim], _ build: (BodyBuilder, [Expr], [Expr]) -> Expr) -> Body {
      let builder = BodyBuilder { [values] in values[$0].type.element }
      let index = axes.indices.map { builder.axis($0) }
      let own = Array(index.prefix(shape.count - 1)) + [index[axes.count - 1]]
      let first = Array(index.prefix(shape.count - 1)) + [builder.constant(0, .i64)]
      return simplified(builder.body([build(builder, own, first)]), axes).ordered
    }
    func load(_ builder: BodyBuilder, _ index: [Expr]) -> Expr { builder.load(argument, index).cast(to: compute) }
    func exponential(_ builder: BodyBuilder, _ own: [Expr], _ first: [Expr]) -> Expr {
      (load(builder, own) - builder.load(greatest.0, first)).unary(.weight)
    }
    guard most.form.body.ordered == body(row + [last], { builder, own, _ in load(builder, own) }),
      sum.form.body.ordered == body(row + [last], exponential),
      weights.body.ordered
        == body(
          shape,
          { builder, own, first in
            (exponential(builder, own, first) / builder.load(total.0, first)).cast(to: values[value].type.element)
          })
    else { return nil }
    let readers: Set<Int> = [at, most.at, sum.at]
    guard users[argument] == readers, users[greatest.0] == [at, sum.at], users[total.0] == [at],
      !outputs.contains(argument)
    else { return nil }
    return Softmax(argument: argument, compute: compute)
  }

  // MARK: Scores

  /// The contraction that scores come from, and the work on its products as a body over (batch, rows, keys).
  private func scores(
    _ softmax: Softmax, _ index: Body, _ extents: [Dim], _ sums: ContractForm, at position: Int
  ) -> (ContractForm, Body)? {
    guard softmax.compute == sums.accumulate, let last = index.results.last,
      case .axis(extents.count - 1) = index[last].node,
      // A row may have a further place that takes weight from the keys and is cut off before the second contraction.
      values[softmax.argument].type.shape.last == sums.k[0]
    else { return nil }
    // No other index may depend on the key.
    let others = Body(exprs: index.exprs, results: index.results.dropLast()).pruned()
    if others.exprs.contains(where: { $0.node == .axis(extents.count - 1) }) { return nil }
    let builder = BodyBuilder { [values] in values[$0].type.element }
    let places = builder.inline(index, axes: extents.indices.map { builder.axis($0) })
    var body = simplified(builder.body([builder.load(softmax.argument, places)]), extents)
    var value = softmax.argument
    for _ in 0..<12 {
      guard let at = positions[value], case .compute(_, let form) = nodes[at] else { return nil }
      switch form {
      case .contract(let products):
        guard body.readsInPlace(value, values[value].type.shape), values[value].type.shape.count == extents.count else {
          return nil
        }
        let final = BodyBuilder { [values] in values[$0].type.element }
        let results = final.inline(body, axes: extents.indices.map { final.axis($0) }) { operand, _, _, _ in
          operand == value ? final.accumulator(0, products.accumulate) : nil
        }
        return (products, simplified(final.body(results.map { $0.cast(to: sums.accumulate) }), extents))
      case .element(let element):
        // Of what this work reads, one value leads back to the products.
        let next = element.body.operands.filter { leadsToProducts($0, from: at) }
        guard next.count == 1 else { return nil }
        body = simplified(inlined(element.body, of: value, into: body, axes: extents.count), extents)
        if body.exprs.count > limits.bodyLength { return nil }
        value = next[0]
      case .reduce, .attend, .convolve, .scan, .scatter, .sort, .call: return nil
      }
    }
    return nil
  }

  /// Whether a value is a contraction, or work on one, that serves nothing else.
  private func leadsToProducts(_ value: FormValueID, from reader: Int, depth: Int = 0) -> Bool {
    guard depth < 12, users[value] == [reader], !outputs.contains(value), let at = positions[value],
      case .compute(_, let form) = nodes[at]
    else { return false }
    switch form {
    case .contract(let products): return products.n.count == 1
    case .element(let element):
      return element.body.operands.contains { leadsToProducts($0, from: at, depth: depth + 1) }
    case .reduce, .attend, .convolve, .scan, .scatter, .sort, .call: return false
    }
  }

  // MARK: Scales

  /// Takes factors that are the same for all elements out of queries and keys: they scale the products instead.
  private func moveScales(_ form: inout AttendForm) {
    let extents = form.batch + form.rows + [form.keys]
    func apply(_ factor: Body, to score: Body) -> Body {
      let builder = BodyBuilder { [values] in values[$0].type.element }
      let scale = builder.inline(factor, axes: [])[0].cast(to: form.accumulate)
      let product = builder.accumulator(0, form.accumulate) * scale
      let results = builder.inline(score, axes: extents.indices.map { builder.axis($0) }, accumulators: [product])
      return simplified(builder.body(results), extents)
    }
    let sides: [(WritableKeyPath<AttendForm, Body>, [Dim])] = [
      (\.query, form.batch + form.rows + form.depth), (\.key, form.batch + [form.keys] + form.depth),
    ]
    for (side, axes) in sides {
      for _ in 0..<4 {
        guard let (body, factor) = withoutScale(form[keyPath: side], axes) else { break }
        form[keyPath: side] = body
        form.score = apply(factor, to: form.score)
      }
    }
  }

  /// A side without the factor that the value it reads was multiplied with, and that factor, a body without axes. Relayouts between are
  /// followed.
  private func withoutScale(_ side: Body, _ axes: [Dim]) -> (body: Body, factor: Body)? {
    var body = side
    for _ in 0..<6 {
      guard body.isPlain, let value = body.operands.first, let at = positions[value], !outputs.contains(value),
        case .compute(_, .element(let element)) = nodes[at]
      else { return nil }
      if element.body.isPlain {
        body = simplified(inlined(element.body, of: value, into: body, axes: axes.count), axes)
        continue
      }
      guard case .binary(let function, let a, let b) = element.body[element.body.results[0]].node,
        function == .multiply || function == .divide
      else { return nil }
      let pairs = function == .multiply ? [(a, b), (b, a)] : [(a, b)]
      for (scaled, factor) in pairs {
        var number = element.body
        number.results = [factor]
        number = number.pruned()
        var rest = element.body
        rest.results = [scaled]
        rest = rest.pruned()
        guard rest.isPlain, !number.exprs.contains(where: { if case .axis = $0.node { true } else { false } }),
          element.body[factor].type == .f32 || element.body[factor].type == .f64
        else { continue }
        if function == .divide {
          let builder = BodyBuilder { [values] in values[$0].type.element }
          number = builder.body([1 / builder.inline(number, axes: [])[0]])
        }
        return (simplified(inlined(rest, of: value, into: body, axes: axes.count), axes), number)
      }
      return nil
    }
    return nil
  }
}

extension Body {
  /// The same body with its expressions in the order in which the results ask for them.
  fileprivate var ordered: Body {
    var result = Body()
    var new: [ExprID: ExprID] = [:]
    func visit(_ id: ExprID) -> ExprID {
      if let known = new[id] { return known }
      let node = self[id].node.mapArguments(visit)
      let own = ExprID(result.exprs.count)
      result.exprs.append(Expr(node: node, type: self[id].type))
      new[id] = own
      return own
    }
    result.results = results.map(visit)
    return result
  }
}

extension AttendForm {
  /// The values that its bodies read.
  fileprivate var all: [FormValueID] { Form.attend(self).operands }
}
