import SinterCore
import SinterForms
import SinterKernelIR

/// Convolutions over channels-last images.
///
/// With enough channels a convolution is a matrix product whose rows are the result's pixels and whose reduced axes are the window and the
/// channels: a tile's rows start at their own pixels, and from there all walk the window alike, so nothing is copied but the border. A
/// convolution with one channel a group works on vectors of channels. What is neither is a sum over the window, one element at a time.
struct ConvolveSchedule {
  let form: ConvolveForm

  /// Whether products can serve a form.
  static func serves(_ form: ConvolveForm, _ context: ScheduleContext) -> Bool {
    form.channelsLast && (form.accumulate == .f32 || form.accumulate == .f64)
      && [form.input, form.weight].allSatisfy { context.element($0).isOperand(of: form.accumulate) }
  }

  /// Whether each channel is a group of its own, for weights [m, c / groups, kernel…]: such a convolution reads whole vectors of channels, which
  /// it widens as it reads them. In 16 bits they take half of the memory, which is what it waits for.
  static func isDepthwise(_ form: ConvolveForm, _ weight: [Dim]) -> Bool {
    !form.isTransposed && weight[1] == 1 && weight[0] == Dim(form.groups)
  }

  /// What transforms can do for the form that computes the context's result.
  ///
  /// - Parameter directSpeed: how many times as fast as by multiply-adds of f32 the direct way is.
  static func candidate(_ form: ConvolveForm, directSpeed: Double = 1, _ context: ScheduleContext) -> WinogradCandidate?
  {
    guard serves(form, context), NarrowConvolveSchedule(form, context) == nil else { return nil }
    if form.isTransposed { return TransposedSchedule.candidate(form, context) }
    return ConvolveChannels(form, context: context).flatMap {
      WinogradCandidate(
        form, channels: $0, input: context.shape(form.input), result: context.shape(context.result),
        machine: context.machine, directSpeed: directSpeed,
        weights: context.constant(form.weight).map { $0.element == .f32 ? .aheadOrInRuns : .ahead } ?? .inRuns)
    }
  }

  static func schedule(_ form: ConvolveForm, context: inout ScheduleContext) throws {
    if let narrow = NarrowConvolveSchedule(form, context) { return try narrow.run(&context) }
    var form = form
    if serves(form, context), !isDepthwise(form, context.shape(form.weight)) {
      form.input = try context.widened(form.input, to: form.accumulate)
    }
    if form.isTransposed { return try TransposedSchedule.schedule(form, context: &context) }
    guard serves(form, context), let channels = ConvolveChannels(form, context: context) else {
      let values = context.values
      return try ReduceSchedule.schedule(
        form.reduction(result: context.type(context.result)) { values[$0].type }, context: &context)
    }
    if channels.perGroup == 1, channels.results == channels.groups {
      return try DepthwiseSchedule(form: form, channels: channels.groups).run(&context)
    }
    let direct = ConvolveSchedule(form: form)
    guard let plan = context.transforms[context.result] else { return try _ = direct.product(channels, &context) }
    var winograd = WinogradSchedule(form: form, plan: plan)
    guard let least = plan.leastPlaces else { return try winograd.run(&context) }
    // Both ways read the same panels of weights.
    let places = context.shape(context.result).dropLast().reduce(Dim(1), *)
    try context.branch(
      places, atLeast: least, otherwise: { winograd.source = try direct.product(channels, &$0) },
      then: { try winograd.run(&$0) })
  }

  /// The image as the window walks it: its memory, and the strides of its axes [n, spatial…, c].
  struct Image {
    var value: FormValueID
    var strides: [Dim]
  }

  /// The input in a type, with zeros around it where windows reach outside.
  func image(of element: ElementType, result: [Dim], context: inout ScheduleContext) throws -> Image {
    let shape = context.shape(form.input)
    var padded = shape
    var isInside = true
    for axis in form.window.indices {
      let reach = Dim(form.dilations[axis] * (form.window[axis] - 1) + 1)
      let needed = (result[axis + 1] - 1) * Dim(form.strides[axis]) + reach
      padded[axis + 1] = needed
      let simplifier = IndexSimplifier()
      if form.padsBegin[axis] != 0 || !simplifier.isNonNegative(simplifier.simplified(shape[axis + 1] - needed)) {
        // floor((s - r) / t) · t + r is at most s.
        let free = shape[axis + 1] - reach
        if form.padsBegin[axis] != 0 || result[axis + 1] != free / Dim(form.strides[axis]) + 1 { isInside = false }
      }
    }
    if isInside {
      return Image(value: try context.widened(form.input, to: element), strides: TensorType.strides(shape))
    }
    let builder = context.bodyBuilder()
    var condition = builder.bool(true)
    var index = shape.indices.map { builder.axis($0) }
    for axis in form.window.indices {
      let at = index[axis + 1] - builder.size(form.padsBegin[axis])
      index[axis + 1] = at
      condition = condition && (at >= builder.constant(0, .i64)) && (at < builder.size(shape[axis + 1]))
    }
    let copy = builder.body([builder.load(form.input, index, where: condition).cast(to: element)])
    let value = try context.materialize(copy, shape: padded, named: "padded")
    return Image(value: value, strides: TensorType.strides(padded))
  }

  /// Weights in panels: those of a group together, tap after tap.
  private struct Panels {
    var memory: Factor.Source
    /// Elements of a group.
    var groupStep: Dim
    /// Of constant weights, whose last panel is no wider than it need be.
    var layout: PanelLayout?
    /// Elements of one step, and of a panel, where all panels are alike.
    var width: Int?
    var panelStep: Int?
  }

  private func panels(
    _ layout: PanelLayout, _ channels: ConvolveChannels, _ context: inout ScheduleContext
  ) throws -> Panels {
    if let weights = context.constant(form.weight) {
      let buffer = try form.packedWeights(weights, layout, groups: channels.groups, &context)
      return Panels(memory: .packed(buffer, weights.element), groupStep: Dim(layout.count), layout: layout)
    }
    let b = context.bodyBuilder()
    let axes = (0..<(3 + form.window.count)).map { b.axis($0) }
    let m = axes[0] * b.constant(layout.columns, .i64) + axes[1]
    let body = b.body([b.load(form.weight, [m, axes[axes.count - 1]] + axes[2..<(axes.count - 1)])])
    let made = try context.panels(
      body, outer: [Dim(channels.groups)], own: [Dim(layout.columns)],
      depth: (form.window + [channels.perGroup]).map { Dim($0) }, width: layout.width, element: form.accumulate,
      named: "weight panels")
    return Panels(
      memory: .value(made.value), groupStep: made.outerStrides[0], width: made.width, panelStep: made.panelStep.value)
  }

  /// - Returns: the panels that constant weights are packed in.
  private func product(_ channels: ConvolveChannels, _ context: inout ScheduleContext) throws -> PanelLayout? {
    let shape = context.shape(context.result)
    let rank = form.window.count
    let image = try image(of: form.accumulate, result: shape, context: &context)
    let machine = context.machine
    let columns = channels.results / channels.groups
    let taps = form.window.reduce(1, *)
    let depth = taps * channels.perGroup

    let pixels = ConvolvePixels(form, result: shape, image: image.strides)
    var window = (0..<rank).map { axis in
      TileKernel.Reduction(
        extent: Dim(form.window[axis]), lhsStride: Dim(form.dilations[axis]) * image.strides[axis + 1],
        rhsStride: Dim(form.window[(axis + 1)...].reduce(channels.perGroup, *)))
    }
    window.append(.init(extent: Dim(channels.perGroup), lhsStride: 1, rhsStride: 1))
    let meetings = TapMeetings(form, input: context.shape(form.input), result: shape)
    let isNarrow = DotKernel.serves(
      columns: columns, run: window.collapsed().last?.extent.value ?? 1, lanes: machine.lanes(form.accumulate),
      machine: machine)
    let lanes = machine.lanes(form.accumulate, columns: isNarrow ? nil : columns)
    let tile =
      isNarrow
      ? DotKernel.tile(rows: pixels.rows.extent.value, columns: columns, machine: machine)
      : context.choice?.tile
        ?? .choose(
          rows: pixels.rows.extent.value, columns: columns, lanes: lanes, machine: machine, depth: depth,
          period: pixels.period,
          rowBytes: pixels.rowStride.map { $0 * form.accumulate.bits / 8 },
          factor: { meetings.cost(rows: $0, machine) })
    let bounds = TapBounds(
      meetings, window: window, rows: tile.rows,
      stepCycles: Double(isNarrow ? tile.rows * columns : tile.accumulators * lanes)
        / Double(2 * machine.lanes(form.accumulate)),
      splitsLast: !isNarrow)
    let storeLanes = isNarrow ? DotKernel.storeLanes(columns) : lanes
    func plan(step: Int?) -> ProductPlan {
      ProductPlan(
        rows: pixels.rows.extent, columns: Dim(columns), depth: Dim(depth), tile: tile, lanes: storeLanes,
        elementBytes: form.accumulate.bits / 8, outer: Dim(channels.groups), machine: machine, step: step)
    }
    let inner = bounds.loops.last?.extent.value ?? depth
    let widening =
      isNarrow || context.constant(form.weight) == nil
      ? nil
      : PanelWidening.step(
        plan(step: nil), depth: depth, inner: inner, weights: context.element(form.weight),
        accumulate: form.accumulate, machine: machine)
    // A window as large as an image, as gradients of weights have it, makes panels that no cache keeps: part after part of the window is done
    // for all rows.
    let panelBytes = depth * tile.vectors * lanes * form.accumulate.bits / 8
    let isLong = !isNarrow && widening == nil && inner < depth && panelBytes > machine.level2
    var (steppedLoops, part) = (1, inner)
    if isLong {
      // A dilated window has no more than an element's channels in its innermost loop, too few for sums to wait after.
      for loop in bounds.loops.dropLast().reversed() {
        guard let extent = loop.extent.value, panelBytes / depth * part * extent <= machine.level2 / 4 else { break }
        (steppedLoops, part) = (steppedLoops + 1, part * extent)
      }
    }
    let step = widening ?? (isLong ? part : nil)
    let plan = plan(step: step == depth ? nil : step)
    let layout = PanelLayout(
      columns: columns, depth: depth, lanes: isNarrow ? 1 : lanes, vectors: isNarrow ? 1 : tile.vectors)
    let panels = try panels(layout, channels, &context)

    let name =
      "convolve_\(form.accumulate)_\(form.window.map(String.init).joined(separator: "x"))"
      + "_s\(form.strides.map(String.init).joined(separator: "x"))_c\(channels.perGroup)_m\(columns)"
      + "_\(tile.rows)x\(plan.width)"
    let scope = context.kernel(named: name)
    let b = scope.builder
    var task = scope.taskNumbers()
    let columnBlock = task.take(plan.columnBlocks)
    let rowBlock = task.take(plan.rowBlocks)
    let group = channels.groups > 1 ? scope.bind(task.take(Dim(channels.groups))) : nil
    let groupIndex = group.map { Dim($0) } ?? 0
    let (lhs, rhs) = (
      scope.memory(image.value), Factor(source: panels.memory, base: 0, strides: []).memory(scope)
    )
    var tiles = TileKernel(
      scope: scope, lhs: lhs, rhs: rhs, accumulate: form.accumulate, lanes: lanes, reductions: bounds.loops,
      isPacked: true,
      usualTile: tile)
    tiles.panelWidth = panels.width
    let kernel: any TileSums =
      isNarrow
      ? DotKernel(
        scope: scope, lhs: lhs, rhs: rhs, accumulate: form.accumulate, lanes: lanes, columns: columns,
        columnStep: b.index(depth), reductions: bounds.loops)
      : tiles
    let groupOffset = scope.index(groupIndex * Dim(channels.perGroup))
    var product = ProductKernel(
      plan: plan, kernel: kernel, packed: panels.layout, panelStep: panels.panelStep.map { b.index($0) },
      askDistance: panels.panelStep, rhsBase: scope.index(groupIndex * panels.groupStep),
      rowOffsets: { pixels.offsets(first: $0, count: $1, base: groupOffset, tileRows: tile.rows, scope) },
      reductions: bounds.isEmpty ? nil : { bounds.loops(first: $0, count: $1, scope) })
    if let widening {
      product.widen(tiles, step: widening)
    } else if isLong {
      (product.stepped, product.steppedLoops) = (tiles, steppedLoops)
    }
    var store = TileStore(
      scope: scope, epilogue: form.epilogue, result: context.result, shape: shape,
      axes: [Dim](repeating: 0, count: shape.count), extents: [:])
    if let group { store.extents[group] = Dim(channels.groups) }
    store.columnOffset = groupIndex * Dim(columns)
    let columnGroup = CollapsedAxes.Group(axes: 0..<1, extent: Dim(columns), strides: [1])
    product.storesLong = store.isLong
    product.emit(rowBlock: rowBlock, columnBlock: columnBlock) { rows, column, vectors, masks, sums in
      store.emit(
        rows: rows, vectors: vectors, lanes: storeLanes, column: column, masks: masks, sums: sums,
        rowGroup: pixels.rows,
        rowFirst: 0,
        columnGroup: columnGroup, columnFirst: rank + 1)
    }
    let elements = shape.reduce(Dim(1), *)
    let read = context.shape(form.input).reduce(Dim(1), *) + context.shape(form.weight).reduce(Dim(1), *)
    try context.append(
      scope, tasks: plan.tasks, grain: plan.grain, flops: elements * Dim(2 * depth),
      bytes: (elements + read) * Dim(form.accumulate.bits / 8))
    return panels.layout
  }
}

extension ConvolveForm {
  /// Constant weights [m, c, taps…] in panels, a group after the other, tap after tap.
  func packedWeights(
    _ weights: HostTensor, _ layout: PanelLayout, groups: Int = 1, _ context: inout ScheduleContext
  ) throws -> BufferID {
    let taps = window.reduce(1, *)
    let offsets = (0..<taps).flatMap { tap in (0..<(layout.depth / taps)).map { $0 * taps + tap } }
    return try packedWeights(weights, layout, groups: groups, columnStride: layout.depth, offsets, &context)
  }

  /// Constant weights in panels, a group after the other.
  ///
  /// - Parameters:
  ///   - columnStride: elements from one channel of the result to the next.
  ///   - offsets: where each step of a panel lies in a channel's weights.
  func packedWeights(
    _ weights: HostTensor, _ layout: PanelLayout, groups: Int, columnStride: Int, _ offsets: [Int],
    _ context: inout ScheduleContext
  ) throws -> BufferID {
    let key = ScheduleContext.PackingKey(
      value: weight, base: 0, columnStride: columnStride, depthOffsets: offsets, layout: layout)
    let buffer = context.packedConstant(key) {
      layout.pack(weights, groups: groups, stride: columnStride, offsets)
    }
    guard let buffer else {
      throw DiagnosticError(.bug, "convolve.pack", "weights of type \(weights.element) cannot be packed")
    }
    return buffer
  }
}

/// The channels of a convolution as numbers.
struct ConvolveChannels {
  var groups: Int
  /// Channels of the input a group.
  var perGroup: Int
  /// Channels of the result in all.
  var results: Int

  init?(_ form: ConvolveForm, context: ScheduleContext) {
    let weight = context.shape(form.weight)
    guard let results = weight[0].value, let perGroup = weight[1].value, results > 0, perGroup > 0 else { return nil }
    groups = form.groups
    self.perGroup = perGroup
    self.results = results
  }
}

extension PanelLayout {
  /// The panels of each group of columns, one group after another.
  ///
  /// - Parameter stride: from one column's weights to the next, where it is not the depth of the panels.
  func pack(_ weights: HostTensor, groups: Int, stride: Int? = nil, _ offsets: [Int]) -> HostTensor? {
    let step = stride ?? depth
    if groups == 1 { return pack(weights, base: 0, columnStride: step, depthOffsets: offsets) }
    let parts = (0..<groups).compactMap {
      pack(weights, base: $0 * columns * step, columnStride: step, depthOffsets: offsets)
    }
    return parts.count == groups ? HostTensor(joining: parts, weights.element) : nil
  }
}
