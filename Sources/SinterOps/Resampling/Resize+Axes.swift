import SinterCore
import SinterIR

extension Resize {
  /// How one axis is resampled.
  struct Axis {
    var position: Int
    var input: Dim
    var output: Dim
    var scale: Scale

    /// Where the factor output / input comes from.
    enum Scale: Equatable {
      case known(Double)
      /// From the sizes.
      case sizes
      /// The entry of this number of the scales, at run time.
      case entry(Int)
      /// The least or greatest factor that the sizes ask for, at run time.
      case ratio
    }

    /// The factor, where it is known ahead of time.
    var knownScale: Double? {
      switch scale {
      case .known(let scale): return scale
      case .sizes, .ratio, .entry:
        guard let a = input.value, let b = output.value, a > 0 else { return nil }
        return Double(b) / Double(a)
      }
    }

    /// Whether it is known to become shorter.
    var isShrunk: Bool { knownScale.map { $0 < 1 } ?? false }

    /// A whole factor of enlargement, where there is one.
    var factor: Int? {
      switch scale {
      case .known(let scale): return scale >= 1 && scale == scale.rounded() ? Int(scale) : nil
      case .sizes:
        guard let quotient = output.exactQuotient(by: input)?.value, quotient >= 1 else { return nil }
        return quotient
      case .entry, .ratio: return nil
      }
    }
  }

  func positions(rank: Int) throws -> [Int] {
    try (axes ?? Array(0..<rank)).map { try normalizedAxis($0, rank: rank) }
  }

  func resampled(_ inputs: NodeInputs) throws -> [Axis] {
    let x = try inputs.tensor(0)
    let positions = try positions(rank: x.rank)
    func declared(_ scale: (Int) -> Axis.Scale) -> [Axis]? {
      guard let shape = inputs.declaredShape(), shape.count == x.rank else { return nil }
      return positions.enumerated().map { entry, position in
        Axis(position: position, input: x.shape[position], output: shape[position], scale: scale(entry))
      }
    }
    if inputs.has(3), !(inputs.constant(3)?.count == 0) {
      guard let sizes = inputs.contents(3) else {
        if let axes = declared({ _ in aspectRatio == .stretch ? .sizes : .ratio }) { return axes }
        throw DiagnosticError(
          .limit, "resize.sizes", "sizes must follow from shapes and constants, but are computed from data")
      }
      guard sizes.count == positions.count else {
        throw DiagnosticError(
          .user, "resize.sizes", "\(positions.count) sizes are needed, but \(sizes.count) are given")
      }
      var result = zip(positions, sizes).map { Axis(position: $0, input: x.shape[$0], output: $1, scale: .sizes) }
      if aspectRatio != .stretch {
        let ratios = try result.map { axis -> Double in
          guard let a = axis.input.value, let b = axis.output.value, a > 0 else {
            throw DiagnosticError(.limit, "resize.ratio", "keep_aspect_ratio_policy needs sizes known ahead of time")
          }
          return Double(b) / Double(a)
        }
        let scale = (aspectRatio == .notLarger ? ratios.min() : ratios.max()) ?? 1
        for index in result.indices {
          result[index].scale = .known(scale)
          let size = (scale * Double(result[index].input.value ?? 0) + 0.5).rounded(.down)
          guard size < Self.sizeLimit else {
            throw DiagnosticError(.user, "resize.size", "an axis of \(size) elements is too long")
          }
          result[index].output = Dim(Int(size))
        }
      }
      return result
    }
    guard let tensor = inputs.constant(2), tensor.element == .f32 else {
      if let axes = declared({ .entry($0) }) { return axes }
      throw DiagnosticError(
        .limit, "resize.scales", "scales must be constant", hint: "bind the sizes, or give sizes as input 3")
    }
    let scales = tensor.array(of: Float.self).map { Double($0) }
    guard scales.count == positions.count else {
      throw DiagnosticError(
        .user, "resize.scales", "\(positions.count) scales are needed, but \(scales.count) are given")
    }
    return try zip(positions, scales).map { position, scale in
      guard scale >= 1 / Self.scaleLimit, scale <= Self.scaleLimit else {
        throw DiagnosticError(
          .user, "resize.scales",
          "scales must be positive and at most \(Self.scaleLimit), but axis \(position) has \(scale)")
      }
      let input = x.shape[position]
      return Axis(position: position, input: input, output: try Self.scaled(input, by: scale), scale: .known(scale))
    }
  }

  static let scaleLimit = 0x1p20
  static let sizeLimit = 0x1p40

  /// floor(size · scale).
  static func scaled(_ size: Dim, by scale: Double) throws -> Dim {
    if let size = size.value { return Dim(Int(saturating: (Double(size) * scale).rounded(.down))) }
    for denominator in 1...64 {
      let numerator = scale * Double(denominator)
      if abs(numerator - numerator.rounded()) < 1e-9 { return size * Dim(Int(numerator.rounded())) / Dim(denominator) }
    }
    throw DiagnosticError(
      .limit, "resize.scales", "a scale of \(scale) of the symbolic size \(size) is no simple fraction",
      hint: "bind the size")
  }
}
