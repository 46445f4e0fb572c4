import SinterCore

/// Whether a convolution is worth transforming (of 2×2 or 3×3 taps, in each phase if it is transposed or has a stride), by which transform, and in which blocks.
///
/// Tiles of the result (results × results pixels) are done in blocks: the block's input is transformed into scratch, each of the transform's
/// places is a matrix product [tiles, channels] × [channels, columns], and what those give is transformed back. Scratch is a task's own and
/// stays in its second-level cache.
struct WinogradPlan {
  let transform: WinogradTransform
  /// Phases of the result, each with weights of its own, and tiles of its own: all counts are of one phase.
  let phases: Int
  /// Images, and pixels of the result along the two axes; tiles along the two axes.
  let extents: [Dim]
  let tilesAlong: [Dim]
  /// Pixels of the input from one of the result to the next. The input is then so many images along either axis, taken every so many pixels,
  /// each of which counts as channels of its own.
  let step: Int
  let channels: Int
  let columns: Int
  let lanes: Int
  /// The tile of registers of the products; its rows are tiles of the image.
  let tile: RegisterTile
  /// Tiles of the image a block; a multiple of the register tile's rows.
  let blockTiles: Int
  /// Tasks along the tiles, each of the same number of blocks, and tasks along the columns, each of the same number of panels.
  let chunks: Dim
  let chunkTiles: Dim
  let columnParts: Int
  let partPanels: Int
  let grain: Int

  var tasks: Dim { chunks * Dim(columnParts * phases) }
  /// The number of tiles, where it is known and they are one block: then no register tile has rows too many.
  var onlyBlock: Int? { tiles.value.flatMap { $0 <= blockTiles ? $0 : nil } }
  var width: Int { tile.vectors * lanes }
  var panels: Int { (columns + width - 1) / width }
  var tiles: Dim { extents[0] * tilesAlong[0] * tilesAlong[1] }

  /// Elements between neighbouring tiles, and between places, of the transformed input; the odd vector keeps rows apart in the cache.
  var channelStride: Int { (channels + lanes - 1) / lanes * lanes + (channels * 4 % 1024 == 0 ? lanes : 0) }
  var inputStride: Int { blockTiles * channelStride + lanes }
  /// Elements between places of the products.
  var productStride: Int { blockTiles * width + lanes }
  var places: Int { transform.size * transform.size }
  /// Elements of scratch a task.
  var scratch: Int { places * (inputStride + productStride) }

  /// Tasks that a convolution of open sizes is cut into at most: each has its own scratch.
  private static let chunkLimit = 16
  private static let mostSteps = 4
  /// What masks add to a tile's way in, as a part of it, and cycles to find a tile.
  private static let borderCost = 0.7
  private static let tileCycles = 40.0
  private static let scratchBytes = 640 << 10

  /// The plan that is chosen, or the best one, where one is clearly cheaper than the direct way.
  static func choose(
    _ form: ConvolveForm, channels: ConvolveChannels, result: [Dim], machine: Machine, choice: ScheduleChoice? = nil
  ) -> WinogradPlan? {
    let (size, step) = (form.kernel[0], form.strides[0])
    guard form.kernel == [size, size], form.strides == [step, step], form.dilations == [1, 1], channels.groups == 1,
      form.accumulate == .f32, machine.hasMultiplyAdd
    else { return nil }
    return best(
      taps: (size + step - 1) / step, of: size * size, step: step, phases: 1, channels: channels.perGroup,
      columns: channels.results, result: result, machine: machine, choice: choice)
  }

  /// The best plan for the phases of a transposed convolution without groups.
  static func choose(
    _ form: ConvolveForm, axes: [TransposedAxis], channels: Int, result: [Dim], machine: Machine
  ) -> WinogradPlan? {
    guard axes.count == 2, let taps = axes[0].commonTaps, axes.allSatisfy({ $0.commonTaps == taps && $0.tapStep == 1 }),
      form.accumulate == .f32, machine.hasMultiplyAdd, let columns = result[3].value
    else { return nil }
    return best(
      taps: taps, of: taps * taps, step: 1, phases: axes.reduce(1) { $0 * $1.phases }, channels: channels, columns: columns,
      result: [result[0]] + axes.map(\.places) + [result[3]], machine: machine)
  }

  /// - Parameter count: the taps that the direct way has, of all phases of the input.
  private static func best(
    taps: Int, of count: Int, step: Int, phases: Int, channels: Int, columns: Int, result: [Dim], machine: Machine,
    choice: ScheduleChoice? = nil
  ) -> WinogradPlan? {
    let lanes = machine.lanes(.f32)
    guard step <= mostSteps, channels >= lanes / 2, columns >= lanes / 2 else { return nil }
    let pixels = result.dropLast().reduce(1) { $0 * TaskSplit.estimate($1) }
    let direct = Cost(
      products: count * channels, rows: pixels,
      tile: .choose(rows: pixels, columns: columns, lanes: lanes, machine: machine), transforms: 0,
      columns: columns, lanes: lanes)
    let plans = WinogradTransform.all(taps: taps).map {
      WinogradPlan($0, step: step, phases: phases, channels: step * step * channels, columns: columns, result: result, machine: machine)
    }
    switch choice?.algorithm {
    case .winograd(let results): return plans.first { $0.transform.results == results }
    case .tile: return nil
    case nil: break
    }
    return plans.filter { $0.cost.cycles < direct.cycles * 0.85 }.min { $0.cost.cycles < $1.cost.cycles }
  }

  init(_ transform: WinogradTransform, step: Int, phases: Int, channels: Int, columns: Int, result: [Dim], machine: Machine) {
    self.transform = transform
    self.step = step
    self.phases = phases
    self.channels = channels
    self.columns = columns
    lanes = machine.lanes(.f32)
    extents = Array(result.dropLast())
    tilesAlong = extents[1...].map { $0.ceilDivided(by: Dim(transform.results)) }
    let tiles = extents[0] * tilesAlong[0] * tilesAlong[1]
    let count = TaskSplit.estimate(tiles)
    tile = .choose(rows: Swift.min(count, 4096), columns: columns, lanes: lanes, machine: machine, depth: channels)
    let places = transform.size * transform.size
    let width = tile.vectors * lanes
    let most = Swift.max(tile.rows, Self.scratchBytes / 4 / places / (channels + width))
    let needed = (count + tile.rows - 1) / tile.rows
    let largest = Swift.min(Swift.max(most / tile.rows, (16 + tile.rows - 1) / tile.rows, 1), needed) * tile.rows
    let panels = (columns + width - 1) / width
    if let count = tiles.value, count > 0 {
      let cut = WinogradCut(
        transform: transform, phases: phases, tiles: count, channelVectors: (channels + lanes - 1) / lanes, panels: panels,
        channels: channels, tile: tile, lanes: lanes, most: largest
      ).best
      blockTiles = cut.blockTiles
      chunkTiles = Dim(cut.chunkTiles)
      partPanels = cut.partPanels
    } else {
      blockTiles = largest
      let blocks = tiles.ceilDivided(by: Dim(blockTiles))
      let wanted = Dim.max(Dim.min(blocks, Dim(Swift.max(1, Self.chunkLimit / phases))), 1)
      chunkTiles = blocks.ceilDivided(by: wanted) * Dim(blockTiles)
      partPanels = panels
    }
    chunks = tiles.ceilDivided(by: Dim.max(chunkTiles, 1))
    columnParts = (panels + partPanels - 1) / partPanels
    let taskFlops = 2 * places * Swift.max(1, count / TaskSplit.estimate(chunks)) * channels * partPanels * width
    grain = Swift.max(1, 500_000 / taskFlops)
  }

  // MARK: Cost

  private var cost: Cost {
    let count = TaskSplit.estimate(tiles)
    let vectors = { (count: Int) in Double((count + self.lanes - 1) / self.lanes) }
    // Tiles at the border read by masks; and each tile has to be found, once for its input and once a panel.
    let along = tilesAlong.map { TaskSplit.estimate($0) }
    let inside = along.reduce(1.0) { $0 * Double(Swift.max($1 - 2, 0)) / Double($1) }
    let inward = transform.inwardCycles * vectors(channels) * Double(columnParts) * (1 + Self.borderCost * (1 - inside))
    let outward = transform.outwardCycles * vectors(columns)
    let transforms = Double(count) * (inward + outward + Self.tileCycles * Double(columnParts + panels))
    let rows = onlyBlock ?? (count + tile.rows - 1) / tile.rows * tile.rows
    return Cost(
      products: places * channels, rows: rows, tile: tile, transforms: transforms, columns: columns, lanes: lanes)
  }

  /// Cycles of products and transforms, and of the weights that they read: those come from memory, as a model's others displace them.
  private struct Cost {
    var cycles: Double

    init(products: Int, rows: Int, tile: RegisterTile, transforms: Double, columns: Int, lanes: Int) {
      let vectors = (columns + lanes - 1) / lanes
      let work = Double(products) * tile.cost(rows: rows, columnVectors: vectors) + transforms
      let weights = Double(products * vectors * lanes * 4) / Self.bytesPerCycle
      cycles = Swift.max(work, weights) + Swift.min(work, weights) / 4
    }

    private static let bytesPerCycle = 8.0
  }
}
