import SinterCore
import SinterForms
import SinterKernelIR

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

  /// The number of blocks, and the size of each.
  private var blocks: Dim { Dim(weights.blocks) }
  private var block: Dim { Dim(weights.block) }

  func run(_ context: inout ScheduleContext) throws {
    let left = try left(&context)
    let rows = form.m.reduce(Dim(1), *)
    if left.scales == nil, rows.value.map({ $0 > RegisterTile.fewRows }) ?? true {
      return try unpacked(left, rows, &context)
    }
    let machine = context.machine
    let lanes = machine.lanes(.f32, columns: weights.columns)
    // A row or two wait for the weights: wide panels keep more of them on the way.
    let isNarrow = rows.value.map { $0 <= 2 } ?? false
    let vectors = Swift.min(
      isNarrow && machine.vectorRegisters >= 32 ? 4 : 2, (weights.columns + lanes - 1) / lanes)
    let tiling = machine.tiling(with: left.scales == nil ? machine.multiplyAdd(.f32) : machine.byteDot)
    let tile = RegisterTile(
      rows: Swift.max(
        1, Swift.min(BlockTileKernel.rows(vectors: vectors, tiling), rows.value ?? .max)),
      vectors: vectors)
    let parts = try parts(left, vectors: vectors, lanes: lanes, &context)
    let plan = ProductPlan(
      rows: rows, columns: Dim(weights.columns), depth: blocks * block, tile: tile, lanes: lanes,
      elementBytes: left.scales == nil ? 4 : 1, outer: 1, machine: machine)
    try append(plan, left, parts, &context) { scope in
      ProductKernel(
        plan: plan, kernel: kernel(scope, left, parts, lanes: lanes),
        panelStep: scope.builder.index(parts.panels.panelStep),
        rhsBase: scope.builder.index(0), rowOffsets: rowOffsets(scope, left))
    }
  }

  /// Many rows: weights are unpacked once for all rows of a task. Where their number is known only when the model runs, few are done as above.
  private func unpacked(_ left: Left, _ rows: Dim, _ context: inout ScheduleContext) throws {
    let machine = context.machine
    let lanes = machine.lanes(.f32, columns: weights.columns)
    let tile = RegisterTile.choose(rows: rows.value, columns: weights.columns, lanes: lanes, machine: machine)
    let parts = try parts(left, vectors: tile.vectors, lanes: lanes, &context)
    let depth = weights.blocks * weights.block
    let step = Swift.min(BlockUnpacking.step(block: weights.block), depth)
    let plan = ProductPlan(
      rows: rows, columns: Dim(weights.columns), depth: Dim(depth), tile: tile, lanes: lanes, elementBytes: 4, outer: 1,
      machine: machine, step: step)
    var few: ProductPlan?
    if rows.value == nil {
      few = plan.taking(
        RegisterTile(
          rows: Swift.min(
            RegisterTile.fewRows, BlockTileKernel.rows(vectors: tile.vectors, machine)),
          vectors: tile.vectors))
    }
    try append(plan, few: few, left, parts, &context) { scope in
      let b = scope.builder
      let target = b.local("weights", .f32, count: step * parts.panels.width)
      let direct = kernel(scope, left, parts, lanes: lanes)
      var zeros: Memory?
      if case .each(let memory, _) = direct.zero { zeros = memory }
      let unpacking = BlockUnpacking(
        scope: scope, weights: direct.weights, scales: direct.scales, zeros: zeros, constant: direct.zero.number,
        panels: parts.panels, lanes: lanes, ahead: machine.streamAhead, target: target)
      var stepped = TileKernel(
        scope: scope, lhs: left.values.memory(scope), rhs: target, accumulate: .f32, lanes: lanes,
        reductions: [.init(extent: Dim(depth), lhsStride: 1, rhsStride: 1)], isPacked: true, usualTile: tile)
      stepped.panelWidth = parts.panels.width
      var product = ProductKernel(
        plan: plan, kernel: direct, panelStep: b.index(parts.panels.panelStep), rhsBase: b.index(0),
        rowOffsets: rowOffsets(scope, left))
      product.stepped = stepped
      product.unpacked = { unpacking.emit(panel: $0, start: $1, extent: $2, vectors: $3) }
      return product
    }
  }

  // MARK: The kernel

  /// What a kernel reads on the right.
  private struct Parts {
    var panels: BlockPanels
    var weights: BufferID, scales: BufferID
    var zero: (KernelScope) -> BlockTileKernel.Zero
  }

  private func parts(_ left: Left, vectors: Int, lanes: Int, _ context: inout ScheduleContext) throws -> Parts {
    let panels = BlockPanels(
      columns: weights.columns, blocks: weights.blocks, block: weights.block, element: weights.element,
      isFinite: weights.isFinite, width: vectors * lanes)
    let zero = try zero(panels, left, &context)
    let name = context.values[weights.value].name
    let packed = context.addConstant(
      panels.pack(weights.numbers, as: left.scales == nil ? .i32 : .u8), named: name)
    return Parts(
      panels: panels, weights: packed, scales: context.addConstant(panels.pack(weights.scales), named: name),
      zero: zero)
  }

  private func kernel(_ scope: KernelScope, _ left: Left, _ parts: Parts, lanes: Int) -> BlockTileKernel {
    let memory = left.values.memory(scope)
    return BlockTileKernel(
      scope: scope, left: left.scales.map { .bytes(memory, scales: scope.memory($0)) } ?? .floats(memory),
      weights: scope.memory(parts.weights, element: left.scales == nil ? .i32 : .u8, .read),
      scales: scope.memory(parts.scales, element: .f32, .read), zero: parts.zero(scope), panels: parts.panels,
      lanes: lanes, ahead: scope.machine.streamAhead)
  }

  private func rowOffsets(_ scope: KernelScope, _ left: Left) -> (Register, Int) -> (base: Register, deltas: [Register])
  {
    let (b, stride) = (scope.builder, weights.blocks * weights.block)
    let first = scope.index(left.values.base)
    return { row, count in (b.add(first, b.multiply(row, stride)), (0..<count).map { b.index($0 * stride) }) }
  }

  /// Writes a kernel and calls it.
  ///
  /// - Parameter few: how it is done where the rows are few, which is seen when the kernel runs.
  private func append(
    _ plan: ProductPlan, few: ProductPlan? = nil, _ left: Left, _ parts: Parts, _ context: inout ScheduleContext,
    make: (KernelScope) -> ProductKernel
  ) throws {
    let rows = plan.rows
    let kind = left.scales == nil ? "f32" : "i8"
    let size = "m\(rows)_n\(weights.columns)_k\(weights.blocks)x\(weights.block)"
    let scope = context.kernel(
      named: "contract_\(kind)\(weights.element)_\(size)_\(plan.tile.rows)x\(parts.panels.width)")
    let b = scope.builder
    var task = scope.taskNumbers()
    let columnBlock = task.take(plan.columnBlocks)
    let rowBlock = task.take(plan.rowBlocks)
    let shape = context.shape(context.result)
    let store = TileStore(
      scope: scope, epilogue: form.epilogue, result: context.result, shape: shape,
      axes: [Dim](repeating: 0, count: shape.count), extents: [:])
    let rowGroup = CollapsedAxes.Group(axes: form.m.indices, extent: rows, strides: [1])
    let columnGroup = CollapsedAxes.Group(axes: form.n.indices, extent: plan.columns, strides: [1])
    func emit(_ product: ProductKernel) {
      var product = product
      product.storesLong = store.isLong
      product.emit(rowBlock: rowBlock, columnBlock: columnBlock) { tileRows, column, vectors, masks, sums in
        store.emit(
          rows: tileRows, vectors: vectors, lanes: plan.lanes, column: column, masks: masks, sums: sums,
          rowGroup: rowGroup, rowFirst: 0, columnGroup: columnGroup, columnFirst: form.m.count)
      }
    }
    let product = make(scope)
    if let few {
      var direct = product
      (direct.plan, direct.stepped, direct.unpacked) = (few, nil, nil)
      let limit = b.index(RegisterTile.fewRows)
      b.branch(
        b.compare(.lessOrEqual, scope.dim(rows), limit),
        then: {
          emit(direct)
          return []
        },
        otherwise: {
          emit(product)
          return []
        })
    } else {
      emit(product)
    }
    let depth = blocks * block
    let panelBytes = parts.panels.panels * parts.panels.panelStep * (parts.panels.words + 1) * 4
    try context.append(
      scope, tasks: plan.tasks, grain: plan.grain, flops: rows * plan.columns * depth * 2,
      bytes: Dim(panelBytes) + rows * (depth + plan.columns) * 4)
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
    guard weights.element.isInteger, weights.block * 128 * 255 < 1 << 24,
      case .binary(.multiply, let a, let b) = body[body.results[0]].node
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
    let expected =
      TensorType.strides(form.m + form.k.dropLast(weights.blockAxes))
      + [Dim](repeating: 0, count: weights.blockAxes)
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
      TensorType.strides(form.m + [blocks, block]), axes: (0...(rank + 1)).map { builder.axis($0) }, in: stored)
    let sum = builder.load(value, place).cast(to: left.scales == nil ? .f32 : .i32)
    let scaled = factor == 1 ? sum : sum * builder.constant(factor, sum.type)
    var epilogue: Body?
    if type != scaled.type {
      let outer = context.bodyBuilder()
      epilogue = outer.body([outer.accumulator(0, scaled.type).cast(to: type)])
    }
    let form = ReduceForm(
      inner: [block], combine: .sum, body: builder.body([scaled]), epilogue: epilogue)
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
