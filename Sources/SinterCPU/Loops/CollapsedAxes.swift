import SinterCore

/// Axes that are walked as one, with the stride of the innermost.
struct CollapsedAxes {
  struct Group: Hashable {
    /// Positions in the list of axes, neighbours.
    var axes: Range<Int>
    var extent: Dim
    /// The stride in each of the accesses that were asked for.
    var strides: [Dim]
  }
  var groups: [Group] = []

  /// Joins neighbours wherever every access walks them densely.
  init(extents: [Dim], strides: [[Dim]]) {
    for axis in extents.indices {
      let own = Group(axes: axis..<(axis + 1), extent: extents[axis], strides: strides.map { $0[axis] })
      guard let last = groups.last else {
        groups.append(own)
        continue
      }
      if last.extent == 1 {
        groups[groups.count - 1] = Group(
          axes: last.axes.lowerBound..<(axis + 1), extent: own.extent, strides: own.strides)
      } else if own.extent == 1 {
        groups[groups.count - 1].axes = last.axes.lowerBound..<(axis + 1)
      } else if zip(last.strides, own.strides).allSatisfy({ $0 == $1 * own.extent }) {
        groups[groups.count - 1] = Group(
          axes: last.axes.lowerBound..<(axis + 1), extent: last.extent * own.extent, strides: own.strides)
      } else {
        groups.append(own)
      }
    }
  }
}
