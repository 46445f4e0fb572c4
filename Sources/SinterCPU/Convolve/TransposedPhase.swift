import SinterCore
import SinterKernelIR

/// What a task of a transposed convolution knows of its phase.
struct TransposedPhase {
  /// δ along each axis, as index arithmetic.
  var place: [Dim]
  /// The number of taps along each axis.
  var taps: [Dim]
  /// The element of the input that the first tap of the phase's first place meets, along each axis; below zero where that lies before the input.
  var starts: [Register]
  /// Taps of the phases that are packed before this one.
  var before: Register

  /// - Parameters:
  ///   - places: δ along each axis.
  ///   - table: the table of the axes (`[TransposedAxis].table`).
  init(_ axes: [TransposedAxis], window: [Int], places: [Register], table: BufferID, _ scope: KernelScope) {
    let b = scope.builder
    let memory = scope.memory(table, element: .i64, .read)
    (place, taps, starts, before) = ([], [], [], b.index(0))
    var entry = 0
    // Combinations of taps of the axes so far.
    var combinations = Dim(1)
    for (position, axis) in axes.enumerated() {
      let index = axis.stride == 1 ? Dim(0) : Dim(scope.bind(places[position]))
      let residue = scope.index((index + axis.pad) % Dim(axis.stride))
      let at = b.add(b.multiply(residue, 3), entry)
      let count = axis.commonTaps.map { Dim($0) } ?? Dim(scope.bind(b.load(memory, at: at)))
      starts.append(
        b.add(b.load(memory, at: b.add(at, 1)), scope.index((index + axis.pad) / Dim(axis.stride))))
      let left = b.multiply(b.load(memory, at: b.add(at, 2)), window[(position + 1)...].reduce(1, *))
      before = b.add(before, b.multiply(left, scope.index(combinations)))
      combinations = combinations * count
      place.append(index)
      taps.append(count)
      entry += 3 * axis.stride
    }
  }

  /// Where the phase's pixels lie in the result.
  func lattice(_ axes: [TransposedAxis], images: Dim) -> [TileStore.Lattice] {
    [.init(extent: images, step: 1, first: 0)]
      + zip(axes, place).map { .init(extent: $0.places, step: $0.stride, first: $1) }
  }
}
