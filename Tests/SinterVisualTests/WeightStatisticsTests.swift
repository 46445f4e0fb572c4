import Foundation
import SinterCore
import SinterVisual
import Testing

@Suite struct WeightStatisticsTests {
  @Test(arguments: [ElementType.f32, .f64, .f16, .bf16, .i8, .u8, .i64, .i4, .u2])
  func agreesWithTheDefinition(element: ElementType) throws {
    var random = SplitMix64(seed: 4)
    // More than one chunk of elements.
    let raw = (0..<70_001).map { _ in random.uniform() * 6 - 2.5 }
    let tensor = HostTensor(element, [raw.count], doubles: raw)
    let values = try #require(tensor.doubles)
    let found = try #require(WeightStatistics(of: tensor))
    let mean = values.reduce(0, +) / Double(values.count)
    #expect(found.minimum == values.min() && found.maximum == values.max())
    #expect(abs(found.mean - mean) < 1e-9)
    let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
    #expect(abs(found.deviation - deviation) < 1e-9)
    #expect(found.zeros == values.count { $0 == 0 } && found.finite == values.count && found.notFinite == 0)
    try #require(found.histogram.count == WeightStatistics.bins)
    #expect(found.histogram.reduce(0, +) == values.count)
    let low = values.min() ?? 0
    let width = ((values.max() ?? 0) - low) / Double(WeightStatistics.bins)
    #expect(found.histogram[0] == values.count { $0 < low + width })
  }

  @Test func whatIsNotFiniteIsCountedAlone() throws {
    let found = try #require(WeightStatistics(of: .f32([5], [.nan, 1, .infinity, 3, -.infinity])))
    #expect(found.notFinite == 3 && found.finite == 2 && found.mean == 2 && found.maximum == 3)
    let none = try #require(WeightStatistics(of: .f32([1], [.nan])))
    #expect(none.finite == 0 && none.histogram.isEmpty)
  }

  @Test func truthValuesAreNoughtAndOne() throws {
    let found = try #require(WeightStatistics(of: HostTensor(.bool, [4], integers: [Int64]([1, 0, 1, 1]))))
    #expect(found.mean == 0.75 && found.zeros == 1 && found.histogram.first == 1 && found.histogram.last == 3)
  }

  @Test func constantsEmptyAndText() throws {
    let same = try #require(WeightStatistics(of: .f32([3], [2, 2, 2])))
    #expect(same.deviation == 0 && same.minimum == 2 && same.histogram.isEmpty)
    #expect(WeightStatistics(of: .f32([0], [])) == nil)
    #expect(WeightStatistics(of: HostTensor(strings: ["a"], shape: [1])) == nil)
    let far = try #require(WeightStatistics(of: HostTensor(.f64, [2], doubles: [-1.7e308, 1.7e308])))
    #expect(far.maximum == 1.7e308 && far.histogram.isEmpty)
  }
}
