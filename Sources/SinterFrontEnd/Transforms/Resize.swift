import SinterIR
import SinterOps

/// An image in another size, by linear interpolation; where it shrinks, each pixel is a mean over all that it covers (torchvision's and Pillow's
/// `antialias`).
public struct Resize: Transform {
  private enum Size { case shorter(Int), both(height: Int, width: Int) }
  private let size: Size

  /// The shorter side gets this length, and the other one follows.
  public init(_ shorter: Int) { size = .shorter(max(1, shorter)) }
  /// Exactly this size in pixels, whatever the shape was.
  public init(height: Int, width: Int) { size = .both(height: max(1, height), width: max(1, width)) }

  public func apply(_ tensor: HostTensor, random: inout SampleRandom) throws -> HostTensor {
    let image = try ImageLayout(tensor, for: "Resize")
    guard image.height > 0, image.width > 0 else {
      throw DiagnosticError(.user, "transform.size", "Resize is given an image without pixels: \(tensor.type)")
    }
    let (height, width) = sizes(image)
    try ImageLayout.demandArea(height, width)
    if height == image.height, width == image.width { return tensor }
    let pixels = tensor.element == .f32 ? tensor.array(of: Float.self) : tensor.array(of: UInt8.self).map { Float($0) }
    let isBytes = tensor.element == .u8
    let lines = Self.resized(
      pixels, count: image.channels * image.height, from: image.width, to: width, rounded: isBytes)
    var result = [Float](repeating: 0, count: image.channels * height * width)
    let taps = Tap.all(from: image.height, to: height)
    for channel in 0..<image.channels {
      for row in 0..<height {
        let tap = taps[row]
        let to = (channel * height + row) * width
        for (step, weight) in tap.weights.enumerated() {
          let from = (channel * image.height + tap.first + step) * width
          for column in 0..<width { result[to + column] += weight * lines[from + column] }
        }
      }
    }
    let shape = [image.channels, height, width]
    guard isBytes else { return .f32(shape, result) }
    return HostTensor(.u8, shape, values: result.map { UInt8(min(255, max(0, ($0 + 0.5).rounded(.down)))) })
  }

  private func sizes(_ image: ImageLayout) -> (Int, Int) {
    switch size {
    case .both(let height, let width): return (height, width)
    case .shorter(let length):
      return image.height <= image.width
        ? (length, max(1, length * image.width / image.height)) : (max(1, length * image.height / image.width), length)
    }
  }

  /// Lines of one length in another one. Bytes are rounded in between, as Pillow does.
  private static func resized(_ pixels: [Float], count: Int, from: Int, to: Int, rounded: Bool) -> [Float] {
    if from == to { return pixels }
    let taps = Tap.all(from: from, to: to)
    return [Float](unsafeUninitializedCapacity: count * to) { result, initialized in
      for line in 0..<count {
        for column in 0..<to {
          let tap = taps[column]
          var sum: Float = 0
          for (step, weight) in tap.weights.enumerated() { sum += weight * pixels[line * from + tap.first + step] }
          result[line * to + column] = rounded ? (sum + 0.5).rounded(.down) : sum
        }
      }
      initialized = count * to
    }
  }

  /// The pixels that one new pixel is made of.
  private struct Tap {
    let first: Int
    let weights: [Float]

    static func all(from: Int, to: Int) -> [Tap] {
      let scale = Double(from) / Double(to)
      let support = max(1, scale)
      return (0..<to).map { place in
        let center = scale * (Double(place) + 0.5)
        let first = max(0, Int(center - support + 0.5))
        let last = min(from, Int(center + support + 0.5))
        let weights = (first..<max(first + 1, last)).map { pixel in
          max(0, 1 - abs((Double(pixel) - center + 0.5) / support))
        }
        let sum = weights.reduce(0, +)
        return Tap(first: first, weights: weights.map { Float($0 / (sum == 0 ? 1 : sum)) })
      }
    }
  }
}

extension Resize: UnaryLayer {
  /// Where a side is a name, the other size follows from it when the graph runs.
  public func forward(_ x: Tensor) -> Tensor {
    if let problem = x.imageProblem("Resize") { return x.trace.fail("transform.image", problem, like: x) }
    let sizes: Tensor
    switch size {
    case .both(let height, let width): sizes = x.integers([height, width])
    case .shorter(let length):
      let sides = x.imageSides()
      let shorter = sides.applying(Reduce(.minimum), x.integers([0]))
      sizes = (sides * x.integers([length])).wholeQuotient(shorter).atLeast(x.integers([1]))
    }
    func resized(_ x: Tensor, _ axes: [Int], _ sizes: Tensor) -> Tensor {
      var op = SinterOps.Resize()
      op.axes = axes
      op.mode = .linear
      op.coordinates = .halfPixel
      (op.antialias, op.excludeOutside) = (true, true)
      return x.trace.apply(op, [x, nil, nil, sizes])[0]
    }
    let (rows, columns) = (x.rank - 2, x.rank - 1)
    if x.element == .f32 { return resized(x, [rows, columns], sizes) }
    // Bytes are rounded in between, as Pillow does.
    let lines = (resized(x.float(), [columns], sizes.slice(0, from: 1)) + 0.5).floor()
    let result = (resized(lines, [rows], sizes.slice(0, from: 0, to: 1)) + 0.5).floor()
    return result.clamp(min: 0, max: 255).cast(to: .u8)
  }
}
