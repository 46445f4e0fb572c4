import SinterCore
import SinterForms
import SinterKernelIR

/// Combinations of all elements so far along an axis: a loop along it that carries the state, with a lane for each
/// element of the axis that lies innermost behind it.
enum ScanSchedule {
  static func schedule(_ form: ScanForm, context: inout ScheduleContext) throws {
    let type = context.type(context.result)
    if type.count.value == 0 { return }
    let scope = context.kernel(named: "scan")
    let builder = scope.builder
    let output = scope.memory(context.result, .write)
    let shape = type.shape
    var space = LoopSpace(
      groups: [Array(shape[..<form.axis]), [shape[form.axis]], Array(shape[(form.axis + 1)...])],
      newSymbol: scope.newSymbol)
    let store = zip(space.given, TensorType.strides(shape)).reduce(Dim(0)) { $0 + $1.0 * $1.1 }
    let indices = BodyIndices(
      form.body, axes: space.given, values: scope.values, simplifier: space.simplifier, newSymbol: scope.newSymbol)
    space.rearrange(for: indices.roots + [store])
    let flat = space.roots.last ?? 0
    let emitter = BodyEmitter(form.body, scope: scope, axes: space.given, extents: space.extents)
    let combiner = Combiner(
      form.combine, element: form.body[form.body.results[0]].type, builder: builder)
    let along = space.axes(inGroup: 1)
    var before = space.axes(inGroup: 0) + space.axes(inGroup: 2)
    let across = space.axes(inGroup: 2).isEmpty || type.element.bits < 8 ? nil : before.removeLast()

    func walk(_ lanes: BodyEmitter.Lanes?) {
      func nest(_ position: Int, _ state: [Register]) -> [Register] {
        guard position < along.count else {
          let value = emitter.emit(lanes: lanes)[0]
          let next = combiner.take(state, value, position: { builder.index(0) }, mask: nil)
          let shown = builder.cast(form.isExclusive ? state[0] : next[0], to: type.element)
          emitter.store(shown, to: output, at: flat, lanes: lanes)
          return next
        }
        let axis = along[position]
        return builder.loop(
          "k\(position)", from: builder.index(0), to: scope.dim(axis.extent), carrying: state
        ) { index, state in
          let last = scope.dim(axis.extent - 1)
          return emitter.scoped {
            scope.bind(axis.symbol, to: form.isReversed ? builder.subtract(last, index) : index)
            return nest(position + 1, state)
          }
        }
      }
      _ = nest(0, combiner.initial(lanes: lanes?.count ?? 1))
    }

    let isPacked = type.element.bits < 8
    let taskAxes = isPacked ? [] : before
    let part = 4 * context.machine.lanes(type.element)
    let parts = across.map { $0.extent.ceilDivided(by: Dim(part)) } ?? Dim(1)
    let numbers = scope.unflatten(builder.task, taskAxes.map(\.extent) + (across == nil ? [] : [parts]))
    for (axis, register) in zip(taskAxes, numbers) { scope.bind(axis.symbol, to: register) }
    func rest(_ axes: ArraySlice<LoopSpace.Axis>) {
      if let axis = axes.first {
        builder.loop("m", from: builder.index(0), to: scope.dim(axis.extent)) { index in
          scope.bind(axis.symbol, to: index)
          rest(axes.dropFirst())
        }
      } else if let across, let number = numbers.last {
        let lanes = form.body.lanes(context.machine, result: type.element)
        let stretch = scope.stretch(across.extent, part: number, size: part)
        scope.vectorLoop("n", over: stretch, lanes: lanes) { index, width, mask in
          scope.bind(across.symbol, to: index)
          walk(width == 1 && mask == nil ? nil : .init(across.symbol, count: width, mask: mask))
        }
      } else {
        walk(nil)
      }
    }
    rest((isPacked ? before : [])[...])

    let length = TaskSplit.estimate(shape[form.axis])
    try context.append(
      scope, tasks: taskAxes.reduce(parts) { $0 * $1.extent },
      grain: TaskSplit.grain(elementsPerTask: length * (across == nil ? 4 : part), cost: form.body.cost + 1),
      flops: type.count * Dim(form.body.flops + 1),
      bytes: context.bytes(reading: form.body.operands, writing: context.result),
      name: "scan_\(form.combine.rawValue)_\(type.element)_"
        + shape.map { Symbol.sanitizedName("\($0)") }.joined(separator: "x") + "_axis\(form.axis)")
  }
}
