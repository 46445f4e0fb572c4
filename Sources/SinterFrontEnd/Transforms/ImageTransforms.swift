import Foundation

/// An image of bytes as f32 in 0 … 1; one of two axes gets an axis of one channel.
public struct ToTensor: Transform {
  public init() {}

  public func apply(_ tensor: HostTensor, random: inout SampleRandom) throws -> HostTensor {
    guard tensor.element == .u8, tensor.rank == 2 || tensor.rank == 3 else {
      throw DiagnosticError(
        .user, "transform.image",
        "ToTensor takes an image of u8 [channels, height, width] or [height, width], but is given \(tensor.type)")
    }
    try tensor.demandSound("the image that ToTensor is given")
    return HostTensor(
      .f32, tensor.rank == 2 ? [1] + tensor.shape : tensor.shape,
      bytes: TensorBytes(count: 4 * tensor.count) { target in
        let target = target.bindMemory(to: Float.self)
        tensor.bytes.withBytes { source in
          for place in source.indices { target[place] = Float(source[place]) / 255 }
        }
      })
  }
}

/// Each channel less its mean, divided by its deviation. One number serves all channels.
public struct Normalize: Transform {
  /// What is taken off each channel, and what the difference is divided by.
  public var mean: [Double], deviation: [Double]

  /// One number of each kind for all channels, or one for each channel.
  public init(mean: [Double], deviation: [Double]) {
    self.mean = mean
    self.deviation = deviation
  }

  public func apply(_ tensor: HostTensor, random: inout SampleRandom) throws -> HostTensor {
    let image = try ImageLayout(tensor, for: "Normalize", of: [.f32])
    for (name, numbers) in [("means", mean), ("deviations", deviation)]
    where numbers.count != 1 && numbers.count != image.channels {
      throw DiagnosticError(
        .user, "transform.channels",
        "Normalize has \(numbers.count) \(name), but the image has \(image.channels) channels")
    }
    guard deviation.allSatisfy({ $0 != 0 }) else {
      throw DiagnosticError(.user, "transform.deviation", "Normalize divides by a deviation of 0")
    }
    let plane = image.height * image.width
    return HostTensor(
      .f32, tensor.shape,
      bytes: TensorBytes(count: tensor.bytes.count) { target in
        let target = target.bindMemory(to: Float.self)
        tensor.bytes.withBytes { source in
          for channel in 0..<image.channels {
            let mean = Float(self.mean[self.mean.count == 1 ? 0 : channel])
            let deviation = Float(self.deviation[self.deviation.count == 1 ? 0 : channel])
            for place in (channel * plane)..<((channel + 1) * plane) {
              let value = source.loadUnaligned(fromByteOffset: 4 * place, as: Float.self)
              target[place] = (value - mean) / deviation
            }
          }
        }
      })
  }
}

/// The middle of an image; where the image is smaller, with zeros around it.
public struct CenterCrop: Transform {
  /// The size of the result, in pixels.
  public var height: Int, width: Int

  /// A square of `size` by `size` pixels.
  public init(_ size: Int) { self.init(height: size, width: size) }
  /// A rectangle, in pixels; negative sizes count as 0.
  public init(height: Int, width: Int) { (self.height, self.width) = (max(0, height), max(0, width)) }

  public func apply(_ tensor: HostTensor, random: inout SampleRandom) throws -> HostTensor {
    let image = try ImageLayout(tensor, for: "CenterCrop")
    return try tensor.window(
      image, top: Self.start(image.height, height), left: Self.start(image.width, width), height: height, width: width)
  }

  /// Where a window begins: halves are rounded to even numbers, padding first where there is too little.
  static func start(_ given: Int, _ wanted: Int) -> Int {
    given < wanted
      ? -((wanted - given) / 2) : Int((Double(given - wanted) / 2).rounded(.toNearestOrEven))
  }
}

/// A window at a random place of an image that has got zeros around it.
public struct RandomCrop: Transform {
  /// The size of the result and the width of the zeros on all sides, in pixels.
  public var height: Int, width: Int, padding: Int

  /// A square of `size` by `size` pixels.
  public init(_ size: Int, padding: Int = 0) { self.init(height: size, width: size, padding: padding) }
  /// A rectangle, in pixels; negative sizes count as 0.
  public init(height: Int, width: Int, padding: Int = 0) {
    (self.height, self.width, self.padding) = (max(0, height), max(0, width), min(max(0, padding), Int(Int32.max)))
  }

  public func apply(_ tensor: HostTensor, random: inout SampleRandom) throws -> HostTensor {
    let image = try ImageLayout(tensor, for: "RandomCrop")
    let (rows, columns) = (image.height + 2 * padding - height, image.width + 2 * padding - width)
    guard rows >= 0, columns >= 0 else {
      throw DiagnosticError(
        .user, "transform.size",
        "RandomCrop takes \(height)×\(width) pixels, but the image has \(image.height)×\(image.width) and a padding of \(padding)",
        hint: "resize the image first, or take more padding")
    }
    let top = random.integer(below: rows + 1) - padding
    let left = random.integer(below: columns + 1) - padding
    return try tensor.window(image, top: top, left: left, height: height, width: width)
  }
}

/// The image seen in a mirror, with a probability.
public struct RandomHorizontalFlip: Transform {
  /// How likely it happens, from 0 to 1.
  public var probability: Double
  /// Mirrors left and right with the given probability, from 0 to 1.
  public init(_ probability: Double = 0.5) { self.probability = probability }

  public func apply(_ tensor: HostTensor, random: inout SampleRandom) throws -> HostTensor {
    let image = try ImageLayout(tensor, for: "RandomHorizontalFlip")
    guard random.uniform() < probability else { return tensor }
    return try tensor.window(image, top: 0, left: 0, height: image.height, width: image.width, flipped: true)
  }
}

/// A part of an image, of random place, size and shape, brought to one size.
public struct RandomResizedCrop: Transform {
  /// The size of the result, in pixels.
  public var height: Int, width: Int
  /// Which part of the image's area is taken.
  public var scale: ClosedRange<Double>
  /// Width by height of what is taken.
  public var ratio: ClosedRange<Double>

  /// A square result of `size` by `size` pixels, from a part with a share of the area within `scale` and a shape within `ratio`.
  public init(_ size: Int, scale: ClosedRange<Double> = 0.08...1, ratio: ClosedRange<Double> = (3.0 / 4)...(4.0 / 3)) {
    (height, width) = (max(1, size), max(1, size))
    self.scale = scale
    self.ratio = ratio
  }

  public func apply(_ tensor: HostTensor, random: inout SampleRandom) throws -> HostTensor {
    let image = try ImageLayout(tensor, for: "RandomResizedCrop")
    let part = window(image, &random)
    let cropped = try tensor.window(image, top: part.top, left: part.left, height: part.height, width: part.width)
    return try Resize(height: height, width: width).apply(cropped, random: &random)
  }

  private func window(_ image: ImageLayout, _ random: inout SampleRandom) -> (
    top: Int, left: Int, height: Int, width: Int
  ) {
    let area = Double(image.height * image.width)
    for _ in 0..<10 {
      let wanted = area * random.uniform(scale.lowerBound, scale.upperBound)
      let aspect = RandomErasing.aspect(ratio, &random)
      let columns = (wanted * aspect).squareRoot().rounded(.toNearestOrEven)
      let rows = (wanted / aspect).squareRoot().rounded(.toNearestOrEven)
      guard columns >= 1, rows >= 1, columns <= Double(image.width), rows <= Double(image.height) else { continue }
      let (h, w) = (Int(rows), Int(columns))
      return (random.integer(below: image.height - h + 1), random.integer(below: image.width - w + 1), h, w)
    }
    // Nothing fits: the middle, as large as the allowed shapes let it be.
    var (h, w) = (image.height, image.width)
    let aspect = Double(image.width) / Double(max(1, image.height))
    if aspect < ratio.lowerBound {
      h = min(h, Int((Double(w) / ratio.lowerBound).rounded(.toNearestOrEven)))
    } else if aspect > ratio.upperBound {
      w = min(w, Int((Double(h) * ratio.upperBound).rounded(.toNearestOrEven)))
    }
    return ((image.height - h) / 2, (image.width - w) / 2, h, w)
  }
}

/// A rectangle of random place, size and shape set to one value, with a probability.
public struct RandomErasing: Transform {
  /// How likely it happens, from 0 to 1.
  public var probability: Double
  /// How large a part of the image the rectangle is.
  public var scale: ClosedRange<Double>
  /// Height by width of the rectangle.
  public var ratio: ClosedRange<Double>
  /// What its pixels become.
  public var value: Double

  /// Erases with the given probability a rectangle with a share of the area within `scale` and a shape within `ratio`.
  public init(
    _ probability: Double = 0.5, scale: ClosedRange<Double> = 0.02...0.33, ratio: ClosedRange<Double> = 0.3...3.3,
    value: Double = 0
  ) {
    self.probability = probability
    self.scale = scale
    self.ratio = ratio
    self.value = value
  }

  /// A shape such that one and its inverse are equally likely where both are allowed.
  static func aspect(_ ratio: ClosedRange<Double>, _ random: inout SampleRandom) -> Double {
    exp(random.uniform(log(ratio.lowerBound), log(ratio.upperBound)))
  }

  public func apply(_ tensor: HostTensor, random: inout SampleRandom) throws -> HostTensor {
    let image = try ImageLayout(tensor, for: "RandomErasing")
    guard random.uniform() < probability else { return tensor }
    let area = Double(image.height * image.width)
    for _ in 0..<10 {
      let wanted = area * random.uniform(scale.lowerBound, scale.upperBound)
      let aspect = Self.aspect(ratio, &random)
      let rows = (wanted * aspect).squareRoot().rounded(.toNearestOrEven)
      let columns = (wanted / aspect).squareRoot().rounded(.toNearestOrEven)
      guard rows < Double(image.height), columns < Double(image.width) else { continue }
      let (h, w) = (Int(rows), Int(columns))
      let (top, left) = (random.integer(below: image.height - h + 1), random.integer(below: image.width - w + 1))
      return erased(tensor, image, top: top, left: left, h, w)
    }
    return tensor
  }

  private func erased(_ tensor: HostTensor, _ image: ImageLayout, top: Int, left: Int, _ h: Int, _ w: Int) -> HostTensor
  {
    let one = HostTensor(tensor.element, [], doubles: [value])
    return HostTensor(
      tensor.element, tensor.shape,
      bytes: TensorBytes(count: tensor.bytes.count) { target in
        tensor.bytes.withBytes { target.copyMemory(from: $0) }
        one.bytes.withBytes { value in
          guard let from = value.baseAddress, let to = target.baseAddress else { return }
          for channel in 0..<image.channels {
            for row in top..<(top + h) {
              for column in left..<(left + w) {
                let place = (channel * image.height + row) * image.width + column
                (to + place * value.count).copyMemory(from: from, byteCount: value.count)
              }
            }
          }
        }
      })
  }
}
