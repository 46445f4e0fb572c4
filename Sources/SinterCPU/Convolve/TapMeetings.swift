import SinterCore
import SinterForms
import SinterKernelIR

/// Which taps of a convolution's window meet the image from tiles of neighbouring pixels.
///
/// Pixels of the result are numbered along [n, spatial…]; a tile of `rows` pixels begins at a multiple of `rows`. Along an axis it lies between
/// two places, and the taps that meet the image from there are neighbours.
struct TapMeetings {
  private let form: ConvolveForm
  /// The spatial sizes of the input, and [n, spatial…] of the result.
  private let sizes: [Dim]
  private let pixels: [Dim]

  /// Images of a batch whose tiles are looked at.
  private static let images = 16
  /// A smaller part of the taps is not worth to be left out.
  static let leastShare = 0.03

  init(_ form: ConvolveForm, input: [Dim], result: [Dim]) {
    self.form = form
    sizes = Array(input[1...form.window.count])
    pixels = Array(result[...form.window.count])
  }

  /// Pixels from one place along an axis to the next.
  private func step(_ axis: Int) -> Dim { pixels[(axis + 2)...].reduce(1, *) }

  /// Whether windows may reach over the image along an axis.
  private func isPadded(_ axis: Int) -> Bool {
    let reach = Dim(form.dilations[axis] * (form.window[axis] - 1) + 1)
    let room = sizes[axis] - (pixels[axis + 1] - 1) * Dim(form.strides[axis]) - reach
    return form.padsBegin[axis] != 0 || !IndexSimplifier().isNonNegative(room)
  }

  // MARK: Estimates

  /// The part of an axis's taps that meet no image, over all tiles of so many rows; 0 where it is not worth mentioning. Open sizes are guessed.
  func unmet(_ axis: Int, rows: Int) -> Double {
    guard form.window[axis] > 1, isPadded(axis) else { return 0 }
    let (extent, step) = (TaskSplit.estimate(pixels[axis + 1]), TaskSplit.estimate(step(axis)))
    let (size, pad) = (TaskSplit.estimate(sizes[axis]), form.padsBegin[axis].value ?? 0)
    let (stride, dilation, window) = (form.strides[axis], form.dilations[axis], form.window[axis])
    func floorDivide(_ a: Int, _ b: Int) -> Int { a >= 0 ? a / b : -((b - 1 - a) / b) }
    func met(from first: Int, through last: Int) -> Int {
      let from = Swift.max(0, floorDivide(pad - last * stride + dilation - 1, dilation))
      let to = Swift.min(window, floorDivide(size + pad - first * stride + dilation - 1, dilation))
      return Swift.max(0, to - from)
    }
    // What tiles of one pixel would leave out is the most.
    let most = 1 - Double((0..<extent).reduce(0) { $0 + met(from: $1, through: $1) }) / Double(extent * window)
    guard most > Self.leastShare else { return 0 }
    let count = Swift.min(pixels[...axis].reduce(1) { $0 * TaskSplit.estimate($1) }, Self.images) * extent * step
    var (sum, tiles) = (0, 0)
    for row in Swift.stride(from: 0, to: count, by: rows) {
      let place = row / step
      var (first, last) = (place % extent, (Swift.min(row + rows, count) - 1) / step - place + place % extent)
      if last >= extent { (first, last) = (0, extent - 1) }
      sum += met(from: first, through: last)
      tiles += 1
    }
    let share = 1 - Double(sum) / Double(Swift.max(tiles, 1) * window)
    return share > Self.leastShare ? share : 0
  }

  /// What tiles of so many rows cost, as a part of what they would with all taps. Where few rows share the weights, reading these takes longer
  /// than the arithmetic, so that nothing is gained by tiles too small.
  func cost(rows: Int, _ machine: Machine) -> Double {
    func met(_ rows: Int) -> Double { form.window.indices.reduce(1) { $0 * (1 - unmet($1, rows: rows)) } }
    return met(1) == 1 ? 1 : met(rows) * Swift.max(1, machine.multiplyAddsPerVector / Double(rows))
  }

  // MARK: Bounds

  /// The taps along an axis that meet the image from a tile of `count` pixels, no more than `rows`.
  func taps(_ axis: Int, first row: Register, count: Int, rows: Int, _ scope: KernelScope)
    -> TileKernel.Reduction.Iterations
  {
    let b = scope.builder
    let (extent, step) = (scope.dim(pixels[axis + 1]), scope.dim(step(axis)))
    let isOutermost = pixels[...axis].allSatisfy { $0 == 1 }
    let place = b.binary(.floorDivide, row, step)
    let begin = isOutermost ? place : b.binary(.modulo, place, extent)
    var (first, last) = (begin, begin)
    if !(self.step(axis).value.map { $0 % rows == 0 } ?? false) {
      last = b.add(begin, b.subtract(b.binary(.floorDivide, b.add(row, count - 1), step), place))
      if !isOutermost {
        // A tile that goes over into the next round may be anywhere.
        first = b.select(b.compare(.less, last, extent), begin, b.index(0))
        last = b.binary(.minimum, last, b.subtract(extent, b.index(1)))
      }
    }
    /// The number of taps of the window at a place that lie before an element of the image.
    func taps(before element: Dim, at place: Register) -> Register {
      let (stride, dilation) = (form.strides[axis], form.dilations[axis])
      let room = b.subtract(scope.dim(element + form.padsBegin[axis] + Dim(dilation - 1)), b.multiply(place, stride))
      return b.binary(.floorDivide, room, b.index(dilation))
    }
    return .init(
      from: b.binary(.maximum, taps(before: 0, at: last), b.index(0)),
      to: b.binary(.minimum, taps(before: sizes[axis], at: first), b.index(form.window[axis])))
  }
}
