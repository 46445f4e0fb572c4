import SinterCore
import SinterQuantize
import Testing

/// Ranges against what their definitions say of the values themselves.
@Suite struct HistogramTests {
  /// Sums of uniform numbers: near zero often, far from it seldom.
  static func bell(_ count: Int, seed: UInt64, spread: Float = 1) -> [Float] {
    var generator = SplitMix64(seed: seed)
    return (0..<count).map { _ in
      Float((0..<6).reduce(0.0) { sum, _ in sum + generator.uniform() - 0.5 }) * spread
    }
  }

  static func histogram(_ values: [Float]) -> ValueHistogram {
    var result = ValueHistogram()
    result.add(.f32([values.count], values))
    return result
  }

  @Test func partsInAnyOrderAreTheSameAsAllAtOnce() {
    let parts = [
      Self.bell(300, seed: 1, spread: 1e-3), Self.bell(200, seed: 2, spread: 50), [0, 0, -0.0], [7e5],
      Self.bell(100, seed: 3),
    ]
    let whole = Self.histogram(parts.flatMap { $0 })
    for order in [[0, 1, 2, 3, 4], [3, 1, 4, 2, 0], [2, 0, 4, 1, 3]] {
      var joined = ValueHistogram()
      for index in order { joined.add(.f32([parts[index].count], parts[index])) }
      #expect(
        joined.width == whole.width && joined.positive == whole.positive && joined.negative == whole.negative,
        "\(order)")
      #expect(joined.zeros == 3 && joined.count == whole.count && joined.maximum == 7e5)
    }
    #expect(whole.minimum == Double(parts.flatMap { $0 }.min() ?? 0))
  }

  @Test(arguments: [1, 1024, 1.5e-42, 3.4e38, 4095.9999] as [Float])
  func eachValueLiesInItsBin(scale: Float) {
    let values = Self.bell(500, seed: 4).map { $0 / 3 * scale } + [scale, -scale / 2]
    let histogram = Self.histogram(values)
    var (positive, negative) = ([Int: Int](), [Int: Int]())
    for value in values where value > 0 {
      positive[Int((Double(value) / histogram.width).rounded(.down)), default: 0] += 1
    }
    for value in values where value < 0 {
      negative[Int((Double(-value) / histogram.width).rounded(.down)), default: 0] += 1
    }
    #expect(
      positive == Dictionary(uniqueKeysWithValues: histogram.positive.enumerated().filter { $1 > 0 }.map { ($0, $1) }))
    #expect(
      negative == Dictionary(uniqueKeysWithValues: histogram.negative.enumerated().filter { $1 > 0 }.map { ($0, $1) }))
    // Fine enough: the greatest magnitude lies in the upper half.
    #expect(Double(scale) >= histogram.width * Double(ValueHistogram.binCount / 2))
  }

  @Test func whatIsNotFiniteIsCountedApart() {
    var histogram = Self.histogram([1, .infinity, -2, .nan, -.infinity])
    #expect(histogram.strange == 3 && histogram.count == 2 && histogram.minimum == -2 && histogram.maximum == 1)
    histogram.add(.f32([1], [.nan]))
    #expect(histogram.strange == 4)
    let empty = Self.histogram([])
    #expect(empty.count == 0 && CalibrationMethod.entropy.range(of: empty, symmetric: false) == 0...0)
  }

  @Test func allValuesLieInTheWholeRange() {
    #expect(CalibrationMethod.minMax.range(of: Self.histogram([0.25, 3, -1.5]), symmetric: false) == -1.5...3)
    #expect(CalibrationMethod.minMax.range(of: Self.histogram([0.25, 3, -1.5]), symmetric: true) == -3...3)
    #expect(CalibrationMethod.minMax.range(of: Self.histogram([0.25, 3]), symmetric: false) == 0...3)
    #expect(CalibrationMethod.minMax.range(of: Self.histogram([-2]), symmetric: false) == -2...0)
  }

  @Test(arguments: [50, 90, 99, 99.9, 100], [false, true])
  func percentilesAreThoseOfTheSortedValues(percent: Double, symmetric: Bool) {
    let values = Self.bell(4000, seed: 5) + [40, -9]
    let histogram = Self.histogram(values)
    let range = CalibrationMethod.percentile(percent).range(of: histogram, symmetric: symmetric)
    let outside = (1 - percent / 100) * Double(values.count)
    func end(_ values: [Double], _ beyond: Double) -> Double { values.sorted(by: >)[Int(beyond)] }
    let magnitudes = values.map { Double(abs($0)) }
    let (low, high) =
      symmetric
      ? (-end(magnitudes, outside), end(magnitudes, outside))
      : (-end(values.map { Double(-$0) }, outside / 2), end(values.map { Double($0) }, outside / 2))
    #expect(range.lowerBound <= low && range.lowerBound >= low - histogram.width)
    #expect(range.upperBound >= high && range.upperBound <= high + histogram.width)
  }

  /// P and Q written out as lists, as the description has them.
  static func divergence(_ histogram: [Int], bins: Int, levels: Int) -> Double {
    var p = histogram.prefix(bins).map { Double($0) }
    p[bins - 1] += Double(histogram.dropFirst(bins).reduce(0, +))
    var q = [Double](repeating: 0, count: bins)
    for level in 0..<levels {
      let group = level * bins / levels..<(level + 1) * bins / levels
      let filled = group.filter { histogram[$0] > 0 }
      for bin in filled { q[bin] = group.reduce(0) { $0 + Double(histogram[$1]) } / Double(filled.count) }
    }
    let (sumP, sumQ) = (p.reduce(0, +), q.reduce(0, +))
    var result = 0.0
    for bin in 0..<bins where p[bin] > 0 {
      if q[bin] == 0 { return .infinity }
      result += p[bin] / sumP * logarithm((p[bin] / sumP) / (q[bin] / sumQ))
    }
    return result
  }

  @Test func entropyTakesTheLeastDivergence() throws {
    let values = Self.bell(20_000, seed: 6) + [24]
    let histogram = Self.histogram(values)
    let magnitudes = zip(histogram.positive, histogram.negative).map(+)
    let used = try #require(magnitudes.lastIndex { $0 > 0 }) + 1
    let range = CalibrationMethod.entropy.range(of: histogram, symmetric: true)
    let candidates = stride(from: used, through: 128, by: -8)
    let divergences = candidates.map { (bins: $0, value: Self.divergence(magnitudes, bins: $0, levels: 128)) }
    let best = try #require(divergences.min { $0.value < $1.value })
    let chosen = try #require(divergences.first { Double($0.bins) * histogram.width == range.upperBound })
    #expect(chosen.value <= best.value * (1 + 1e-9))
    #expect(range.upperBound < 12, "one value far out is clipped")
    #expect(range.lowerBound == -range.upperBound)
  }

  @Test func entropyKeepsEvenlySpreadValues() {
    let values = (0..<65536).map { Float($0) / 65536 }
    let range = CalibrationMethod.entropy.range(of: Self.histogram(values), symmetric: false)
    #expect(range.lowerBound == 0 && range.upperBound > 0.98)
  }

  /// The mean squared error of the values themselves.
  static func error(_ values: [Float], _ range: ClosedRange<Double>, symmetric: Bool) -> Double {
    let step = symmetric ? range.upperBound / 127 : (range.upperBound - range.lowerBound) / 255
    let zero = symmetric ? 0 : (-range.lowerBound / step).rounded(.toNearestOrEven)
    let limits = symmetric ? (-128.0, 127.0) : (0.0, 255.0)
    return values.reduce(0) { sum, value in
      let integer = max(limits.0, min(limits.1, (Double(value) / step).rounded(.toNearestOrEven) + zero))
      let difference = (integer - zero) * step - Double(value)
      return sum + difference * difference
    }
  }

  @Test func squaredErrorTakesTheLeast() throws {
    let values = Self.bell(5000, seed: 7) + [9]
    let histogram = Self.histogram(values)
    let range = CalibrationMethod.squaredError.range(of: histogram, symmetric: true)
    let best = try #require(
      (1...100).map { Self.error(values, -0.09 * Double($0)...0.09 * Double($0), symmetric: true) }.min())
    #expect(Self.error(values, range, symmetric: true) <= best * 1.01)
    // Both ends: at least as good as the whole range and as any one end moved alone.
    let both = CalibrationMethod.squaredError.range(of: histogram, symmetric: false)
    let whole = CalibrationMethod.minMax.range(of: histogram, symmetric: false)
    let moved =
      (1...100).map { Self.error(values, whole.lowerBound...(0.09 * Double($0)), symmetric: false) }.min() ?? 0
    #expect(
      Self.error(values, both, symmetric: false) <= min(moved, Self.error(values, whole, symmetric: false)) * 1.01)
  }
}
