/// Some samples of a data set, as one of their own: PyTorch's `torch.utils.data.Subset`.
public struct Subset: Dataset {
  /// The data set that samples come from.
  public let base: any Dataset
  /// Which of its samples there are, in order.
  public let indices: [Int]

  /// - Throws: where there is no sample at a place.
  public init(_ base: any Dataset, _ indices: [Int]) throws {
    if let wrong = indices.first(where: { !(0..<base.count).contains($0) }) {
      throw DiagnosticError(.user, "data.index", "there is no sample \(wrong) among \(base.count)")
    }
    self.base = base
    self.indices = indices
  }

  public var count: Int { indices.count }
  public func name(of index: Int) -> String { base.name(of: indices[index]) }

  public func sample(_ index: Int, random: inout SampleRandom) throws -> [HostTensor] {
    try base.sample(indices[index], random: &random)
  }

  public func batch(_ indices: [Int], seed: UInt64, epoch: Int) throws -> [HostTensor] {
    try base.batch(indices.map { self.indices[$0] }, seed: seed, epoch: epoch)
  }
}

extension Dataset {
  /// Parts of so many samples each, which ones following from a seed alone: PyTorch's `random_split`.
  ///
  /// - Throws: where the counts do not add up to the number of samples.
  public func randomSplit(_ counts: [Int], seed: UInt64 = 0) throws -> [Subset] {
    guard counts.allSatisfy({ $0 >= 0 }), counts.reduce(0, +) == count else {
      throw DiagnosticError(
        .user, "data.split",
        "parts of \(counts.map(String.init).joined(separator: " + ")) samples do not add up to \(count)")
    }
    let order = Sampler.permutation(of: count, seed: seed, epoch: 0)
    var start = 0
    return try counts.map { size in
      defer { start += size }
      return try Subset(self, Array(order[start..<(start + size)]))
    }
  }

  /// The same by fractions, which must add up to one; samples that rounding leaves over go to the first parts, one each.
  public func randomSplit(fractions: [Double], seed: UInt64 = 0) throws -> [Subset] {
    guard fractions.allSatisfy({ $0 >= 0 }), abs(fractions.reduce(0, +) - 1) < 1e-9 else {
      throw DiagnosticError(.user, "data.split", "fractions \(fractions) do not add up to 1")
    }
    var counts = fractions.map { Int((Double(count) * $0).rounded(.down)) }
    let rest = count - counts.reduce(0, +)
    for place in 0..<max(0, rest) where !counts.isEmpty { counts[place % counts.count] += 1 }
    return try randomSplit(counts, seed: seed)
  }
}
