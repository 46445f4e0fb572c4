import SinterCore
import SinterKernelIR

/// Results that lie side by side and are computed in vectors of their own are interleaved.
extension ElementPlan {
  /// The last axes of two to four elements in all, where no load walks the very last closely, so that lanes along another axis are better.
  func interleavedAxes(_ emitter: BodyEmitter, lanes: Int) -> [LoopSpace.Axis] {
    var found: [LoopSpace.Axis] = []
    var width = 1
    for axis in axes.reversed() {
      guard let extent = axis.extent.value, width * extent <= 4, width * extent < lanes else { break }
      let isWalked = emitter.indices.flats.values.contains { flat in
        stride(emitter, flat, along: axis.symbol, lanes: 2).map { (1...4).contains($0.magnitude) } ?? false
      }
      if found.isEmpty && isWalked { break }
      width *= extent
      found.insert(axis, at: 0)
    }
    return found.count < axes.count && isDense(found, emitter) ? found : []
  }

  /// Whether the elements of the last axes, and of the axis before them, lie one after another in the result.
  func isDense(_ inner: [LoopSpace.Axis], _ emitter: BodyEmitter) -> Bool {
    var width = 1
    for axis in axes.suffix(inner.count + 1).reversed() {
      if stride(emitter, flat, along: axis.symbol, lanes: 2) != width { return false }
      width *= axis.extent.value ?? 1
    }
    return true
  }

  /// Runs `work` with each of the elements of the interleaved axes bound, in their order in memory.
  func forEachInterleaved<R>(_ inner: [LoopSpace.Axis], _ work: () -> R) -> [R] {
    let extents = inner.map { $0.extent.value ?? 1 }
    return (0..<extents.reduce(1, *)).map { number in
      var rest = number
      for (axis, extent) in zip(inner, extents).reversed() {
        scope.bind(axis.symbol, to: scope.builder.index(rest % extent))
        rest /= extent
      }
      return work()
    }
  }

  /// Stores a vector for each element of the interleaved axes, whose lanes run along `symbol`, the axis before them.
  func storeInterleaved(
    _ results: [Register], _ emitter: BodyEmitter, to output: Memory, inner: [LoopSpace.Axis],
    lanes: BodyEmitter.Lanes?
  ) {
    let builder = scope.builder
    let width = results.count
    guard let lanes, lanes.mask == nil, lanes.count >= width, isDense(inner, emitter) else {
      var left = results[...]
      _ = forEachInterleaved(inner) { emitter.store(left.removeFirst(), to: output, at: flat, lanes: lanes) }
      return
    }
    let starts = forEachInterleaved(inner) { scope.index(flat) }
    for piece in 0..<width {
      // Element `at` of the interleaved run is lane at / width of result at % width.
      var run = results[0]
      for column in 1..<width {
        let positions = (0..<lanes.count).map { lane -> Int in
          let at = piece * lanes.count + lane
          if at % width == column { return lanes.count + at / width }
          return column == 1 && at % width == 0 ? at / width : lane
        }
        run = builder.shuffle(run, results[column], positions)
      }
      builder.store(run, output, at: builder.add(starts[0], piece * lanes.count))
    }
  }

  /// Lanes along the axis before the interleaved ones. Gives the number of its elements that a task takes.
  func writeInterleaved(_ transposition: Transposition, to output: Memory, part: Register) -> Int {
    let (emitter, inner) = (transposition.emitter, transposition.inner)
    let along = axes[axes.count - inner.count - 1]
    scope.vectorLoop(
      "interleaved", over: scope.stretch(along.extent, part: part, size: Self.run), lanes: transposition.lanes
    ) {
      index, count, mask in
      scope.bind(along.symbol, to: index)
      let lanes = count > 1 || mask != nil ? BodyEmitter.Lanes(along.symbol, count: count, mask: mask) : nil
      let results = forEachInterleaved(inner) { emitter.scoped { emitter.emit(lanes: lanes)[0] } }
      storeInterleaved(results, emitter, to: output, inner: inner, lanes: lanes)
    }
    return Self.run
  }
}
