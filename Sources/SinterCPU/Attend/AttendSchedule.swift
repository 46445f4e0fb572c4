import SinterCore
import SinterForms
import SinterKernelIR

/// Attention in one kernel: scores never lie in memory as a whole. See `AttendPlan`.
struct AttendSchedule {
  let form: AttendForm

  private var batchCount: Int { form.batch.count }

  static func schedule(_ form: AttendForm, context: inout ScheduleContext) throws {
    if form.keys.value == 0 || form.columns.contains(0) { return try scheduleEmpty(form, context: &context) }
    try AttendSchedule(form: form).run(&context)
  }

  /// Nothing to attend to: zeros, and what the epilogue makes of them.
  private static func scheduleEmpty(_ form: AttendForm, context: inout ScheduleContext) throws {
    let builder = context.bodyBuilder()
    let zero = builder.constant(0.0, form.accumulate)
    let axes = context.shape(context.result).indices.map { builder.axis($0) }
    let result = form.epilogue.map { builder.inline($0, axes: axes, accumulators: [zero])[0] } ?? zero
    try ElementSchedule.schedule(ElementForm(body: builder.body([result])), context: &context)
  }

  private func run(_ context: inout ScheduleContext) throws {
    let depth = form.depth.reduce(Dim(1), *)
    let columns = form.columns.reduce(Dim(1), *)
    guard let depthCount = depth.value, let columnCount = columns.value else {
      throw DiagnosticError(
        .bug, "schedule.attend", "attention over \(form.depth) and \(form.columns), which are no numbers")
    }
    let operands = [form.query, form.key, form.score, form.value].flatMap(\.operands)
    if let packed = operands.map({ context.element($0) }).first(where: { $0.bits < 8 }) {
      throw DiagnosticError(
        .limit, "schedule.attend", "attention does not read elements of type \(packed), of which several share a byte",
        hint: "convert them before it, or store bytes")
    }
    // What many rows read is widened once; a decoder's row reads its keys and values as they lie.
    let element = TaskSplit.estimate(form.rows.reduce(1, *)) > RegisterTile.fewRows ? form.accumulate : nil
    let query = try context.factor(
      form.query, axes: form.batch + form.rows + form.depth, free: batchCount,
      order: Array(0..<(batchCount + form.rows.count + form.depth.count)),
      element: element, named: "query"
    ) { depthGroup($0, first: batchCount + form.rows.count) != nil }
    // Copied with the keys side by side, as panels want them.
    let keyAxes = form.batch + [form.keys] + form.depth
    let key = try context.factor(
      form.key, axes: keyAxes, free: batchCount,
      order: Array(0..<batchCount) + Array((batchCount + 1)..<keyAxes.count) + [batchCount],
      element: element, named: "key"
    ) { factor in
      depthGroup(factor, first: batchCount + 1).map { $0.strides[0] == 1 || factor.strides[batchCount] == 1 } ?? false
    }
    let valueAxes = form.batch + form.columns + [form.keys]
    let value = try context.factor(
      form.value, axes: valueAxes, free: batchCount,
      order: Array(0..<batchCount) + [valueAxes.count - 1] + Array(batchCount..<(valueAxes.count - 1)),
      element: element, named: "value"
    ) { columnGroup($0)?.strides[0] == 1 }
    let none = CollapsedAxes.Group(axes: 0..<0, extent: 1, strides: [1])
    let rowAxes = batchCount..<(batchCount + form.rows.count)
    let rows = CollapsedAxes(extents: form.rows, strides: [Array(query.strides[rowAxes])]).groups.last ?? none
    let queryDepth = depthGroup(query, first: batchCount + form.rows.count) ?? none
    let keyDepth = depthGroup(key, first: batchCount + 1) ?? none

    // Everything but the last group of rows is walked outside.
    var outer: [(axis: Int, extent: Dim)] = form.batch.indices.map { ($0, form.batch[$0]) }
    outer += (0..<rows.axes.lowerBound).map { (batchCount + $0, form.rows[$0]) }
    outer.removeAll { $0.extent == 1 }
    let outerCount = outer.map(\.extent).reduce(1, *)

    let lanes = context.machine.lanes(form.accumulate)
    let plan = AttendPlan(
      rows: rows.extent, keys: form.keys, depth: depthCount, columns: columnCount, outer: outerCount, lanes: lanes,
      elementBytes: form.accumulate.bits / 8, readsDepth: queryDepth.strides[0] == 1 && keyDepth.strides[0] == 1,
      machine: context.machine)
    let scope = context.kernel(named: "attend")
    var task = scope.taskNumbers()
    let rowBlock = task.take(plan.rowBlocks)
    let shape = context.shape(context.result)
    var store = TileStore(
      scope: scope, epilogue: form.epilogue, result: context.result, shape: shape,
      axes: [Dim](repeating: 0, count: shape.count), extents: [:])
    // Where the task's batch begins in each factor, over the axes as symbols.
    var bases = [query, key, value].map { factor in
      (0..<batchCount).reduce(factor.base) { $0 + Dim(AffineAccess.axisSymbol($1)) * factor.strides[$1] }
    }
    for item in outer.reversed() {
      let symbol = scope.bind(task.take(item.extent))
      store.extents[symbol] = item.extent
      store.axes[item.axis] = Dim(symbol)
      if item.axis >= batchCount { bases[0] = bases[0] + Dim(symbol) * query.strides[item.axis] }
    }
    let simplifier = IndexSimplifier(extents: store.extents)
    func first(_ base: Dim) -> Register {
      let bound = (0..<batchCount).reduce(base) { base, axis in
        base.substituting { $0 == AffineAccess.axisSymbol(axis) ? store.axes[axis] : nil }
      }
      return scope.index(simplifier.simplified(bound))
    }
    let kernel = AttendKernel(
      scope: scope, form: form, plan: plan, store: store, rowGroup: rows,
      columnGroup: CollapsedAxes.Group(axes: form.columns.indices, extent: columns, strides: [1]),
      query: .init(
        memory: query.memory(scope), first: first(bases[0]), stride: rows.strides[0], depthStride: queryDepth.strides[0]
      ),
      key: .init(
        memory: key.memory(scope), first: first(bases[1]), stride: key.strides[batchCount],
        depthStride: keyDepth.strides[0]),
      value: .init(
        memory: value.memory(scope), first: first(bases[2]), stride: value.strides[valueAxes.count - 1],
        depthStride: 1), reach: form.rows.last == rows.extent ? form.keyReach : nil)
    kernel.emit(rowBlock: rowBlock)
    let allRows = (form.batch + form.rows).reduce(Dim(1), *)
    try context.append(
      scope, tasks: plan.tasks, grain: plan.grain, flops: allRows * form.keys * (depth + columns) * 2,
      bytes: context.bytes(reading: Form.attend(form).operands, writing: context.result),
      name: "attend_\(form.accumulate)_"
        + [rows.extent, form.keys, depth, columns].map { Symbol.sanitizedName("\($0)") }.joined(separator: "x"))
  }

  /// The depth of a factor as one axis, where it lies so.
  private func depthGroup(_ factor: Factor, first: Int) -> CollapsedAxes.Group? {
    CollapsedAxes(extents: form.depth, strides: [Array(factor.strides[first...])]).single
  }

  private func columnGroup(_ factor: Factor) -> CollapsedAxes.Group? {
    CollapsedAxes(
      extents: form.columns, strides: [Array(factor.strides[batchCount..<(batchCount + form.columns.count)])]
    ).single
  }
}
