/// What the batches of an epoch follow from beside the samples themselves. An epoch that was begun with one order cannot be resumed with another one.
struct LoaderOrder: Sendable, Equatable {
  var samples: Int64 = 0
  var batch: Int64 = 0
  var dropLast: Int64 = 0
  /// How samples are drawn, the seed of that, and how many.
  var kind: Int64 = 0
  var orderSeed: Int64 = 0
  var drawn: Int64 = 0
  /// The hash of a subset's places or of weights.
  var choice: Int64 = 0
  /// Of what samples draw at random.
  var sampleSeed: Int64 = 0

  init(_ loader: DataLoader) {
    (samples, batch) = (Int64(loader.dataset.count), Int64(loader.batch))
    dropLast = loader.dropLast ? 1 : 0
    drawn = Int64(loader.order.count(of: loader.dataset.count))
    sampleSeed = Int64(bitPattern: loader.seed)
    switch loader.order {
    case .asGiven: kind = 0
    case .shuffled(let seed): (kind, orderSeed) = (1, Int64(bitPattern: seed))
    case .subset(let places, let seed):
      (kind, orderSeed) = (2, Int64(bitPattern: seed))
      choice = Self.hash(places.map { UInt64(bitPattern: Int64($0)) })
    case .weighted(let weights, _, let seed):
      (kind, orderSeed) = (3, Int64(bitPattern: seed))
      choice = Self.hash(weights.map(\.bitPattern))
    }
  }

  // MARK: In a checkpoint

  var numbers: [Int64] { [samples, batch, dropLast, kind, orderSeed, drawn, choice, sampleSeed] }

  /// Nil where there are not as many numbers as an order has.
  init?(_ numbers: [Int64]) {
    guard numbers.count == 8 else { return nil }
    (samples, batch, dropLast, kind) = (numbers[0], numbers[1], numbers[2], numbers[3])
    (orderSeed, drawn, choice, sampleSeed) = (numbers[4], numbers[5], numbers[6], numbers[7])
  }

  /// FNV-1a (Fowler, Noll and Vo), 64 bits, byte by byte.
  private static func hash(_ words: [UInt64]) -> Int64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for word in words {
      for byte in 0..<8 { hash = (hash ^ (word >> (8 * UInt64(byte)) & 255)) &* 0x0100_0000_01b3 }
    }
    return Int64(bitPattern: hash)
  }
}

extension LoaderOrder: CustomStringConvertible {
  /// All of it: what may differ must be seen.
  var description: String {
    func seed(_ number: Int64) -> UInt64 { UInt64(bitPattern: number) }
    let mark = String(seed(choice), radix: 16)
    let order =
      switch kind {
      case 0: "as given"
      case 1: "shuffled by seed \(seed(orderSeed))"
      case 2: "\(drawn) of a subset (hash \(mark)) by seed \(seed(orderSeed))"
      default: "\(drawn) drawn by weights (hash \(mark)) and seed \(seed(orderSeed))"
      }
    return "\(samples) samples \(order), batches of \(batch)\(dropLast == 0 ? "" : " without a last part"), "
      + "seed \(seed(sampleSeed)) for samples"
  }
}
