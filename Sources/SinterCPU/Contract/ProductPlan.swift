import SinterCore
import SinterForms
import SinterKernelIR

/// How a product is cut into tasks, and tasks into tiles.
///
/// A task is a block of rows times some panels of columns. Its rows stay in the second-level cache while one panel after another passes, and a
/// panel while the block's tiles pass. Where the reduced axis is so long that they would not, it is done in steps.
struct ProductPlan {
  var rows: Dim
  var columns: Dim
  var tile: RegisterTile
  var lanes: Int
  /// Rows a task; a multiple of the tile's.
  var blockRows: Int
  /// Panels a task.
  var blockPanels: Int
  var tasks: Dim
  var grain: Int
  /// Whether tiles ask for the panel after theirs.
  let asksAhead: Bool
  /// How much of the reduced axis is summed for all rows of a task before the rest; nil: all.
  private(set) var depthStep: Int?

  var width: Int { tile.vectors * lanes }
  var rowBlocks: Dim { rows.ceilDivided(by: Dim(blockRows)) }
  var panels: Dim { columns.ceilDivided(by: Dim(width)) }
  var columnBlocks: Dim { panels.ceilDivided(by: Dim(blockPanels)) }

  /// Tasks of more than one panel are no larger than so many tasks that are worth a thread.
  private static let mostThreadWorks = 8

  /// A panel that takes more than this part of the second-level cache is done in steps; of panels that a kernel has just made, which come
  /// from a cache, this part,
  private static let (largePanel, largeComputedPanel) = (4, 2)
  /// each of which takes this part,
  private static let stepPart = 7

  /// - Parameters:
  ///   - splitsDepth: the reduced axis may be done in steps.
  ///   - step: the steps in which it is done in any case.
  ///   - speed: how many times as fast as multiply-adds of f32 the arithmetic is.
  ///   - isComputed: the panels are made when the model runs.
  ///   - copiesRows: each task copies its rows before it multiplies them.
  init(
    rows: Dim, columns: Dim, depth: Dim, tile: RegisterTile, lanes: Int, elementBytes: Int, outer: Dim,
    machine: Machine,
    splitsDepth: Bool = false, step: Int? = nil, speed: Double = 1, isComputed: Bool = false, copiesRows: Bool = false
  ) {
    self.rows = rows
    self.columns = columns
    self.tile = tile
    self.lanes = lanes
    let k = Swift.max(1, depth.value ?? 512)
    let rowCount = Swift.max(1, rows.value ?? 128)
    let needed = (rowCount + tile.rows - 1) / tile.rows * tile.rows
    let width = tile.vectors * lanes
    let panelBytes = k * width * elementBytes
    let isSplit =
      step != nil
      || splitsDepth && depth.value != nil && rowCount > tile.rows
        && panelBytes > machine.level2 / (isComputed ? Self.largeComputedPanel : Self.largePanel)
    let steps = (panelBytes * Self.stepPart + machine.level2 - 1) / machine.level2
    depthStep = step ?? (isSplit ? (k + steps - 1) / steps : nil)
    let fitting = Swift.max(
      tile.rows,
      Swift.min(
        machine.level2 / 2 / ((depthStep ?? k) * elementBytes),
        isSplit ? machine.waitingSumBytes / (width * elementBytes) : .max))
    let copyCycles = copiesRows ? Double(k * elementBytes) / machine.level2BytesPerCycle : 0
    let cut = Cut(
      rowCount: rowCount, mostRows: Swift.max(1, Swift.min(fitting / tile.rows * tile.rows, needed)),
      tileRows: tile.rows, panelCount: Swift.max(1, ((columns.value ?? 768) + width - 1) / width),
      outer: Swift.max(1, outer.value ?? 1),
      // A panel's arithmetic for one row, and what it costs at least for many: the time in which it is read.
      rowWork: Swift.max(1, Int(Double(2 * k * width) / speed)),
      readWork: machine.operationsPerByte * k * width * elementBytes,
      copyWork: Int(copyCycles * Double(2 * machine.lanes(.f32) * machine.multiplyAddsPerCycle)),
      limit: Self.mostThreadWorks * machine.threadWork, start: machine.taskWork)
    (blockRows, blockPanels) = cut.best
    asksAhead = tile.asksAhead(rows: Swift.min(blockRows, rowCount))
    grain = Swift.max(1, machine.threadWork / cut.work(Swift.min(blockRows, rowCount), blockPanels))
    tasks = 1
    tasks = rowBlocks * columnBlocks * outer
  }

  /// The same tasks in other tiles, the reduced axis in one.
  func taking(_ tile: RegisterTile) -> ProductPlan {
    var plan = self
    (plan.tile, plan.depthStep) = (tile, nil)
    return plan
  }

  /// The ways to cut a product into tasks of some rows and some panels.
  private struct Cut {
    var rowCount: Int, mostRows: Int, tileRows: Int, panelCount: Int, outer: Int
    var rowWork: Int, readWork: Int, copyWork: Int, limit: Int, start: Int

    func work(_ rows: Int, _ panels: Int) -> Int {
      Swift.max(1, rows * copyWork + panels * Swift.max(rows * rowWork, readWork))
    }

    /// The cut that one, two, four and eight threads finish soonest, taken together. The largest tasks among equals.
    var best: (rows: Int, panels: Int) {
      var best = (rows: mostRows, panels: 1)
      var least = time(mostRows, 1)
      let panelCounts = Set((1...64).map { (panelCount + $0 - 1) / $0 }).sorted(by: >)
      for count in 1...64 {
        let rows = ((rowCount + count - 1) / count + tileRows - 1) / tileRows * tileRows
        if rows > mostRows { continue }
        for panels in panelCounts where panels == 1 || work(Swift.min(rows, rowCount), panels) <= limit {
          let needed = time(rows, panels)
          if needed < least { (best, least) = ((rows, panels), needed) }
        }
        if rows == tileRows { break }
      }
      return best
    }

    /// The time of one, two, four and eight threads, each as a multiple of what it would be without loss; in operations.
    private func time(_ rows: Int, _ panels: Int) -> Double {
      let rowBlocks = (rowCount + rows - 1) / rows
      let tasks = rowBlocks * ((panelCount + panels - 1) / panels) * outer
      // To begin a task, and to read its panels, which the arithmetic hides in part.
      let each = Double(work(Swift.min(rows, rowCount), panels) + start + panels * readWork / 8)
      // The last block of rows may be smaller, so that the whole is less than all tasks.
      let whole = each * Double(tasks) * Double(rowCount) / Double(rowBlocks * Swift.min(rows, rowCount))
      return [1, 2, 4, 8].reduce(0) { sum, threads in
        sum + Swift.max(whole, each * Double((tasks + threads - 1) / threads * threads))
      }
    }
  }
}
