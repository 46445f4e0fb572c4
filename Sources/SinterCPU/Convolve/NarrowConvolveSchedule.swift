import SinterCore
import SinterForms
import SinterKernelIR

/// Convolutions of bytes or of bf16 over channels-last images, in 32-bit sums: products whose rows are the result's pixels and whose reduced axes
/// are the window and the channels, several elements along them at a time.
///
/// The image is read as it lies, or with zeros around it where windows reach outside; a form whose outside is another number has it in its
/// input already.
struct NarrowConvolveSchedule {
  let form: ConvolveForm
  let weights: HostTensor
  let channels: ConvolveChannels
  let operation: TileOperation

  /// Nil where the form is no convolution of such types with constant weights, or no faster as one.
  init?(_ form: ConvolveForm, _ context: ScheduleContext) {
    guard form.channelsLast, !form.isTransposed, let weights = context.constant(form.weight),
      let channels = ConvolveChannels(form, context: context),
      let operation = context.machine.fastOperation(
        context.element(form.input), weights.element, in: form.accumulate)
    else { return nil }
    self.form = form
    self.weights = weights
    self.channels = channels
    self.operation = operation
  }

  func run(_ context: inout ScheduleContext) throws {
    if channels.perGroup == 1, channels.results == channels.groups {
      return try DepthwiseSchedule(form: form, channels: channels.groups).run(&context)
    }
    let shape = context.shape(context.result)
    let rank = form.window.count
    let image = try ConvolveSchedule(form: form).image(of: operation.rowElement, result: shape, context: &context)
    if try runTiles(image, &context) { return }
    let machine = context.machine.tiling(with: operation)
    let columns = channels.results / channels.groups
    let taps = form.window.reduce(1, *)
    let depth = taps * channels.perGroup
    let pixels = ConvolvePixels(form, result: shape, image: image.strides)
    let steps = DepthSteps(reductions(image), operation: operation)
    let least = Swift.min(4, machine.lanes(form.accumulate))
    let lanes = Swift.max(least, machine.lanes(form.accumulate, columns: columns))
    let tile =
      context.choice?.tile
      ?? .choose(
        rows: pixels.rows.extent.value, columns: columns, lanes: lanes, machine: machine,
        depth: depth / operation.depth,
        period: pixels.period, rowBytes: pixels.rowStride.map { $0 * operation.rowElement.bits / 8 })
    let offsets = steps.padded(weightOffsets)
    let plan = ProductPlan(
      rows: pixels.rows.extent, columns: Dim(columns), depth: Dim(offsets.count), tile: tile, lanes: lanes,
      elementBytes: operation.rowElement.bits / 8,
      outer: Dim(channels.groups), machine: machine)
    let layout = PanelLayout(
      columns: columns, depth: offsets.count, lanes: lanes, vectors: tile.vectors, interleave: operation.depth)
    let buffer = try form.packedWeights(
      weights, layout, groups: channels.groups, columnStride: depth, offsets, &context)

    let scope = context.kernel(
      named: "convolve_\(operation.left)\(operation.right)_\(form.window.map(String.init).joined(separator: "x"))"
        + "_s\(form.strides.map(String.init).joined(separator: "x"))_c\(channels.perGroup)_m\(columns)"
        + "_\(tile.rows)x\(plan.width)")
    var task = scope.taskNumbers()
    let columnBlock = task.take(plan.columnBlocks)
    let rowBlock = task.take(plan.rowBlocks)
    let group = channels.groups > 1 ? scope.bind(task.take(Dim(channels.groups))) : nil
    let groupIndex = group.map { Dim($0) } ?? 0
    let kernel = TileKernel(
      scope: scope, lhs: scope.memory(image.value), rhs: scope.memory(buffer, element: operation.right, .read),
      accumulate: form.accumulate, lanes: lanes, reductions: steps.loops, isPacked: true, usualTile: tile,
      operation: operation,
      tail: steps.tail)
    let base = scope.index(groupIndex * Dim(channels.perGroup))
    var product = ProductKernel(
      plan: plan, kernel: kernel, packed: layout, rhsBase: scope.index(groupIndex * Dim(layout.count)),
      rowOffsets: { pixels.offsets(first: $0, count: $1, base: base, tileRows: tile.rows, scope) })
    var store = TileStore(
      scope: scope, epilogue: form.epilogue, result: context.result, shape: shape,
      axes: [Dim](repeating: 0, count: shape.count), extents: [:])
    if let group { store.extents[group] = Dim(channels.groups) }
    store.columnOffset = groupIndex * Dim(columns)
    let columnGroup = CollapsedAxes.Group(axes: 0..<1, extent: Dim(columns), strides: [1])
    product.storesLong = store.isLong
    product.emit(rowBlock: rowBlock, columnBlock: columnBlock) { rows, column, vectors, masks, sums in
      store.emit(
        rows: rows, vectors: vectors, lanes: lanes, column: column, masks: masks, sums: sums, rowGroup: pixels.rows,
        rowFirst: 0,
        columnGroup: columnGroup, columnFirst: rank + 1)
    }
    let elements = shape.reduce(Dim(1), *)
    try context.append(
      scope, tasks: plan.tasks, grain: plan.grain, flops: elements * Dim(2 * depth),
      bytes: context.bytes(reading: [form.input], writing: context.result)
        + Dim(weights.element.byteCount(weights.count)))
  }
}

extension NarrowConvolveSchedule {
  /// The loops over window and channels.
  private func reductions(_ image: ConvolveSchedule.Image) -> [TileKernel.Reduction] {
    let window = form.window.indices.map { axis in
      TileKernel.Reduction(
        extent: Dim(form.window[axis]), lhsStride: Dim(form.dilations[axis]) * image.strides[axis + 1],
        rhsStride: Dim(form.window[(axis + 1)...].reduce(channels.perGroup, *)))
    }
    return (window + [.init(extent: Dim(channels.perGroup), lhsStride: 1, rhsStride: 1)]).collapsed()
  }

  /// Where a result's weights lie, in the order of these loops.
  private var weightOffsets: [Int] {
    let taps = form.window.reduce(1, *)
    return (0..<taps).flatMap { tap in (0..<channels.perGroup).map { $0 * taps + tap } }
  }

  /// The pixels of an image in the order in which they lie in memory, where windows read them there: one after the other, in two dimensions of
  /// known size, with few places between lines that have no result.
  private func spacedPixels(
    _ image: ConvolveSchedule.Image, _ shape: [Dim], _ reductions: [TileKernel.Reduction], _ operation: TileOperation
  ) -> SpacedRows? {
    guard form.window.count == 2, form.strides.allSatisfy({ $0 == 1 }), let height = shape[1].value,
      let width = shape[2].value, width > 0, let line = image.strides[1].value, let pixel = image.strides[2].value,
      line % pixel == 0, TileDotKernel.isDirect(reductions, rowPitch: pixel, operation)
    else { return nil }
    let rows = SpacedRows(kept: width, all: line / pixel, count: height * width)
    func blocks(_ count: Int) -> Int { (count + TileDot.mostRows - 1) / TileDot.mostRows }
    // Windows that are copied take a block's rows from several images.
    guard rows.places >= TileDot.mostRows, 2 * blocks(rows.places) <= 3 * blocks(rows.count) else { return nil }
    return rows
  }

  /// The same in tiles, where the processor has such and they are faster.
  ///
  /// - Returns: whether it did.
  private func runTiles(_ image: ConvolveSchedule.Image, _ context: inout ScheduleContext) throws -> Bool {
    let machine = context.machine
    let shape = context.shape(context.result)
    let rank = form.window.count
    let columns = channels.results / channels.groups
    let depth = weightOffsets.count
    let reductions = reductions(image)
    guard let operation = machine.tileDot(operation) else { return false }
    var pixels = ConvolvePixels(form, result: shape, image: image.strides)
    var (rowPitch, images) = (pixels.isEven ? pixels.rowStride : nil, Dim(1))
    var spaced =
      TileDotKernel.isDirect(reductions, rowPitch: rowPitch, operation)
      ? SpacedRows(all: pixels.rows.extent) : nil
    if !pixels.isEven, let ofOneImage = spacedPixels(image, shape, reductions, operation) {
      pixels = ConvolvePixels(form, result: shape, image: image.strides, isOneImage: true)
      (rowPitch, images, spaced) = (image.strides[rank].value, shape[0], ofOneImage)
    }
    let rows = spaced.map { Dim($0.places) } ?? pixels.rows.extent
    guard
      let tile = TileDotKernel.tile(operation, rows: rows.value, columns: columns, depth: depth, machine)
    else { return false }
    let offsets = TileDotKernel.padded(weightOffsets, operation)
    let layout = PanelLayout(
      columns: columns, depth: offsets.count, lanes: TileDot.tileRows, vectors: tile.vectors,
      interleave: operation.depth)
    let buffer = try form.packedWeights(
      weights, layout, groups: channels.groups, columnStride: depth, offsets, &context)
    let plan = ProductPlan(
      rows: rows, columns: Dim(columns), depth: Dim(offsets.count), tile: tile, lanes: layout.lanes,
      elementBytes: operation.left.bits / 8, outer: Dim(channels.groups) * images, machine: machine,
      speed: machine.tileDotSpeed(operation),
      copiesRows: !TileDotKernel.isDirect(reductions, rowPitch: rowPitch, operation))
    let scope = context.kernel(
      named: "convolve_\(operation.left)\(operation.right)_\(form.window.map(String.init).joined(separator: "x"))"
        + "_s\(form.strides.map(String.init).joined(separator: "x"))_c\(channels.perGroup)_m\(columns)"
        + "_tiles\(tile.rows)x\(plan.width)")
    var task = scope.taskNumbers()
    let columnBlock = task.take(plan.columnBlocks)
    let rowBlock = task.take(plan.rowBlocks)
    let group = channels.groups > 1 ? scope.bind(task.take(Dim(channels.groups))) : nil
    let groupIndex = group.map { Dim($0) } ?? 0
    let imageNumber = images == 1 ? nil : scope.bind(task.take(images))
    let base = scope.index(
      groupIndex * Dim(channels.perGroup) + (imageNumber.map { Dim($0) * image.strides[0] } ?? 0))
    let kernel = TileDotKernel(
      scope: scope, plan: plan, layout: layout, operation: operation, lhs: scope.memory(image.value),
      rhs: scope.memory(buffer, element: operation.right, .read),
      rhsBase: scope.index(groupIndex * Dim(layout.count)), reductions: reductions,
      rowOffset: { pixels.offset($0, base, scope) }, rowPitch: rowPitch, spaced: spaced)
    var store = TileStore(
      scope: scope, epilogue: form.epilogue, result: context.result, shape: shape,
      axes: [Dim](repeating: 0, count: shape.count), extents: [:])
    if let group { store.extents[group] = Dim(channels.groups) }
    if let imageNumber {
      store.extents[imageNumber] = images
      store.axes[0] = Dim(imageNumber)
    }
    store.columnOffset = groupIndex * Dim(columns)
    let columnGroup = CollapsedAxes.Group(axes: 0..<1, extent: Dim(columns), strides: [1])
    kernel.emit(rowBlock: rowBlock, columnBlock: columnBlock) { rows, column, vectors, masks, sums in
      store.emit(
        rows: rows, vectors: vectors, lanes: layout.lanes, column: column, masks: masks, sums: sums,
        rowGroup: pixels.rows, rowFirst: rank + 1 - pixels.rows.axes.count, columnGroup: columnGroup,
        columnFirst: rank + 1)
    }
    let elements = shape.reduce(Dim(1), *)
    try context.append(
      scope, tasks: plan.tasks, grain: plan.grain, flops: elements * Dim(2 * depth),
      bytes: context.bytes(reading: [form.input], writing: context.result)
        + Dim(weights.element.byteCount(weights.count)))
    return true
  }
}

/// The pixels of a convolution's result as rows of a product, and where their windows begin in the image.
struct ConvolvePixels {
  /// All pixels as one axis.
  let rows: CollapsedAxes.Group
  private let collapsed: [CollapsedAxes.Group]

  /// - Parameters:
  ///   - result: [n, spatial…, channels].
  ///   - image: the strides of the image's axes, in the same order.
  ///   - isOneImage: the pixels of one image alone, not those of all.
  init(_ form: ConvolveForm, result: [Dim], image: [Dim], isOneImage: Bool = false) {
    let rank = form.window.count
    let all = isOneImage ? 1...rank : 0...rank
    let extents = Array(result[all])
    let steps = all.map { $0 == 0 ? image[0] : Dim(form.strides[$0 - 1]) * image[$0] }
    collapsed = CollapsedAxes(extents: extents, strides: [steps]).groups
    rows = CollapsedAxes.Group(axes: extents.indices, extent: extents.reduce(1, *), strides: [0])
  }

  /// Whether all windows are evenly spaced.
  var isEven: Bool { collapsed.count <= 1 }
  /// Pixels after which windows are no longer evenly spaced, where there are such and their number is known.
  var period: Int? { collapsed.count > 1 ? collapsed.last?.extent.value : nil }
  /// From one window to the next, where known.
  var rowStride: Int? { collapsed.last?.strides[0].value }

  /// Where the window of a pixel begins, and what each of `count` pixels from it on adds.
  func offsets(
    first: Register, count: Int, base: Register, tileRows: Int, _ scope: KernelScope
  ) -> (base: Register, deltas: [Register]) {
    let b = scope.builder
    if isEven || (period.map { $0 % tileRows == 0 } ?? false) {
      let stride = scope.dim(collapsed.last?.strides[0] ?? 0)
      return (offset(first, base, scope), (0..<count).map { b.multiply(stride, $0) })
    }
    return (b.index(0), (0..<count).map { offset(b.add(first, $0), base, scope) })
  }

  /// Where the window of a pixel begins.
  func offset(_ pixel: Register, _ base: Register, _ scope: KernelScope) -> Register {
    let b = scope.builder
    var (rest, sum) = (pixel, base)
    for (position, axes) in collapsed.enumerated().reversed() {
      let isFirst = position == 0
      let index = isFirst ? rest : b.binary(.modulo, rest, scope.dim(axes.extent))
      if !isFirst { rest = b.binary(.floorDivide, rest, scope.dim(axes.extent)) }
      sum = b.add(sum, b.multiply(index, scope.dim(axes.strides[0])))
    }
    return sum
  }
}
