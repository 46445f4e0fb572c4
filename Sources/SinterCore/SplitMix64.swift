/// Sebastiano Vigna's SplitMix64: a sequence of 64-bit numbers that follows from its seed alone.
package struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// In 0 ..< 1, with 53 random bits.
  package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}
