import SinterCore
import SinterKernelIR

extension WinogradKernel {
  /// The places of a patch's result from its products, the columns of one panel.
  func transformOutput(_ patch: Patch, _ frame: Frame, from products: Register, column: Register, columns: Int) {
    let whole = columns / lanes
    b.loop("vector", from: b.index(0), to: b.index(whole * lanes), step: lanes) { vector in
      store(patch, frame, from: b.add(products, vector), column: b.add(column, vector), mask: nil)
    }
    if columns % lanes > 0 {
      let mask = scope.prefixMask(b.index(columns % lanes), lanes: lanes)
      let vector = b.index(whole * lanes)
      store(patch, frame, from: b.add(products, vector), column: b.add(column, vector), mask: mask)
    }
  }

  private func store(_ patch: Patch, _ frame: Frame, from products: Register, column: Register, mask: Register?) {
    let values = (0..<plan.places).map {
      b.load(scratch, at: b.add(products, $0 * plan.productStride), lanes: lanes)
    }
    let results = apply(\.output, to: values)
    let (lattice, extents) = lattice(patch, frame)
    let last = axes.count - 1
    let line = axes[last].results

    /// Stores neighbours along the last axis, the first of them at `place`.
    func store(_ sums: [Register], at place: [Register]) {
      let image = scope.bind(patch.image)
      let lines = place[..<last].map { scope.bind($0) }
      var store = TileStore(
        scope: scope, epilogue: form.epilogue, result: result, shape: shape,
        axes: [Dim(image)] + shape.dropFirst().map { _ in 0 },
        extents: extents)
      store.extents[image] = shape[0]
      for (axis, line) in lines.enumerated() {
        let places = lattice?[axis + 1] ?? .init(extent: shape[axis + 1], step: 1, first: 0)
        store.axes[axis + 1] = Dim(line) * Dim(places.step) + places.first
        store.extents[line] = places.extent
      }
      store.lattice = lattice
      store.emit(
        rows: TileRows(count: sums.count, first: place[last], existing: nil), vectors: 1, lanes: lanes, column: column,
        masks: [mask], sums: .registers(sums),
        rowGroup: .init(axes: 0..<1, extent: lattice?[last + 1].extent ?? shape[last + 1], strides: [1]),
        rowFirst: last + 1,
        columnGroup: .init(axes: 0..<1, extent: Dim(plan.columns), strides: [1]), columnFirst: last + 2)
    }
    let left = axes.indices.map { axis in
      let end = frame.ends?[axis] ?? self.end(axis, first: patch.first[axis])
      return b.binary(.minimum, b.subtract(end, patch.place[axis]), b.index(axes[axis].results))
    }
    let isWhole = axes.indices.filter { axes[$0].transform != nil }.reduce(b.constant(.int(1), .bool)) { all, axis in
      b.binary(.and, all, b.compare(.equal, left[axis], b.index(axes[axis].results)))
    }
    b.branch(
      isWhole,
      then: {
        for (number, index) in indices(axes.dropLast().map(\.results)).enumerated() {
          let place = zip(patch.place, index + [0]).map { b.add($0, $1) }
          store(Array(results[(number * line)..<((number + 1) * line)]), at: place)
        }
        return []
      },
      otherwise: {
        let all = b.local("patch", .f32, count: results.count * lanes)
        for (index, value) in results.enumerated() { b.store(value, all, at: b.index(index * lanes)) }
        /// Loops over the places that exist along the axes from `index.count` on.
        func loop(_ index: [Register]) {
          let axis = index.count
          guard axis < axes.count else {
            let at = zip(axes, index).reduce(b.index(0)) { b.add(b.multiply($0, $1.0.results), $1.1) }
            let sum = b.load(all, at: b.multiply(at, lanes), lanes: lanes)
            return store([sum], at: zip(patch.place, index).map { b.add($0, $1) })
          }
          if axes[axis].transform == nil { return loop(index + [b.index(0)]) }
          b.loop("place", from: b.index(0), to: left[axis]) { loop(index + [$0]) }
        }
        loop([])
        return []
      })
  }

  /// Where a patch's places lie in the result, and the extents of the symbols that say it; nil: each is its own.
  private func lattice(_ patch: Patch, _ frame: Frame) -> ([TileStore.Lattice]?, [Symbol: Dim]) {
    if let lattice = frame.lattice {
      let symbols = zip(transposed, lattice.dropFirst()).flatMap { axis, places in
        places.first.symbols.map { ($0, Dim(axis.phases)) }
      }
      return (lattice, Dictionary(symbols) { first, _ in first })
    }
    guard axes.contains(where: { $0.resultStep > 1 }) else { return (nil, [:]) }
    var extents: [Symbol: Dim] = [:]
    let lattice = axes.enumerated().map { position, axis in
      guard let first = patch.first[position] else { return TileStore.Lattice(extent: axis.extent, step: 1, first: 0) }
      let symbol = scope.bind(first)
      extents[symbol] = Dim(axis.resultStep)
      return .init(extent: axis.extent.ceilDivided(by: Dim(axis.resultStep)), step: axis.resultStep, first: Dim(symbol))
    }
    return ([.init(extent: shape[0], step: 1, first: 0)] + lattice, extents)
  }

  /// How many places there are along an axis, of those that begin at place `first`.
  private func end(_ axis: Int, first: Register?) -> Register {
    guard let first else { return scope.dim(shape[axis + 1]) }
    let step = axes[axis].resultStep
    return b.binary(.floorDivide, b.subtract(scope.dim(shape[axis + 1] + Dim(step - 1)), first), b.index(step))
  }
}
