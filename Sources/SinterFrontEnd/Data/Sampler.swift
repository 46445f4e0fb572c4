/// Which samples of a data set an epoch has, and in which order: PyTorch's `torch.utils.data.Sampler`. What is drawn follows from the seed and the number
/// of the epoch alone.
public enum Sampler: Sendable {
  case asGiven
  case shuffled(seed: UInt64)
  /// Some samples, at random (`SubsetRandomSampler`).
  case subset([Int], seed: UInt64)
  /// Samples drawn one by one, each as often as its weight says (`WeightedRandomSampler`).
  case weighted([Double], count: Int, seed: UInt64)

  /// How many samples an epoch has.
  public func count(of samples: Int) -> Int {
    switch self {
    case .asGiven, .shuffled: samples
    case .subset(let indices, _): indices.count
    case .weighted(_, let count, _): max(0, count)
    }
  }

  /// The places of an epoch's samples.
  ///
  /// - Throws: where a place or a number of weights does not fit the data set, or weights are no weights.
  public func indices(of samples: Int, epoch: Int) throws -> [Int] {
    switch self {
    case .asGiven: return Array(0..<samples)
    case .shuffled(let seed): return Self.permutation(of: samples, seed: seed, epoch: epoch)
    case .subset(let places, let seed):
      if let wrong = places.first(where: { !(0..<samples).contains($0) }) {
        throw DiagnosticError(.user, "data.sampler", "there is no sample \(wrong) among \(samples)")
      }
      return Self.permutation(of: places.count, seed: seed, epoch: epoch).map { places[$0] }
    case .weighted(let weights, let count, let seed):
      return try Self.drawn(weights, count: count, of: samples, SampleRandom(seed: seed, epoch: epoch))
    }
  }

  /// The numbers below `count` in an order that follows from a seed and the number of an epoch.
  static func permutation(of count: Int, seed: UInt64, epoch: Int) -> [Int] {
    var indices = Array(0..<count)
    var generator = SplitMix64(seed: seed &+ UInt64(truncatingIfNeeded: epoch) &* 0x9e37_79b9_7f4a_7c15)
    for place in stride(from: count - 1, to: 0, by: -1) {
      indices.swapAt(place, Int(generator.next() % UInt64(place + 1)))
    }
    return indices
  }

  private static func drawn(_ weights: [Double], count: Int, of samples: Int, _ random: SampleRandom) throws -> [Int] {
    func wrong(_ text: String) -> DiagnosticError { DiagnosticError(.user, "data.sampler", text) }
    guard weights.count == samples else { throw wrong("there are \(weights.count) weights for \(samples) samples") }
    if let place = weights.firstIndex(where: { !($0 >= 0 && $0.isFinite) }) {
      throw wrong("weight \(place) is \(weights[place]); weights must be finite and not negative")
    }
    var sums: [Double] = []
    for weight in weights { sums.append((sums.last ?? 0) + weight) }
    guard count > 0 else { return [] }
    guard let total = sums.last, total > 0 else { throw wrong("all weights are zero, so that nothing can be drawn") }
    var random = random
    return (0..<count).map { _ in
      let aim = random.uniform() * total
      // The first sum above the aim: samples of weight zero have none of their own.
      var (low, high) = (0, samples - 1)
      while low < high {
        let middle = (low + high) / 2
        if sums[middle] > aim { high = middle } else { low = middle + 1 }
      }
      return low
    }
  }
}
