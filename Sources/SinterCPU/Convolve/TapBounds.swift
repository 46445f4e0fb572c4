import SinterCore
import SinterKernelIR

/// The loops over a window and its channels, of which those along some axes are bounded, tile by tile, to the taps that meet the image from at
/// least one of the tile's pixels: along axes where this saves more than it costs.
struct TapBounds {
  private let meetings: TapMeetings
  /// Of a whole tile.
  private let rows: Int
  private(set) var loops: [TileKernel.Reduction] = []
  /// Which axis a loop is bounded along.
  private var axes: [(axis: Int, loop: Int)] = []

  var isEmpty: Bool { axes.isEmpty }

  /// Cycles of the index arithmetic that finds the bounds of an axis for a tile, and those of an iteration of a loop that would otherwise be one
  /// with that inside it: scalar instructions that depend on each other, a cycle each on any processor.
  private static let boundCycles = 30.0
  private static let iterationCycles = 8.0

  /// - Parameters:
  ///   - window: the spatial axes, then the channels.
  ///   - rows: of a tile.
  ///   - stepCycles: what a tile takes for one tap of one channel.
  ///   - splitsLast: whether the innermost loop may be shorter than without bounds.
  init(_ meetings: TapMeetings, window: [TileKernel.Reduction], rows: Int, stepCycles: Double, splitsLast: Bool) {
    self.meetings = meetings
    self.rows = rows
    let depths = window.map { $0.extent.value ?? 1 }
    let cycles = stepCycles * Double(depths.reduce(1, *))
    var run: [TileKernel.Reduction] = []
    for (axis, loop) in window.enumerated() {
      let inner = Array(window[(axis + 1)...]).collapsed().count
      let isJoined = Array(window[axis...]).collapsed().count == inner
      let cost = Self.boundCycles + (isJoined ? Self.iterationCycles * Double(depths[...axis].reduce(1, *)) : 0)
      let mayBeBounded = axis < window.count - 1 && (splitsLast || !isJoined || inner > 1)
      guard mayBeBounded, meetings.unmet(axis, rows: rows) * cycles > cost else {
        run.append(loop)
        continue
      }
      loops += run.collapsed()
      axes.append((axis, loops.count))
      loops.append(loop)
      run = []
    }
    loops += run.collapsed()
  }

  /// The loops for a tile of `count` pixels.
  func loops(first row: Register, count: Int, _ scope: KernelScope) -> [TileKernel.Reduction] {
    var result = loops
    for (axis, loop) in axes {
      result[loop].iterations = meetings.taps(axis, first: row, count: count, rows: rows, scope)
    }
    return result
  }
}
