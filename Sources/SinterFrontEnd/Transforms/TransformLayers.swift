import SinterIR
import SinterOps

/// Transforms without chance are layers as well: what is done to an image before a network sees it becomes a part of the graph that is compiled or
/// exported. There they take batches too, [n, channels, height, width], and sizes may be names.

/// A model behind the transforms that its images go through. Its parameters keep their names.
///
///     let served = Preprocessed(Resize(256), CenterCrop(224), ToTensor(), Normalize(mean: …, deviation: …), before: net)
///     try trace(served, .u8("n", 3, "height", "width")).bound(to: weights).optimized().export("net.onnx")
///
/// A transform that draws, or that is a function on the host, is an error where the model is traced.
public struct Preprocessed<Net: UnaryLayer>: UnaryLayer, NamedChildren {
  /// What images go through, first to last.
  public var transforms: [any Transform]
  /// What gets them.
  public var net: Net

  /// Transforms, first to last, ahead of a network that takes what they make.
  public init(_ transforms: any Transform..., before net: Net) {
    self.transforms = transforms
    self.net = net
  }

  public func forward(_ x: Tensor) -> Tensor { net.forward(in: transforms.applied(to: x)) }

  public var children: [(name: String, value: Any)] { [("", net)] }
}

extension [any Transform] {
  /// All of them in a graph, one after another.
  fileprivate func applied(to x: Tensor) -> Tensor {
    reduce(x) { x, transform in
      if let layer = transform as? any UnaryLayer { return layer.forward(in: x) }
      return x.trace.fail(
        "transform.graph",
        "\(type(of: transform)) draws at random or runs on the host, and cannot be a part of a graph", like: x,
        hint:
          "leave it to the data set, and give the model transforms that are arithmetic: Resize, CenterCrop, ToTensor, Normalize"
      )
    }
  }
}

extension Tensor {
  /// What is wrong with a tensor as images of one of some types; nil where nothing is.
  func imageProblem(_ transform: String, _ elements: [ElementType] = [.u8, .f32]) -> String? {
    if rank >= 3, elements.contains(element) { return nil }
    return "\(transform) takes images of \(elements.map(\.name).joined(separator: " or ")) [channels, height, width] "
      + "or [n, channels, height, width], but is given \(type)"
  }

  /// The last two sizes, i64.
  func imageSides() -> Tensor { applying(Shape()).slice(0, from: rank - 2) }

  /// The quotient of integers, rounded towards zero.
  func wholeQuotient(_ divisor: Tensor) -> Tensor { applying(Binary(.divide), divisor) }
  func atLeast(_ bound: Tensor) -> Tensor { applying(Variadic(.maximum), bound) }
}

extension Compose: UnaryLayer {
  public func forward(_ x: Tensor) -> Tensor { transforms.applied(to: x) }
}

extension ToTensor: UnaryLayer {
  /// Bytes as f32 in 0 … 1. An image of two axes gets one of one channel; of more axes the shape stays as it is.
  public func forward(_ x: Tensor) -> Tensor {
    guard x.element == .u8, x.rank >= 2 else {
      return x.trace.fail(
        "transform.image", "ToTensor takes images of u8 [.., height, width], but is given \(x.type)", like: x)
    }
    let scaled = x.float() / 255
    return x.rank == 2 ? scaled.unsqueeze(0) : scaled
  }
}

extension Normalize: UnaryLayer {
  public func forward(_ x: Tensor) -> Tensor {
    if let problem = x.imageProblem("Normalize", [.f32]) { return x.trace.fail("transform.image", problem, like: x) }
    for (name, numbers) in [("means", mean), ("deviations", deviation)] {
      if let channels = x.size(-3).value, numbers.count != 1, numbers.count != channels {
        return x.trace.fail(
          "transform.channels", "Normalize has \(numbers.count) \(name), but the image has \(channels) channels",
          like: x)
      }
    }
    guard deviation.allSatisfy({ $0 != 0 }) else {
      return x.trace.fail("transform.deviation", "Normalize divides by a deviation of 0", like: x)
    }
    func constant(_ numbers: [Double]) -> Tensor {
      x.trace.constant(.f32([numbers.count, 1, 1], numbers.map { Float($0) }))
    }
    return (x - constant(mean)) / constant(deviation)
  }
}

extension CenterCrop: UnaryLayer {
  public func forward(_ x: Tensor) -> Tensor {
    if let problem = x.imageProblem("CenterCrop") { return x.trace.fail("transform.image", problem, like: x) }
    let axes = x.integers([x.rank - 2, x.rank - 1])
    let (sides, wanted) = (x.imageSides(), x.integers([height, width]))
    let (zero, two) = (x.integers([0]), x.integers([2]))
    // Where there is too little, zeros around it, fewer of them before.
    let missing = (wanted - sides).atLeast(zero)
    let before = missing.wholeQuotient(two)
    let padded = x.applying(Pad(), cat([before, missing - before]), nil, axes)
    // Halves are rounded to even numbers.
    let over = (sides - wanted).atLeast(zero)
    let half = over.wholeQuotient(two)
    let start = half + (over - half * two) * (half - half.wholeQuotient(two) * two)
    let cut = padded.applying(Slice(), start, start + wanted, axes)
    return cut.reshape(Array(x.shape.dropLast(2)) + [Dim(height), Dim(width)])
  }
}
