import SinterCore
import SinterForms
import SinterKernelIR

/// How a convolution is transformed, in each phase if it is transposed: along which axes by which transforms, and in which blocks.
///
/// Patches of the result (so many places along each axis) are done in blocks: the block's input is transformed into scratch, each of a patch's
/// products is a matrix product [patches, channels] × [channels, columns], and what those give is transformed back. Scratch is a task's own and
/// stays in its second-level cache.
struct WinogradPlan {
  let axes: [WinogradAxis]
  /// Phases of the result, each with weights of its own, and patches of its own: all counts are of one phase.
  let phases: Int
  let images: Dim
  /// With those of all parts.
  let channels: Int
  let columns: Int
  let lanes: Int
  /// The tile of registers of the products; its rows are patches of the image.
  let tile: RegisterTile
  /// Patches of the image a block; a multiple of the register tile's rows.
  let blockPatches: Int
  /// Tasks along the patches, each of the same number of blocks, and tasks along the columns, each of the same number of panels.
  let chunks: Dim
  let chunkPatches: Dim
  let columnParts: Int
  let partPanels: Int
  let grain: Int
  /// Whether weights are transformed in each run, though they are constant.
  var transformsWeights = false
  /// The places of the result from which on the plan is followed, and the direct way otherwise; nil: always.
  var leastPlaces: Int?
  /// Rows of the transformed input a multiple of so many bytes apart would crowd a set of the first-level cache.
  let crowdedStride: Int

  var tasks: Dim { chunks * Dim(columnParts * phases) }
  /// The number of patches, where it is known and they are one block: then no register tile has rows too many.
  var onlyBlock: Int? { patches.value.flatMap { $0 <= blockPatches ? $0 : nil } }
  /// The patches of most blocks, where that is a number.
  var usualBlock: Int? { patches.value.map { Swift.min($0, blockPatches) } }
  var width: Int { tile.vectors * lanes }
  var panels: Int { (columns + width - 1) / width }
  var patches: Dim { axes.reduce(images) { $0 * $1.patches } }

  /// Elements between neighbouring patches, and between places, of the transformed input; the odd vector keeps rows apart in the cache.
  var channelStride: Int { (channels + lanes - 1) / lanes * lanes + (channels * 4 % crowdedStride == 0 ? lanes : 0) }
  var inputStride: Int { blockPatches * channelStride + lanes }
  /// Elements between places of the products.
  var productStride: Int { blockPatches * width + lanes }
  var places: Int { axes.places }
  /// Bytes of one phase's weights, transformed and in panels.
  var weightBytes: Int { places * channels * panels * width * 4 }
  /// Elements of scratch a task.
  var scratch: Int { places * (inputStride + productStride) }

  /// Tasks that a convolution of open sizes is cut into at most: each has its own scratch.
  private static let chunkLimit = 16
  /// What masks add to a patch's way in, as a part of it, and cycles of the index arithmetic that finds a patch.
  private static let borderCost = 0.7
  private static let patchCycles = 40.0

  init(_ axes: [WinogradAxis], phases: Int, channels: Int, columns: Int, images: Dim, machine: Machine) {
    self.axes = axes
    self.phases = phases
    self.channels = channels
    self.columns = columns
    self.images = images
    lanes = machine.lanes(.f32)
    crowdedStride = machine.level1Stride / 4
    let patches = axes.reduce(images) { $0 * $1.patches }
    let count = TaskSplit.estimate(patches)
    tile = .choose(rows: Swift.min(count, 4096), columns: columns, lanes: lanes, machine: machine, depth: channels)
    let places = axes.places
    let width = tile.vectors * lanes
    let most = Swift.max(tile.rows, machine.transformBytes / 4 / places / (channels + width))
    let needed = (count + tile.rows - 1) / tile.rows
    let largest = Swift.min(Swift.max(most / tile.rows, (16 + tile.rows - 1) / tile.rows, 1), needed) * tile.rows
    let panels = (columns + width - 1) / width
    if let count = patches.value, count > 0 {
      let cut = WinogradCut(
        axes: axes, phases: phases, patches: count, channelVectors: (channels + lanes - 1) / lanes, panels: panels,
        channels: channels, tile: tile, machine: machine, most: largest
      ).best
      blockPatches = cut.blockPatches
      chunkPatches = Dim(cut.chunkPatches)
      partPanels = cut.partPanels
    } else {
      blockPatches = largest
      let blocks = patches.ceilDivided(by: Dim(blockPatches))
      let wanted = Dim.max(Dim.min(blocks, Dim(Swift.max(1, Self.chunkLimit / phases))), 1)
      chunkPatches = blocks.ceilDivided(by: wanted) * Dim(blockPatches)
      partPanels = panels
    }
    chunks = patches.ceilDivided(by: Dim.max(chunkPatches, 1))
    columnParts = (panels + partPanels - 1) / partPanels
    let taskFlops = 2 * places * Swift.max(1, count / TaskSplit.estimate(chunks)) * channels * partPanels * width
    grain = Swift.max(1, machine.threadWork / taskFlops)
  }

  // MARK: Cost

  /// What the plan costs for so many images.
  func cost(_ machine: Machine, images: Int) -> WinogradCandidate.Cost {
    let count = axes.reduce(images) { $0 * TaskSplit.estimate($1.patches) }
    let vectors = { (count: Int) in Double((count + self.lanes - 1) / self.lanes) }
    // Patches at the border read by masks; and each patch has to be found, once a part for its input and once a panel.
    let inside = axes.reduce(1.0) { $0 * $1.insideShare }
    let inward = axes.inwardCycles * vectors(channels) * Double(columnParts) * (1 + Self.borderCost * (1 - inside))
    let outward = axes.outwardCycles * vectors(columns)
    let transforms = Double(count) * (inward + outward + Self.patchCycles * Double(columnParts * axes.parts + panels))
    let rows = onlyBlock ?? (count + tile.rows - 1) / tile.rows * tile.rows
    var filters = 0.0
    if transformsWeights {
      let bytes = vectors(columns) * Double(lanes * 4 * places * channels)
      // Beyond the second-level cache a line is read before it is written, and written back.
      let transfer =
        machine.streams(bytes: Int(bytes))
        ? 2 * bytes / machine.level3BytesPerCycle : bytes / machine.level2BytesPerCycle
      filters =
        vectors(columns) * Double(channels / axes.parts) * WinogradFilters.cycles(axes, phases: 1) + transfer
    }
    return WinogradCandidate.Cost(
      products: places * channels, rows: rows, tile: tile, transforms: transforms + filters, columns: columns,
      machine: machine)
  }
}
