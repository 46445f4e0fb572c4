/// The range whose quantized histogram has the least mean squared error, clipping and rounding taken together.
///
/// Either end is tried at each hundredth of its way from zero, in turns with the other until neither moves any more.
struct SquaredErrorSearch {
  private let masses: [(value: Double, count: Int)]
  private let whole: ClosedRange<Double>
  private let symmetric: Bool
  static let steps = 100
  private static let rounds = 8

  init(_ histogram: ValueHistogram, symmetric: Bool) {
    masses = histogram.masses
    whole = CalibrationMethod.whole(histogram, symmetric: symmetric)
    self.symmetric = symmetric
  }

  var range: ClosedRange<Double> {
    if symmetric {
      return best(of: (1...Self.steps).map { -part($0, of: whole.upperBound)...part($0, of: whole.upperBound) })
    }
    var range = whole
    for _ in 0..<Self.rounds {
      let before = range
      range = best(of: (0...Self.steps).map { range.lowerBound...part($0, of: whole.upperBound) })
      range = best(of: (0...Self.steps).map { part($0, of: whole.lowerBound)...range.upperBound })
      if range == before { break }
    }
    return range
  }

  private func part(_ step: Int, of end: Double) -> Double { end * Double(step) / Double(Self.steps) }

  /// The candidate with the least error; the widest of equal ones.
  private func best(of candidates: [ClosedRange<Double>]) -> ClosedRange<Double> {
    var best = (error: Double.infinity, range: whole)
    for candidate in candidates.reversed() where candidate.lowerBound < candidate.upperBound {
      let error = error(of: candidate)
      if error < best.error { best = (error, candidate) }
    }
    return best.range
  }

  /// The sum of squared errors of the bins' middles.
  func error(of range: ClosedRange<Double>) -> Double {
    let scale = ActivationScale(range, symmetric: symmetric)
    return masses.reduce(0) { sum, mass in
      let difference = scale.rounded(mass.value) - mass.value
      return sum + Double(mass.count) * difference * difference
    }
  }
}
