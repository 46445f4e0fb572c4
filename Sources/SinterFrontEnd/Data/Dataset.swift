/// Samples that can be had by their place: PyTorch's `torch.utils.data.Dataset`.
///
/// A data set of one's own says how many samples there are and makes one of them, on any thread. Its `batch` stacks samples; a data set that can gather
/// many at once writes its own.
public protocol Dataset: Sendable {
  var count: Int { get }

  /// One sample: a tensor for each of its parts (an image and its label, say), without an axis that counts samples.
  ///
  /// - Parameter random: for what is drawn anew in each epoch.
  func sample(_ index: Int, random: inout SampleRandom) throws -> [HostTensor]

  /// Some samples along a new first axis, a tensor for each part.
  ///
  /// - Throws: where the samples' types or sizes differ, telling which.
  func batch(_ indices: [Int], seed: UInt64, epoch: Int) throws -> [HostTensor]

  /// What an error calls a sample: its file, say.
  func name(of index: Int) -> String
}

extension Dataset {
  public func name(of index: Int) -> String { "sample \(index)" }

  public func batch(_ indices: [Int], seed: UInt64, epoch: Int) throws -> [HostTensor] {
    let samples = try indices.map { index in
      var random = SampleRandom(seed: seed, epoch: epoch, index: index)
      return try sample(index, random: &random)
    }
    return try HostTensor.stacked(samples) { name(of: indices[$0]) }
  }

  /// One sample, with the random numbers of the first epoch and seed 0.
  public func sample(_ index: Int) throws -> [HostTensor] {
    var random = SampleRandom(seed: 0, index: index)
    return try sample(index, random: &random)
  }
}

extension HostTensor {
  /// Samples of several parts along a new first axis.
  ///
  /// - Parameter name: what an error calls a sample.
  static func stacked(_ samples: [[HostTensor]], name: (Int) -> String) throws -> [HostTensor] {
    guard let first = samples.first else { return [] }
    for (index, sample) in samples.enumerated() {
      guard sample.count == first.count else {
        throw DiagnosticError(
          .user, "data.parts",
          "\(name(index)) has \(sample.count) parts, but \(name(0)) has \(first.count); all samples must have as many")
      }
      for (tensor, expected) in zip(sample, first)
      where tensor.element != expected.element || tensor.shape != expected.shape {
        throw DiagnosticError(
          .user, "data.shape",
          "\(name(index)) is \(tensor.type), but \(name(0)) of the same batch is \(expected.type)",
          hint: "bring samples to one size first, by Resize and CenterCrop for images")
      }
      try gatherable(sample)
    }
    return first.indices.map { part in
      let width = first[part].bytes.count
      return HostTensor(
        first[part].element, [samples.count] + first[part].shape,
        bytes: TensorBytes(count: samples.count * width) { target in
          guard width > 0, let to = target.baseAddress else { return }
          for (index, sample) in samples.enumerated() {
            sample[part].bytes.withBytes { from in
              if let from = from.baseAddress { (to + index * width).copyMemory(from: from, byteCount: width) }
            }
          }
        })
    }
  }

  /// Throws where elements are not those of the shape, or do not begin at bytes of their own.
  static func gatherable(_ tensors: [HostTensor]) throws {
    for tensor in tensors { try tensor.demandSound("a tensor of the data set") }
    if let packed = tensors.first(where: { $0.element.bits < 8 || $0.element == .string }) {
      throw DiagnosticError(.limit, "data.type", "samples of type \(packed.element) cannot be gathered into batches")
    }
  }
}
