/// How far a run of `fit` has come: what it needs beside parameters to go on, also in the middle of an epoch.
struct FitProgress: Sendable, Equatable {
  /// Complete epochs.
  var epoch = 0
  /// Of the epoch that has begun: batches done, the samples in them, and sums over these of what was measured.
  var batch = 0
  var samples = 0
  var sums: [String: Double] = [:]
  /// Early stopping's best value so far, and how many epochs were complete then.
  var best: Double?
  var bestEpoch = 0
  /// What the loader's order follows from: samples, batch, seed. An epoch cannot be gone on with in another one's order.
  var loader: [Int64] = []

  var means: [String: Double] { sums.mapValues { $0 / Double(max(1, samples)) } }

  mutating func add(_ measured: [String: Double], samples count: Int) {
    for (name, value) in measured { sums[name, default: 0] += value * Double(count) }
    samples += count
    batch += 1
  }

  mutating func endEpoch() {
    epoch += 1
    (batch, samples, sums) = (0, 0, [:])
  }
}

/// As tensors of a checkpoint, all named `training.…`.
extension FitProgress {
  private static let sumPrefix = "training.sum."

  func write(into store: inout ParameterStore) {
    store["training.progress"] = .i64([4], [epoch, batch, samples, bestEpoch])
    if let best { store["training.best"] = HostTensor(.f64, [], values: [best]) }
    store["training.loader"] = HostTensor(.i64, [loader.count], values: loader)
    for (name, sum) in sums.sorted(by: { $0.key < $1.key }) {
      store[Self.sumPrefix + name] = HostTensor(.f64, [], values: [sum])
    }
  }

  init?(from store: ParameterStore) {
    guard let numbers = store["training.progress"]?.integers, numbers.count == 4, numbers.allSatisfy({ $0 >= 0 }) else {
      return nil
    }
    (epoch, batch, samples, bestEpoch) = (numbers[0], numbers[1], numbers[2], numbers[3])
    best = store["training.best"]?.doubles?.first
    loader = store["training.loader"]?.int64s ?? []
    for name in store.names where name.hasPrefix(Self.sumPrefix) {
      sums[String(name.dropFirst(Self.sumPrefix.count))] = store[name]?.doubles?.first
    }
  }
}

extension Sampler {
  /// The number that what is drawn follows from.
  var seed: UInt64 {
    switch self {
    case .asGiven: 0
    case .shuffled(let seed), .subset(_, let seed), .weighted(_, _, let seed): seed
    }
  }
}
