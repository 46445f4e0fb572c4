import SinterCore
import SinterForms

/// Each element by itself: loops over the result, merged as far as all loads allow, the innermost one vectorised.
enum ElementSchedule {
  static func schedule(_ form: ElementForm, context: inout ScheduleContext) throws {
    let result = context.result
    let type = context.type(result)
    if type.count.value == 0 { return }
    let scope = context.kernel(named: "element")
    if type.element.bits >= 8 {
      let pieces = form.body.pieces(type.shape, values: context.values, ranges: context.program.ranges)
      if !pieces.isEmpty { return try schedule(pieces, form, type, scope, &context) }
    }
    let plan = ElementPlan(form.body, shape: type.shape, scope: scope)
    let output = scope.memory(result, .write)
    let tasks =
      plan.transposition(type.element).map { plan.write($0, to: output) }
      ?? plan.write(name: "element", element: type.element, isPacked: type.element.bits < 8) { emitter, lanes in
        emitter.store(emitter.emit(lanes: lanes)[0], to: output, at: plan.flat, lanes: lanes)
      }
    let count = type.count
    try context.append(
      scope, tasks: withElements(tasks.count, of: type.shape, form.body, context), grain: tasks.grain,
      flops: count * Dim(form.body.flops),
      bytes: context.bytes(reading: form.body.operands, writing: result), name: plan.name("element", type),
      overwritable: context.overwritable(by: form.body))
  }

  /// The tasks that have elements. Loads and checks that are the same for a row are made before its elements: where there are none, nothing is
  /// read or checked.
  private static func withElements(_ tasks: Dim, of shape: [Dim], _ body: Body, _ context: ScheduleContext) -> Dim {
    let looksAhead = body.exprs.contains { expr in
      switch expr.node {
      case .load, .checked: true
      default: false
      }
    }
    /// Whether there are no tasks where a size is zero, which is a product of symbols.
    func vanish(_ size: Dim) -> Bool {
      guard size.constant == 0, size.terms.count == 1 else { return false }
      return size.terms[0].factors.allSatisfy { factor in
        guard case .symbol(let symbol) = factor else { return false }
        return tasks.substituting { $0 == symbol ? 0 : nil } == 0
      }
    }
    let maybeEmpty = shape.filter { ($0.bounds(context.program.ranges).lower ?? 0) < 1 && !vanish($0) }
    return looksAhead ? maybeEmpty.reduce(tasks) { $0 * Dim.min($1, 1) } : tasks
  }

  /// Parts of the result one after another in one grid of tasks: concatenations, whose parts have bodies without
  /// conditions.
  private static func schedule(
    _ pieces: [BodyPiece], _ form: ElementForm, _ type: TensorType, _ scope: KernelScope,
    _ context: inout ScheduleContext
  ) throws {
    let output = scope.memory(context.result, .write)
    let builder = scope.builder
    let strides = TensorType.strides(type.shape)
    var tasks = Dim(0)
    var grain = 1
    for piece in pieces {
      let plan = ElementPlan(
        piece.body, shape: piece.shape, strides: strides,
        offset: zip(strides, piece.starts).reduce(Dim(0)) { $0 + $1.0 * Dim($1.1) }, scope: scope)
      let transposition = plan.transposition(type.element)
      let all = transposition.map { plan.tasks($0) } ?? plan.tasks(isPacked: false)
      let count = withElements(all, of: piece.shape, piece.body, context)
      let first = scope.dim(tasks)
      let isHere = builder.binary(
        .and, builder.compare(.greaterOrEqual, builder.task, first),
        builder.compare(.less, builder.task, scope.dim(tasks + count)))
      builder.when(isHere) {
        let task = builder.subtract(builder.task, first)
        let written =
          transposition.map { plan.write($0, to: output, task: task) }
          ?? plan.write(name: "element", element: type.element, isPacked: false, task: task) { emitter, lanes in
            emitter.store(emitter.emit(lanes: lanes)[0], to: output, at: plan.flat, lanes: lanes)
          }
        grain = Swift.max(grain, written.grain)
      }
      tasks = tasks + count
    }
    let count = type.count
    try context.append(
      scope, tasks: tasks, grain: grain, flops: count * Dim(form.body.flops),
      bytes: context.bytes(reading: form.body.operands, writing: context.result),
      name: "concat\(pieces.count)_\(type.element)_"
        + type.shape.map { Symbol.sanitizedName("\($0)") }.joined(separator: "x"))
  }
}
