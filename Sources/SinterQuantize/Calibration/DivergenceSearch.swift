import Glibc

/// The range whose quantized histogram tells the histogram best: that with the least divergence of Kullback and Leibler.
///
/// After the description of TensorRT's calibration: a candidate is a number of bins around zero. What lies beyond them is counted in the
/// outermost ones (P); the bins without it are joined into as many groups as there are levels, and each group's count is spread evenly over
/// those of its bins that hold something (Q). Zeros are left out, since every candidate tells them exactly.
struct DivergenceSearch {
  private let histogram: ValueHistogram
  private let symmetric: Bool
  /// Candidates are so many bins apart.
  private static let step = 8

  init(_ histogram: ValueHistogram, symmetric: Bool) {
    self.histogram = histogram
    self.symmetric = symmetric
  }

  var range: ClosedRange<Double> {
    let (low, high) = symmetric ? ([], histogram.magnitudes) : (histogram.negative, histogram.positive)
    let (lowCount, highCount) = (Self.used(low), Self.used(high))
    // Half the levels of a symmetric range are for magnitudes.
    let levels = symmetric ? 128 : 256
    let most = max(lowCount, highCount)
    var best = (divergence: Double.infinity, bins: most)
    for bins in stride(from: most, to: 0, by: -Self.step) {
      let (below, above) = (min(bins, lowCount), min(bins, highCount))
      if below + above < levels { break }
      let inside: [Int] = low.prefix(below).reversed() + Array(high.prefix(above))
      let divergence = Self.divergence(
        inside, below: low.dropFirst(below).reduce(0, +), above: high.dropFirst(above).reduce(0, +), levels: levels)
      if divergence < best.divergence { best = (divergence, bins) }
    }
    let (below, above) = (min(best.bins, lowCount), min(best.bins, highCount))
    let (start, end) = (Double(below) * histogram.width, Double(above) * histogram.width)
    return symmetric ? -end...end : -start...end
  }

  /// Bins up to the last that holds something.
  private static func used(_ bins: [Int]) -> Int { (bins.lastIndex { $0 > 0 } ?? -1) + 1 }

  /// Of the bins with what lies beyond them, from the same quantized to so many levels.
  static func divergence(_ bins: [Int], below: Int, above: Int, levels: Int) -> Double {
    var reference = bins
    reference[0] += below
    reference[bins.count - 1] += above
    let referenceTotal = Double(reference.reduce(0, +))
    let total = Double(bins.reduce(0, +))
    guard total > 0 else { return .infinity }
    var sum = 0.0
    for level in 0..<levels {
      let group = (level * bins.count / levels)..<((level + 1) * bins.count / levels)
      var (count, filled) = (0, 0)
      for bin in group where bins[bin] > 0 {
        count += bins[bin]
        filled += 1
      }
      for bin in group where reference[bin] > 0 {
        // Values where the quantized histogram has none are infinitely surprising.
        guard bins[bin] > 0 else { return .infinity }
        let p = Double(reference[bin]) / referenceTotal
        let q = Double(count) / Double(filled) / total
        sum += p * log(p / q)
      }
    }
    return sum
  }
}
