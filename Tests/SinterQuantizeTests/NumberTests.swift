import Glibc
import SinterCore
import SinterQuantize
import Testing

func logarithm(_ value: Double) -> Double { log(value) }

/// Scales, zero points and integers against their definitions.
@Suite struct NumberTests {
  @Test(arguments: [-1.5...3, 0...6, -2...0, 0.5...4, -4...(-0.5), -1e-3...1e3, -7...7] as [ClosedRange<Double>])
  func zeroIsExactAndTheRangeIsHeld(range: ClosedRange<Double>) {
    let scale = ActivationScale(range, symmetric: false)
    #expect(scale.element == .u8 && (0...255).contains(scale.zeroPoint))
    let step = Double(scale.scale)
    // Zero is the zero point's value; the ends are told up to half a step, since the zero point was rounded.
    let (low, high) = (Double(0 - scale.zeroPoint) * step, Double(255 - scale.zeroPoint) * step)
    #expect(abs(low - min(range.lowerBound, 0)) <= step / 2 * 1.0001)
    #expect(abs(high - max(range.upperBound, 0)) <= step / 2 * 1.0001)
    let symmetric = ActivationScale(range, symmetric: true)
    #expect(symmetric.element == .i8 && symmetric.zeroPoint == 0)
    #expect(symmetric.scale == Float(max(-range.lowerBound, range.upperBound) / 127))
  }

  @Test func nothingButZerosHasAScale() {
    #expect(ActivationScale(0...0, symmetric: false) == ActivationScale(0...1, symmetric: false))
    #expect(ActivationScale(0...1e-44, symmetric: true) == ActivationScale(0...1, symmetric: true))
  }

  @Test func eachChannelHasItsScale() {
    let weights = HostTensor.f32([3, 2, 2], [1, -2, 0.5, 0.25, 0, 0, 0, 0, -12.7, 3, 0.05, 0.15])
    let bytes = ByteWeights(weights, axis: 0)
    let largest: [Float] = [2, 127, 12.7]
    #expect(bytes.scales == largest.map { $0 / 127 }, "nothing but zeros: any scale")
    // Halves are rounded to even: 0.05 / 0.1 and 0.15 / 0.1.
    #expect(Array(bytes.values.prefix(8)) == [64, -127, 32, 16, 0, 0, 0, 0])
    #expect(Array(bytes.values.suffix(4).prefix(2)) == [-127, 30])
    let last = ByteWeights(weights.reshaped([3, 4]), axis: 1)
    let columns: [Float] = [12.7, 3, 0.5, 0.25]
    #expect(last.scales == columns.map { $0 / 127 })
    #expect(ByteWeights(weights, axis: nil).scales == [Float(12.7) / 127])
    for (value, original) in zip(bytes.dequantized.array(of: Float.self), weights.array(of: Float.self)) {
      #expect(abs(value - original) <= 12.7 / 127 / 2 * 1.001)
    }
  }

  @Test func integersAreRoundedHalfToEven() {
    let weights = HostTensor.f32([1, 6], [127, 0.5, 1.5, 2.5, -0.5, -1.5])
    #expect(ByteWeights(weights, axis: nil).values == [127, 0, 2, 2, 0, -2])
  }

  @Test func biasesHaveTheProductOfBothScales() {
    let weights: [Float] = [0.25, 0.5, 0.01]
    let bias = WideBias([1, -3, 0.26], input: 0.5, weights: weights)
    #expect(bias.scales == weights.map { $0 * 0.5 })
    #expect(bias.values == [8, -12, 52])
    #expect(WideBias([1, 2], input: 0.5, weights: [0.25]).scales == [0.125])
    #expect(WideBias([1e30], input: 1, weights: [1e-3]).values == [Int32.max], "held within the type")
  }

  @Test func scalesOfWeightsGrowUntilTheBiasFits() {
    let (bias, input) = ([Float(5), 1e6, 0], Float(1e-3))
    let weights = HostTensor.f32([3, 1], [0, 1e-9, 1])
    let least = WideBias.leastScales(for: bias, input: input)
    let bytes = ByteWeights(weights, axis: 0, atLeast: least)
    let wide = WideBias(bias, input: input, weights: bytes.scales)
    for (value, original) in zip(wide.dequantized.array(of: Float.self), bias) {
      #expect(abs(value - original) <= abs(original) * 1e-6, "also beside weights that are zero")
    }
    #expect(wide.values.allSatisfy { abs(Int($0)) <= 1 << 30 })
    #expect(bytes.scales[2] == Float(1) / 127)
    let common = max(Float(1) / 127, least.max() ?? 0)
    #expect(ByteWeights(weights, axis: nil, atLeast: least).scales == [common])
  }
}
