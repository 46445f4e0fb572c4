import SinterCore

/// A body's place in a form.
package enum BodySlot: Hashable, Sendable {
  case element, reduce, contractLeft, contractRight, attendQuery, attendKey, attendScore, attendValue, scan, scatterBase
  case scatterUpdate, sort, epilogue

  /// Whether it is an operand of products, which schedules read as memory.
  package var isFactor: Bool {
    switch self {
    case .contractLeft, .contractRight, .attendQuery, .attendKey, .attendValue: true
    case .element, .reduce, .attendScore, .scan, .scatterBase, .scatterUpdate, .sort, .epilogue: false
    }
  }
}

extension Form {
  /// The form with each body replaced. `map` gets the body's place and the sizes of its axes.
  ///
  /// - Parameter shape: that of the value that the form computes.
  package func mapBodies(_ shape: [Dim], _ map: (BodySlot, [Dim], Body) throws -> Body) rethrows -> Form {
    var result = self
    switch self {
    case .element(var form):
      form.body = try map(.element, shape, form.body)
      result = .element(form)
    case .reduce(var form):
      form.body = try map(.reduce, shape + form.inner, form.body)
      result = .reduce(form)
    case .contract(var form):
      form.lhs = try map(.contractLeft, form.batch + form.m + form.k, form.lhs)
      form.rhs = try map(.contractRight, form.batch + form.n + form.k, form.rhs)
      result = .contract(form)
    case .attend(var form):
      form.query = try map(.attendQuery, form.batch + form.rows + form.depth, form.query)
      form.key = try map(.attendKey, form.batch + [form.keys] + form.depth, form.key)
      form.score = try map(.attendScore, form.batch + form.rows + [form.keys], form.score)
      form.value = try map(.attendValue, form.batch + form.columns + [form.keys], form.value)
      result = .attend(form)
    case .scan(var form):
      form.body = try map(.scan, shape, form.body)
      result = .scan(form)
    case .scatter(var form):
      form.base = try map(.scatterBase, shape, form.base)
      form.update = try map(.scatterUpdate, form.domain, form.update)
      result = .scatter(form)
    case .sort(var form):
      var sorted = shape
      if sorted.indices.contains(form.axis) { sorted[form.axis] = form.extent }
      form.body = try map(.sort, sorted, form.body)
      result = .sort(form)
    case .convolve, .call: break
    }
    if let epilogue = result.epilogue { result.epilogue = try map(.epilogue, shape, epilogue) }
    return result
  }

  /// How many of the first axes of factors may stand in their indices in any way: those that a task keeps.
  package var freeAxes: Int {
    switch self {
    case .attend(let form): form.batch.count
    case .element, .reduce, .contract, .convolve, .scan, .scatter, .sort, .call: 0
    }
  }

  /// How many of the first axes of a body in this place may decide, through data, what it reads: a product takes a matrix of a stack for each batch.
  /// Nil where data may not.
  package func pickingAxes(_ slot: BodySlot) -> Int? {
    guard slot == .contractRight, case .contract(let form) = self else { return nil }
    return form.batch.count
  }

  /// Calls `visit` with each body, its place and the sizes of its axes.
  package func forEachBody(_ shape: [Dim], _ visit: (BodySlot, [Dim], Body) -> Void) {
    _ = mapBodies(shape) { slot, extents, body in
      visit(slot, extents, body)
      return body
    }
  }

  /// Values that it reads as a whole, not through a body.
  package var wholeOperands: [FormValueID] {
    switch self {
    case .convolve(let form): [form.input, form.weight]
    case .call(let form): form.operands
    case .element, .reduce, .contract, .attend, .scan, .scatter, .sort: []
    }
  }

  /// The type of what the form itself computes, before an epilogue.
  package var accumulatorType: ElementType? {
    switch self {
    case .reduce(let form):
      form.combine.isIndex ? .i64 : form.body.results.first.map { form.body[$0].type }
    case .contract(let form): form.accumulate
    case .attend(let form): form.accumulate
    case .convolve(let form): form.accumulate
    case .element, .scan, .scatter, .sort, .call: nil
    }
  }
}
