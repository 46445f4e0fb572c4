import SinterCore
import SinterIR

/// Images read at places that are computed, told in operators: what gradients of resampling go through.
struct SampledPlaces {
  /// One element along an axis that counts for a sample: its place, always within the axis; its weight; and whether it counts.
  struct Tap {
    var place: GradientTensor
    var weight: GradientTensor?
    var isInside: GradientTensor?
  }

  /// [n, c, spatial…].
  private let image: GradientTensor
  /// The image as rows of channels, [n · spatial…, c], and the first row of each example, [n, 1].
  private let rows: GradientTensor
  private let starts: GradientTensor
  private let sizes: [GradientTensor]

  init(_ image: GradientTensor) throws {
    self.image = image
    let rank = try image.rank
    sizes = try (2..<rank).map { try image.size($0) }
    let whole = try sizes.dropFirst().reduce(sizes[0]) { try $0 * $1 }
    let moved = try image.transposed([0] + Array(2..<rank) + [1])
    rows = try moved.reshaped(to: [image.size(0) * whole, image.size(1)])
    starts = try (image.positions(along: 0) * whole).unsqueezed([1])
  }

  /// - Parameter taps: for each spatial axis those of all places, each [n, places].
  /// - Returns: [n, places, c].
  func sum(_ taps: [[Tap]]) throws -> GradientTensor {
    var sums: [GradientTensor] = []
    func visit(_ axis: Int, _ place: GradientTensor, _ weight: GradientTensor?, _ isInside: GradientTensor?) throws {
      guard axis < taps.count else {
        var value = try rows.applying(Gather(axis: 0), place + starts)
        if let weight { value = try value * weight.cast(to: try image.element).unsqueezed([2]) }
        if let isInside { value = try value.kept(where: isInside.unsqueezed([2])) }
        sums.append(value)
        return
      }
      for tap in taps[axis] {
        let both = try weight.flatMap { weight in try tap.weight.map { try weight * $0 } } ?? weight ?? tap.weight
        let inside =
          try isInside.flatMap { inside in try tap.isInside.map { try inside.applying(Binary(.and), $0) } }
          ?? isInside ?? tap.isInside
        try visit(axis + 1, place * sizes[axis] + tap.place, both, inside)
      }
    }
    for tap in taps[0] { try visit(1, tap.place, tap.weight, tap.isInside) }
    return try sums.dropFirst().reduce(sums[0]) { try $0 + $1 }
  }

  /// The size of a spatial axis, and the same in an element type.
  func size(_ axis: Int) -> GradientTensor { sizes[axis] }

  /// Places held within an axis.
  func held(_ place: GradientTensor, _ axis: Int) throws -> GradientTensor {
    let last = try sizes[axis] - place.integers([1])
    return try tape.add(
      Variadic(.minimum), [try tape.add(Variadic(.maximum), [place, place.integers([0])])[0], last])[0]
  }

  /// A tap that counts where it lies within the axis.
  func tap(_ place: GradientTensor, _ weight: GradientTensor?, _ axis: Int) throws -> Tap {
    let isInside = try place.compare(.greaterOrEqual, place.integers([0]))
      .applying(Binary(.and), place.compare(.less, sizes[axis]))
    return Tap(place: try held(place, axis), weight: weight, isInside: isInside)
  }

  private var tape: GradientTape { image.tape }
}
