import SinterCore

extension Fusion {
  /// Moves element-by-element work from behind relayouts to before them: `scale(transpose(x))` becomes `transpose(scale(x))`.
  ///
  /// The work can then end what computes x, and the relayout can go into what reads it, even where that is a contraction, which takes
  /// nothing but relayouts.
  mutating func hoistWork() {
    for position in nodes.indices {
      var at = position
      while let next = hoist(at) { at = next }
    }
  }

  /// Swaps an element form with the relayout that it reads. Gives the position that the work has now, nil where nothing was done.
  private mutating func hoist(_ position: Int) -> Int? {
    guard mayMove, case .compute(let value, .element(let work)) = nodes[position], !work.body.isPlain,
      let relaid = pointwiseOperand(of: work.body, values[value].type.shape),
      let source = positions[relaid], users[relaid] == [position], !outputs.contains(relaid),
      case .compute(_, .element(let relayout)) = nodes[source], relayout.body.isPlain,
      let origin = relayout.body.operands.first, positions[origin] != nil, relayout.body.operands.count == 1,
      (values[value].type.count - values[origin].type.count).isNonNegative(ranges)
    else { return nil }
    let shape = values[origin].type.shape
    let own = BodyBuilder { [values] in values[$0].type.element }
    let axes = shape.indices.map { own.axis($0) }
    // The relayout's own conversion, then the work, at each place of the origin.
    let before = own.inline(relayout.body, axes: values[relaid].type.shape.map { _ in own.constant(0, .i64) }) {
      _, _, _, _ in
      own.load(origin, axes)
    }
    let result = own.inline(work.body, axes: values[value].type.shape.map { _ in own.constant(0, .i64) }) {
      operand, _, _, _ in
      operand == relaid ? before[0] : nil
    }
    let name = values[value].name
    let moved = values.append(
      .init(type: TensorType(values[value].type.element, shape), name: name, origin: self.origin(value)))
    let reader = BodyBuilder { [values] in values[$0].type.element }
    var load: Expr?
    _ = reader.inline(relayout.body, axes: values[value].type.shape.indices.map { reader.axis($0) }) {
      _, indices, _, _ in
      load = reader.load(moved, indices)
      return load
    }
    guard let load else { return nil }
    let workBody = simplified(own.body(result), shape)
    let readerBody = simplified(reader.body([load]), values[value].type.shape)
    report.add(.hoisting, [moved, value])
    nodes[source] = .compute(moved, .element(ElementForm(body: workBody)))
    nodes[position] = .compute(value, .element(ElementForm(body: readerBody)))
    positions[relaid] = nil
    positions[moved] = source
    users[relaid] = nil
    for operand in work.body.operands { users[operand]?.remove(position) }
    for operand in relayout.body.operands { users[operand]?.remove(source) }
    for operand in workBody.operands { users[operand, default: []].insert(source) }
    for operand in readerBody.operands { users[operand, default: []].insert(position) }
    return source
  }

  /// The one value that a body reads in place, where nothing else in it depends on the place.
  private func pointwiseOperand(of body: Body, _ shape: [Dim]) -> FormValueID? {
    var found: FormValueID?
    var dependsOnPlace: [Bool] = []
    for expr in body.exprs {
      switch expr.node {
      case .axis: dependsOnPlace.append(true)
      case .load(let value, let indices, let condition, _):
        if indices.contains(where: { dependsOnPlace[$0.position] })
          || condition.map({ dependsOnPlace[$0.position] }) ?? false
        {
          if found != nil && found != value || positions[value] == nil { return nil }
          found = value
        }
        dependsOnPlace.append(false)
      case .size(let size):
        // A size that data determine may not be known where the work would go.
        if size.symbols.contains(where: \.isFromData) { return nil }
        dependsOnPlace.append(false)
      case .constant, .accumulator, .unary, .binary, .compare, .select, .cast, .bitcast:
        let depends = expr.node.arguments.contains { dependsOnPlace[$0.position] }
        // Only indices of loads in place may depend on it, and those are axes themselves.
        if depends { return nil }
        dependsOnPlace.append(false)
      case .checked: return nil
      }
    }
    guard let found, body.results.count == 1, !dependsOnPlace[body.results[0].position],
      values[found].type.shape == shape, body.readsInPlace(found, shape)
    else { return nil }
    return found
  }
}
