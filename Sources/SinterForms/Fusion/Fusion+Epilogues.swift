import SinterCore

extension Fusion {
  /// Whether an element form could run in the kernel of a reduction, contraction or convolution, because it ends a chain of work in
  /// place that begins with its result: all that read what is between are forms of the chain.
  func canBecomeEpilogue(_ value: FormValueID, _ body: Body, depth: Int = 0) -> Bool {
    body.operands.contains { operand in
      guard let position = positions[operand], case .compute(_, let form) = nodes[position],
        values[operand].type.shape == values[value].type.shape, !outputs.contains(operand),
        body.readsInPlace(operand, values[operand].type.shape),
        (users[operand] ?? []).allSatisfy({ leads($0, to: value) })
      else { return false }
      if form.accumulatorType != nil { return accepts(body, as: form) }
      if case .element(let element) = form, depth < 8 {
        return canBecomeEpilogue(operand, element.body, depth: depth + 1)
      }
      return false
    }
  }

  private func leads(_ position: Int, to value: FormValueID) -> Bool {
    guard case .compute(let target, .element) = nodes[position] else { return false }
    if target == value { return true }
    guard values[target].type.shape == values[value].type.shape, !outputs.contains(target), let next = users[target],
      let goal = positions[value]
    else { return false }
    // One step is what x · sigmoid(x) needs.
    return next.allSatisfy { $0 == goal }
  }

  /// Whether a form takes a body as its epilogue. Contractions and convolutions keep their results in registers, where only regular loads
  /// fit in.
  private func accepts(_ body: Body, as form: Form) -> Bool {
    switch form {
    case .reduce: true
    case .contract, .attend, .convolve: body.hasOnlyAffineLoads && body.exprs.count <= limits.epilogueLength
    case .element, .scan, .scatter, .sort, .call: false
    }
  }

  /// Lets each element form finish the last of its operands that can take it as epilogue.
  mutating func attachEpilogues() {
    for position in nodes.indices where mayMove {
      guard case .compute(let value, .element(let element)) = nodes[position] else { continue }
      let shape = values[value].type.shape
      let candidates = element.body.operands.compactMap { operand -> (operand: FormValueID, at: Int)? in
        guard let at = positions[operand], case .compute(_, let form) = nodes[at], form.accumulatorType != nil,
          users[operand] == [position], !outputs.contains(operand), values[operand].type.shape == shape,
          element.body.readsInPlace(operand, shape), accepts(element.body, as: form)
        else { return nil }
        return (operand, at)
      }
      guard let chosen = candidates.max(by: { $0.at < $1.at }), case .compute(_, var form) = nodes[chosen.at],
        let type = form.accumulatorType
      else { continue }
      let epilogue = form.epilogue
      let builder = BodyBuilder(widensExactly: true) { [values] in values[$0].type.element }
      let results = builder.inline(element.body, axes: shape.indices.map { builder.axis($0) }) {
        operand, indices, _, _ in
        guard operand == chosen.operand else { return nil }
        let accumulator = builder.accumulator(0, type)
        return epilogue.map { builder.inline($0, axes: indices, accumulators: [accumulator])[0] } ?? accumulator
      }
      form.epilogue = simplified(builder.body(results), shape)
      report.add(chosen.operand, value, .epilogue)
      report.add(.epilogue, [chosen.operand, value])
      origins[value] = merged(origin(chosen.operand), origin(value))
      drop(chosen.at)
      drop(position)
      nodes[position] = .compute(value, form)
      for operand in form.operands { users[operand, default: []].insert(position) }
    }
  }
}
