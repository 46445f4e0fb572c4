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
  /// What the batches of the epoch follow from; nil before the first one.
  var loader: LoaderOrder?

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
    if let numbers = loader?.numbers { store["training.loader"] = HostTensor(.i64, [numbers.count], values: numbers) }
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
    loader = store["training.loader"]?.int64s.flatMap(LoaderOrder.init)
    for name in store.names where name.hasPrefix(Self.sumPrefix) {
      sums[String(name.dropFirst(Self.sumPrefix.count))] = store[name]?.doubles?.first
    }
  }
}
