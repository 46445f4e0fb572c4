import SinterCore
import SinterForms
import SinterKernelIR

/// A copy of the base, then the updates one after another.
///
/// An axis of the domain that is itself an index of the result keeps its updates apart from all others: such axes
/// become tasks and, where the innermost one is also the result's innermost, lanes. The other axes are walked in order,
/// so that the last write stands.
enum ScatterSchedule {
  static func schedule(_ form: ScatterForm, context: inout ScheduleContext) throws {
    let type = context.type(context.result)
    if type.count.value == 0 { return }
    try ElementSchedule.schedule(ElementForm(body: form.base), context: &context)
    if form.domain.reduce(Dim(1), *).value == 0 { return }
    try update(form, type, context: &context)
  }

  private static func update(_ form: ScatterForm, _ type: TensorType, context: inout ScheduleContext) throws {
    let scope = context.kernel(named: "scatter")
    let builder = scope.builder
    let rank = form.domain.count
    let apart = (0..<rank).map { axis in
      form.update.results.prefix(type.rank).contains { form.update[$0].node == .axis(axis) }
    }
    let body = Self.placed(form, type, context: context)
    let symbols = (0..<rank).map { _ in scope.newSymbol() }
    let extents = Dictionary(uniqueKeysWithValues: zip(symbols, form.domain))
    let emitter = BodyEmitter(body, scope: scope, axes: symbols.map { Dim($0) }, extents: extents)
    let output = scope.memory(context.result, .readWrite)
    guard let flat = emitter.indices.dims[body.results[0].position] else { return }

    func write(_ lanes: BodyEmitter.Lanes?) {
      emitter.scoped {
        emitter.lanes = lanes
        let inside = body.results[1]
        func put(_ mask: Register?) {
          emitter.prepare(flat)
          var value = emitter.vector(body.results[2])
          let isRun = lanes != nil && emitter.stride(of: flat)?.value == 1
          let at = lanes == nil || isRun ? scope.index(flat) : emitter.laneIndex(flat)
          if let combine = form.combine, let function = combine.function {
            let old =
              lanes == nil || isRun
              ? builder.load(output, at: at, lanes: emitter.laneCount, mask: mask)
              : builder.gather(output, at: at, mask: mask)
            let compute = Combiner(combine, element: type.element, builder: builder).element
            value = builder.binary(function, builder.cast(old, to: compute), builder.cast(value, to: compute))
          }
          value = builder.cast(value, to: type.element)
          if lanes == nil || isRun {
            builder.store(value, output, at: at, mask: mask)
          } else {
            builder.scatter(value, output, at: at, mask: mask)
          }
        }
        if emitter.isUniform(inside) {
          if emitter.indices.known[inside] == true { return put(lanes?.mask) }
          builder.when(emitter.scalar(inside)) { emitter.scoped { put(lanes?.mask) } }
        } else {
          let truth = emitter.vector(inside)
          put(lanes?.mask.map { builder.binary(.and, truth, $0) } ?? truth)
        }
      }
    }

    // Lanes may run along an axis that keeps updates apart and lies innermost in the result.
    let lastIsRun =
      rank > 0 && apart[rank - 1] && type.rank > 0
      && form.update[form.update.results[type.rank - 1]].node == .axis(rank - 1)
    let lanes = lastIsRun ? body.lanes(context.machine, result: type.element) : 1
    let isPacked = type.element.bits < 8
    let loops = lanes > 1 ? Array(0..<(rank - 1)) : Array(0..<rank)
    let tasks = isPacked ? [] : loops.filter { apart[$0] }
    let numbers = scope.unflatten(builder.task, tasks.map { form.domain[$0] })
    for (axis, number) in zip(tasks, numbers) { scope.bind(symbols[axis], to: number) }
    func nest(_ axes: ArraySlice<Int>) {
      if let axis = axes.first {
        builder.loop("u\(axis)", from: builder.index(0), to: scope.dim(form.domain[axis])) { index in
          emitter.scoped {
            scope.bind(symbols[axis], to: index)
            nest(axes.dropFirst())
          }
        }
      } else if lanes > 1 {
        emitter.hoist(Set(symbols.dropLast()), loads: true)
        scope.vectorLoop("v", over: scope.stretch(form.domain[rank - 1]), lanes: lanes) { index, width, mask in
          scope.bind(symbols[rank - 1], to: index)
          write(width == 1 && mask == nil ? nil : .init(symbols[rank - 1], count: width, mask: mask))
        }
      } else {
        write(nil)
      }
    }
    nest(loops.filter { !tasks.contains($0) }[...])

    let each = (0..<rank).filter { !tasks.contains($0) }.reduce(1) { $0 * TaskSplit.estimate(form.domain[$1]) }
    try context.append(
      scope, tasks: tasks.reduce(Dim(1)) { $0 * form.domain[$1] },
      grain: TaskSplit.grain(elementsPerTask: each, cost: 4 * (form.update.cost + 2)),
      bytes: context.bytes(reading: form.update.operands, writing: context.result),
      name: "scatter_\(form.combine?.rawValue ?? "set")_\(type.element)_"
        + form.domain.map { Symbol.sanitizedName("\($0)") }.joined(separator: "x"))
  }

  /// The update's body with results: the element it goes to, whether that lies inside, the value.
  private static func placed(_ form: ScatterForm, _ type: TensorType, context: ScheduleContext) -> Body {
    let builder = BodyBuilder(elementType: context.element)
    let results = builder.inline(form.update, axes: form.domain.indices.map { builder.axis($0) })
    var flat = builder.constant(0, .i64)
    var inside = builder.bool(true)
    for (axis, stride) in TensorType.strides(type.shape).enumerated() {
      let index = results[axis].cast(to: .i64)
      flat = flat + index * builder.size(stride)
      inside = inside && (index >= builder.constant(0, .i64)) && (index < builder.size(type.shape[axis]))
    }
    return builder.body([flat, inside, results[type.rank]])
  }
}
