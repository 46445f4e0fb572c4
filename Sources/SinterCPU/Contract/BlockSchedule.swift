import SinterCore
import SinterForms

/// Products with constant weights of few bits, which stay packed (`BlockPanels`) and are unpacked in registers (`BlockTileKernel`).
///
/// Where the left side is signed bytes times scales of their own, the integers are multiplied as bytes.
struct BlockSchedule {
  let form: ContractForm
  let weights: BlockWeights

  /// Nil where the right side is anything else than such weights.
  init?(_ form: ContractForm, _ context: ScheduleContext) {
    guard let weights = BlockWeights(form, context) else { return nil }
    (self.form, self.weights) = (form, weights)
  }

  private var blocks: Dim { form.k[0] }

  func run(_ context: inout ScheduleContext) throws {
    let machine = context.machine
    let rows = form.m.reduce(Dim(1), *)
    let lanes = machine.lanes(.f32, columns: weights.columns)
    let left = try left(&context)
    // A few rows wait for the weights: wide panels keep more of them on the way.
    let isNarrow = rows.value.map { $0 <= 2 } ?? false
    let most = isNarrow && machine.vectorRegisters >= 32 ? 4 : 2
    let vectors = Swift.min(most, (weights.columns + lanes - 1) / lanes)
    let registers = left.scales == nil ? machine.vectorRegisters : machine.sparing(byteOperation(machine)).vectorRegisters
    let height = Swift.min(BlockTileKernel.rows(vectors: vectors, registers: registers), rows.value ?? .max)
    let tile = RegisterTile(rows: Swift.max(1, height), vectors: vectors)
    let panels = BlockPanels(
      columns: weights.columns, blocks: weights.blocks, block: weights.block, bits: weights.bits, width: vectors * lanes)
    let zero = try zero(panels, left, &context)
    let integers = context.addConstant(
      panels.pack(weights.integers, as: left.scales == nil ? .i32 : .u8), named: context.values[weights.value].name)
    let scales = context.addConstant(panels.pack(weights.scales), named: "scales")

    let depth = Dim(weights.blocks * weights.block)
    let plan = ProductPlan(
      rows: rows, columns: Dim(weights.columns), depth: depth, tile: tile, lanes: lanes, elementBytes: 1, outer: 1,
      machine: machine)
    let kind = left.scales == nil ? "f32" : "i8"
    let scope = context.kernel(
      named:
        "contract_\(kind)u\(weights.bits)_m\(rows)_n\(weights.columns)_k\(weights.blocks)x\(weights.block)_\(tile.rows)x\(panels.width)"
    )
    let b = scope.builder
    var task = scope.taskNumbers()
    let columnBlock = task.take(plan.columnBlocks)
    let rowBlock = task.take(plan.rowBlocks)
    let memory = left.values.memory(scope)
    let kernel = BlockTileKernel(
      scope: scope, left: left.scales.map { .bytes(memory, scales: scope.memory($0)) } ?? .floats(memory),
      integers: scope.memory(integers, element: left.scales == nil ? .i32 : .u8, .read),
      scales: scope.memory(scales, element: .f32, .read), zero: zero(scope), panels: panels, lanes: lanes,
      ahead: machine.streamAhead)
    let shape = context.shape(context.result)
    let store = TileStore(
      scope: scope, epilogue: form.epilogue, result: context.result, shape: shape,
      axes: [Dim](repeating: 0, count: shape.count), extents: [:])
    let first = scope.index(left.values.base)
    let product = ProductKernel(
      plan: plan, kernel: kernel, panelStep: b.index(panels.panelStep), rhsBase: b.index(0),
      rowOffsets: { row, count in
        let stride = weights.blocks * weights.block
        return (b.add(first, b.multiply(row, stride)), (0..<count).map { b.index($0 * stride) })
      })
    let rowGroup = CollapsedAxes.Group(axes: form.m.indices, extent: rows, strides: [1])
    let columnGroup = CollapsedAxes.Group(axes: form.n.indices, extent: Dim(weights.columns), strides: [1])
    product.emit(rowBlock: rowBlock, columnBlock: columnBlock) { row, column, tile, masks, sums in
      store.emit(
        tile: tile, lanes: lanes, row: row, column: column, masks: masks, sums: sums, rowGroup: rowGroup, rowFirst: 0,
        columnGroup: columnGroup, columnFirst: form.m.count)
    }
    try context.append(
      scope, tasks: plan.tasks, grain: plan.grain, flops: rows * Dim(weights.columns) * depth * 2,
      bytes: Dim(panels.panels * panels.panelStep * (panels.words + 1) * 4) + rows * (depth + Dim(weights.columns)) * 4)
  }

  private func byteOperation(_ machine: Machine) -> TileOperation {
    machine.tileOperation(.u8, .i8, in: .i32) ?? .widenedByteDot
  }

  // MARK: The left side

  private struct Left {
    /// Dense, [rows, blocks, block].
    var values: Factor
    /// Of bytes, [rows, blocks]; nil: there are floats.
    var scales: FormValueID?
  }

  private func left(_ context: inout ScheduleContext) throws -> Left {
    let axes = form.m + form.k
    func dense(_ body: Body, _ element: ElementType?, _ context: inout ScheduleContext) throws -> Factor {
      try context.factor(body, axes: axes, order: Array(axes.indices), element: element, named: "left") { side in
        side.base == 0
          && zip(axes, zip(side.strides, TensorType.strides(axes))).allSatisfy { $0 == 1 || $1.0 == $1.1 }
      }
    }
    if let (bytes, scales) = roundedLeft(context) {
      return Left(values: try dense(bytes, .i8, &context), scales: scales)
    }
    return Left(values: try dense(form.lhs, nil, &context))
  }

  /// The parts of a left side that is bytes times a scale for each row and block; nil of others.
  private func roundedLeft(_ context: ScheduleContext) -> (bytes: Body, scales: FormValueID)? {
    let body = form.lhs
    // Sums of a block stay whole numbers of f32, whose products with zero points are exact.
    guard weights.block * 127 * 255 < 1 << 24, case .binary(.multiply, let a, let b) = body[body.results[0]].node
    else { return nil }
    let (bytes, factor) = body[body.uncast(a)].type == .i8 ? (body.uncast(a), b) : (body.uncast(b), a)
    guard body[bytes].type == .i8, body[factor].type == .f32, case .load(_, _, nil, _) = body[factor].node
    else { return nil }
    let axes = form.m + form.k
    let values = context.values
    let scales = Body(exprs: body.exprs, results: [factor])
    guard let access = AffineAccess(scales, axes: axes.count, shape: { values[$0].type.shape }), access.base == 0,
      context.constant(access.value) == nil
    else { return nil }
    let expected = TensorType.strides(form.m + [blocks]) + [0]
    guard zip(axes, zip(access.strides, expected)).allSatisfy({ $0 == 1 || $1.0 == $1.1 }) else { return nil }
    return (Body(exprs: body.exprs, results: [bytes]).pruned(), access.value)
  }

  // MARK: Zero points

  /// Prepares what takes the zero points off; the result gives it to a kernel.
  private func zero(
    _ panels: BlockPanels, _ left: Left, _ context: inout ScheduleContext
  ) throws -> (KernelScope) -> BlockTileKernel.Zero {
    switch weights.zero {
    case .constant(let value):
      if left.scales == nil || value == 0 { return { _ in .constant(value) } }
      let sums = try blockSums(left, .i32, times: -value, &context)
      return { .folded($0.memory(sums)) }
    case .each(let zeros):
      let sums = try blockSums(left, .f32, times: 1, &context)
      let buffer = context.addConstant(panels.pack(zeros), named: "zero points")
      return { .each($0.memory(buffer, element: .f32, .read), sums: $0.memory(sums)) }
    }
  }

  /// The sum of each block on the left, [rows, blocks].
  private func blockSums(_ left: Left, _ type: ElementType, times factor: Int, _ context: inout ScheduleContext) throws
    -> FormValueID
  {
    guard case .value(let value) = left.values.source else {
      throw DiagnosticError(.bug, "schedule.blocks", "the left side of a product of blocks is no value")
    }
    let builder = context.bodyBuilder()
    let rank = form.m.count
    let stored = context.shape(value)
    // The same elements under the value's own axes.
    let place = builder.place(
      TensorType.strides(form.m + form.k), axes: (0...(rank + 1)).map { builder.axis($0) }, in: stored)
    let sum = builder.load(value, place).cast(to: left.scales == nil ? .f32 : .i32)
    let scaled = factor == 1 ? sum : sum * builder.constant(factor, sum.type)
    var epilogue: Body?
    if type != scaled.type {
      let outer = context.bodyBuilder()
      epilogue = outer.body([outer.accumulator(0, scaled.type).cast(to: type)])
    }
    let form = ReduceForm(
      inner: [self.form.k[1]], combine: .sum, body: builder.body([scaled]), epilogue: epilogue)
    return try context.materialize(form, shape: self.form.m + [blocks], type: type, named: "block sums")
  }
}

extension BodyBuilder {
  /// The indices, along axes of given sizes, of the element at Σ axis · stride of a dense value.
  fileprivate func place(_ strides: [Dim], axes: [Expr], in shape: [Dim]) -> [Expr] {
    let flat = zip(axes, strides).reduce(constant(0, .i64)) { $0 + $1.0 * size($1.1) }
    return zip(shape, TensorType.strides(shape)).map { extent, stride in
      flat.floorDivided(by: size(stride)).modulo(size(extent))
    }
  }
}
