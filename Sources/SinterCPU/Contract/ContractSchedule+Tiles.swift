import SinterCore
import SinterForms
import SinterKernelIR

extension ContractSchedule {
  /// Schedules a product of narrow elements whose right side is constant in tiles, where the processor has such and they are faster.
  ///
  /// - Parameter narrow: the operation that is taken elsewhere.
  /// - Returns: whether it did.
  func runTiles(_ narrow: TileOperation, _ context: inout ScheduleContext) throws -> Bool {
    let machine = context.machine
    guard let operation = machine.tileDot(narrow), var weights = weights(of: narrow.right, context),
      let tile = TileDotKernel.tile(
        operation, rows: form.m.reduce(Dim(1), *).value, columns: weights.columns, depth: weights.depthOffsets.count,
        machine)
    else { return false }
    let ownAxes = batchCount..<(batchCount + form.m.count)
    let values = context.values
    let lhs = try side(form.lhs.withoutCast, own: form.m, isRight: false, context: &context) { side in
      guard case .value(let value) = side.source else { return false }
      return values[value].type.element == narrow.left && self.isDense(side.strides[ownAxes.upperBound...])
    }
    let depth = Dim(weights.depthOffsets.count)
    weights.depthOffsets = TileDotKernel.padded(weights.depthOffsets, operation)
    let layout = PanelLayout(
      columns: weights.columns, depth: weights.depthOffsets.count, lanes: TileDot.tileRows, vectors: tile.vectors,
      interleave: operation.depth)
    guard let buffer = packed(weights, layout, &context) else { return false }

    let none = CollapsedAxes.Group(axes: 0..<0, extent: 1, strides: [1])
    let rows = CollapsedAxes(extents: form.m, strides: [Array(lhs.strides[ownAxes])]).groups.last ?? none
    var outer = form.batch.indices.map { (axis: $0, extent: form.batch[$0], stride: lhs.strides[$0]) }
    outer += (0..<rows.axes.lowerBound).map {
      (axis: batchCount + $0, extent: form.m[$0], stride: lhs.strides[batchCount + $0])
    }
    outer.removeAll { $0.extent == 1 }
    let elementBytes = operation.left.bits / 8
    let reductions = reductions(lhs.strides[ownAxes.upperBound...], TensorType.strides(form.k)[...])
    let rowPitch = rows.strides[0].value
    let isDirect = TileDotKernel.isDirect(reductions, rowPitch: rowPitch, operation)
    let plan = ProductPlan(
      rows: rows.extent, columns: Dim(weights.columns), depth: Dim(layout.depth), tile: tile, lanes: layout.lanes,
      elementBytes: elementBytes, outer: outer.map(\.extent).reduce(1, *), machine: machine,
      speed: machine.tileDotSpeed(operation),
      copiesRows: !isDirect)

    let scope = context.kernel(
      named:
        "contract_\(narrow.left)\(narrow.right)_m\(rows.extent)_n\(weights.columns)_k\(depth)_tiles\(tile.rows)x\(plan.width)"
    )
    let b = scope.builder
    let shape = context.shape(context.result)
    var task = scope.taskNumbers()
    let columnBlock = task.take(plan.columnBlocks)
    let rowBlock = task.take(plan.rowBlocks)
    var store = TileStore(
      scope: scope, epilogue: form.epilogue, result: context.result, shape: shape,
      axes: [Dim](repeating: 0, count: shape.count), extents: [:])
    var base = lhs.base
    for item in outer.reversed() {
      let symbol = scope.bind(task.take(item.extent))
      store.extents[symbol] = item.extent
      store.axes[item.axis] = Dim(symbol)
      base = base + Dim(symbol) * item.stride
    }
    let first = scope.index(base)
    let kernel = TileDotKernel(
      scope: scope, plan: plan, layout: layout, operation: operation, lhs: lhs.memory(scope),
      rhs: scope.memory(buffer, element: operation.right, .read), rhsBase: b.index(0),
      reductions: reductions, rowOffset: { b.add(first, b.multiply($0, scope.dim(rows.strides[0]))) },
      rowPitch: rowPitch, spaced: isDirect ? SpacedRows(all: rows.extent) : nil)
    let columns = CollapsedAxes.Group(axes: form.n.indices, extent: Dim(weights.columns), strides: [1])
    kernel.emit(rowBlock: rowBlock, columnBlock: columnBlock) { tileRows, column, vectors, masks, sums in
      store.emit(
        rows: tileRows, vectors: vectors, lanes: layout.lanes, column: column, masks: masks, sums: sums, rowGroup: rows,
        rowFirst: batchCount, columnGroup: columns, columnFirst: batchCount + form.m.count)
    }
    let elements = shape.reduce(Dim(1), *)
    let operands = rows.extent * Dim(elementBytes) + Dim(weights.columns * operation.right.bits / 8)
    try context.append(
      scope, tasks: plan.tasks, grain: plan.grain, flops: elements * depth * 2,
      bytes: elements * Dim(form.accumulate.bits / 8) + outer.map(\.extent).reduce(1, *) * operands * depth)
    return true
  }
}
