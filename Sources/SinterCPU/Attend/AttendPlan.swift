import SinterCore
import SinterForms
import SinterKernelIR

/// How attention is cut into tasks, and tasks into blocks and tiles.
///
/// A task is a block of rows. It goes through the keys block by block: packs the keys of a block, and for some rows at a time computes
/// their scores into memory of its own, makes weights of them, and sums the values. Where all keys fit into one block the weights are
/// softmax itself; otherwise sums are kept beside the greatest score so far and scaled down when a greater one comes.
struct AttendPlan {
  var lanes: Int
  var depth: Int
  var columns: Int
  var rows: Dim
  var keys: Dim
  /// Rows by vectors of keys, and rows by vectors of columns.
  var scoreTile: RegisterTile
  var valueTile: RegisterTile
  /// The packed keys of a block.
  var panels: PanelLayout
  /// Whether one block holds all keys.
  var isWhole: Bool
  /// Whether the keys can be read as they lie, a dot product a score, because rows are few: nil where only the task itself can tell.
  var isFew: Bool?
  /// Rows whose scores a task holds at a time.
  var scoreRows: Int
  var taskRows: Int
  var tasks: Dim
  var grain: Int

  /// Elements between the scores of one row and the next.
  var scoreStride: Int { (panels.columns + lanes - 1) / lanes * lanes }
  var rowBlocks: Dim { rows.ceilDivided(by: Dim(taskRows)) }
  var keyBlocks: Dim { isWhole ? 1 : keys.ceilDivided(by: Dim(panels.columns)) }

  /// Rows up to which packing keys costs more than it saves.
  static let fewRows = 8
  /// Keys a block, where not all fit.
  private static let blockKeys = 256
  /// Tasks that all rows together make at least, where rows do.
  private static let wantedTasks = 16
  /// Rows of a task from which on packing its keys is cheap beside what is done with them.
  private static let enoughRows = 64

  /// - Parameters:
  ///   - rows: those that share keys and lie evenly spaced; `outer` counts the rest.
  ///   - readsDepth: whether queries and keys have their depth side by side.
  init(
    rows: Dim, keys: Dim, depth: Int, columns: Int, outer: Dim, lanes: Int, elementBytes: Int, readsDepth: Bool,
    machine: Machine
  ) {
    self.rows = rows
    self.keys = keys
    self.depth = depth
    self.columns = columns
    self.lanes = lanes
    isFew = !readsDepth ? false : rows.value.map { $0 <= Self.fewRows }

    let fitting = Swift.max(lanes, machine.keyBytes / (Swift.max(1, depth) * elementBytes) / lanes * lanes)
    let whole = keys.value.map { ($0 + lanes - 1) / lanes * lanes }
    isWhole = whole.map { $0 <= Swift.min(fitting, 2 * Self.blockKeys) } ?? false
    if isWhole, let count = keys.value {
      scoreTile = RegisterTile.choose(rows: rows.value, columns: count, lanes: lanes, machine: machine)
      panels = PanelLayout(columns: count, depth: depth, lanes: lanes, vectors: scoreTile.vectors)
    } else {
      let most = Swift.min(fitting, Self.blockKeys)
      scoreTile = RegisterTile.choose(rows: rows.value, columns: most, lanes: lanes, machine: machine)
      let width = scoreTile.vectors * lanes
      panels = PanelLayout(columns: most / width * width, depth: depth, lanes: lanes, vectors: scoreTile.vectors)
    }
    valueTile = RegisterTile.choose(rows: rows.value, columns: columns, lanes: lanes, machine: machine)

    let stride = (panels.columns + lanes - 1) / lanes * lanes
    let room = Swift.max(1, machine.scoreBytes / (stride * elementBytes))
    let sumRoom = isWhole ? Int.max : Swift.max(1, machine.weightedSumBytes / (Swift.max(1, columns) * elementBytes))
    let count = rows.value ?? Int.max
    if count <= Swift.min(room, sumRoom) {
      scoreRows = Swift.max(1, count)
    } else {
      // Both tiles divide the block, so that only the last one has rows left over.
      let most = Swift.min(room, sumRoom)
      scoreTile.rows = Swift.min(scoreTile.rows, most)
      var both = Self.commonMultiple(scoreTile.rows, valueTile.rows)
      if both > most {
        valueTile.rows = Swift.min(scoreTile.rows, valueTile.rows)
        scoreTile.rows = valueTile.rows
        both = valueTile.rows
      }
      scoreRows = Swift.max(both, most / both * both)
      if let known = rows.value {
        // Blocks of nearly the same size.
        let blocks = (known + scoreRows - 1) / scoreRows
        scoreRows = Swift.min(scoreRows, ((known + blocks - 1) / blocks + both - 1) / both * both)
      }
    }
    let outerCount = Swift.max(1, outer.value ?? 1)
    let wanted = (Self.wantedTasks + outerCount - 1) / outerCount
    let share = rows.value.map { ($0 + wanted - 1) / wanted } ?? Self.enoughRows
    let least = Swift.max(share, Swift.min(Self.enoughRows, rows.value ?? Self.enoughRows))
    taskRows = (Swift.min(least, sumRoom) + scoreRows - 1) / scoreRows * scoreRows
    if taskRows > sumRoom { taskRows = Swift.max(scoreRows, sumRoom / scoreRows * scoreRows) }

    let bytes = elementBytes * (keys.value ?? 512) * (depth + columns)
    let work = bytes * Swift.max(1, Swift.min(taskRows, rows.value ?? taskRows) / 8)
    grain = Swift.max(1, machine.threadBytes / Swift.max(1, work))
    tasks = 1
    tasks = rowBlocks * outer
  }

  private static func commonMultiple(_ a: Int, _ b: Int) -> Int {
    var (x, y) = (a, b)
    while y != 0 { (x, y) = (y, x % y) }
    return a / x * b
  }
}
