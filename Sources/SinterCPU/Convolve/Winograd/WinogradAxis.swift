import SinterCore
import SinterForms
import SinterKernelIR

/// One spatial axis of a convolution by transforms.
///
/// Where the axis is transformed, a tile has `transform.results` places of the result along it. A stride then makes as many parts of the taps:
/// each is a convolution without a stride of every so many taps with every so many elements. With a dilation, so many convolutions lie
/// between each other's places, each with tiles of its own. Where the axis is not transformed, each tap is a part by itself. Parts count as
/// channels side by side.
struct WinogradAxis: Hashable {
  let transform: WinogradTransform?
  /// Taps, elements of the input from one place of the result to the next, and from one tap to the next.
  let kernel: Int, stride: Int, dilation: Int
  /// Places of the result.
  let extent: Dim

  init(_ transform: WinogradTransform?, kernel: Int, stride: Int = 1, dilation: Int = 1, extent: Dim) {
    self.transform = transform
    self.kernel = kernel
    self.stride = stride
    self.dilation = dilation
    self.extent = extent
  }

  /// Of one tile: places of the result, and elements of the input, thus products.
  var results: Int { transform?.results ?? 1 }
  var size: Int { transform?.size ?? 1 }
  var parts: Int { transform == nil ? kernel : stride }
  /// Elements of the input from one part to the next, and between neighbours of one tile.
  var partStep: Int { transform == nil ? dilation : 1 }
  var placeStep: Int { stride * dilation }
  /// Places of the result between neighbours of one tile.
  var resultStep: Int { transform == nil ? 1 : dilation }
  var tiles: Dim { Dim(resultStep) * extent.ceilDivided(by: Dim(resultStep * results)) }

  /// The part of all tiles' inputs that lie within the image, about.
  var insideShare: Double {
    if kernel == 1 { return 1 }
    let tiles = Double(TaskSplit.estimate(tiles)), border = Double(2 * resultStep)
    return transform == nil ? 1 - border / (tiles * Double(kernel)) : Swift.max(tiles - border, 0) / tiles
  }

  /// The ways to transform an axis.
  private static func options(kernel: Int, stride: Int, dilation: Int) -> [WinogradTransform] {
    guard kernel > 1, stride == 1 || dilation == 1, stride <= mostParts else { return [] }
    return WinogradTransform.all(taps: (kernel + stride - 1) / stride)
  }

  /// Parts of an axis at most, and places of a tile: more do not fit into registers by far.
  private static let mostParts = 4
  private static let mostPlaces = 36
  /// Axes that are transformed.
  private static let mostTransformed = 2

  /// All ways to transform a convolution: the last two axes of those that have more than one tap.
  static func candidates(kernel: [Int], strides: [Int], dilations: [Int], extents: [Dim]) -> [[WinogradAxis]] {
    let wide = kernel.indices.filter { kernel[$0] > 1 }
    let transformed = wide.suffix(mostTransformed)
    guard !transformed.isEmpty, wide.allSatisfy({ transformed.contains($0) || kernel[$0] <= mostParts }) else {
      return []
    }
    let candidates = kernel.indices.reduce([[]] as [[WinogradAxis]]) { axes, axis in
      let (taps, stride, dilation) = (kernel[axis], strides[axis], dilations[axis])
      let options: [WinogradTransform?] =
        transformed.contains(axis) ? options(kernel: taps, stride: stride, dilation: dilation) : [nil]
      return axes.flatMap { axes in
        options.map {
          axes + [WinogradAxis($0, kernel: taps, stride: stride, dilation: dilation, extent: extents[axis])]
        }
      }
    }
    return candidates.filter { $0.places <= mostPlaces }
  }
}

extension [WinogradAxis] {
  /// Products of a tile.
  var places: Int { reduce(1) { $0 * $1.size } }
  var parts: Int { reduce(1) { $0 * $1.parts } }

  /// Cycles of loads, sums and stores of one tile of one vector of channels, on the way in and out.
  var inwardCycles: Double { Double(places * (1 + filter { $0.transform != nil }.count)) }
  var outwardCycles: Double {
    var (open, sums) = (places, 0)
    for axis in self where axis.transform != nil {
      sums += open / axis.size * (axis.size + axis.results + 3)
      open = open / axis.size * axis.results
    }
    return Double(places) + Double(sums) / 2
  }
}
