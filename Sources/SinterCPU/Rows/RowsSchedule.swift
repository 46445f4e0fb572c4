import SinterCore
import SinterForms
import SinterKernelIR

/// Several values row by row: a task is some rows, and each row goes through all members while it is in cache.
///
/// A reduction's result stays in a register. What members share and nobody else reads lies in a buffer of one row, or,
/// where a row's length is unknown or large, in scratch.
enum RowsSchedule {
  /// Bytes that the row buffers of a task may take on its stack.
  private static let localLimit = 128 << 10

  static func schedule(_ given: RowGroup, context: inout ScheduleContext) throws {
    let rows = given.rows.reduce(Dim(1), *)
    if rows.value == 0 { return }
    if case .contract(let product)? = given.members.first?.form {
      if try ContractSchedule.schedule(product, in: given, context: &context) { return }
      return try scheduleApart(given, context: &context)
    }
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
        throw DiagnosticError(.bug, "schedule.string", "value \(operand) is text, which kernels know as numbers")
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

    let length =
      group.members.map { member in
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
      case .contract, .attend, .convolve, .scan, .scatter, .sort, .call: break
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
  /// Whether rows are not worth keeping together: each member has one element per row, and the reductions walk memory
  /// better with a lane for each row (pooling, sums over all positions with channels last) or are only a few elements
  /// long.
  private static func isBetterApart(_ group: RowGroup, _ context: ScheduleContext) -> Bool {
    var anyAcross = false
    for member in group.members {
      switch member.form {
      case .element:
        if context.shape(member.value)[group.rows.count...].reduce(Dim(1), *).value != 1 { return false }
      case .reduce(let form):
        let scope = context.kernel(named: "trial")
        if ReducePlan(form, shape: context.shape(member.value), scope: scope).runsAcross { anyAcross = true }
      case .contract, .attend, .convolve, .scan, .scatter, .sort, .call: return false
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

extension ScheduleContext {
  func bytes(reading operands: [FormValueID]) -> Dim {
    guard let first = operands.first else { return 0 }
    return bytes(reading: Array(operands.dropFirst()), writing: first)
  }
}
