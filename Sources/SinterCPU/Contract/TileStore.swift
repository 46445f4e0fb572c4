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
  ///   - rows: by their index within their group; the columns likewise, `column` being the first one.
  ///   - vectors: vectors of columns; those of all groups.
  ///   - masks: for each vector of elements, the lanes that exist; nil where all do.
  ///   - rowFirst: the axis of the result at which the rows' axes begin; `columnFirst` likewise.
  func emit(
    rows: TileRows, vectors: Int, lanes: Int, column: Register, masks: [Register?], sums: TileResult,
    rowGroup: CollapsedAxes.Group, rowFirst: Int, columnGroup: CollapsedAxes.Group, columnFirst: Int
  ) {
    let b = scope.builder
    let (rowSymbol, columnSymbol) = (scope.newSymbol(), scope.newSymbol())
    var place = self
    place.extents[rowSymbol] = rowGroup.extent
    place.extents[columnSymbol] = columnGroup.extent
    place.set(rowGroup, first: rowFirst, index: Dim(rowSymbol))
    place.set(columnGroup, first: columnFirst, index: columnOffset + Dim(columnSymbol))
    let asBytes = bytesEpilogue
    let emitter = (asBytes ?? epilogue).map {
      BodyEmitter($0, scope: scope, axes: place.axes, extents: place.extents)
    }
    let flat = IndexSimplifier(extents: place.extents).simplified(
      zip(place.axes, TensorType.strides(shape)).reduce(Dim(0)) { $0 + $1.0 * $1.1 })
    let results = [result] + furtherResults
    let outputs = results.map { (memory: scope.memory($0, .write), element: scope.values[$0].type.element) }

    /// The finished vectors of one row, and where they go.
    func finished(_ row: Register, _ sums: ArraySlice<Register>) -> [(
      values: [Register], at: Register, mask: Register?
    )] {
      scope.bind(rowSymbol, to: row)
      let count = sums.count / groups
      return (0..<count).map { v in
        scope.bind(columnSymbol, to: b.add(column, v * lanes))
        var values = (0..<groups).map { sums[sums.startIndex + $0 * count + v] }
        if let emitter {
          values = emitter.emit(lanes: .init(columnSymbol, count: lanes, mask: masks[v]), accumulators: values)
        }
        if asBytes == nil { values = zip(values, outputs).map { b.cast($0, to: $1.element) } }
        return (values, scope.index(flat), masks[v])
      }
    }
    func store(_ rows: [(row: Register, sums: ArraySlice<Register>)]) {
      // All values before the first store, so that what rows share is read once.
      let stores = rows.flatMap { finished($0.row, $0.sums) }
      if asBytes != nil {
        return storeBytes(stores.map { ($0.values[0], $0.at, $0.mask) }, outputs[0].memory, lanes)
      }
      for vector in stores {
        for (value, output) in zip(vector.values, outputs) {
          b.store(value, output.memory, at: vector.at, mask: vector.mask)
        }
      }
    }
    /// Row by row from memory.
    func store(from scratch: Memory) {
      // Bytes of two rows fill a vector.
      let areTwo = asBytes != nil && rows.count % 2 == 0 && vectors * lanes <= scope.machine.lanes(.i16)
      func some(_ count: Int, at r: Register) {
        store(
          (0..<count).map { part in
            let row = b.add(r, part)
            let first = b.multiply(rows.place?(row) ?? row, vectors * lanes)
            let loaded = (0..<vectors).map { b.load(scratch, at: b.add(first, $0 * lanes), lanes: lanes) }
            return (b.add(rows.first, row), loaded[...])
          })
      }
      let step = areTwo ? 2 : 1
      let end = rows.existing ?? b.index(rows.count)
      let isOdd = areTwo ? rows.existing.map { b.binary(.modulo, $0, b.index(2)) } : nil
      let whole = isOdd.map { b.subtract(end, $0) } ?? end
      b.loop("row", from: b.index(0), to: whole, step: step) { some(step, at: $0) }
      if let isOdd { b.when(b.compare(.equal, isOdd, b.index(1))) { some(1, at: whole) } }
    }
    switch sums {
    case .memory(let scratch): store(from: scratch)
    case .registers(let sums):
      guard rows.count > 2 && (isLong || flat.dividesByOpenSize) || rows.existing != nil else {
        return store(
          (0..<rows.count).map { (b.add(rows.first, $0), sums[($0 * vectors)..<(($0 + 1) * vectors)]) })
      }
      // Beside all accumulators there would be no registers for a long epilogue: it runs row by row from memory. So does what is long because
      // of its indices, and the rows of a tile that may have too many.
      let scratch = b.local("tile", b.type(sums[0]).element, count: sums.count * lanes)
      for (index, sum) in sums.enumerated() { b.store(sum, scratch, at: b.index(index * lanes)) }
      store(from: scratch)
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

  /// Whether the epilogue gets a loop of its own.
  var isLong: Bool { (epilogue?.cost ?? 0) >= Self.costOfLoop }
  /// Instructions from which on an epilogue gets a loop of its own.
  private static let costOfLoop = 16
}

extension Dim {
  /// Whether it takes a division by a number that is known only at run time: a dozen instructions and more.
  fileprivate var dividesByOpenSize: Bool {
    terms.contains { term in
      term.factors.contains { atom in
        switch atom {
        case .quotient(let a, let b), .remainder(let a, let b): b.value == nil || a.dividesByOpenSize
        case .minimum(let a, let b), .maximum(let a, let b), .joint(let a, let b), .place(let a, let b),
          .scaled(let a, let b), .product(let a, let b):
          a.dividesByOpenSize || b.dividesByOpenSize
        case .symbol, .overflow: false
        }
      }
    }
  }
}
