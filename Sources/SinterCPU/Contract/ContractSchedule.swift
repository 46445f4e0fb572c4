import SinterCore
import SinterForms
import SinterKernelIR

/// Matrix products and all that comes down to them: register tiles over panels of the right side.
///
/// A right side that is constant is packed at compile time into panels (`PanelLayout`). Sides that are computed are packed by kernels of their
/// own (`ComputedPanels`) where that pays and read as they lie where not; a right side whose columns are no neighbours is at least copied so
/// that they are.
struct ContractSchedule {
  let form: ContractForm
  /// What is computed of groups of the columns; nil where the product itself is the result.
  var columnGroups: ColumnGroups?

  /// The axes of the result that are neither the collapsed rows nor the collapsed columns: batches, and rows or columns that do not collapse.
  struct Outer {
    var axis: Int
    var extent: Dim
    var lhsStride: Dim
    var rhsStride: Dim
  }

  var batchCount: Int { form.batch.count }
  private var groups: Int { columnGroups?.count ?? 1 }

  static func schedule(_ form: ContractForm, context: inout ScheduleContext) throws {
    if let blocks = BlockSchedule(form, context) { return try blocks.run(&context) }
    try ContractSchedule(form: form).run(&context)
  }

  // MARK: Sides

  /// A body as memory, copied to scratch where it is not plain memory already or where `isUsable` refuses its strides.
  func side(
    _ body: Body, own: [Dim], isRight: Bool, context: inout ScheduleContext, isUsable: (Factor) -> Bool
  ) throws -> Factor {
    let axes = form.batch + own + form.k
    // Copied with k before the columns, as the tile reads them; for the left side the order of its axes is fine.
    let order =
      isRight
      ? Array(0..<batchCount) + Array((batchCount + own.count)..<axes.count)
        + Array(batchCount..<(batchCount + own.count)) : Array(axes.indices)
    return try context.factor(
      body, axes: axes, picking: isRight ? batchCount : nil, order: order, named: isRight ? "right" : "left",
      isUsable: isUsable)
  }

  // MARK: The schedule

  func run(_ context: inout ScheduleContext) throws {
    let columns = form.n.reduce(Dim(1), *)
    let lanes = context.machine.lanes(form.accumulate, columns: columnGroups?.extent ?? columns.value)
    let isVectorType = form.accumulate == .f32 || form.accumulate == .f64 || form.accumulate == .i32
    guard isVectorType, columns.value.map({ $0 > context.machine.lanes(form.accumulate) / 4 }) ?? true
    else {
      return try ReduceSchedule.schedule(
        form.reduction { [values = context.values] in values[$0].type.element }, context: &context)
    }
    let own = (lhs: batchCount..<(batchCount + form.m.count), rhs: batchCount..<(batchCount + form.n.count))
    let narrow = narrowOperation(context)
    if let narrow, try runTiles(narrow, &context) { return }
    let elementBytes = (narrow?.rowElement ?? form.accumulate).bits / 8
    let machine = context.machine.tiling(with: narrow ?? context.machine.multiplyAdd(form.accumulate))
    let depth = form.k.reduce(Dim(1), *)
    var packing = ComputedPacking(form, isRightConstant: hasPanels(context), isGrouped: groups > 1, context)
    if let narrow { (packing.left, packing.right) = (false, weights(of: narrow.right, context) == nil) }
    let values = context.values
    var left =
      packing.left
      ? nil
      : try side(
        narrow.map { form.lhs.withoutCast.cast(to: $0.rowElement) } ?? form.lhs, own: form.m, isRight: false,
        context: &context
      ) { side in
        guard let narrow else { return true }
        // Narrow elements as they lie, with what is summed side by side.
        guard case .value(let value) = side.source, values[value].type.element == narrow.rowElement else {
          return false
        }
        return self.isDense(side.strides[own.lhs.upperBound...])
      }
    let rowBytes = left.flatMap { Self.rowStride(form.m, $0.strides[own.lhs]) }.map { $0 * elementBytes }
    let steps = narrow.flatMap { operation in
      left.map {
        DepthSteps(
          self.reductions($0.strides[own.lhs.upperBound...], TensorType.strides(form.k)[...]), operation: operation)
      }
    }
    let packed = packedRight(rowBytes: rowBytes, operation: narrow, steps: steps, &context)
    let shape = context.shape(context.result)
    var panels: (left: ComputedPanels?, right: ComputedPanels?)
    if packing.right {
      let tile =
        chosenTile(context)
        ?? .choose(
          rows: form.m.reduce(Dim(1), *).value, columns: columns.value, lanes: lanes, machine: machine,
          rowBytes: rowBytes)
      panels.right = try context.panels(
        narrow == nil ? form.rhs : form.rhs.withoutCast, outer: form.batch, own: form.n, depth: form.k,
        width: tile.vectors * lanes, element: narrow?.right ?? form.accumulate, interleave: narrow?.depth ?? 1,
        named: "right panels")
    }
    let rhs =
      try packed?.side
      ?? panels.right.map {
        Factor(
          source: .value($0.value), base: 0,
          strides: $0.outerStrides + [Dim](repeating: 0, count: form.n.count) + $0.depthStrides)
      }
      ?? side(form.rhs, own: form.n, isRight: true, context: &context) { side in
        // The columns have to be neighbours.
        CollapsedAxes(extents: form.n, strides: [Array(side.strides[own.rhs])]).groups.last?.strides[0] == 1
      }

    // Everything but the last group of rows and of columns is walked outside.
    let none = CollapsedAxes.Group(axes: 0..<0, extent: 1, strides: [1])
    let rows =
      left.map { CollapsedAxes(extents: form.m, strides: [Array($0.strides[own.lhs])]).groups.last ?? none }
      ?? CollapsedAxes.Group(axes: form.m.indices, extent: form.m.reduce(1, *), strides: [1])
    let cols =
      packed != nil || panels.right != nil
      ? CollapsedAxes.Group(axes: form.n.indices, extent: columnGroups.map { Dim($0.extent) } ?? columns, strides: [1])
      : CollapsedAxes(extents: form.n, strides: [Array(rhs.strides[own.rhs])]).groups.last ?? none
    let tile =
      chosenTile(context)
      ?? (packed?.layout.vectors ?? panels.right.map { $0.width / lanes }).map {
        RegisterTile.choose(rows: rows.extent.value, vectors: $0, machine: machine, rowBytes: rowBytes)
      }
      ?? .choose(
        rows: rows.extent.value, columns: cols.extent.value, lanes: lanes, machine: machine, rowBytes: rowBytes)
    if packing.left {
      let made = try context.panels(
        form.lhs, outer: form.batch, own: form.m, depth: form.k, width: tile.rows, element: form.accumulate,
        named: "left panels")
      left = Factor(
        source: .value(made.value), base: 0,
        strides: made.outerStrides + [Dim](repeating: 0, count: form.m.count)
          + made.depthStrides.map { $0 * Dim(tile.rows) })
      panels.left = made
    }
    guard let lhs = left else { return }
    var outer = form.batch.indices.map {
      Outer(axis: $0, extent: form.batch[$0], lhsStride: lhs.strides[$0], rhsStride: rhs.strides[$0])
    }
    for axis in 0..<rows.axes.lowerBound {
      outer.append(
        Outer(axis: batchCount + axis, extent: form.m[axis], lhsStride: lhs.strides[batchCount + axis], rhsStride: 0))
    }
    for axis in 0..<cols.axes.lowerBound {
      outer.append(
        Outer(
          axis: batchCount + form.m.count + axis, extent: form.n[axis], lhsStride: 0,
          rhsStride: rhs.strides[batchCount + axis]))
    }
    outer.removeAll { $0.extent == 1 }

    let reductions =
      steps?.loops ?? self.reductions(lhs.strides[own.lhs.upperBound...], rhs.strides[own.rhs.upperBound...])
    let isSplittable = groups == 1 && reductions.count == 1 && tile.streams(machine) == 1 && narrow == nil
    func plan(step: Int?) -> ProductPlan {
      ProductPlan(
        rows: rows.extent, columns: packed.map { Dim($0.layout.packedColumns) } ?? cols.extent, depth: depth,
        tile: tile, lanes: lanes, elementBytes: elementBytes, outer: outer.map(\.extent).reduce(1, *),
        machine: machine, splitsDepth: (packed != nil || panels.right != nil) && isSplittable, step: step,
        isComputed: panels.right != nil)
    }
    var step: Int?
    if isSplittable, case .packed(_, let element)? = packed?.side.source, let depth = depth.value {
      step = PanelWidening.step(
        plan(step: nil), depth: depth, inner: depth, weights: element, accumulate: form.accumulate, machine: machine)
    }
    let plan = plan(step: step == depth.value ? nil : step)

    let width = groups == 1 ? "\(cols.extent)" : "\(groups)x\(cols.extent)"
    let name =
      "contract_\(narrow.map { "\($0.left)\($0.right)" } ?? "\(form.accumulate)")_m\(rows.extent)_n\(width)_k\(depth)_\(tile.rows)x\(tile.vectors * lanes)"
    let scope = context.kernel(named: name)
    let b = scope.builder
    var task = scope.taskNumbers()
    var columnBlock = task.take(plan.columnBlocks)
    let rowBlock = task.take(plan.rowBlocks)
    var rightBytes = elementBytes
    if case .packed(_, let element)? = packed?.side.source { rightBytes = element.bits / 8 }
    // An iteration begins with the weights that the one before ended with: of those that do not fit into the second-level cache, these are there.
    if let iteration = context.repetitions.last?.iteration, let layout = packed?.layout, outer.isEmpty,
      plan.rowBlocks == 1, layout.count * rightBytes > machine.level2
    {
      let isOdd = b.compare(.equal, scope.dim(Dim(iteration) % 2), b.index(1))
      columnBlock = b.select(isOdd, b.subtract(scope.dim(plan.columnBlocks - 1), columnBlock), columnBlock)
    }
    var store = TileStore(
      scope: scope, epilogue: columnGroups?.epilogue ?? form.epilogue, result: context.result, shape: shape,
      axes: [Dim](repeating: 0, count: shape.count), extents: [:])
    store.groups = groups
    store.furtherResults = Array(columnGroups?.results.dropFirst() ?? [])
    var (lhsBase, rhsOffset) = (lhs.base, Dim(0))
    for item in outer.reversed() {
      let symbol = scope.bind(task.take(item.extent))
      store.extents[symbol] = item.extent
      store.axes[item.axis] = Dim(symbol)
      lhsBase = lhsBase + Dim(symbol) * item.lhsStride
      rhsOffset = rhsOffset + Dim(symbol) * item.rhsStride
    }
    let rhsAxes = store.axes[..<batchCount] + [Dim](repeating: 0, count: form.n.count + form.k.count)
    let rhsBase = rhsOffset + rhs.base(form.rhs, axes: Array(rhsAxes), extents: store.extents, scope)
    var kernel = TileKernel(
      scope: scope, lhs: lhs.memory(scope), rhs: rhs.memory(scope), accumulate: form.accumulate, lanes: lanes,
      reductions: reductions, isPacked: packed != nil || panels.right != nil, usualTile: tile, operation: narrow,
      tail: steps?.tail ?? 0)
    kernel.panelWidth = panels.right?.width
    // What a repetition reads in each iteration is in a cache by then.
    kernel.asksStream = context.repetitions.isEmpty
    let first = scope.index(lhsBase)
    var product = ProductKernel(
      plan: plan, kernel: kernel, packed: packed?.layout, panelStep: panels.right.map { scope.dim($0.panelStep) },
      askDistance: panels.right?.panelStep.value, rhsBase: scope.index(rhsBase),
      rowOffsets: { row, count in
        if let panels = panels.left {
          // Tiles begin with a panel, or lie within the last one.
          let panel = b.binary(.floorDivide, row, b.index(panels.width))
          let inside = b.subtract(row, b.multiply(panel, panels.width))
          let base = b.add(first, b.add(b.multiply(panel, scope.dim(panels.panelStep)), inside))
          return (base, (0..<count).map { b.index($0) })
        }
        let stride = scope.dim(rows.strides[0])
        return (b.add(first, b.multiply(row, stride)), (0..<count).map { b.multiply(stride, $0) })
      })
    product.panelInterleave = narrow?.depth ?? 1
    product.stepped = plan.depthStep.map { _ in kernel }
    if let step { product.widen(kernel, step: step) }
    product.storesLong = store.isLong
    product.emit(rowBlock: rowBlock, columnBlock: columnBlock) { tileRows, column, vectors, masks, sums in
      var (column, masks) = (column, masks)
      if let columnGroups { (column, masks) = columnGroups.elements(column, vectors: vectors, lanes: lanes, b) }
      store.emit(
        rows: tileRows, vectors: vectors, lanes: lanes, column: column, masks: masks, sums: sums, rowGroup: rows,
        rowFirst: batchCount, columnGroup: cols, columnFirst: batchCount + form.m.count)
    }
    let elements = shape.reduce(Dim(groups), *)
    let operands = rows.extent * Dim(elementBytes) + cols.extent * Dim(groups * rightBytes)
    // Tiles are finished one after another, each from sums of its own.
    let epilogue = columnGroups == nil ? form.epilogue : nil
    let overwritable =
      epilogue.map { context.overwritable(by: $0, besides: form.lhs.operands + form.rhs.operands) } ?? []
    try context.append(
      scope, tasks: plan.tasks, grain: plan.grain, flops: elements * depth * 2,
      bytes: elements * Dim(form.accumulate.bits / 8) + outer.map(\.extent).reduce(1, *) * operands * depth,
      overwritable: overwritable)
  }

  /// The loops over the reduced axes, with what a step along each adds to the offsets of either side.
  func reductions(_ lhsStrides: ArraySlice<Dim>, _ rhsStrides: ArraySlice<Dim>) -> [TileKernel.Reduction] {
    form.k.indices.map { axis in
      TileKernel.Reduction(
        extent: form.k[axis], lhsStride: lhsStrides[lhsStrides.startIndex + axis],
        rhsStride: rhsStrides[rhsStrides.startIndex + axis])
    }.collapsed()
  }

  /// Whether the innermost reduced axes lie one element after another.
  func isDense(_ strides: ArraySlice<Dim>) -> Bool {
    CollapsedAxes(extents: form.k, strides: [Array(strides)]).groups.last.map { $0.strides[0] == 1 || $0.extent == 1 }
      ?? true
  }

  /// The operation on bytes or on bf16, where both sides are such, the right one is constant or worth packing, and it is faster than others.
  private func narrowOperation(_ context: ScheduleContext) -> TileOperation? {
    guard groups == 1, form.k.allSatisfy({ $0.value != nil }), let left = form.lhs.castType,
      let right = form.rhs.castType,
      weights(of: right, context) != nil || right == .bf16 && !hasPanels(context) && packsPairs(context.machine)
    else { return nil }
    return context.machine.fastOperation(left, right, in: form.accumulate)
  }

  /// Whether both sides of a product of computed operands are worth a copy in which pairs along the reduced axis lie side by side.
  func packsPairs(_ machine: Machine) -> Bool {
    guard form.k.count == 1, let depth = form.k[0].value, depth >= Self.leastPairDepth else { return false }
    let (rows, columns) = (TaskSplit.estimate(form.m.reduce(1, *)), TaskSplit.estimate(form.n.reduce(1, *)))
    return rows >= machine.packedReuse && columns >= machine.packedReuse
  }
  private static let leastPairDepth = 16

  /// The tile that tuning found; columns in groups leave no choice.
  private func chosenTile(_ context: ScheduleContext) -> RegisterTile? { groups == 1 ? context.choice?.tile : nil }

  /// What a step along the innermost group of rows adds to the offset on the left, where it is a number.
  private static func rowStride(_ extents: [Dim], _ strides: ArraySlice<Dim>) -> Int? {
    CollapsedAxes(extents: extents, strides: [Array(strides)]).groups.last?.strides[0].value
  }

  /// A right side that is constant: what of it the panels hold.
  struct Weights {
    var value: FormValueID
    var tensor: HostTensor
    var columns: Int
    var base: Int
    var columnStride: Int
    /// One a step along k.
    var depthOffsets: [Int]
    /// Nil where all batches read the same.
    var stack: Stack?
  }

  /// Matrices of the same kind, one after another in a constant. A batch reads one of them, by its number or by what data say.
  struct Stack {
    enum Choice {
      case batch(axis: Int)
      case pick(AffineAccess.Pick)
    }
    var count: Int
    /// Elements from one matrix to the next.
    var stride: Int
    var choice: Choice
  }

  /// - Parameters:
  ///   - element: the type of the weights; nil: any that is widened to the sums' where it is read.
  ///   - stacked: whether batches may read different matrices.
  func weights(of element: ElementType? = nil, stacked: Bool = false, _ context: ScheduleContext) -> Weights? {
    let values = context.values
    let axes = form.batch.count + form.n.count + form.k.count
    guard
      let access = AffineAccess(
        form.rhs, axes: axes, picking: stacked ? batchCount : nil, shape: { values[$0].type.shape }),
      let tensor = context.constant(access.value),
      element.map({ tensor.element == $0 }) ?? tensor.element.isOperand(of: form.accumulate),
      let columns = form.n.reduce(Dim(1), *).value
    else { return nil }
    let strides = access.strides.compactMap(\.value)
    let depths = form.k.compactMap(\.value)
    guard strides.count == axes, depths.count == form.k.count,
      let (base, stack) = stack(access, strides, of: tensor), stacked || stack == nil,
      let column = CollapsedAxes(
        extents: form.n, strides: [Array(access.strides[batchCount..<(batchCount + form.n.count)])]
      ).single, let columnStride = column.strides[0].value
    else { return nil }
    var offsets = [0]
    for axis in form.k.indices {
      let stride = strides[batchCount + form.n.count + axis]
      offsets = offsets.flatMap { offset in (0..<depths[axis]).map { offset + $0 * stride } }
    }
    return Weights(
      value: access.value, tensor: tensor, columns: columns, base: base, columnStride: columnStride,
      depthOffsets: offsets, stack: stack)
  }

  /// Where the first matrix of a constant begins, and the stack that it belongs to; nil where batches read it in other ways.
  private func stack(_ access: AffineAccess, _ strides: [Int], of tensor: HostTensor) -> (base: Int, stack: Stack?)? {
    let moving = form.batch.indices.filter { strides[$0] != 0 && form.batch[$0] != 1 }
    guard let pick = access.picks.first else {
      guard let base = access.base.value else { return nil }
      guard let axis = moving.first else { return (base, nil) }
      guard moving.count == 1, let count = form.batch[axis].value else { return nil }
      return (base, Stack(count: count, stride: strides[axis], choice: .batch(axis: axis)))
    }
    guard access.picks.count == 1, moving.isEmpty,
      let (stride, rest) = access.base.linear(in: pick.symbol), let stride = stride.value, let base = rest.value
    else { return nil }
    return (base, Stack(count: tensor.shape[pick.axis], stride: stride, choice: .pick(pick)))
  }

  /// Whether the right side can be packed ahead of time.
  func hasPanels(_ context: ScheduleContext) -> Bool { weights(stacked: groups == 1, context) != nil }

  /// The right side packed ahead of time, where it is constant.
  private func packedRight(
    rowBytes: Int?, operation: TileOperation?, steps: DepthSteps?, _ context: inout ScheduleContext
  ) -> (side: Factor, layout: PanelLayout)? {
    let stacked = operation == nil && groups == 1
    guard var weights = weights(of: operation?.right, stacked: stacked, context) else { return nil }
    let operation = operation ?? context.machine.multiplyAdd(form.accumulate)
    if let steps { weights.depthOffsets = steps.padded(weights.depthOffsets) }
    let lanes = context.machine.lanes(form.accumulate, columns: columnGroups?.extent ?? weights.columns)
    let tile =
      chosenTile(context)
      ?? .choose(
        rows: form.m.reduce(Dim(1), *).value, columns: weights.columns, lanes: lanes,
        machine: context.machine.tiling(with: operation), rowBytes: rowBytes, multiple: groups)
    let layout = PanelLayout(
      columns: weights.columns, depth: weights.depthOffsets.count, lanes: lanes, vectors: tile.vectors, groups: groups,
      interleave: operation.depth)
    guard let buffer = packed(weights, layout, &context) else { return nil }
    var side = Factor(
      source: .packed(buffer, weights.tensor.element), base: 0,
      strides: [Dim](repeating: 0, count: batchCount + form.n.count) + TensorType.strides(form.k))
    switch weights.stack?.choice {
    case .batch(let axis): side.strides[axis] = Dim(layout.count)
    case .pick(let pick): (side.base, side.picks) = (Dim(pick.symbol) * Dim(layout.count), [pick])
    case nil: break
    }
    return (side, layout)
  }

  /// Weights in panels, packed once for all products that read them so; nil for types that no panel holds.
  func packed(_ weights: Weights, _ layout: PanelLayout, _ context: inout ScheduleContext) -> BufferID? {
    var key = ScheduleContext.PackingKey(
      value: weights.value, base: weights.base, columnStride: weights.columnStride,
      depthOffsets: weights.depthOffsets, layout: layout)
    key.stack = weights.stack.map { [$0.count, $0.stride] } ?? []
    func matrix(_ base: Int) -> HostTensor? {
      layout.pack(
        weights.tensor, base: base, columnStride: weights.columnStride, depthOffsets: weights.depthOffsets)
    }
    return context.packedConstant(key) {
      guard let stack = weights.stack else { return matrix(weights.base) }
      let matrices = (0..<stack.count).compactMap { matrix(weights.base + $0 * stack.stride) }
      return matrices.count == stack.count ? HostTensor(joining: matrices, weights.tensor.element) : nil
    }
  }
}

extension CollapsedAxes {
  /// The only group, where there is just one.
  var single: Group? {
    groups.isEmpty ? Group(axes: 0..<0, extent: 1, strides: [0]) : groups.count == 1 ? groups[0] : nil
  }
}

extension [TileKernel.Reduction] {
  /// The same, but for an innermost extent that is a number and would be none.
  func collapsedKeepingNumbers() -> [TileKernel.Reduction] {
    let joined = collapsed()
    return joined.last?.extent.value == nil ? Array(dropLast()).collapsed() + suffix(1) : joined
  }

  /// Neighbours joined wherever both sides walk them densely.
  func collapsed() -> [TileKernel.Reduction] {
    CollapsedAxes(extents: map(\.extent), strides: [map(\.lhsStride), map(\.rhsStride)]).groups.map {
      TileKernel.Reduction(extent: $0.extent, lhsStride: $0.strides[0], rhsStride: $0.strides[1])
    }
  }
}
