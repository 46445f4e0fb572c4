import SinterCore
import SinterForms
import SinterIR

/// An image at another size: nearest, linear or cubic interpolation along any axes, with ONNX's ways to relate coordinates.
///
/// Inputs: x, the region of interest (for `tf_crop_and_resize` only), scales, sizes; one of the last two is given.
public struct Resize: Primitive {
  public static let name = "Resize"
  public static let summary = "Resamples along axes: nearest, linear or cubic, with optional antialiasing."

  /// How a result follows from the elements around its place.
  public enum Mode: String, CaseIterable, Sendable { case nearest, linear, cubic }
  /// How a place of the result is one of the input: ONNX's `coordinate_transformation_mode`.
  public enum Coordinates: String, CaseIterable, Sendable {
    case halfPixel = "half_pixel"
    case halfPixelSymmetric = "half_pixel_symmetric"
    case pytorchHalfPixel = "pytorch_half_pixel"
    case alignCorners = "align_corners"
    case asymmetric
    case cropAndResize = "tf_crop_and_resize"
    case halfPixelForNearest = "tf_half_pixel_for_nn"
  }
  /// Which element is the nearest one: ONNX's `nearest_mode`.
  public enum Rounding: String, CaseIterable, Sendable {
    case roundPreferFloor = "round_prefer_floor"
    case roundPreferCeil = "round_prefer_ceil"
    case floor, ceil
  }
  /// What sizes mean: they are taken as given, or as bounds within or beyond which all axes are scaled alike.
  public enum AspectRatio: String, CaseIterable, Sendable {
    case stretch
    case notLarger = "not_larger"
    case notSmaller = "not_smaller"
  }

  public var mode = Mode.nearest
  /// How a place of the result is one of the input.
  public var coordinates = Coordinates.halfPixel
  /// Which element is the nearest one; for `nearest` only.
  public var rounding = Rounding.roundPreferFloor
  /// Whether a smaller result is averaged over all the elements that it stands for; for `linear` and `cubic`.
  public var antialias = false
  /// The axes that scales, sizes and regions are given for; nil: all.
  public var axes: [Int]?
  /// The factor of the cubic kernel, -0.5 or -0.75 in most systems; for `cubic` only.
  public var cubicCoefficient = -0.75
  /// Whether elements beyond the input have no weight, and the others' are scaled up to 1.
  public var excludeOutside = false
  /// The value of what lies beyond the input; for `tf_crop_and_resize` only.
  public var extrapolationValue = 0.0
  /// What sizes mean.
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
        try builder.add(Resize(upsampling: node), [node.input(0), nil, node.input(1)])
      },
      OnnxRule("Upsample", since: 9) { node, builder in
        try builder.add(Resize(upsampling: node), [node.input(0), nil, node.input(1)])
      },
      OnnxRule("Upsample", since: 7) { node, builder in
        let scales = (node.floats("scales") ?? []).map { Float($0) }
        return try builder.add(
          Resize(upsampling: node), [node.input(0), nil, builder.constant(.f32([scales.count], scales))])
      },
      OnnxRule("Upsample", since: 1) { node, builder in
        // The first version knows images only.
        let scales = [1, 1, Float(node.float("height_scale") ?? 1), Float(node.float("width_scale") ?? 1)]
        return try builder.add(Resize(upsampling: node), [node.input(0), nil, builder.constant(.f32([4], scales))])
      },
    ]
  }

  /// As Upsample and the first version of Resize have it.
  private init(upsampling node: OnnxNode) throws {
    coordinates = .asymmetric
    rounding = .floor
    switch node.string("mode") {
    case "nearest", nil: mode = .nearest
    case "linear", "bilinear": mode = .linear
    case .some(let other):
      throw DiagnosticError(
        .user, "onnx.attribute", "attribute mode must be one of \"nearest\", \"linear\", but is \"\(other)\"")
    }
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 19) }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(3)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    var shape = x.shape
    for axis in try resampled(inputs, &obligations) { shape[axis.position] = axis.output }
    if coordinates == .cropAndResize {
      let region = try inputs.tensor(1)
      let count = 2 * (try positions(rank: x.rank)).count
      guard region.rank == 1 else {
        throw DiagnosticError(.user, "resize.roi", "the region must be a list of \(count) places, but is \(region)")
      }
      try obligations.equal(
        region.shape[0], Dim(count), "number of the region's places and twice that of axes to resize")
    }
    return [Fact(x.element, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let crop = coordinates == .cropAndResize
    var settled = Obligations()
    let axes = try resampled(node.facts, &settled)
    let changed = axes.filter { crop || $0.output != $0.input || ($0.scale != .sizes && $0.scale != .known(1)) }
    let sampling = Sampling(
      axes: changed, positions: try positions(rank: x.rank), shape: x.shape,
      roi: crop && node.has(1) ? try node.input(1) : nil,
      scales: node.has(2) ? try node.input(2) : nil, sizes: node.has(3) ? try node.input(3) : nil)
    try defineSizes(node.output().shape, axes, sampling, &lowering)
    if mode == .nearest { return [try repeated(x, sampling, node.output().shape, &lowering)] }
    // Linear and cubic interpolation are separable: one axis after another.
    let compute = x.element.isFloat ? x.element.computeType : .f32
    var value = x
    for axis in Self.order(changed) { value = try interpolated(value, axis, compute, sampling, &lowering) }
    if sampling.roi != nil {
      let source = value
      value = try lowering.element(source.shape) { builder, index in
        var inside: Expr?
        for axis in changed { inside = insideCondition(builder, index[axis.position], axis, sampling, inside) }
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

  /// Shrunk axes come first, from the outermost in, so that little is left to do for the others; enlarged ones come from the innermost out, so
  /// that most is done where whole lines of memory have one weight.
  private static func order(_ axes: [Axis]) -> [Axis] {
    axes.filter(\.isShrunk) + axes.filter { !$0.isShrunk }.reversed()
  }

  /// Each element is the nearest one of the input.
  private func repeated(
    _ x: Operand, _ sampling: Sampling, _ shape: [Dim], _ lowering: inout Lowering
  ) throws -> Operand {
    func isCopy(_ axis: Axis) -> Bool { axis.factor != nil && isWholeCopy }
    func place(_ builder: BodyBuilder, _ coordinate: Expr, _ axis: Axis) -> Expr {
      rounded(coordinate).cast(to: .i64).clamped(builder.constant(0, .i64), builder.size(axis.input - 1))
    }
    var places: [Int: Operand] = [:]
    for axis in sampling.axes where !isCopy(axis) {
      places[axis.position] = try lowering.element([axis.output]) { builder, index in
        place(builder, coordinate(builder, index[0], axis, sampling), axis)
      }
    }
    return try lowering.element(shape) { builder, index in
      var at = index
      var inside: Expr?
      for axis in sampling.axes {
        let own = index[axis.position]
        if let factor = axis.factor, isCopy(axis) {
          at[axis.position] = own.floorDivided(by: builder.constant(factor, .i64))
        } else if let places = places[axis.position] {
          inside = insideCondition(builder, own, axis, sampling, inside)
          at[axis.position] = builder.load(places.id, [own])
        }
      }
      return extrapolated(builder, builder.load(x.id, at), inside, x.element)
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
    let image = OperatorExample.Input.random(TensorType(.f32, [1, 9, 11, 20]), -1...1)
    let open = OperatorExample.Input.random(TensorType(.f32, ["n", "c", "h", "w"]), -1...1)
    let openSizes = [Symbol("n"): 1, Symbol("c"): 2, Symbol("h"): 3, Symbol("w"): 5]
    let smaller = OperatorExample.Input.constant(.i64([4], [1, 4, 17, 20]))
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
      OperatorExample(resize { $0.rounding = .ceil }, [x, .absent, .absent, sizes], sizes: h),
      OperatorExample(
        resize {
          $0.mode = .linear
          $0.antialias = true
        }, [image, .absent, .absent, smaller]),
      OperatorExample(
        resize {
          $0.mode = .cubic
          $0.excludeOutside = true
        }, [image, .absent, .absent, smaller]),
      OperatorExample(
        resize { $0.mode = .linear }, [open, .absent, .given(.f32([4], [1, 1, 2, 0.6]))], sizes: openSizes),
      OperatorExample(
        resize { $0.mode = .linear }, [open, .absent, .constant(.f32([4], [1, 1, 1.7, 0.6]))], sizes: openSizes),
      OperatorExample(
        resize {
          $0.mode = .linear
          $0.antialias = true
        }, [open, .absent, .given(.f32([4], [1, 1, 0.6, 0.4]))], sizes: openSizes),
      OperatorExample(
        resize {
          $0.mode = .cubic
          $0.antialias = true
        }, [open, .absent, .absent, .given(.i64([4], [1, 2, 2, 3]))], sizes: openSizes),
      OperatorExample(resize { _ in }, [open, .absent, .absent, .given(.i64([4], [1, 2, 3, 7]))], sizes: openSizes),
      OperatorExample(
        resize {
          $0.axes = [2, 3]
          $0.aspectRatio = .notSmaller
        }, [open, .absent, .absent, .given(.i64([2], [3, 7]))], sizes: openSizes),
    ]
  }
}

extension Resize: Differentiable {
  /// Each axis is multiplied by a matrix, which is what resizing makes of the identity; the gradient is multiplied by its transpose.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    guard aspectRatio == .stretch else {
      throw DiagnosticError(
        .limit, "gradient.operator", "keep_aspect_ratio_policy \(aspectRatio.rawValue) cannot be differentiated")
    }
    let x = try node.input(0)
    var settled = Obligations()
    var result = try node.gradient()
    let positions = try positions(rank: try x.rank)
    func entries(_ input: Int, _ places: [Int]) throws -> GradientTensor? {
      guard node.has(input), try node.input(input).shape != [0] else { return nil }
      return try node.input(input).applying(Gather(axis: 0), x.integers(places))
    }
    for axis in try resampled(node.facts, &settled) {
      let isKept = axis.output == axis.input && (axis.scale == .sizes || axis.scale == .known(1))
      guard coordinates == .cropAndResize || !isKept, let entry = positions.firstIndex(of: axis.position) else {
        continue
      }
      var own = self
      (own.axes, own.extrapolationValue) = ([0], 0)
      let size = try x.size(axis.position)
      let unit = try x.zeros(sizes: [size, size]).applying(EyeLike())
      let matrix = try unit.applying(
        own, entries(1, [entry, entry + positions.count]), entries(2, [entry]), entries(3, [entry]))
      result = try result.multiplied(by: matrix, along: axis.position)
    }
    return [result, nil, nil, nil]
  }
}
