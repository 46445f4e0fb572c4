import SinterCore
import Testing

@Suite("Narrow floats")
struct NarrowFloatTests {
  static let types: [(ElementType, Int)] = [
    (.f16, 16), (.bf16, 16), (.f8e4m3fn, 8), (.f8e4m3fnuz, 8), (.f8e5m2, 8), (.f8e5m2fnuz, 8), (.f8e8m0, 8),
    (.f4e2m1, 4),
  ]

  /// Each code's value converts back to the code, and what lies between two neighbours goes to the nearer.
  @Test(arguments: types)
  func codesRoundTrip(type: ElementType, bits: Int) {
    var values: [Float] = []
    for code in 0..<(UInt32(1) << UInt32(bits)) {
      let value = NarrowFloat.decode(code, as: type)
      if value.isNaN {
        #expect(NarrowFloat.rounded(value, to: type).isNaN, "\(type) \(code)")
      } else if value.isFinite {
        #expect(NarrowFloat.encode(value, as: type) == code, "\(type) \(code) = \(value)")
        values.append(value)
      }
    }
    guard type != .f8e8m0 else { return }
    values.sort()
    for (low, high) in zip(values, values.dropFirst()) where low < high {
      let middle = Float((Double(low) + Double(high)) / 2)
      #expect(NarrowFloat.rounded(middle.nextDown, to: type) == low, "\(type) below \(middle)")
      #expect(NarrowFloat.rounded(middle.nextUp, to: type) == high, "\(type) above \(middle)")
      #expect(NarrowFloat.encode(middle, as: type) & 1 == 0, "\(type) at \(middle)")
    }
  }

  /// A type's own infinity is stored as it is, where a conversion to the type saturates.
  @Test func infinitiesOfATypeAreStored() {
    #expect(HostTensor(.f8e5m2, [3], doubles: [.infinity, -.infinity, 1e9]).doubles == [.infinity, -.infinity, 57344])
    #expect(HostTensor(.f8e4m3fn, [1], doubles: [.infinity]).doubles == [448])
    #expect(NarrowFloat.code(of: -Float.infinity, as: .f8e5m2) == 0xfc)
  }

  /// Powers of two have no sign.
  @Test func negativeNumbersAreNoPowersOfTwo() {
    for value in [-2, -Float.leastNonzeroMagnitude, -Float.infinity] {
      #expect(NarrowFloat.encode(value, as: .f8e8m0) == 0xff)
    }
    #expect(NarrowFloat.encode(-0.0, as: .f8e8m0) == 0)
  }

  @Test(arguments: [
    (ElementType.f8e4m3fn, Float(448)), (.f8e4m3fnuz, 240), (.f8e5m2, 57344), (.f8e5m2fnuz, 57344), (.f4e2m1, 6),
    (.f16, .infinity), (.bf16, .infinity),
  ])
  func whatIsTooLargeSaturates(type: ElementType, largest: Float) {
    #expect(NarrowFloat.rounded(.infinity, to: type) == largest)
    #expect(NarrowFloat.rounded(-.infinity, to: type) == -largest)
    #expect(NarrowFloat.rounded(.greatestFiniteMagnitude, to: type) == largest)
  }

  @Test func unsaturatedOverflowBecomesInfinityOrNaN() {
    #expect(NarrowFloat.encode(1e6, as: .f8e4m3fn, saturating: false) == 0x7f)
    #expect(NarrowFloat.encode(-1e6, as: .f8e5m2, saturating: false) == 0xfc)
    #expect(NarrowFloat.encode(1e6, as: .f8e5m2fnuz, saturating: false) == 0x80)
  }

  @Test func scalesRoundUp() {
    #expect(NarrowFloat.decode(NarrowFloat.encode(1.5, as: .f8e8m0), as: .f8e8m0) == 2)
    #expect(NarrowFloat.decode(NarrowFloat.encode(1, as: .f8e8m0), as: .f8e8m0) == 1)
  }
}
