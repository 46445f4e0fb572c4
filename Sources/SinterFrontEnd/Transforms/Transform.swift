/// Something done to one part of a sample before it is used: PyTorch's `torchvision.transforms`.
///
/// Images are tensors channels first, [channels, height, width], of u8 in 0 … 255 or of f32.
public protocol Transform: Sendable {
  /// - Parameter random: for transforms that draw; others leave it alone.
  func apply(_ tensor: HostTensor, random: inout SampleRandom) throws -> HostTensor
}

extension Transform {
  /// The transform of a tensor on its own, with random numbers that follow from a seed.
  public func callAsFunction(_ tensor: HostTensor, seed: UInt64 = 0) throws -> HostTensor {
    var random = SampleRandom(seed: seed)
    return try apply(tensor, random: &random)
  }
}

/// Transforms one after another.
public struct Compose: Transform {
  /// The transforms, first to last.
  public var transforms: [any Transform]
  /// Applies the given transforms, first to last.
  public init(_ transforms: any Transform...) { self.transforms = transforms }

  public func apply(_ tensor: HostTensor, random: inout SampleRandom) throws -> HostTensor {
    try transforms.reduce(tensor) { try $1.apply($0, random: &random) }
  }
}

/// Any function of a tensor.
public struct Lambda: Transform {
  private let body: @Sendable (HostTensor) throws -> HostTensor
  /// A transform that calls the function, which draws nothing at random.
  public init(_ body: @escaping @Sendable (HostTensor) throws -> HostTensor) { self.body = body }

  public func apply(_ tensor: HostTensor, random: inout SampleRandom) throws -> HostTensor { try body(tensor) }
}

/// A data set one part of whose samples goes through transforms.
public struct TransformedDataset: Dataset {
  /// The data set that samples come from.
  public let base: any Dataset
  /// The transforms, first to last.
  public let transforms: [any Transform]
  /// Which of a sample's tensors is transformed.
  public let part: Int

  public var count: Int { base.count }
  public func name(of index: Int) -> String { base.name(of: index) }

  public func sample(_ index: Int, random: inout SampleRandom) throws -> [HostTensor] {
    var sample = try base.sample(index, random: &random)
    guard sample.indices.contains(part) else {
      throw DiagnosticError(
        .user, "transform.part", "\(name(of: index)) has \(sample.count) parts, so that there is no part \(part)")
    }
    do {
      sample[part] = try transforms.reduce(sample[part]) { try $1.apply($0, random: &random) }
    } catch let error as DiagnosticError {
      throw error.located(at: name(of: index))
    }
    return sample
  }
}

extension Dataset {
  /// The data set with transforms of one part of each sample, the first by default.
  public func transformed(_ transforms: any Transform..., part: Int = 0) -> TransformedDataset {
    TransformedDataset(base: self, transforms: transforms, part: part)
  }
}
