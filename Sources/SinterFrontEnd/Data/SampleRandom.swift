/// Random numbers for one sample in one epoch. They follow from a seed, the epoch and the sample's place alone, so that what is drawn does not depend
/// on the order of samples or on the number of threads that prepare them.
public struct SampleRandom: RandomNumberGenerator, Sendable {
  private var generator: SplitMix64

  /// The numbers for sample `index` in an epoch, both counted from 0.
  public init(seed: UInt64, epoch: Int = 0, index: Int = 0) {
    var mixed = SplitMix64(seed: seed)
    for part in [epoch, index] { mixed = SplitMix64(seed: mixed.next() ^ UInt64(truncatingIfNeeded: part)) }
    generator = mixed
  }

  public mutating func next() -> UInt64 { generator.next() }

  /// In 0 ..< 1.
  public mutating func uniform() -> Double { generator.uniform() }

  /// Between two numbers.
  public mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }

  /// In 0 ..< bound; 0 where the bound is not positive.
  public mutating func integer(below bound: Int) -> Int {
    bound > 0 ? Int(next() % UInt64(bound)) : 0
  }
}
