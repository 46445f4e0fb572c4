import SinterCore
import SinterForms
import SinterKernelIR

/// Transposed convolutions over channels-last images.
///
/// Each phase of the result (see `TransposedAxis`) is a convolution with stride 1, thus a product whose rows are the phase's pixels and whose
/// reduced axes are its taps and the channels. One kernel does all phases, a task belonging to one of them; weights are packed phase by
/// phase, and a tile's rows are stored to the places of its phase. Nothing is copied but the border of the input, where there is one.
struct TransposedSchedule {
  let form: ConvolveForm
  let axes: [TransposedAxis]
  let input: [Dim]
  let shape: [Dim]
  /// One channel a group: the channels are columns of one group then, each with weights of its own.
  let isDepthwise: Bool
  let groups: Int
  /// Channels of the input and of the result, a group.
  let depth: Int
  let columns: Int

  /// Phases beyond which there is no table of them.
  private static let mostPhases = 1 << 12

  static func schedule(_ form: ConvolveForm, context: inout ScheduleContext) throws {
    guard ConvolveSchedule.serves(form, context), let schedule = TransposedSchedule(form, context: context) else {
      let values = context.values
      return try ReduceSchedule.schedule(
        form.reduction(result: context.type(context.result)) { values[$0].type }, context: &context)
    }
    if let plan = context.transforms[context.result] {
      return try WinogradSchedule(form: form, plan: plan, transposed: schedule.axes).run(&context)
    }
    try schedule.run(&context)
  }

  /// What transforms can do for the form that computes the context's result.
  static func candidate(_ form: ConvolveForm, _ context: ScheduleContext) -> WinogradCandidate? {
    TransposedSchedule(form, context: context).flatMap {
      WinogradCandidate(
        form, axes: $0.axes, channels: $0.depth, result: $0.shape, machine: context.machine,
        weights: context.constant(form.weight) == nil ? .inRuns : .ahead)
    }
  }

  /// Nil where there are too many phases, or numbers of channels are not known.
  private init?(_ form: ConvolveForm, context: ScheduleContext) {
    let rank = form.window.count
    let weights = context.shape(form.weight).prefix(2).compactMap(\.value)
    guard weights.count == 2, weights[0] > 0, weights[1] > 0, form.strides.allSatisfy({ $0 <= Self.mostPhases }),
      zip(form.window, form.dilations).allSatisfy({ $0 * $1 <= Self.mostPhases })
    else { return nil }
    (input, shape) = (context.shape(form.input), context.shape(context.result))
    let (input, shape) = (input, shape)
    axes = (0..<rank).map {
      TransposedAxis(
        input: input[$0 + 1], result: shape[$0 + 1], window: form.window[$0], stride: form.strides[$0],
        dilation: form.dilations[$0], pad: form.padsBegin[$0])
    }
    guard axes.reduce(1, { Swift.min($0 * $1.stride, Self.mostPhases + 1) }) <= Self.mostPhases else { return nil }
    self.form = form
    depth = weights[0] / form.groups
    isDepthwise = depth == 1 && weights[1] == 1
    groups = isDepthwise ? 1 : form.groups
    columns = isDepthwise ? form.groups : weights[1]
  }

  // MARK: Operands

  /// The input with the zeros around it that phases meet.
  private func image(_ context: inout ScheduleContext) throws -> FormValueID {
    if zip(axes, input[1...]).allSatisfy({ $0.isInside($1) }) { return form.input }
    let builder = context.bodyBuilder()
    var condition = builder.bool(true)
    var index = input.indices.map { builder.axis($0) }
    for (axis, size) in zip(axes.indices, input[1...]) {
      let at = index[axis + 1] - builder.size(axes[axis].before)
      index[axis + 1] = at
      condition = condition && (at >= builder.constant(0, .i64)) && (at < builder.size(size))
    }
    let copy = builder.body([builder.load(form.input, index, where: condition)])
    return try context.materialize(
      copy, shape: [input[0]] + axes.map(\.needed) + [input[input.count - 1]], named: "padded")
  }

  /// Weights in panels.
  private struct Panels {
    var memory: Factor.Source
    /// Elements of a group, and of a tap before those of a phase.
    var groupStep: Dim
    var tapStep: Int
    /// Of constant weights: the taps of a phase are together, so that phases decide how far panels are apart.
    var layout: PanelLayout?
    /// Of computed ones: elements of one step, and from one panel to the next.
    var width: Int?
    var panelStep: Int?
  }

  private func panels(_ layout: PanelLayout, _ context: inout ScheduleContext) throws -> Panels {
    if let weights = context.constant(form.weight) { return try packed(weights, layout, &context) }
    return try computed(width: layout.width, &context)
  }

  /// Constant weights [c, m / groups, taps…]: those of a group together, in it those of a phase.
  private func packed(_ weights: HostTensor, _ layout: PanelLayout, _ context: inout ScheduleContext) throws -> Panels {
    let all = form.window.reduce(1, *)
    let parts = axes.parts(window: form.window).map { taps in
      taps.flatMap { tap in (0..<depth).map { $0 * columns * all + tap } }
    }
    let key = ScheduleContext.PackingKey(
      value: form.weight, base: 0, columnStride: all, depthOffsets: parts.flatMap(\.self), layout: layout,
      parts: parts.map(\.count))
    let buffer = context.packedConstant(key) {
      var pieces: [HostTensor] = []
      for group in 0..<groups {
        for part in parts {
          var own = layout
          own.depth = part.count
          guard
            let piece = own.pack(weights, base: group * depth * columns * all, columnStride: all, depthOffsets: part)
          else { return nil }
          pieces.append(piece)
        }
      }
      return HostTensor(joining: pieces, weights.element)
    }
    guard let buffer else {
      throw DiagnosticError(.bug, "convolve.pack", "weights of type \(weights.element) cannot be packed")
    }
    // Weights of one tap are `layout.count` elements: depth × columns, filled up to whole vectors.
    return Panels(
      memory: .packed(buffer, weights.element), groupStep: Dim(layout.count * all), tapStep: layout.count,
      layout: layout)
  }

  /// Computed weights: in each panel all taps, those of a phase together.
  private func computed(width: Int, _ context: inout ScheduleContext) throws -> Panels {
    let order = axes.parts(window: form.window).flatMap(\.self)
    let strides = TensorType.strides(form.window.map { Dim($0) }).compactMap(\.value)
    let table = HostTensor.i64(
      [order.count, form.window.count],
      order.flatMap { tap in form.window.indices.map { tap / strides[$0] % form.window[$0] } })
    let taps = context.addValue(table, named: "taps")
    let b = context.bodyBuilder()
    // Group, column, tap, depth.
    let axis = (0..<4).map { b.axis($0) }
    let places = form.window.indices.map { b.load(taps, [axis[2], b.constant($0, .i64)]) }
    let channels =
      isDepthwise ? [axis[1], b.constant(0, .i64)] : [axis[0] * b.constant(depth, .i64) + axis[3], axis[1]]
    let made = try context.panels(
      b.body([b.load(form.weight, channels + places)]), outer: [Dim(groups)], own: [Dim(columns)],
      depth: [Dim(order.count), Dim(depth)], width: width, element: form.accumulate, named: "weight panels")
    return Panels(
      memory: .value(made.value), groupStep: made.outerStrides[0], tapStep: depth * width, width: width,
      panelStep: made.panelStep.value)
  }

  // MARK: The kernel

  func run(_ context: inout ScheduleContext) throws {
    let rank = form.window.count
    let image = try image(&context)
    let strides = TensorType.strides(context.shape(image))
    let machine = context.machine
    let taps = form.window.reduce(1, *)
    // Of a typical phase.
    let ownTaps = zip(axes, form.window).reduce(1) { $0 * (($1.1 + $1.0.stride - 1) / $1.0.stride) }

    let pixels = [shape[0]] + axes.map(\.places)
    let collapsed = CollapsedAxes(extents: pixels, strides: [Array(strides[...rank])]).groups
    let rows = CollapsedAxes.Group(axes: pixels.indices, extent: pixels.reduce(1, *), strides: [0])
    let line = collapsed.last?.extent
    let isNarrow = DotKernel.serves(
      columns: columns, run: depth, lanes: machine.lanes(form.accumulate), machine: machine)
    let lanes = machine.lanes(form.accumulate, columns: isNarrow ? nil : columns)
    let tile =
      if isNarrow {
        DotKernel.tile(rows: rows.extent.value, columns: columns, machine: machine)
      } else if isDepthwise {
        RegisterTile(rows: Swift.min(rows.extent.value ?? 4, 4), vectors: Swift.min((columns + lanes - 1) / lanes, 2))
      } else {
        RegisterTile.choose(
          rows: rows.extent.value, columns: columns, lanes: lanes, machine: machine, depth: ownTaps * depth,
          period: collapsed.count > 1 ? line?.value : nil,
          rowBytes: collapsed.last?.strides[0].value.map { $0 * form.accumulate.bits / 8 })
      }
    let storeLanes = isNarrow ? DotKernel.storeLanes(columns) : lanes
    let phases = axes.map(\.phases)
    let plan = ProductPlan(
      rows: rows.extent, columns: Dim(columns), depth: Dim(ownTaps * depth), tile: tile, lanes: storeLanes,
      elementBytes: form.accumulate.bits / 8, outer: Dim(groups * phases.reduce(1, *)), machine: machine)
    let layout =
      if isNarrow {
        PanelLayout(columns: columns, depth: depth, lanes: 1, vectors: 1)
      } else if isDepthwise {
        PanelLayout(columns: columns, depth: depth, lanes: columns, vectors: 1)
      } else {
        PanelLayout(columns: columns, depth: depth, lanes: lanes, vectors: tile.vectors)
      }
    let panels = try panels(layout, &context)

    let sides = form.window.map(String.init).joined(separator: "x")
    let scope = context.kernel(
      named: "transposed_\(form.accumulate)_\(sides)_s\(form.strides.map(String.init).joined(separator: "x"))"
        + "_c\(depth)_m\(columns)_\(tile.rows)x\(plan.width)")
    let b = scope.builder
    var task = scope.taskNumbers()
    let columnBlock = task.take(plan.columnBlocks)
    let rowBlock = task.take(plan.rowBlocks)
    let places = phases.reversed().map { task.take(Dim($0)) }.reversed()
    let group = groups > 1 ? scope.bind(task.take(Dim(groups))) : nil
    let groupIndex = group.map { Dim($0) } ?? 0
    let phase = TransposedPhase(
      axes, window: form.window, places: Array(places), table: context.addConstant(axes.table, named: "phases"), scope)
    let corner = zip(axes.indices, phase.starts).reduce(b.index(0)) { sum, start in
      b.add(
        sum, b.multiply(b.add(start.1, scope.dim(axes[start.0].before)), scope.dim(strides[start.0 + 1])))
    }

    var reductions: [TileKernel.Reduction] = []
    for axis in 0..<rank {
      reductions.append(
        .init(
          extent: phase.taps[axis], lhsStride: Dim(axes[axis].tapStep) * strides[axis + 1],
          rhsStride: phase.taps[(axis + 1)...].reduce(Dim(isDepthwise ? columns : depth), *)))
    }
    if !isDepthwise { reductions.append(.init(extent: Dim(depth), lhsStride: 1, rhsStride: 1)) }
    let rhsBase = b.add(b.multiply(phase.before, panels.tapStep), scope.index(groupIndex * panels.groupStep))
    let (lhs, rhs) = (scope.memory(image), Factor(source: panels.memory, base: 0, strides: []).memory(scope))
    var tiles = TileKernel(
      scope: scope, lhs: lhs, rhs: rhs, accumulate: form.accumulate, lanes: lanes, reductions: reductions.collapsed(),
      isPacked: true, usualTile: tile)
    tiles.panelWidth = panels.width
    let ownTapsOfPhase = phase.taps.reduce(Dim(1), *)
    let kernel: any TileSums =
      if isNarrow {
        DotKernel(
          scope: scope, lhs: lhs, rhs: rhs, accumulate: form.accumulate, lanes: lanes, columns: columns,
          columnStep: panels.panelStep.map { b.index($0) } ?? scope.index(ownTapsOfPhase * Dim(depth)),
          reductions: reductions.collapsedKeepingNumbers())
      } else if isDepthwise {
        DepthwiseSums(
          scope: scope, lhs: lhs, rhs: rhs, accumulate: form.accumulate, lanes: lanes, rhsBase: rhsBase,
          reductions: reductions)
      } else {
        tiles
      }
    let first = b.add(corner, scope.index(groupIndex * Dim(depth)))

    /// The offset of a pixel, from its number within the phase.
    func offset(_ pixel: Register) -> Register {
      zip(scope.unflatten(pixel, collapsed.map(\.extent)), collapsed).reduce(first) {
        b.add($0, b.multiply($1.0, scope.dim($1.1.strides[0])))
      }
    }
    let staysInLine = collapsed.count == 1 || (line?.value.map { $0 % tile.rows == 0 } ?? false)
    let product = ProductKernel(
      plan: plan, kernel: kernel, packed: isDepthwise ? nil : panels.layout,
      panelStep: isDepthwise
        ? nil : panels.panelStep.map { b.index($0) } ?? scope.index(ownTapsOfPhase * Dim(layout.width * depth)),
      rhsBase: rhsBase,
      rowOffsets: { row, count in
        if staysInLine {
          let stride = scope.dim(collapsed.last?.strides[0] ?? 0)
          return (offset(row), (0..<count).map { b.multiply(stride, $0) })
        }
        return (b.index(0), (0..<count).map { offset(b.add(row, $0)) })
      })
    let store = store(phase, group, scope, context)
    let columnGroup = CollapsedAxes.Group(axes: 0..<1, extent: Dim(columns), strides: [1])
    product.emit(rowBlock: rowBlock, columnBlock: columnBlock) { tileRows, column, vectors, masks, sums in
      func emit(_ own: TileRows, _ sums: TileResult) {
        store.emit(
          rows: own, vectors: vectors, lanes: storeLanes, column: column, masks: masks, sums: sums, rowGroup: rows,
          rowFirst: 0,
          columnGroup: columnGroup, columnFirst: rank + 1)
      }
      if axes.allSatisfy(\.isEven) { return emit(tileRows, sums) }
      guard case .registers(let sums) = sums else { return }
      tileRows.forEach(b) { r in
        let at = b.add(tileRows.first, r)
        b.when(exists(at, pixels, phase, scope)) {
          emit(
            TileRows(count: 1, first: at, existing: nil), .registers(Array(sums[(r * vectors)..<((r + 1) * vectors)])))
        }
      }
    }
    let elements = shape.reduce(Dim(1), *)
    let weights = context.shape(form.weight).reduce(Dim(1), *)
    let read = input.reduce(Dim(1), *) + weights
    try context.append(
      scope, tasks: plan.tasks, grain: plan.grain, flops: input.reduce(Dim(2 * taps * (isDepthwise ? 1 : columns)), *),
      bytes: (elements + read) * Dim(form.accumulate.bits / 8))
  }

  private func store(_ phase: TransposedPhase, _ group: Symbol?, _ scope: KernelScope, _ context: ScheduleContext)
    -> TileStore
  {
    var store = TileStore(
      scope: scope, epilogue: form.epilogue, result: context.result, shape: shape,
      axes: [Dim](repeating: 0, count: shape.count), extents: [:])
    if let group {
      store.extents[group] = Dim(groups)
      store.columnOffset = Dim(group) * Dim(columns)
    }
    store.lattice = phase.lattice(axes, images: shape[0])
    for (axis, place) in zip(axes, phase.place) {
      for symbol in place.symbols { store.extents[symbol] = Dim(axis.phases) }
    }
    return store
  }

  /// Whether a pixel of the phase is one of the result: the last ones of an axis may not be.
  private func exists(_ pixel: Register, _ pixels: [Dim], _ phase: TransposedPhase, _ scope: KernelScope) -> Register {
    let b = scope.builder
    var room: Register?
    for (axis, y) in zip(axes.indices, scope.unflatten(pixel, pixels).dropFirst()) where !axes[axis].isEven {
      let place = b.add(b.multiply(y, axes[axis].stride), scope.index(phase.place[axis]))
      let own = b.subtract(scope.dim(axes[axis].extent), place)
      room = room.map { b.binary(.minimum, $0, own) } ?? own
    }
    return b.compare(.greater, room ?? b.index(1), b.index(0))
  }
}

extension HostTensor {
  /// Tensors one after another, as one of one axis.
  init(joining parts: [HostTensor], _ element: ElementType) {
    let bytes = TensorBytes(count: parts.reduce(0) { $0 + $1.bytes.count }) { memory in
      var at = 0
      for part in parts {
        part.bytes.withBytes { UnsafeMutableRawBufferPointer(rebasing: memory[at...]).copyMemory(from: $0) }
        at += part.bytes.count
      }
    }
    self.init(element, [parts.reduce(0) { $0 + $1.count }], bytes: bytes)
  }
}
