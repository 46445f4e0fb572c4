import SinterCore

/// Several values row by row: a task is some rows, and each row goes through all members while it is in cache.
///
/// A reduction's result stays in a register. What members share and nobody else reads lies in a buffer of one row, or, where a row's length
/// is unknown or large, in scratch.
enum RowsSchedule {
  /// Bytes that the row buffers of a task may take on its stack.
  private static let localLimit = 128 << 10

  static func schedule(_ given: RowGroup, context: inout ScheduleContext) throws {
    let rows = given.rows.reduce(Dim(1), *)
    if rows.value == 0 { return }
    if isBetterApart(given, context) { return try scheduleApart(given, context: &context) }
    var group = given
    let kept = RowSharing.apply(to: &group, context: &context)
    let scope = context.kernel(named: "rows")
    let builder = scope.builder
    let symbols = group.rows.map { _ in scope.newSymbol() }
    var writer = RowWriter(
      scope: scope, rows: zip(symbols, group.rows).map { LoopSpace.Axis(symbol: $0, extent: $1, group: 0) },
      machine: context.machine)
    for member in group.members {
      for operand in member.form.operands + [member.value] where context.element(operand) == .string {
        throw DiagnosticError(.limit, "schedule.string", "no kernel works on text (value \(operand))")
      }
    }

    // Memory of the members that others read element by element.
    var localBytes = 0
    var homes: [FormValueID: RowWriter.Home] = [:]
    func addHome(_ value: FormValueID, _ context: inout ScheduleContext) {
      let type = context.type(value)
      let length = type.shape.dropFirst(group.rows.count).reduce(Dim(1), *)
      if let count = length.value, type.element.bits >= 8, localBytes + type.element.byteCount(count) <= localLimit {
        localBytes += (type.element.byteCount(count) + 63) / 64 * 64
        homes[value] = .init(
          memory: builder.local("row\(homes.count)", type.element, count: Swift.max(1, count)), isRow: true)
      } else {
        let scratch = context.addScratch(type.element, count: type.count, named: context.values[value].name)
        homes[value] = .init(memory: scope.memory(scratch, element: type.element, .readWrite), isRow: false)
      }
    }
    for member in group.members {
      if group.stored.contains(member.value) {
        homes[member.value] = .init(memory: scope.memory(member.value, .write), isRow: false)
      } else if case .element = member.form {
        addHome(member.value, &context)
      }
    }
    for member in group.members {
      guard let item = kept[member.value] else { continue }
      if let last = item.last, let home = homes[last] {
        homes[item.value] = home
      } else {
        addHome(item.value, &context)
      }
    }
    writer.kept = kept
    writer.homes = homes

    let length = group.members.map { member in
      let shape = context.shape(member.value)[group.rows.count...].reduce(1) { $0 * TaskSplit.estimate($1) }
      if case .reduce(let form) = member.form {
        return form.inner.reduce(shape) { $0 * TaskSplit.estimate($1) }
      }
      return shape
    }.max() ?? 1
    let isPacked = group.stored.contains { context.element($0).bits < 8 }
    let block = Swift.max(1, 1024 / Swift.max(1, length))
    let stretch = isPacked ? scope.stretch(rows) : scope.stretch(rows, part: builder.task, size: block)
    builder.loop("row", from: stretch.from, to: stretch.to) { row in
      for (symbol, number) in zip(symbols, scope.unflatten(row, group.rows)) { scope.bind(symbol, to: number) }
      for member in group.members { writer.write(member, type: context.type(member.value)) }
    }

    let members = group.members
    var flops = Dim(0)
    var cost = 0
    for member in members {
      let count = context.type(member.value).count
      switch member.form {
      case .reduce(let form):
        flops = flops + count * form.inner.reduce(Dim(form.body.flops + 1), *)
        cost += form.body.cost
      case .element(let form):
        flops = flops + count * Dim(form.body.flops)
        cost += form.body.cost
      case .contract, .convolve, .scan, .scatter, .sort, .call: break
      }
    }
    let inside = Set(members.map(\.value))
    let operands = FormProgram.Step.rows(group).operands.filter { !inside.contains($0) }
    let bytes = group.stored.reduce(context.bytes(reading: operands)) { $0 + context.bytes(reading: [$1]) }
    let kinds = members.map { member in
      if case .reduce(let form) = member.form { form.combine.rawValue } else { "element" }
    }
    try context.append(
      scope, tasks: isPacked ? 1 : rows.ceilDivided(by: Dim(block)),
      grain: TaskSplit.grain(elementsPerTask: block * length, cost: cost), flops: flops, bytes: bytes,
      name: "rows_\(kinds.joined(separator: "_"))_"
        + (group.rows + [Dim(length)]).map { Symbol.sanitizedName("\($0)") }.joined(separator: "x"))
  }
}

extension RowsSchedule {
  /// Whether rows are not worth keeping together: each member has one element a row, and the reductions walk memory better with a lane
  /// for each row (pooling, sums over all positions with channels last) or are only a few elements long.
  private static func isBetterApart(_ group: RowGroup, _ context: ScheduleContext) -> Bool {
    var anyAcross = false
    for member in group.members {
      switch member.form {
      case .element:
        if context.shape(member.value)[group.rows.count...].reduce(Dim(1), *).value != 1 { return false }
      case .reduce(let form):
        let scope = context.kernel(named: "trial")
        if ReducePlan(form, shape: context.shape(member.value), scope: scope).runsAcross { anyAcross = true }
      case .contract, .convolve, .scan, .scatter, .sort, .call: return false
      }
    }
    return anyAcross
  }

  /// Each member by itself; those that are not stored get scratch.
  private static func scheduleApart(_ group: RowGroup, context: inout ScheduleContext) throws {
    for member in group.members {
      if context.places[member.value] == nil {
        let type = context.type(member.value)
        let scratch = context.addScratch(type.element, count: type.count, named: context.values[member.value].name)
        context.places[member.value] = .init(buffer: scratch)
      }
      try context.schedule(member.form, computing: member.value)
    }
  }
}

/// Writes the members of a row group for one row.
struct RowWriter {
  /// Where a member's elements lie: in memory of the whole value, or of one row.
  struct Home {
    var memory: Memory
    var isRow: Bool
  }

  let scope: KernelScope
  /// The row's axes, bound.
  let rows: [LoopSpace.Axis]
  let machine: Machine
  var homes: [FormValueID: Home] = [:]
  /// Expressions that reductions keep for later members.
  var kept: [FormValueID: RowSharing.Kept] = [:]

  private var builder: KernelBuilder { scope.builder }
  private var fixed: [Symbol: Dim] { rows.reduce(into: [:]) { $0[$1.symbol] = $1.extent } }

  /// The first element of the row in a value of some shape.
  private func base(_ shape: [Dim]) -> Dim {
    zip(rows, ScheduleContext.strides(shape)).reduce(Dim(0)) { $0 + Dim($1.0.symbol) * $1.1 }
  }

  mutating func write(_ member: RowGroup.Member, type: TensorType) {
    switch member.form {
    case .element(let form): element(member.value, form, type)
    case .reduce(let form): reduce(member.value, form, type)
    case .contract, .convolve, .scan, .scatter, .sort, .call: break
    }
  }

  private func element(_ value: FormValueID, _ form: ElementForm, _ type: TensorType) {
    guard let home = homes[value] else { return }
    let rest = Array(type.shape[rows.count...])
    var space = LoopSpace(groups: [rest], fixed: fixed, newSymbol: scope.newSymbol)
    func axes() -> [Dim] { rows.map { Dim($0.symbol) } + space.given }
    let store = zip(axes(), ScheduleContext.strides(type.shape)).reduce(Dim(0)) { $0 + $1.0 * $1.1 }
    let indices = BodyIndices(
      form.body, axes: axes(), values: scope.values, simplifier: space.simplifier, newSymbol: scope.newSymbol)
    space.rearrange(for: indices.roots + [store])
    let first = base(type.shape)
    let flat = space.simplifier.simplified((space.roots.last ?? 0) - (home.isRow ? first : 0))
    let emitter = BodyEmitter(form.body, scope: scope, axes: axes(), extents: space.extents)
    let lanes = form.body.lanes(machine, result: type.element)

    func nest(_ left: ArraySlice<LoopSpace.Axis>) {
      func put(_ lanes: BodyEmitter.Lanes?) {
        emitter.store(emitter.emit(lanes: lanes)[0], to: home.memory, at: flat, lanes: lanes)
      }
      guard let axis = left.first else { return put(nil) }
      if left.count == 1 {
        emitter.scoped {
          emitter.hoist(Set(rows.map(\.symbol)), loads: axis.extent.value.map { $0 > 0 } ?? false)
          scope.vectorLoop("n", over: scope.stretch(axis.extent), lanes: lanes, unroll: form.body.cost <= 8 ? 2 : 1) {
            scope.bind(axis.symbol, to: $0)
            put($1 == 1 && $2 == nil ? nil : .init(axis.symbol, count: $1, mask: $2))
          }
        }
        return
      }
      builder.loop("m", from: builder.index(0), to: scope.dim(axis.extent)) { index in
        emitter.scoped {
          scope.bind(axis.symbol, to: index)
          nest(left.dropFirst())
        }
      }
    }
    nest(space.axes[...])
    scope.redirect(value, to: .memory(home.memory, base: home.isRow ? first : 0))
  }

  private func reduce(_ value: FormValueID, _ form: ReduceForm, _ type: TensorType) {
    // The result's axes behind the row have one element.
    let ones = [Dim](repeating: 0, count: type.rank - rows.count)
    var space = LoopSpace(groups: [form.inner], fixed: fixed, newSymbol: scope.newSymbol)
    func axes() -> [Dim] { rows.map { Dim($0.symbol) } + ones + space.given }
    func place() -> Dim {
      zip(space.given, ScheduleContext.strides(form.inner)).reduce(Dim(0)) { $0 + $1.0 * $1.1 }
    }
    let indices = BodyIndices(
      form.body, axes: axes(), values: scope.values, simplifier: space.simplifier, newSymbol: scope.newSymbol)
    space.rearrange(
      for: indices.roots + (form.combine.isIndex || kept[value] != nil ? [place()] : []))
    var keeping: (expr: ExprID, memory: Memory, flat: Dim)?
    if let item = kept[value], let home = homes[item.value] {
      let shape = rows.map(\.extent) + form.inner
      let start = base(shape)
      let whole = space.simplifier.simplified(place())
      keeping = (item.expr, home.memory, home.isRow ? whole : start + whole)
      scope.redirect(item.value, to: .memory(home.memory, base: home.isRow ? start : 0))
    }
    let reducer = ReduceWriter(
      form.body, combine: form.combine, scope: scope, axes: axes(), inner: space.axes,
      position: space.simplifier.simplified(place()), extents: space.extents, keeping: keeping)
    let lanes = form.body.lanes(machine, result: form.body[form.body.results[0]].type)
    var result = reducer.alongInner(lanes: lanes)
    if let epilogue = form.epilogue {
      let emitter = BodyEmitter(
        epilogue, scope: scope, axes: rows.map { Dim($0.symbol) } + ones, extents: fixed)
      result = emitter.emit(accumulators: [result])[0]
    }
    result = builder.cast(result, to: type.element)
    if let home = homes[value] { builder.store(result, home.memory, at: scope.index(base(type.shape))) }
    scope.redirect(value, to: .register(result))
  }
}

extension ScheduleContext {
  func bytes(reading operands: [FormValueID]) -> Dim {
    guard let first = operands.first else { return 0 }
    return bytes(reading: Array(operands.dropFirst()), writing: first)
  }
}
