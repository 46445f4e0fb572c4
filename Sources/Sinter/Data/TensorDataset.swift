/// Samples along the first axis of one or several tensors: images and their labels, say.
public struct TensorDataset: Dataset {
  public let tensors: [HostTensor]
  public let count: Int

  /// - Throws: where the tensors have different numbers of samples.
  public init(_ tensors: HostTensor...) throws {
    guard let count = tensors.first?.shape.first, tensors.allSatisfy({ $0.shape.first == count }) else {
      throw DiagnosticError(
        .user, "data.count",
        "all tensors must have the same number of samples along their first axis, but are \(tensors.map(\.type))")
    }
    try HostTensor.gatherable(tensors)
    self.tensors = tensors
    self.count = count
  }

  private init(_ tensors: [HostTensor], _ count: Int) {
    self.tensors = tensors
    self.count = count
  }

  public func sample(_ index: Int, random: inout SampleRandom) throws -> [HostTensor] {
    try check([index])
    return tensors.map { $0.rows([index]).reshaped(Array($0.shape.dropFirst())) }
  }

  public func batch(_ indices: [Int], seed: UInt64, epoch: Int) throws -> [HostTensor] {
    try check(indices)
    return tensors.map { $0.rows(indices) }
  }

  private func check(_ indices: [Int]) throws {
    if let wrong = indices.first(where: { !(0..<count).contains($0) }) {
      throw DiagnosticError(.user, "data.index", "there is no sample \(wrong) among \(count)")
    }
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
    let indices =
      switch order {
      case .asGiven: Array(0..<count)
      case .shuffled(let seed): Sampler.permutation(of: count, seed: seed, epoch: epoch)
      }
    let whole = count / max(1, size) * max(1, size)
    return Batches(tensors: tensors, indices: dropLast ? Array(indices[..<whole]) : indices, size: max(1, size))
  }

  /// The first or the last samples as data sets of their own.
  public func split(at count: Int) -> (first: TensorDataset, rest: TensorDataset) {
    let place = min(max(0, count), self.count)
    return (
      TensorDataset(tensors.map { $0.rows(Array(0..<place)) }, place),
      TensorDataset(tensors.map { $0.rows(Array(place..<self.count)) }, self.count - place)
    )
  }
}

/// Batches of tensors, gathered one after another.
public struct Batches: Sequence, IteratorProtocol {
  private let tensors: [HostTensor]
  private let indices: [Int]
  private let size: Int
  private var place = 0

  init(tensors: [HostTensor], indices: [Int], size: Int) {
    self.tensors = tensors
    self.indices = indices
    self.size = size
  }

  /// How many batches there are in all.
  public var count: Int { (indices.count + size - 1) / size }

  public mutating func next() -> [HostTensor]? {
    guard place < indices.count else { return nil }
    let rows = Array(indices[place..<Swift.min(place + size, indices.count)])
    place += rows.count
    return tensors.map { $0.rows(rows) }
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
