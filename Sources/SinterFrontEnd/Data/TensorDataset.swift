/// Samples along the first axis of one or several tensors: images and their labels, say.
public struct TensorDataset: Dataset {
  /// The tensors, whose first axis counts samples.
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

  /// The first or the last samples as data sets of their own.
  public func split(at count: Int) -> (first: TensorDataset, rest: TensorDataset) {
    let place = min(max(0, count), self.count)
    return (
      TensorDataset(tensors.map { $0.rows(Array(0..<place)) }, place),
      TensorDataset(tensors.map { $0.rows(Array(place..<self.count)) }, self.count - place)
    )
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
