import SinterCore

/// A convolution, or the phases of a transposed one, by a `WinogradTransform`, in one kernel.
///
/// A convolution with a stride is the sum of convolutions without one, each of every so many taps with every so many pixels: their pixels
/// count as channels side by side.
///
/// A task takes some tiles of the image and some panels of columns. Block by block it transforms the tiles' input, multiplies each place with
/// the transformed weights, panel by panel, and transforms the products back into pixels, to which the epilogue applies. No padded
/// copy of the image is made: tiles at its border read zeros by masks.
struct WinogradSchedule {
  let form: ConvolveForm
  let plan: WinogradPlan
  /// Of a transposed convolution.
  var axes: [TransposedAxis] = []

  func run(_ weights: HostTensor, _ context: inout ScheduleContext) throws {
    let layout = PanelLayout(
      columns: plan.columns, depth: plan.places * plan.channels, lanes: plan.lanes, vectors: plan.tile.vectors)
    let key = ScheduleContext.PackingKey(
      value: form.weight, base: 0, columnStride: layout.depth, depthOffsets: Array(0..<layout.depth), layout: layout,
      parts: axes.isEmpty ? [plan.step] : axes.map(\.stride))
    let packed = context.packedConstant(key) {
      let parts = filters(weights).compactMap { filters in
        let transformed = plan.transform.transformed(filters, results: plan.columns, channels: plan.channels)
        return layout.pack(
          .f32([transformed.count], transformed), base: 0, columnStride: layout.depth, depthOffsets: key.depthOffsets)
      }
      return HostTensor(joining: parts, .f32)
    }
    guard let packed else {
      throw DiagnosticError(.bug, "convolve.pack", "weights of type \(weights.element) cannot be packed")
    }
    let scratch = context.addScratch(
      .f32, count: plan.tasks * Dim(plan.scratch), named: "transformed", origin: context.values[context.result].origin)
    let (m, taps) = (plan.transform.results, plan.transform.taps)
    let scope = context.kernel(
      named: "winograd_f32_\(m)x\(m)_\(taps)x\(taps)_s\(plan.step)_c\(plan.channels)_m\(plan.columns)_\(plan.tile.rows)x\(plan.width)")
    let shape = context.shape(context.result)
    let table = axes.isEmpty ? nil : context.addConstant(axes.table, named: "phases")
    WinogradKernel(
      scope: scope, form: form, plan: plan, axes: axes, table: table, layout: layout, inputShape: context.shape(form.input), shape: shape,
      result: context.result, image: scope.memory(form.input),
      weights: scope.memory(packed, element: .f32, .read), scratch: scope.memory(scratch, element: .f32, .readWrite)
    ).emit()
    let elements = shape.reduce(Dim(1), *)
    let read = context.shape(form.input).reduce(Dim(1), *) + Dim(layout.count * plan.phases)
    try context.append(
      scope, tasks: plan.tasks, grain: plan.grain, flops: plan.tiles * Dim(plan.phases * 2 * plan.places * plan.channels * plan.columns),
      bytes: (elements + read) * 4)
  }
}

/// Writes the kernel of a `WinogradSchedule`.
private struct WinogradKernel {
  let scope: KernelScope
  let form: ConvolveForm
  let plan: WinogradPlan
  let axes: [TransposedAxis]
  let table: BufferID?
  let layout: PanelLayout
  let inputShape: [Dim]
  let shape: [Dim]
  let result: FormValueID
  let image: Memory
  let weights: Memory
  let scratch: Memory

  private var b: KernelBuilder { scope.builder }
  private var size: Int { plan.transform.size }
  private var lanes: Int { plan.lanes }

  /// Where the pixels of a task lie.
  private struct Frame {
    /// The element of the input at which the window of pixel 0 begins, along both axes.
    var starts: [Register]
    /// Pixels along both axes.
    var ends: [Register]
    /// Pixels as places of the result; nil: each pixel is its own.
    var lattice: [TileStore.Lattice]?
    /// The first element of the weights.
    var weights: Register
  }

  private func frame(_ phase: Register) -> Frame {
    guard let table else {
      return Frame(
        starts: form.padsBegin.map { b.subtract(b.index(0), scope.dim($0)) },
        ends: shape[1...2].map { scope.dim($0) }, lattice: nil, weights: b.index(0))
    }
    let places = scope.unflatten(phase, axes.map { Dim($0.phases) })
    let own = TransposedPhase(axes, kernel: form.kernel, places: places, table: table, scope)
    let ends = zip(axes, own.place).map { axis, place in
      axis.isEven && axis.places != 1
        ? scope.dim(axis.places)
        : b.binary(
          .floorDivide, b.subtract(scope.dim(axis.extent + Dim(axis.stride - 1)), scope.index(place)),
          b.index(axis.stride))
    }
    let number = b.binary(.floorDivide, own.before, b.index(plan.transform.taps * plan.transform.taps))
    return Frame(
      starts: own.starts, ends: ends, lattice: own.lattice(axes, images: shape[0]),
      weights: b.multiply(number, layout.count))
  }

  /// Where a tile lies: its image, and the first pixel of its result along both axes.
  private struct Tile {
    var image: Register
    var first: [Register]
  }

  func emit() {
    let parts = b.index(plan.columnParts)
    let part = b.binary(.modulo, b.task, parts)
    let rest = b.binary(.floorDivide, b.task, parts)
    let isOnePhase = plan.phases == 1
    let chunk = isOnePhase ? rest : b.binary(.modulo, rest, scope.dim(plan.chunks))
    let frame = frame(isOnePhase ? b.index(0) : b.binary(.floorDivide, rest, scope.dim(plan.chunks)))
    let input = b.multiply(b.task, plan.scratch)
    let products = b.add(input, plan.places * plan.inputStride)
    let chunkTiles = scope.dim(plan.chunkTiles)
    let from = b.multiply(chunk, chunkTiles)
    let to = b.binary(.minimum, b.add(from, chunkTiles), scope.dim(plan.tiles))
    let panelFrom = b.multiply(part, plan.partPanels)
    let panelTo = b.binary(.minimum, b.add(panelFrom, plan.partPanels), b.index(plan.panels))
    b.loop("block", from: from, to: to, step: plan.blockTiles) { block in
      let count = b.binary(.minimum, b.subtract(to, block), b.index(plan.blockTiles))
      b.loop("tile", from: b.index(0), to: count) { t in
        let (tile, target) = (tile(b.add(block, t)), b.add(input, b.multiply(t, plan.channelStride)))
        let parts = plan.step * plan.step
        if parts == 1 { return transformInput(tile, frame, part: b.index(0), to: target) }
        b.loop("part", from: b.index(0), to: b.index(parts)) { part in
          transformInput(tile, frame, part: part, to: b.add(target, b.multiply(part, plan.channels / parts)))
        }
      }
      func panels(from: Register, to: Register, columns: Int) {
        b.loop("panel", from: from, to: to) { panel in
          let vectors = (columns + lanes - 1) / lanes
          multiply(panel, frame, vectors: vectors, count: count, input: input, products: products)
          b.loop("tile", from: b.index(0), to: count) { t in
            let at = b.add(products, b.multiply(t, vectors * lanes))
            transformOutput(
              tile(b.add(block, t)), frame, from: at, column: b.multiply(panel, plan.width), columns: columns)
          }
        }
      }
      let full = b.index(layout.fullPanels)
      if layout.fullPanels > 0 {
        panels(from: panelFrom, to: b.binary(.minimum, panelTo, full), columns: plan.width)
      }
      if layout.tailColumns > 0 {
        panels(from: b.binary(.maximum, panelFrom, full), to: panelTo, columns: layout.tailColumns)
      }
    }
  }

  private func tile(_ number: Register) -> Tile {
    let places = scope.unflatten(number, [plan.extents[0]] + plan.tilesAlong)
    return Tile(image: places[0], first: places[1...].map { b.multiply($0, plan.transform.results) })
  }

  // MARK: Input

  /// The transformed input of a tile, to `place · inputStride + channel` from `target` on: every `step`th pixel from the part's first on.
  private func transformInput(_ tile: Tile, _ frame: Frame, part: Register, to target: Register) {
    let strides = ScheduleContext.strides(inputShape)
    let step = b.index(plan.step)
    let parts = [b.binary(.floorDivide, part, step), b.binary(.modulo, part, step)]
    let start = (0..<2).map { b.add(b.add(b.multiply(tile.first[$0], plan.step), frame.starts[$0]), parts[$0]) }
    let corner = b.add(
      b.multiply(tile.image, scope.dim(strides[0])),
      b.add(b.multiply(start[0], scope.dim(strides[1])), b.multiply(start[1], scope.dim(strides[2]))))
    /// Whether pixel `at` of the tile's input along an axis exists.
    func exists(_ axis: Int, _ at: Int) -> Register {
      let place = b.add(start[axis], at * plan.step)
      return b.binary(
        .and, b.compare(.greaterOrEqual, place, b.index(0)), b.compare(.less, place, scope.dim(inputShape[axis + 1])))
    }
    let isInside = [0, 1].flatMap { [exists($0, 0), exists($0, size - 1)] }.reduce(nil as Register?) { all, one in
      all.map { b.binary(.and, $0, one) } ?? one
    }
    func channels(_ existence: [[Register]]?) {
      scope.vectorLoop("channel", over: scope.stretch(Dim(plan.channels / (plan.step * plan.step))), lanes: lanes) { channel, width, mask in
        let rows = (0..<size).map { y in
          (0..<size).map { x -> Register in
            let pixel = b.add(
              corner, b.add(
                b.multiply(scope.dim(strides[1]), y * plan.step), b.multiply(scope.dim(strides[2]), x * plan.step)))
            var lanesThatExist = mask
            if let existence {
              let both = b.broadcast(b.binary(.and, existence[0][y], existence[1][x]), lanes: width)
              lanesThatExist = mask.map { b.binary(.and, $0, both) } ?? both
            }
            return b.load(image, at: b.add(pixel, channel), lanes: width, mask: lanesThatExist)
          }
        }
        let map = LinearMap(plan.transform.input, b)
        for (place, value) in twice(map, rows).enumerated() {
          b.store(value, scratch, at: b.add(b.add(target, channel), place * plan.inputStride))
        }
      }
    }
    b.branch(
      isInside ?? b.constant(.int(1), .bool),
      then: {
        channels(nil)
        return []
      },
      otherwise: {
        channels((0..<2).map { axis in (0..<size).map { exists(axis, $0) } })
        return []
      })
  }

  /// A map along both axes of a square of vectors; the result row by row.
  private func twice(_ map: LinearMap, _ rows: [[Register]]) -> [Register] {
    let columns = rows[0].indices.map { x in map(rows.map { $0[x] }) }
    return columns[0].indices.flatMap { y in map(columns.map { $0[y] }) }
  }

  // MARK: Products

  /// The products of a block's tiles with one panel: place after place, to `place · productStride` from `products` on.
  private func multiply(
    _ panel: Register, _ frame: Frame, vectors: Int, count: Register, input: Register, products: Register
  ) {
    let width = vectors * lanes
    let kernel = TileKernel(
      scope: scope, lhs: scratch, rhs: weights, accumulate: .f32, lanes: lanes,
      reductions: [.init(extent: Dim(plan.channels), lhsStride: 1, rhsStride: 1)], isPacked: true,
      usualTile: plan.tile)
    let panelAt = b.add(frame.weights, b.multiply(panel, layout.width * layout.depth))
    b.loop("place", from: b.index(0), to: b.index(plan.places)) { place in
      let lhs = b.add(input, b.multiply(place, plan.inputStride))
      let column = b.add(panelAt, b.multiply(place, plan.channels * width))
      let out = b.add(products, b.multiply(place, plan.productStride))
      func rows(_ tile: RegisterTile, at row: Register) {
        let sums = kernel.accumulators(
          tile: tile, lhsBase: b.add(lhs, b.multiply(row, plan.channelStride)),
          rows: (0..<tile.rows).map { b.index($0 * plan.channelStride) }, column: column,
          masks: [Register?](repeating: nil, count: vectors))
        let first = b.add(out, b.multiply(row, width))
        for (index, sum) in sums.enumerated() { b.store(sum, scratch, at: b.add(first, index * lanes)) }
      }
      plan.tile.forEachTile(builder: b, from: b.index(0), to: count, count: plan.onlyBlock) { count, row in
        rows(RegisterTile(rows: count, vectors: vectors), at: row)
      }
    }
  }

  // MARK: Output

  /// The pixels of a tile from its products, the columns of one panel.
  private func transformOutput(_ tile: Tile, _ frame: Frame, from products: Register, column: Register, columns: Int) {
    let whole = columns / lanes
    b.loop("vector", from: b.index(0), to: b.index(whole * lanes), step: lanes) { vector in
      pixels(tile, frame, from: b.add(products, vector), column: b.add(column, vector), mask: nil)
    }
    if columns % lanes > 0 {
      let mask = scope.prefixMask(b.index(columns % lanes), lanes: lanes)
      let vector = b.index(whole * lanes)
      pixels(tile, frame, from: b.add(products, vector), column: b.add(column, vector), mask: mask)
    }
  }

  private func pixels(_ tile: Tile, _ frame: Frame, from products: Register, column: Register, mask: Register?) {
    let count = plan.transform.results
    let values = (0..<size).map { y in
      (0..<size).map { x in
        b.load(scratch, at: b.add(products, (y * size + x) * plan.productStride), lanes: lanes)
      }
    }
    let results = twice(LinearMap(plan.transform.output, b), values)
    let left = (0..<2).map { b.binary(.minimum, b.subtract(frame.ends[$0], tile.first[$0]), b.index(count)) }
    let isWhole = b.binary(
      .and, b.compare(.equal, left[0], b.index(count)), b.compare(.equal, left[1], b.index(count)))
    let imageIndex = scope.bind(tile.image)
    func store(_ sums: [Register], y: Register, x: Register) {
      let line = scope.bind(y)
      let lines = frame.lattice?[1] ?? .init(extent: shape[1], step: 1, first: 0)
      var store = TileStore(
        scope: scope, epilogue: form.epilogue, result: result, shape: shape,
        axes: [Dim(imageIndex), Dim(line) * Dim(lines.step) + lines.first, 0, 0],
        extents: [imageIndex: shape[0], line: lines.extent])
      store.lattice = frame.lattice
      for (axis, place) in zip(axes, frame.lattice?.dropFirst() ?? []) {
        for symbol in place.first.symbols { store.extents[symbol] = Dim(axis.phases) }
      }
      store.emit(
        tile: RegisterTile(rows: sums.count, vectors: 1), lanes: lanes, row: x, column: column, masks: [mask], sums: sums,
        rowGroup: .init(axes: 0..<1, extent: shape[2], strides: [1]), rowFirst: 2,
        columnGroup: .init(axes: 0..<1, extent: Dim(plan.columns), strides: [1]), columnFirst: 3)
    }
    b.branch(
      isWhole,
      then: {
        for y in 0..<count {
          store(Array(results[(y * count)..<((y + 1) * count)]), y: b.add(tile.first[0], y), x: tile.first[1])
        }
        return []
      },
      otherwise: {
        let square = b.local("square", .f32, count: count * count * lanes)
        for (index, value) in results.enumerated() { b.store(value, square, at: b.index(index * lanes)) }
        b.loop("y", from: b.index(0), to: left[0]) { y in
          b.loop("x", from: b.index(0), to: left[1]) { x in
            let at = b.multiply(b.add(b.multiply(y, count), x), lanes)
            store([b.load(square, at: at, lanes: lanes)], y: b.add(tile.first[0], y), x: b.add(tile.first[1], x))
          }
        }
        return []
      })
  }
}
