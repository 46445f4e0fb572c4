import SinterCore
import SinterForms
import SinterKernelIR

/// One spatial axis of a convolution by transforms.
///
/// Where the axis is transformed, a patch has `transform.results` places of the result along it. A stride then makes as many parts of the taps:
/// each is a convolution without a stride of every so many taps with every so many elements. With a dilation, so many convolutions lie
/// between each other's places, each with patches of its own. Where the axis is not transformed, each tap is a part by itself. Parts count as
/// channels side by side.
struct WinogradAxis: Hashable {
  let transform: WinogradTransform?
  /// Taps, elements of the input from one place of the result to the next, and from one tap to the next.
  let window: Int, stride: Int, dilation: Int
  /// Places of the result.
  let extent: Dim

  init(_ transform: WinogradTransform?, window: Int, stride: Int = 1, dilation: Int = 1, extent: Dim) {
    self.transform = transform
    self.window = window
    self.stride = stride
    self.dilation = dilation
    self.extent = extent
  }

  /// Of one patch: places of the result, and elements of the input, thus products.
  var results: Int { transform?.results ?? 1 }
  var size: Int { transform?.size ?? 1 }
  var parts: Int { transform == nil ? window : stride }
  /// Elements of the input from one part to the next, and between neighbours of one patch.
  var partStep: Int { transform == nil ? dilation : 1 }
  var placeStep: Int { stride * dilation }
  /// Places of the result between neighbours of one patch.
  var resultStep: Int { transform == nil ? 1 : dilation }
  var patches: Dim { Dim(resultStep) * extent.ceilDivided(by: Dim(resultStep * results)) }

  /// The part of all patches' inputs that lie within the image, about.
  var insideShare: Double {
    if window == 1 { return 1 }
    let patches = Double(TaskSplit.estimate(patches)), border = Double(2 * resultStep)
    return transform == nil ? 1 - border / (patches * Double(window)) : Swift.max(patches - border, 0) / patches
  }

  /// The ways to transform an axis.
  private static func options(window: Int, stride: Int, dilation: Int) -> [WinogradTransform] {
    guard window > 1, stride == 1 || dilation == 1, stride <= mostParts else { return [] }
    return WinogradTransform.all(taps: (window + stride - 1) / stride)
  }

  /// Parts of an axis at most, and places of a patch: more do not fit into registers by far.
  private static let mostParts = 4
  private static let mostPlaces = 36
  /// Axes that are transformed.
  private static let mostTransformed = 2

  /// All ways to transform a convolution: the last two axes of those that have more than one tap.
  static func candidates(window: [Int], strides: [Int], dilations: [Int], extents: [Dim]) -> [[WinogradAxis]] {
    let wide = window.indices.filter { window[$0] > 1 }
    let transformed = wide.suffix(mostTransformed)
    guard !transformed.isEmpty, wide.allSatisfy({ transformed.contains($0) || window[$0] <= mostParts }) else {
      return []
    }
    let candidates = window.indices.reduce([[]] as [[WinogradAxis]]) { axes, axis in
      let (taps, stride, dilation) = (window[axis], strides[axis], dilations[axis])
      let options: [WinogradTransform?] =
        transformed.contains(axis) ? options(window: taps, stride: stride, dilation: dilation) : [nil]
      return axes.flatMap { axes in
        options.map {
          axes + [WinogradAxis($0, window: taps, stride: stride, dilation: dilation, extent: extents[axis])]
        }
      }
    }
    return candidates.filter { $0.places <= mostPlaces }
  }
}

extension [WinogradAxis] {
  /// Products of a patch.
  var places: Int { reduce(1) { $0 * $1.size } }
  var parts: Int { reduce(1) { $0 * $1.parts } }

  /// Cycles of loads, sums and stores of one patch of one vector of channels, on the way in and out.
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
