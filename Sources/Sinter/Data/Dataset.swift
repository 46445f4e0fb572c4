/// Samples along the first axis of one or several tensors: images and their labels, say.
public struct Dataset: Sendable {
  public let tensors: [HostTensor]
  public let count: Int

  /// - Throws: where the tensors have different numbers of samples.
  public init(_ tensors: HostTensor...) throws {
    guard let count = tensors.first?.shape.first, tensors.allSatisfy({ $0.shape.first == count }) else {
      throw DiagnosticError(
        .user, "data.count",
        "all tensors must have the same number of samples along their first axis, but are \(tensors.map(\.type))")
    }
    if let packed = tensors.first(where: { $0.element.bits < 8 || $0.element == .string }) {
      throw DiagnosticError(.limit, "data.type", "samples of type \(packed.element) cannot be gathered into batches")
    }
    self.tensors = tensors
    self.count = count
  }

  /// In which order samples come.
  public enum Order: Sendable {
    case asGiven
    /// At random, by a seed and the number of the epoch alone.
    case shuffled(seed: UInt64)
  }

  /// The samples of an epoch in batches, each a tensor for each of the data set's.
  ///
  /// - Parameter dropLast: whether a last batch that is not full is left out.
  public func batches(_ size: Int, order: Order = .asGiven, epoch: Int = 0, dropLast: Bool = false) -> Batches {
    var indices = Array(0..<count)
    if case .shuffled(let seed) = order {
      var generator = SplitMix64(seed: seed &+ UInt64(truncatingIfNeeded: epoch) &* 0x9e37_79b9_7f4a_7c15)
      for place in stride(from: count - 1, to: 0, by: -1) {
        indices.swapAt(place, Int(generator.next() % UInt64(place + 1)))
      }
    }
    let whole = count / max(1, size) * max(1, size)
    return Batches(dataset: self, indices: dropLast ? Array(indices[..<whole]) : indices, size: max(1, size))
  }

  /// The first or the last samples as data sets of their own.
  public func split(at count: Int) -> (first: Dataset, rest: Dataset) {
    let place = min(max(0, count), self.count)
    return (
      Dataset(tensors.map { $0.rows(Array(0..<place)) }, place),
      Dataset(tensors.map { $0.rows(Array(place..<self.count)) }, self.count - place)
    )
  }

  private init(_ tensors: [HostTensor], _ count: Int) {
    self.tensors = tensors
    self.count = count
  }
}

/// Batches of a data set, gathered one after another.
public struct Batches: Sequence, IteratorProtocol {
  private let dataset: Dataset
  private let indices: [Int]
  private let size: Int
  private var place = 0

  init(dataset: Dataset, indices: [Int], size: Int) {
    self.dataset = dataset
    self.indices = indices
    self.size = size
  }

  /// How many batches there are in all.
  public var count: Int { (indices.count + size - 1) / size }

  public mutating func next() -> [HostTensor]? {
    guard place < indices.count else { return nil }
    let rows = Array(indices[place..<Swift.min(place + size, indices.count)])
    place += rows.count
    return dataset.tensors.map { $0.rows(rows) }
  }
}

extension HostTensor {
  /// Those along the first axis at the given places.
  func rows(_ places: [Int]) -> HostTensor {
    let sizes = Array(shape.dropFirst())
    let width = element.byteCount(sizes.reduce(1, *))
    return HostTensor(
      element, [places.count] + sizes,
      bytes: TensorBytes(count: places.count * width) { target in
        bytes.withBytes { source in
          guard let from = source.baseAddress, let to = target.baseAddress else { return }
          for (row, place) in places.enumerated() {
            (to + row * width).copyMemory(from: from + place * width, byteCount: width)
          }
        }
      })
  }
}
