import SinterCore
import SinterForms

/// Combinations over inner axes.
///
/// Two ways, by how the loads walk: along the lanes (a row is summed into the lanes of several vectors, which are
/// joined in a fixed tree), or a lane for each result (sums of columns, pooling with channels last), where nothing
/// needs joining. The order of combination follows from sizes and machine alone, never from the number of threads.
enum ReduceSchedule {
  /// Elements of one long reduction that a task takes, where there are few results to share out.
  private static let part = 16384

  static func schedule(_ form: ReduceForm, context: inout ScheduleContext) throws {
    let type = context.type(context.result)
    if type.count.value == 0 { return }
    if !form.combine.isIndex, form.combine.identity(of: .f32) == nil { return }
    let inner = form.inner.reduce(Dim(1), *)
    if type.count.value.map({ $0 < 4 }) == true, !form.combine.isIndex, TaskSplit.estimate(inner) >= 2 * part {
      try scheduleLong(form, context: &context)
      return
    }
    let scope = context.kernel(named: "reduce")
    let plan = ReducePlan(form, shape: type.shape, scope: scope)
    let output = scope.memory(context.result, .write)
    let tasks = plan.write(output: output, element: type.element)
    try context.append(
      scope, tasks: tasks.count, grain: tasks.grain, flops: type.count * inner * Dim(form.body.flops + 1),
      bytes: context.bytes(reading: Form.reduce(form).operands, writing: context.result),
      name: plan.name("reduce", form.combine, type))
  }

  /// Few results over many elements: parts are combined first, then their results.
  private static func scheduleLong(_ form: ReduceForm, context: inout ScheduleContext) throws {
    let type = context.type(context.result)
    let first = context.kernel(named: "reduce.part")
    let plan = ReducePlan(form, shape: type.shape, scope: first)
    guard let axis = plan.inner.last else { return }
    let parts = axis.extent.ceilDivided(by: Dim(part))
    let element = plan.accumulator
    let scratch = context.addScratch(element, count: type.count * parts, named: "partial")
    let partial = first.memory(scratch, element: element, .write)
    plan.writePart(to: partial, parts: parts, part: part)
    try context.append(
      first, tasks: type.count * parts, grain: TaskSplit.grain(elementsPerTask: part, cost: form.body.cost),
      flops: type.count * form.inner.reduce(Dim(form.body.flops + 1), *),
      bytes: context.bytes(reading: form.body.operands, writing: context.result),
      name: plan.name("reduce_part", form.combine, type))

    let second = context.kernel(named: "reduce.join")
    let builder = second.builder
    let source = second.memory(scratch, element: element, .read)
    let output = second.memory(context.result, .write)
    let combiner = Combiner(form.combine, element: element, builder: builder)
    let start = builder.multiply(builder.task, second.dim(parts))
    let final = builder.loop(
      "part", from: start, to: builder.add(start, second.dim(parts)), carrying: combiner.initial(lanes: 1)
    ) { index, state in
      combiner.take(state, builder.load(source, at: index), position: { index }, mask: nil)
    }
    var value = final[0]
    if let epilogue = form.epilogue {
      let indices = second.unflatten(builder.task, type.shape).map { Dim(second.bind($0)) }
      value = BodyEmitter(epilogue, scope: second, axes: indices).emit(accumulators: [value])[0]
    }
    builder.store(builder.cast(value, to: type.element), output, at: builder.task)
    try context.append(second, tasks: type.count, grain: 64, name: plan.name("reduce_join", form.combine, type))
  }
}
