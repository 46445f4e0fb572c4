extension CalibrationMethod {
  /// The range to quantize, zero within it. Symmetric ranges end at a number and its negative.
  package func range(of histogram: ValueHistogram, symmetric: Bool) -> ClosedRange<Double> {
    let whole = Self.whole(histogram, symmetric: symmetric)
    guard histogram.width > 0 else { return whole }
    let chosen: ClosedRange<Double> =
      switch self {
      case .minMax: whole
      case .percentile(let percent): Self.percentile(percent, of: histogram, symmetric: symmetric)
      case .entropy: DivergenceSearch(histogram, symmetric: symmetric).range
      case .squaredError: SquaredErrorSearch(histogram, symmetric: symmetric).range
      }
    // Ends of bins lie a little beyond the values in them.
    return max(chosen.lowerBound, whole.lowerBound)...min(chosen.upperBound, whole.upperBound)
  }

  static func whole(_ histogram: ValueHistogram, symmetric: Bool) -> ClosedRange<Double> {
    let (low, high) = (min(histogram.minimum, 0), max(histogram.maximum, 0))
    return symmetric ? -max(-low, high)...max(-low, high) : low...high
  }

  private static func percentile(
    _ percent: Double, of histogram: ValueHistogram, symmetric: Bool
  ) -> ClosedRange<Double> {
    let outside = max(0, min(1, 1 - percent / 100)) * Double(histogram.count)
    if symmetric {
      let end = end(of: histogram.magnitudes, histogram.width, leaving: outside)
      return -end...end
    }
    return -end(
      of: histogram.negative, histogram.width, leaving: outside / 2)...end(
        of: histogram.positive, histogram.width, leaving: outside / 2)
  }

  /// Where the bins end, counted from zero, beyond which no more than so many values lie.
  private static func end(of bins: [Int], _ width: Double, leaving outside: Double) -> Double {
    var beyond = 0
    for (index, count) in bins.enumerated().reversed() {
      beyond += count
      if Double(beyond) > outside { return Double(index + 1) * width }
    }
    return 0
  }
}
