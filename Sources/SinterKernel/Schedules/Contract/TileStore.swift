import SinterCore

/// Writes a finished tile: the epilogue on each vector of sums, then the store.
struct TileStore {
  let scope: KernelScope
  let epilogue: Body?
  let result: FormValueID
  let shape: [Dim]
  /// The index along each axis of the result, over bound symbols; rows and columns are set for each vector.
  var axes: [Dim]
  var extents: [Symbol: Dim]
  /// Added to each index along the columns.
  var columnOffset: Dim = 0

  /// Sets axes that are walked as one from the index of the whole.
  mutating func set(_ group: CollapsedAxes.Group, first: Int, index: Dim) {
    var rest = index
    for axis in group.axes.reversed() {
      let extent = shape[first + axis]
      if axis == group.axes.lowerBound {
        axes[first + axis] = rest
      } else {
        axes[first + axis] = rest % extent
        rest = rest / extent
      }
    }
  }

  /// - Parameters:
  ///   - row: the index of the tile's first row within its group; `column` likewise.
  ///   - rowFirst: the axis of the result at which the rows' axes begin; `columnFirst` likewise.
  func emit(
    tile: RegisterTile, lanes: Int, row: Register, column: Register, masks: [Register?], sums: [Register],
    rowGroup: CollapsedAxes.Group, rowFirst: Int, columnGroup: CollapsedAxes.Group, columnFirst: Int
  ) {
    let b = scope.builder
    let output = scope.memory(result, .write)
    let strides = ScheduleContext.strides(shape)
    // All values before the first store, so that what rows share is read once.
    var stores: [(value: Register, at: Register, mask: Register?)] = []
    for r in 0..<tile.rows {
      let rowSymbol = scope.bind(b.add(row, r))
      for v in 0..<tile.vectors {
        let columnSymbol = scope.bind(b.add(column, v * lanes))
        var place = self
        place.extents[rowSymbol] = rowGroup.extent
        place.extents[columnSymbol] = columnGroup.extent
        place.set(rowGroup, first: rowFirst, index: Dim(rowSymbol))
        place.set(columnGroup, first: columnFirst, index: columnOffset + Dim(columnSymbol))
        var value = sums[r * tile.vectors + v]
        if let epilogue {
          let emitter = BodyEmitter(epilogue, scope: scope, axes: place.axes, extents: place.extents)
          value = emitter.emit(
            lanes: .init(columnSymbol, count: lanes, mask: masks[v]), accumulators: [value])[0]
        }
        let flat = zip(place.axes, strides).reduce(Dim(0)) { $0 + $1.0 * $1.1 }
        let at = scope.index(IndexSimplifier(extents: place.extents).simplified(flat))
        stores.append((b.cast(value, to: scope.values[result].type.element), at, masks[v]))
      }
    }
    for store in stores { b.store(store.value, output, at: store.at, mask: store.mask) }
  }
}
