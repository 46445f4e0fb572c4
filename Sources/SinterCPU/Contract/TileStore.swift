import SinterCore
import SinterForms
import SinterKernelIR

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
  /// Where rows lie along the result's axes; nil: all along them.
  var lattice: [Lattice]?

  /// Evenly spaced places along an axis of the result.
  struct Lattice {
    var extent: Dim
    var step: Int
    var first: Dim
  }
  /// How many sums the epilogue takes for an element. A row of the tile has the first sum of all its elements, then the second, and so on.
  var groups = 1
  /// What the epilogue gives besides the result, of the same shape.
  var furtherResults: [FormValueID] = []

  /// Sets axes that are walked as one from the index of the whole.
  mutating func set(_ group: CollapsedAxes.Group, first: Int, index: Dim) {
    var rest = index
    for axis in (first + group.axes.lowerBound..<first + group.axes.upperBound).reversed() {
      let places =
        lattice.flatMap { axis < $0.count ? $0[axis] : nil } ?? Lattice(extent: shape[axis], step: 1, first: 0)
      if axis == first + group.axes.lowerBound {
        axes[axis] = rest * Dim(places.step) + places.first
      } else {
        axes[axis] = rest % places.extent * Dim(places.step) + places.first
        rest = rest / places.extent
      }
    }
  }

  /// - Parameters:
  ///   - row: the index of the tile's first row within its group; `column` likewise.
  ///   - masks: for each vector of elements, the lanes that exist; nil where all do.
  ///   - rowFirst: the axis of the result at which the rows' axes begin; `columnFirst` likewise.
  func emit(
    tile: RegisterTile, lanes: Int, row: Register, column: Register, masks: [Register?], sums: [Register],
    rowGroup: CollapsedAxes.Group, rowFirst: Int, columnGroup: CollapsedAxes.Group, columnFirst: Int
  ) {
    let b = scope.builder
    func store(_ rows: [(row: Register, sums: ArraySlice<Register>)]) {
      // All values before the first store, so that what rows share is read once.
      let stores = rows.flatMap { row, sums in
        vectors(
          row: row, column: column, lanes: lanes, masks: masks, sums: sums, rowGroup: rowGroup, rowFirst: rowFirst,
          columnGroup: columnGroup, columnFirst: columnFirst)
      }
      let outputs = ([result] + furtherResults).map { scope.memory($0, .write) }
      if bytesEpilogue != nil { return storeBytes(stores.map { ($0.values[0], $0.at, $0.mask) }, outputs[0], lanes) }
      for vector in stores {
        for (value, output) in zip(vector.values, outputs) { b.store(value, output, at: vector.at, mask: vector.mask) }
      }
    }
    guard let epilogue, epilogue.cost >= Self.costOfLoop, tile.rows > 2 else {
      return store((0..<tile.rows).map { (b.add(row, $0), sums[($0 * tile.vectors)..<(($0 + 1) * tile.vectors)]) })
    }
    // Beside all accumulators there would be no registers for a long epilogue: it runs row by row from memory.
    let scratch = b.local("tile", b.type(sums[0]).element, count: sums.count * lanes)
    for (index, sum) in sums.enumerated() { b.store(sum, scratch, at: b.index(index * lanes)) }
    // Bytes of two rows fill a vector.
    let step = bytesEpilogue != nil && tile.rows % 2 == 0 && tile.vectors * lanes <= scope.machine.lanes(.i16) ? 2 : 1
    b.loop("row", from: b.index(0), to: b.index(tile.rows), step: step) { r in
      store(
        (0..<step).map { part in
          let first = b.multiply(b.add(r, part), tile.vectors * lanes)
          let loaded = (0..<tile.vectors).map { b.load(scratch, at: b.add(first, $0 * lanes), lanes: lanes) }
          return (b.add(row, b.add(r, part)), loaded[...])
        })
    }
  }

  /// The epilogue up to its last step, where that is a conversion of floats to unsigned bytes, which goes faster for several vectors at a time.
  private var bytesEpilogue: Body? {
    guard let epilogue, furtherResults.isEmpty, groups == 1, scope.values[result].type.element == .u8,
      case .cast(let real) = epilogue[epilogue.results[0]].node, epilogue[epilogue.results[0]].type == .u8,
      epilogue[real].type == .f32
    else { return nil }
    return Body(exprs: epilogue.exprs, results: [real])
  }

  /// Stores floats as bytes: as many vectors as fit into one are converted together, and neighbours are stored together.
  private func storeBytes(_ vectors: [(value: Register, at: Register, mask: Register?)], _ output: Memory, _ lanes: Int)
  {
    let b = scope.builder
    let most = Swift.max(1, scope.machine.lanes(.u8) / lanes)
    var rest = vectors[...]
    while !rest.isEmpty {
      let group = Array(rest.prefix(rest.count >= most ? most : rest.count >= 2 ? 2 : 1))
      rest = rest.dropFirst(group.count)
      var parts = group.map(\.value)
      while parts.count > 1 {
        let width = b.type(parts[0]).lanes
        parts = stride(from: 0, to: parts.count, by: 2).map {
          b.shuffle(parts[$0], parts[$0 + 1], Array(0..<(2 * width)))
        }
      }
      let bytes = b.cast(parts[0], to: .u8)
      for (index, vector) in group.enumerated() {
        let own =
          group.count == 1 ? bytes : b.shuffle(bytes, bytes, (0..<lanes).map { index * lanes + $0 })
        b.store(own, output, at: vector.at, mask: vector.mask)
      }
    }
  }

  /// Instructions from which on an epilogue gets a loop of its own.
  private static let costOfLoop = 16

  /// The finished vectors of one row, and where they go.
  private func vectors(
    row: Register, column: Register, lanes: Int, masks: [Register?], sums: ArraySlice<Register>,
    rowGroup: CollapsedAxes.Group, rowFirst: Int, columnGroup: CollapsedAxes.Group, columnFirst: Int
  ) -> [(values: [Register], at: Register, mask: Register?)] {
    let b = scope.builder
    let strides = TensorType.strides(shape)
    let rowSymbol = scope.bind(row)
    let count = sums.count / groups
    return (0..<count).map { v in
      let columnSymbol = scope.bind(b.add(column, v * lanes))
      var place = self
      place.extents[rowSymbol] = rowGroup.extent
      place.extents[columnSymbol] = columnGroup.extent
      place.set(rowGroup, first: rowFirst, index: Dim(rowSymbol))
      place.set(columnGroup, first: columnFirst, index: columnOffset + Dim(columnSymbol))
      var values = (0..<groups).map { sums[sums.startIndex + $0 * count + v] }
      if let epilogue = bytesEpilogue ?? epilogue {
        let emitter = BodyEmitter(epilogue, scope: scope, axes: place.axes, extents: place.extents)
        values = emitter.emit(lanes: .init(columnSymbol, count: lanes, mask: masks[v]), accumulators: values)
      }
      let flat = zip(place.axes, strides).reduce(Dim(0)) { $0 + $1.0 * $1.1 }
      let at = scope.index(IndexSimplifier(extents: place.extents).simplified(flat))
      let results =
        bytesEpilogue != nil
        ? values : zip(values, [result] + furtherResults).map { b.cast($0, to: scope.values[$1].type.element) }
      return (results, at, masks[v])
    }
  }
}
