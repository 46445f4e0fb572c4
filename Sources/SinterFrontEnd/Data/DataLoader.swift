import Foundation

/// Batches of a data set's samples, epoch after epoch: PyTorch's `DataLoader`.
///
///     let loader = DataLoader(data, batch: 100, order: .shuffled(seed: 1), workers: 1)
///     var batches = try loader.batches(epoch: 0)
///     while let samples = try batches.next() { … }
public struct DataLoader: Sendable {
  /// Where samples come from.
  public var dataset: any Dataset
  /// How many samples a batch has, one at least.
  public var batch: Int {
    didSet { batch = max(1, batch) }
  }
  /// Which samples an epoch has, in which order.
  public var order: Sampler
  /// Whether a last batch that is not full is left out.
  public var dropLast: Bool
  /// Of what samples draw at random.
  public var seed: UInt64
  /// How many threads prepare batches ahead; with none, each batch is made when it is asked for. What comes does not depend on it.
  public var workers: Int
  /// How many batches a thread may be ahead.
  public var prefetch: Int

  /// Batches of `batch` samples, one at least. Axis 0 of each tensor of a batch counts its samples.
  public init(
    _ dataset: any Dataset, batch: Int, order: Sampler = .asGiven, dropLast: Bool = false, seed: UInt64 = 0,
    workers: Int = 0, prefetch: Int = 2
  ) {
    self.dataset = dataset
    self.batch = max(1, batch)
    self.order = order
    self.dropLast = dropLast
    self.seed = seed
    self.workers = workers
    self.prefetch = prefetch
  }

  /// How many batches an epoch has.
  public var count: Int {
    let samples = order.count(of: dataset.count)
    return dropLast ? samples / batch : samples / batch + (samples % batch == 0 ? 0 : 1)
  }

  /// The batches of an epoch.
  ///
  /// - Parameter first: how many batches are left out, in order to go on inside an epoch.
  public func batches(epoch: Int = 0, from first: Int = 0) throws -> LoadedBatches {
    let indices = try order.indices(of: dataset.count, epoch: epoch)
    let places = (min(first, count)..<count).map { number in
      Array(indices[(number * batch)..<min((number + 1) * batch, indices.count)])
    }
    let (dataset, seed) = (dataset, seed)
    let make: @Sendable (Int) throws -> [HostTensor] = { number in
      try dataset.batch(places[number], seed: seed, epoch: epoch)
    }
    return LoadedBatches(count: places.count, workers: workers, ahead: max(1, prefetch) * max(0, workers), make)
  }
}

/// The batches of an epoch, one after another.
public final class LoadedBatches {
  /// How many there are in all.
  public let count: Int
  private var place = 0
  private let make: @Sendable (Int) throws -> [HostTensor]
  private let queue: BatchQueue?

  init(count: Int, workers: Int, ahead: Int, _ make: @escaping @Sendable (Int) throws -> [HostTensor]) {
    self.count = count
    self.make = make
    let threads = min(workers, count)
    queue = threads > 0 ? BatchQueue(count: count, ahead: ahead) : nil
    guard let queue else { return }
    for _ in 0..<threads { Thread { queue.work(make) }.start() }
  }

  deinit { queue?.stop() }

  /// The next batch, a tensor for each part of a sample; nil after the last one.
  public func next() throws -> [HostTensor]? {
    guard place < count else { return nil }
    defer { place += 1 }
    return try queue.map { try $0.take(place).get() } ?? make(place)
  }
}

/// Batches that threads make ahead, handed out in order.
private final class BatchQueue: @unchecked Sendable {
  // All below is touched with the condition locked.
  private let condition = NSCondition()
  private let count: Int, ahead: Int
  private var begun = 0, taken = 0
  private var made: [Int: Result<[HostTensor], any Error>] = [:]
  private var isStopped = false

  init(count: Int, ahead: Int) {
    self.count = count
    self.ahead = ahead
  }

  /// Makes batches until there are no more.
  func work(_ make: (Int) throws -> [HostTensor]) {
    while let number = begin() {
      let result = Result { try make(number) }
      condition.lock()
      made[number] = result
      condition.broadcast()
      condition.unlock()
    }
  }

  /// The number of a batch to be made; nil where there is none left. Waits while enough are ready.
  private func begin() -> Int? {
    condition.lock()
    defer { condition.unlock() }
    while !isStopped, begun < count, begun >= taken + ahead { condition.wait() }
    guard !isStopped, begun < count else { return nil }
    defer { begun += 1 }
    return begun
  }

  /// Waits for a batch.
  func take(_ number: Int) -> Result<[HostTensor], any Error> {
    condition.lock()
    defer { condition.unlock() }
    taken = number + 1
    condition.broadcast()
    while true {
      if let result = made.removeValue(forKey: number) { return result }
      condition.wait()
    }
  }

  func stop() {
    condition.lock()
    isStopped = true
    condition.broadcast()
    condition.unlock()
  }
}
