import SinterCore
import SinterIR
import SinterKernel

/// An image at another size: nearest, linear or cubic interpolation along any axes, with ONNX's ways to relate coordinates.
///
/// Inputs: x, the region of interest (for `tf_crop_and_resize` only), scales, sizes; one of the last two is given. Where its values do not
/// follow from constants and shapes, the result's shape must be declared.
public struct Resize: Primitive {
  public static let name = "Resize"
  public static let summary = "Resamples along axes: nearest, linear or cubic, with optional antialiasing."

  public enum Mode: String, CaseIterable, Sendable { case nearest, linear, cubic }
  public enum Coordinates: String, CaseIterable, Sendable {
    case halfPixel = "half_pixel"
    case halfPixelSymmetric = "half_pixel_symmetric"
    case pytorchHalfPixel = "pytorch_half_pixel"
    case alignCorners = "align_corners"
    case asymmetric
    case cropAndResize = "tf_crop_and_resize"
    case halfPixelForNearest = "tf_half_pixel_for_nn"
  }
  public enum Rounding: String, CaseIterable, Sendable {
    case roundPreferFloor = "round_prefer_floor"
    case roundPreferCeil = "round_prefer_ceil"
    case floor, ceil
  }
  public enum AspectRatio: String, CaseIterable, Sendable {
    case stretch
    case notLarger = "not_larger"
    case notSmaller = "not_smaller"
  }

  public var mode = Mode.nearest
  public var coordinates = Coordinates.halfPixel
  public var rounding = Rounding.roundPreferFloor
  public var antialias = false
  public var axes: [Int]?
  public var cubicCoefficient = -0.75
  public var excludeOutside = false
  public var extrapolationValue = 0.0
  public var aspectRatio = AspectRatio.stretch

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("antialias", &antialias, default: false)
    list.optionalInts("axes", &axes)
    list.choice("coordinate_transformation_mode", &coordinates, default: .halfPixel)
    list.float("cubic_coeff_a", &cubicCoefficient, default: -0.75)
    list.bool("exclude_outside", &excludeOutside, default: false)
    list.float("extrapolation_value", &extrapolationValue, default: 0)
    list.choice("keep_aspect_ratio_policy", &aspectRatio, default: .stretch)
    list.choice("mode", &mode, default: .nearest)
    list.choice("nearest_mode", &rounding, default: .roundPreferFloor)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(Resize.self, since: 11),
      OnnxRule(name, since: 10) { node, builder in
        var op = Resize()
        op.coordinates = .asymmetric
        op.rounding = .floor
        op.mode = node.string("mode") == "linear" ? .linear : .nearest
        return try builder.add(op, [node.input(0), nil, node.input(1)])
      },
      OnnxRule("Upsample", since: 9) { node, builder in
        var op = Resize()
        op.coordinates = .asymmetric
        op.rounding = .floor
        op.mode = node.string("mode") == "linear" ? .linear : .nearest
        return try builder.add(op, [node.input(0), nil, node.input(1)])
      },
      OnnxRule("Upsample", since: 7) { node, builder in
        var op = Resize()
        op.coordinates = .asymmetric
        op.rounding = .floor
        op.mode = node.string("mode") == "linear" ? .linear : .nearest
        let scales = (node.floats("scales") ?? []).map { Float($0) }
        return try builder.add(op, [node.input(0), nil, builder.constant(.f32([scales.count], scales))])
      },
    ]
  }

  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 19) }

  /// How one axis is resampled.
  private struct Axis {
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

  /// All that coordinates depend on.
  private struct Sampling {
    var axes: [Axis]
    /// Which entry of the inputs belongs to an axis.
    var positions: [Int]
    var shape: [Dim]
    var roi: Operand?
    var scales: Operand?
    var sizes: Operand?
  }

  private func positions(rank: Int) throws -> [Int] {
    try (axes ?? Array(0..<rank)).map { try normalizedAxis($0, rank: rank) }
  }

  private func resampled(_ inputs: NodeInputs) throws -> [Axis] {
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

  private static let scaleLimit = 0x1p20
  private static let sizeLimit = 0x1p40

  /// floor(size · scale).
  private static func scaled(_ size: Dim, by scale: Double) throws -> Dim {
    if let size = size.value { return Dim(Int(saturating: (Double(size) * scale).rounded(.down))) }
    for denominator in 1...64 {
      let numerator = scale * Double(denominator)
      if abs(numerator - numerator.rounded()) < 1e-9 { return size * Dim(Int(numerator.rounded())) / Dim(denominator) }
    }
    throw DiagnosticError(
      .limit, "resize.scales", "a scale of \(scale) of the symbolic size \(size) is no simple fraction",
      hint: "bind the size")
  }

  public func infer(_ inputs: NodeInputs) throws -> [Fact] {
    let x = try inputs.tensor(0)
    var shape = x.shape
    for axis in try resampled(inputs) { shape[axis.position] = axis.output }
    return [Fact(x.element, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let crop = coordinates == .cropAndResize
    let changed = try resampled(node.facts).filter {
      crop || $0.output != $0.input || ($0.scale != .sizes && $0.scale != .known(1))
    }
    let sampling = Sampling(
      axes: changed, positions: try positions(rank: x.rank), shape: x.shape,
      roi: crop && node.has(1) ? try node.input(1) : nil,
      scales: node.has(2) ? try node.input(2) : nil, sizes: node.has(3) ? try node.input(3) : nil)
    if mode == .nearest {
      let result = try lowering.element(try node.output().shape) { builder, index in
        var at = index
        var inside: Expr?
        for axis in changed {
          if let factor = axis.factor, isWholeCopy {
            at[axis.position] = index[axis.position].floorDivided(by: builder.constant(factor, .i64))
          } else {
            let coordinate = coordinate(builder, index[axis.position], axis, sampling)
            inside = insideCondition(builder, coordinate, axis, inside)
            at[axis.position] = rounded(coordinate).cast(to: .i64).clamped(
              builder.constant(0, .i64), builder.size(axis.input - 1))
          }
        }
        return extrapolated(builder, builder.load(x.id, at), inside, x.element)
      }
      return [result]
    }
    // Linear and cubic interpolation are separable: one axis after another.
    let compute = x.element.isFloat ? x.element.computeType : .f32
    var value = x
    for axis in changed {
      let source = value
      var shape = source.shape
      shape[axis.position] = axis.output
      value = try interpolate(source, axis, shape, compute, sampling, &lowering)
    }
    if sampling.roi != nil {
      let source = value
      value = try lowering.element(source.shape) { builder, index in
        var inside: Expr?
        for axis in changed {
          inside = insideCondition(
            builder, coordinate(builder, index[axis.position], axis, sampling), axis, inside)
        }
        return extrapolated(builder, builder.load(source.id, index), inside, source.element)
      }
    }
    if value.element == x.element { return [value] }
    let last = value
    return [
      try lowering.element(last.shape) { builder, index in
        let result = builder.load(last.id, index)
        return (x.element.isInteger ? result.unary(.round) : result).cast(to: x.element)
      }
    ]
  }

  /// Whether enlarging by a whole factor just repeats elements.
  private var isWholeCopy: Bool {
    switch (coordinates, rounding) {
    case (.asymmetric, .floor), (.halfPixel, .roundPreferFloor), (.halfPixel, .roundPreferCeil),
      (.halfPixelForNearest, .floor):
      true
    default: false
    }
  }

  /// The place in the input that an index of the result comes from, as f32.
  private func coordinate(_ builder: BodyBuilder, _ index: Expr, _ axis: Axis, _ sampling: Sampling) -> Expr {
    let i = index.cast(to: .f32)
    let input = builder.size(axis.input).cast(to: .f32)
    let output = builder.size(axis.output).cast(to: .f32)
    let scale = scale(builder, axis, sampling)
    switch coordinates {
    case .halfPixel: return (i + 0.5) / scale - 0.5
    case .asymmetric: return i / scale
    case .halfPixelForNearest: return (i + 0.5) / scale
    case .pytorchHalfPixel:
      return builder.select(output > 1, (i + 0.5) / scale - 0.5, builder.constant(0.0, .f32))
    case .alignCorners:
      // The length is the exact one, which a scale need not make whole.
      let one = builder.constant(1.0, .f32)
      let length = axis.scale == .sizes ? output : input * scale
      return builder.select(length .== one, builder.constant(0.0, .f32), i * (input - 1) / (length - 1))
    case .halfPixelSymmetric:
      let exact = axis.scale == .sizes ? output : input * scale
      let adjustment = output / exact
      return input * 0.5 * (1 - adjustment) + (i + 0.5) / scale - 0.5
    case .cropAndResize:
      guard let roi = sampling.roi else { return i }
      let place = sampling.positions.firstIndex(of: axis.position) ?? 0
      let start = builder.load(roi.id, [builder.constant(place, .i64)]).cast(to: .f32)
      let end = builder.load(roi.id, [builder.constant(place + sampling.positions.count, .i64)]).cast(to: .f32)
      let one = builder.constant(1.0, .f32)
      let spread = start * (input - 1) + i * (end - start) * (input - 1) / (output - 1).maximum(one)
      return builder.select(output > 1, spread, (start + end) * 0.5 * (input - 1))
    }
  }

  /// output / input along an axis, as f32.
  private func scale(_ builder: BodyBuilder, _ axis: Axis, _ sampling: Sampling) -> Expr {
    func fromSizes() -> Expr { builder.size(axis.output).cast(to: .f32) / builder.size(axis.input).cast(to: .f32) }
    switch axis.scale {
    case .known(let scale): return builder.constant(Double(Float(scale)), .f32)
    case .sizes: return fromSizes()
    case .entry(let number):
      guard let scales = sampling.scales else { return fromSizes() }
      return builder.load(scales.id, [builder.constant(number, .i64)]).cast(to: .f32)
    case .ratio:
      guard let sizes = sampling.sizes else { return fromSizes() }
      let ratios = sampling.positions.enumerated().map { number, position in
        builder.load(sizes.id, [builder.constant(number, .i64)]).cast(to: .f32)
          / builder.size(sampling.shape[position]).cast(to: .f32)
      }
      return ratios.dropFirst().reduce(ratios[0]) { aspectRatio == .notLarger ? $0.minimum($1) : $0.maximum($1) }
    }
  }

  private func rounded(_ x: Expr) -> Expr {
    switch rounding {
    case .floor: x.unary(.floor)
    case .ceil: x.unary(.ceil)
    case .roundPreferFloor: (x - 0.5).unary(.ceil)
    case .roundPreferCeil: (x + 0.5).unary(.floor)
    }
  }

  private func insideCondition(_ builder: BodyBuilder, _ coordinate: Expr, _ axis: Axis, _ before: Expr?) -> Expr? {
    guard coordinates == .cropAndResize else { return nil }
    let own = (coordinate >= 0) && (coordinate <= (builder.size(axis.input - 1).cast(to: .f32)))
    return before.map { $0 && own } ?? own
  }

  private func extrapolated(_ builder: BodyBuilder, _ value: Expr, _ inside: Expr?, _ type: ElementType) -> Expr {
    guard let inside else { return value }
    return builder.select(inside, value, builder.constant(extrapolationValue, .f32).cast(to: value.type))
  }

  /// The weight of a tap at a distance from the coordinate, in units of the input's (or, antialiased, the result's) pixels.
  private func weight(_ distance: Expr) -> Expr {
    let builder = distance.builder
    let d = distance.unary(.abs)
    let zero = builder.constant(0.0, d.type)
    if mode == .linear { return (1 - d).maximum(zero) }
    let a = cubicCoefficient
    let near = (((d * (a + 2)) - (a + 3)) * d) * d + 1
    let far = (((d * a - 5 * a) * d) + 8 * a) * d - 4 * a
    return builder.select(d <= 1, near, builder.select(d < 2, far, zero))
  }

  private func interpolate(
    _ x: Operand, _ axis: Axis, _ shape: [Dim], _ compute: ElementType, _ sampling: Sampling,
    _ lowering: inout Lowering
  ) throws -> Operand {
    let support = mode == .linear ? 1 : 2
    // Antialiasing widens the window by the factor of reduction.
    var stretch = 1.0
    if antialias {
      guard let scale = axis.knownScale else {
        throw DiagnosticError(.limit, "resize.antialias", "antialias needs sizes known ahead of time")
      }
      stretch = Swift.max(1, 1 / scale)
    }
    let reach = Int(saturating: (Double(support) * stretch).rounded(.up))
    guard reach < 1 << 20 else {
      throw DiagnosticError(
        .limit, "resize.antialias", "antialias over \(reach) places is not supported", hint: "resize in steps")
    }
    let taps = 2 * reach
    let position = axis.position
    /// The input's place and the weight of one tap.
    func tap(_ builder: BodyBuilder, _ index: [Expr], _ number: Expr) -> (at: Expr, weight: Expr) {
      let coordinate = coordinate(builder, index[position], axis, sampling)
      let base = coordinate.unary(.floor)
      let at = base.cast(to: .i64) + number - builder.constant(reach - 1, .i64)
      var distance = coordinate - at.cast(to: .f32)
      if antialias { distance = distance * scale(builder, axis, sampling).minimum(builder.constant(1.0, .f32)) }
      var weight = weight(distance)
      if excludeOutside {
        let inside = (at >= builder.constant(0, .i64)) && (at < builder.size(axis.input))
        weight = builder.select(inside, weight, builder.constant(0.0, .f32))
      }
      return (at.clamped(builder.constant(0, .i64), builder.size(axis.input - 1)), weight)
    }
    let normalizes = excludeOutside || antialias
    if taps <= 4 {
      return try lowering.element(shape) { builder, index in
        var sum = builder.constant(0.0, compute)
        var total = builder.constant(0.0, .f32)
        for number in 0..<taps {
          let (at, weight) = tap(builder, index, builder.constant(number, .i64))
          var source = index
          source[position] = at
          sum = sum + builder.load(x.id, source).cast(to: compute) * weight.cast(to: compute)
          total = total + weight
        }
        return normalizes ? sum / total.cast(to: compute) : sum
      }
    }
    let sum = try lowering.reduce(.sum, shape, over: [Dim(taps)]) { builder, index, inner in
      let (at, weight) = tap(builder, index, inner[0])
      var source = index
      source[position] = at
      return builder.load(x.id, source).cast(to: compute) * weight.cast(to: compute)
    }
    if !normalizes { return sum }
    let total = try lowering.reduce(.sum, [axis.output], over: [Dim(taps)]) { builder, index, inner in
      var whole = [Expr](repeating: index[0], count: shape.count)
      whole[position] = index[0]
      return tap(builder, whole, inner[0]).weight
    }
    return try lowering.element(shape) { builder, index in
      builder.load(sum.id, index) / builder.load(total.id, [index[position]]).cast(to: compute)
    }
  }

  public static var examples: [OperatorExample] {
    func resize(_ change: (inout Resize) -> Void) -> Resize {
      var op = Resize()
      change(&op)
      return op
    }
    let x = OperatorExample.Input.random(TensorType(.f32, [1, 2, "h", 4]), -1...1)
    let scales = OperatorExample.Input.constant(.f32([4], [1, 1, 2, 2]))
    let sizes = OperatorExample.Input.constant(.i64([4], [1, 2, 3, 7]))
    let h = [Symbol("h"): 5]
    return [
      OperatorExample(
        resize {
          $0.coordinates = .asymmetric
          $0.rounding = .floor
        }, [x, .absent, scales], sizes: h),
      OperatorExample(resize { $0.mode = .linear }, [x, .absent, scales], sizes: h),
      OperatorExample(
        resize {
          $0.mode = .cubic
          $0.coordinates = .alignCorners
        }, [x, .absent, .absent, sizes], sizes: h),
    ]
  }
}
