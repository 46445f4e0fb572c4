import SinterCore
import SinterForms
import SinterKernelIR

/// Writes a body into a kernel: for one element, or for several side by side.
///
/// Expressions are written when a result needs them, each once. One that does not depend on the vectorised index is
/// written once for all lanes; a load whose elements lie side by side becomes one vector load. Loads under a condition
/// never touch memory where it is false.
///
/// Use: bind every loop index with `KernelScope.bind`, call `hoist` on entering a loop whose index the rest of the body
/// does not need, then `emit` for the results at the current indices.
package final class BodyEmitter {
  /// How one expression is held: one scalar for all lanes, or a register with a lane each.
  package enum Value {
    case uniform(Register)
    case lanes(Register)
  }

  /// The lanes of an `emit`: which index runs along them (its register holds lane 0's), how many there are, and which
  /// count.
  package struct Lanes {
    package var symbol: Symbol
    package var count: Int
    /// Nil: all.
    package var mask: Register?

    package init(_ symbol: Symbol, count: Int, mask: Register? = nil) {
      self.symbol = symbol
      self.count = count
      self.mask = mask
    }
  }

  let scope: KernelScope
  var builder: KernelBuilder { scope.builder }
  let body: Body
  let indices: BodyIndices
  var lanes: Lanes?
  var accumulators: [Register] = []
  /// Loads that were done elsewhere, in the form that the lanes want.
  var loaded: [ExprID: Register] = [:]
  /// Conditions of loads that the code around has tested.
  var decided: [ExprID: Bool] = [:]
  private var memo: [ExprID: Value] = [:]
  private var laneMemo: [ExprID: Register] = [:]

  /// - Parameters:
  ///   - axes: the body's axes as index arithmetic over symbols that are bound by the time of `emit`.
  ///   - extents: the extents of those symbols, where known: more is simplified with them.
  package init(_ body: Body, scope: KernelScope, axes: [Dim], extents: [Symbol: Dim] = [:]) {
    self.body = body
    self.scope = scope
    indices = BodyIndices(
      body, axes: axes, values: scope.values, simplifier: IndexSimplifier(extents: extents), newSymbol: scope.newSymbol)
  }

  var laneCount: Int { lanes?.count ?? 1 }

  // MARK: Use

  /// The results at the bound indices, each with as many lanes as `lanes` says. `accumulators` have that many as well.
  package func emit(lanes: Lanes? = nil, accumulators: [Register] = []) -> [Register] {
    scoped {
      self.lanes = lanes
      self.accumulators = accumulators
      return body.results.map { vector($0) }
    }
  }

  /// Writes here what the results need and what depends on no other indices than `symbols`, so that loops further in
  /// find it done.
  ///
  /// - Parameter loads: whether memory may be read here: the loops further in run at least once.
  package func hoist(_ symbols: Set<Symbol>, loads: Bool) {
    var visited: Set<ExprID> = []
    func visit(_ id: ExprID) {
      guard visited.insert(id).inserted else { return }
      let node = body[id].node
      if case .constant = node { return }
      if indices.dependence[id.position].isSubset(of: symbols), indices.known[id] == nil {
        if body[id].type == .i64, let dim = indices.dims[id.position], !indices.isOpaque(dim) { return }
        if loads || !readsMemory(id) {
          _ = value(id)
          return
        }
      }
      switch node {
      case .select(let condition, _, _): visit(condition)
      case .load(_, let list, let condition, _):
        if condition == nil { list.forEach(visit) }
      case .constant, .axis, .size, .accumulator, .unary, .binary, .compare, .cast, .bitcast, .checked:
        node.arguments.forEach(visit)
      }
    }
    body.results.forEach(visit)
  }

  /// Forgets what `work` writes when it is done: use it around the body of a loop or a branch.
  package func scoped<R>(_ work: () -> R) -> R {
    let saved = (memo, laneMemo, lanes, accumulators)
    defer { (memo, laneMemo, lanes, accumulators) = saved }
    return work()
  }

  private func readsMemory(_ id: ExprID) -> Bool {
    switch body[id].node {
    case .load, .checked: true
    default: body[id].node.arguments.contains(where: readsMemory)
    }
  }

  // MARK: Values

  func isUniform(_ id: ExprID) -> Bool {
    guard let lanes else { return true }
    let found = indices.dependence[id.position]
    return !found.contains(lanes.symbol) && !found.contains(BodyIndices.varying)
  }

  func value(_ id: ExprID) -> Value {
    if let value = memo[id] { return value }
    if let register = loaded[id] { return .lanes(register) }
    let value = write(id)
    memo[id] = value
    if case .uniform(let register) = value, let dim = indices.dims[id.position], let symbol = dim.symbol,
      indices.opaque[symbol] != nil
    {
      scope.bind(symbol, to: register)
    }
    return value
  }

  /// An expression that is the same in all lanes, as a scalar.
  func scalar(_ id: ExprID) -> Register {
    switch value(id) {
    case .uniform(let register), .lanes(let register): register
    }
  }

  /// An expression as one register with all lanes.
  func vector(_ id: ExprID) -> Register {
    switch value(id) {
    case .lanes(let register): return register
    case .uniform(let register):
      if laneCount == 1 { return register }
      if let known = laneMemo[id] { return known }
      let wide = builder.broadcast(register, lanes: laneCount)
      laneMemo[id] = wide
      return wide
    }
  }

  private func write(_ id: ExprID) -> Value {
    let expr = body[id]
    if let known = indices.known[id] { return .uniform(builder.constant(.bool(known), .bool)) }
    if expr.type == .i64, let dim = indices.dims[id.position], !indices.isOpaque(dim) {
      return isUniform(id) ? .uniform(scope.index(dim)) : .lanes(laneIndex(dim))
    }
    if case .load(let value, _, let condition, let otherwise) = expr.node {
      return load(id, of: value, where: condition, otherwise: otherwise)
    }
    let uniform = isUniform(id)
    func argument(_ id: ExprID) -> Register { uniform ? scalar(id) : vector(id) }
    func result(_ register: Register) -> Value { uniform ? .uniform(register) : .lanes(register) }
    switch expr.node {
    case .constant(let scalar): return .uniform(builder.constant(scalar, expr.type))
    case .axis, .size: return .uniform(scope.index(indices.dims[id.position] ?? 0))
    case .accumulator(let n): return lanes == nil ? .uniform(accumulators[n]) : .lanes(accumulators[n])
    case .load: return .uniform(builder.constant(.int(0), expr.type))
    case .unary(let function, let a): return result(builder.math(function, argument(a)))
    case .binary(let function, let a, let b): return result(builder.math(function, argument(a), argument(b)))
    case .compare(let comparison, let a, let b): return result(builder.compare(comparison, argument(a), argument(b)))
    case .select(let condition, let a, let b): return select(condition, a, b, uniform: uniform)
    case .cast(let a): return result(builder.cast(argument(a), to: expr.type))
    case .bitcast(let a): return result(builder.bitcast(argument(a), to: expr.type))
    case .checked(let a, let bound, let error): return check(a, below: bound, error: error, uniform: uniform)
    }
  }

  /// A condition that is the same for all lanes decides which side is computed at all, where that saves something.
  private func select(_ condition: ExprID, _ a: ExprID, _ b: ExprID, uniform: Bool) -> Value {
    if let known = indices.known[condition] {
      let side = known ? a : b
      return uniform ? .uniform(scalar(side)) : .lanes(vector(side))
    }
    func side(_ id: ExprID) -> Register { uniform ? scalar(id) : vector(id) }
    func wrap(_ register: Register) -> Value { uniform ? .uniform(register) : .lanes(register) }
    let saves = isCostly(a) || isCostly(b)
    if isUniform(condition), saves || uniform {
      let truth = scalar(condition)
      if !saves { return wrap(builder.select(truth, side(a), side(b))) }
      return wrap(
        builder.branch(truth, then: { scoped { [side(a)] } }, otherwise: { scoped { [side(b)] } })[0])
    }
    return wrap(builder.select(vector(condition), side(a), side(b)))
  }

  /// Whether not computing an expression is worth a branch.
  private func isCostly(_ id: ExprID, depth: Int = 0) -> Bool {
    if memo[id] != nil { return false }
    switch body[id].node {
    case .constant, .axis, .size, .accumulator: return false
    case .load: return true
    case .unary(let function, let a): return function.isCostly || isCostly(a, depth: depth + 1)
    case .binary, .compare, .select, .cast, .bitcast, .checked:
      return depth > 4 || body[id].node.arguments.contains { isCostly($0, depth: depth + 1) }
    }
  }

  private func check(_ a: ExprID, below bound: ExprID, error: Int, uniform: Bool) -> Value {
    if uniform {
      let value = scalar(a)
      let zero = builder.constant(.int(0), body[a].type)
      let limit = scalar(bound)
      let holds = builder.binary(
        .and, builder.compare(.greaterOrEqual, value, zero), builder.compare(.less, value, limit))
      builder.check(holds, error: error, value: builder.cast(value, to: .i64), bound: builder.cast(limit, to: .i64))
      return .uniform(value)
    }
    // The smallest of the values that fail is the one reported, and the smallest of their bounds.
    let value = vector(a)
    let type = body[a].type
    let zero = builder.constant(.int(0), type, lanes: laneCount)
    let limit = vector(bound)
    var holds = builder.binary(
      .and, builder.compare(.greaterOrEqual, value, zero), builder.compare(.less, value, limit))
    if let mask = lanes?.mask { holds = builder.binary(.or, holds, builder.unary(.not, mask)) }
    let greatest = builder.constant(.int(type.integerRange.upperBound), type, lanes: laneCount)
    let offender = builder.combineLanes(.minimum, builder.select(holds, greatest, value))
    let broken = builder.combineLanes(.minimum, builder.select(holds, greatest, limit))
    builder.check(
      builder.combineLanes(.and, holds), error: error, value: builder.cast(offender, to: .i64),
      bound: builder.cast(broken, to: .i64))
    return .lanes(value)
  }

  /// Stores one lane each of `value` at the element that `flat` names.
  package func store(_ value: Register, to memory: Memory, at flat: Dim, lanes: Lanes?) {
    scoped {
      self.lanes = lanes
      prepare(flat)
      guard let lanes else {
        builder.store(value, memory, at: scope.index(flat))
        return
      }
      if let stride = stride(of: flat), stride.value == 1 {
        builder.store(value, memory, at: scope.index(flat), mask: lanes.mask)
      } else {
        builder.scatter(value, memory, at: laneIndex(flat), mask: lanes.mask)
      }
    }
  }
}

extension UnaryFunction {
  /// Dozens of instructions, against one.
  var isCostly: Bool {
    switch self {
    case .exp, .weight, .log, .sin, .cos, .tan, .asin, .acos, .atan, .sinh, .cosh, .tanh, .asinh, .acosh, .atanh, .erf:
      true
    case .negate, .abs, .sqrt, .floor, .ceil, .round, .truncate, .not, .isNaN: false
    }
  }
}
