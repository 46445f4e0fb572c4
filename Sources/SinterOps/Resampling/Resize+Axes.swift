import SinterCore
import SinterForms
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

    /// Whether only a run tells the factor, of which the sizes give but an idea.
    var isFromEntry: Bool {
      if case .entry = scale { true } else { false }
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
    let positions = try (axes ?? Array(0..<rank)).map { try normalizedAxis($0, rank: rank) }
    guard Set(positions).count == positions.count else {
      throw DiagnosticError(.user, "resize.axes", "axes must name each axis once, but is \(axes ?? [])")
    }
    return positions
  }

  func resampled(_ inputs: NodeInputs, _ obligations: inout Obligations) throws -> [Axis] {
    let x = try inputs.tensor(0)
    let positions = try positions(rank: x.rank)
    if inputs.has(3), try inputs.tensor(3).count != 0 { return try axesOfSizes(positions, x, inputs, &obligations) }
    let scales = try inputs.tensor(2)
    guard scales.rank == 1, scales.element == .f32 else {
      throw DiagnosticError(.user, "resize.scales", "scales must be a list of \(ElementType.f32), but are \(scales)")
    }
    try obligations.equal(scales.shape[0], Dim(positions.count), "number of scales and of axes to resize")
    guard let numbers = inputs.constant(2)?.array(of: Float.self) else {
      return positions.enumerated().map { entry, position in
        Axis(
          position: position, input: x.shape[position], output: inputs.freshSize(result: 0, axis: position),
          scale: .entry(entry))
      }
    }
    return try zip(positions, numbers).map { position, scale in
      guard Double(scale) >= 1 / Self.scaleLimit, Double(scale) <= Self.scaleLimit else {
        throw DiagnosticError(
          .user, "resize.scales",
          "scales must be positive and at most \(Self.scaleLimit), but axis \(position) has \(scale)")
      }
      let input = x.shape[position]
      return Axis(
        position: position, input: input, output: Dim.scaled(input, by: scale), scale: .known(Double(scale)))
    }
  }

  private func axesOfSizes(
    _ positions: [Int], _ x: TensorType, _ inputs: NodeInputs, _ obligations: inout Obligations
  ) throws -> [Axis] {
    let sizes = try inputs.sizes(3, "sizes", requiring: &obligations)
    guard sizes.count == positions.count else {
      throw DiagnosticError(
        .user, "resize.sizes", "\(positions.count) sizes are needed, but \(sizes.count) are given")
    }
    var result = zip(positions, sizes).map { Axis(position: $0, input: x.shape[$0], output: $1, scale: .sizes) }
    if aspectRatio != .stretch {
      for axis in result { try obligations.atLeast(axis.input, 1, "size of axis \(axis.position) of \(x)") }
      let ratios = result.compactMap { axis -> Double? in
        guard let a = axis.input.value, let b = axis.output.value, a > 0 else { return nil }
        return Double(b) / Double(a)
      }
      let scale = (aspectRatio == .notLarger ? ratios.min() : ratios.max()) ?? 1
      for index in result.indices {
        guard ratios.count == result.count else {
          result[index].scale = .ratio
          result[index].output = inputs.freshSize(result: 0, axis: positions[index])
          continue
        }
        result[index].scale = .known(scale)
        let size = (scale * Double(result[index].input.value ?? 0) + 0.5).rounded(.down)
        guard size < Self.sizeLimit else {
          throw DiagnosticError(.user, "resize.size", "an axis of \(size) elements is too long")
        }
        result[index].output = Dim(Int(size))
      }
    }
    // No positive factor makes something of nothing, or nothing of something.
    for (axis, size) in zip(result, sizes) where size != axis.input {
      let what = "size of axis \(axis.position) of \(x), which becomes \(size),"
      try obligations.atLeast(axis.input, Dim.min(size, 1), what)
      try obligations.atLeast(size, Dim.min(axis.input, 1), "new \(what)")
    }
    return result
  }

  /// Makes those sizes of the result known that scales, or a ratio to keep, tell at run time.
  func defineSizes(_ shape: [Dim], _ axes: [Axis], _ sampling: Sampling, _ lowering: inout Lowering) throws {
    try lowering.defineSizes(shape, of: "the result, whose scales must be positive and at most \(Self.scaleLimit),") {
      builder, position in
      guard let axis = axes.first(where: { $0.position == position }) else { return builder.constant(-1, .i64) }
      let scale = preciseScale(builder, axis, sampling)
      let exact = builder.size(axis.input).cast(to: .f64) * scale
      // As `Dim.scaled` has it.
      let result =
        (axis.scale == .ratio
        ? exact + 0.5 : builder.select(exact < 0x1p23, exact.cast(to: .f32).cast(to: .f64), exact)).unary(.floor)
      let isRight = (scale > 0) && (scale <= Self.scaleLimit)
      return builder.select(isRight, result, builder.constant(-1, .f64)).cast(to: .i64)
    }
  }

  static let scaleLimit = 0x1p20
  static let sizeLimit = 0x1p40
}
