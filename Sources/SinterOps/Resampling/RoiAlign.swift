import SinterCore
import SinterForms
import SinterIR

/// Regions of images at a fixed size: each result is the mean or the maximum of samples inside its part of a region. Inputs: x [n, c, h, w],
/// regions [r, 4] (x1, y1, x2, y2), the image of each [r].
public struct RoiAlign: Primitive {
  public static let name = "RoiAlign"
  public static let summary = "Regions of images at a fixed size, by interpolation."

  /// Whether a result is the mean of its samples or the greatest of them.
  public enum Mode: String, CaseIterable, Sendable { case avg, max }
  /// Whether a region's corners are shifted by half an element: ONNX's `coordinate_transformation_mode`.
  public enum Coordinates: String, CaseIterable, Sendable {
    case halfPixel = "half_pixel"
    case outputHalfPixel = "output_half_pixel"
  }

  /// Whether a region's corners are shifted by half an element.
  public var coordinates = Coordinates.halfPixel
  public var mode = Mode.avg
  /// Rows of each result; at least 1.
  public var height = 1
  /// Columns of each result; at least 1.
  public var width = 1
  /// Samples along each axis of a part; 0: as many as the part has places of the image, rounded up.
  public var samplingRatio = 0
  /// What coordinates of regions are multiplied by to be those of x.
  public var spatialScale = 1.0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("coordinate_transformation_mode", &coordinates, default: .halfPixel)
    list.choice("mode", &mode, default: .avg)
    list.int("output_height", &height, default: 1)
    list.int("output_width", &width, default: 1)
    list.int("sampling_ratio", &samplingRatio, default: 0)
    list.float("spatial_scale", &spatialScale, default: 1)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(RoiAlign.self, since: 16),
      .direct(RoiAlign.self, since: 10) { op, _ in op.coordinates = .outputHalfPixel },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 16) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, regions, images) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.indices(2))
    try requireElement(x) { $0.isFloat }
    guard x.rank == 4, regions.rank == 2, images.rank == 1 else {
      throw DiagnosticError(
        .user, "roialign.shape",
        "expected [n, c, h, w], [regions, 4] and [regions], but the inputs are \(x), \(regions), \(images)")
    }
    guard samplingRatio >= 0 else {
      throw DiagnosticError(
        .user, "roialign.sampling", "sampling_ratio must be at least 0, but is \(samplingRatio)")
    }
    guard height > 0, width > 0 else {
      throw DiagnosticError(
        .user, "roialign.size", "output_height and output_width must be positive, but are \(height) and \(width)")
    }
    try obligations.equal(regions.shape[1], 4, "size of axis 1 of the regions, which are \(regions), and 4")
    let count = try obligations.equal(
      regions.shape[0], images.shape[0],
      "number of regions, which are \(regions), and of their images, which are \(images),")
    return [Fact(x.element, [count, x.shape[1], Dim(height), Dim(width)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, regions, images) = (try node.input(0), try node.input(1), try node.input(2))
    let compute = x.element.computeType
    let wrapped = try WrappedIndex(node, input: 2, sizes: [x.shape[0]], name: RoiAlign.name, into: &lowering)
    let offset = coordinates == .halfPixel ? 0.5 : 0
    func corner(_ builder: BodyBuilder, _ region: Expr, _ which: Int) -> Expr {
      builder.load(regions.id, [region, builder.constant(which, .i64)]).cast(to: compute) * spatialScale - offset
    }
    /// How long a part of a region is along an axis, rows first.
    func part(_ builder: BodyBuilder, _ region: Expr, _ axis: Int) -> Expr {
      var extent = corner(builder, region, 3 - axis) - corner(builder, region, 1 - axis)
      if coordinates == .outputHalfPixel { extent = extent.maximum(builder.constant(1, compute)) }
      return extent / Double(axis == 0 ? height : width)
    }
    // Where the numbers of samples depend on the regions, the greatest of them is the size, and further samples count as nothing.
    var samples = [Dim(samplingRatio), Dim(samplingRatio)]
    var counts: [Operand] = []
    if samplingRatio == 0 {
      for axis in 0..<2 {
        let own = try lowering.element([regions.shape[0]]) { builder, index in
          part(builder, index[0], axis).unary(.ceil).cast(to: .i64).maximum(builder.constant(0, .i64))
        }
        let most = try lowering.reduce(.maximum, [], over: [regions.shape[0]]) { builder, _, inner in
          builder.load(own.id, inner)
        }
        let held = try lowering.element([]) { builder, _ in
          let count = builder.load(most.id, []).maximum(builder.constant(0, .i64))
          return builder.select(count < builder.constant(Self.sampleLimit, .i64), count, builder.constant(-1, .i64))
        }
        let symbol = lowering.freshSize()
        lowering.define(symbol, as: held, "RoiAlign: more than \(Self.sampleLimit) samples of a part, whose number")
        samples[axis] = Dim(symbol)
        counts.append(own)
      }
    }
    /// Samples along an axis of a part of a region.
    func count(_ builder: BodyBuilder, _ region: Expr, _ axis: Int) -> Expr {
      counts.isEmpty ? builder.constant(samplingRatio, .i64) : builder.load(counts[axis].id, [region])
    }
    let combined = try lowering.reduce(
      mode == .avg ? .sum : .maximum, try node.output().shape, over: samples
    ) { builder, index, inner in
      /// The taps along an axis: places and weights, the weights zero where the sample lies outside.
      func taps(_ axis: Int) -> [(place: Expr, weight: Expr)] {
        let begin = corner(builder, index[0], 1 - axis)
        let part = part(builder, index[0], axis)
        let sample = (inner[axis].cast(to: compute) + 0.5) * part / count(builder, index[0], axis).cast(to: compute)
        let place = begin + index[axis + 2].cast(to: compute) * part + sample
        let size = builder.size(x.shape[axis + 2])
        let isInside = place >= -1 && place <= size.cast(to: compute)
        let last = size - builder.constant(1, .i64)
        let held = place.clamped(builder.constant(0, compute), last.cast(to: compute))
        let base = held.unary(.floor)
        let low = base.cast(to: .i64).clamped(builder.constant(0, .i64), last)
        let zero = builder.constant(0, compute)
        let t = held - base
        return [
          (low, builder.select(isInside, 1 - t, zero)),
          ((low + builder.constant(1, .i64)).minimum(last), builder.select(isInside, t, zero)),
        ]
      }
      var hasElements = builder.bool(true)
      for axis in [2, 3] where (x.shape[axis].bounds().lower ?? 0) < 1 {
        hasElements = hasElements && (builder.size(x.shape[axis]) > 0)
      }
      let image = wrapped.place(builder.load(images.id, [index[0]]), size: x.shape[0])
      let rows = taps(0)
      let columns = taps(1)
      let values = rows.flatMap { row in
        columns.map { column in
          // Images without elements are zero.
          builder.load(x.id, [image, index[1], row.place, column.place], where: hasElements).cast(to: compute)
            * (row.weight * column.weight)
        }
      }
      let value = values.dropFirst().reduce(values[0]) { mode == .avg ? $0 + $1 : $0.maximum($1) }
      guard !counts.isEmpty else { return value }
      let isOwn = (inner[0] < count(builder, index[0], 0)) && (inner[1] < count(builder, index[0], 1))
      return builder.select(isOwn, value, builder.constant(mode == .avg ? 0 : -Double.infinity, compute))
    }
    let result = combined
    return [
      try lowering.element(try node.output().shape) { builder, index in
        let value = builder.load(result.id, index)
        guard !counts.isEmpty else {
          return (mode == .avg ? value / Double(samplingRatio * samplingRatio) : value).cast(to: x.element)
        }
        // A region without extent has no samples, and gives zero.
        let number = (count(builder, index[0], 0) * count(builder, index[0], 1)).cast(to: compute)
        let combined = mode == .avg ? value / number : value
        return builder.select(number > 0, combined, builder.constant(0, compute)).cast(to: x.element)
      }
    ]
  }

  private static let sampleLimit = 1 << 16

  private static func example(_ shape: [Dim], sizes: [Symbol: Int]) -> OperatorExample {
    var op = RoiAlign()
    op.samplingRatio = 1
    return OperatorExample(
      op,
      [
        .random(TensorType(.f32, shape), -1...1), .given(.f32([2, 4], [0, 1, 4, 5, 2, 0, 5, 3])),
        .random(TensorType(.i64, ["r"]), 0...2),
      ], sizes: sizes.merging([Symbol("r"): 2]) { own, _ in own })
  }

  public static var examples: [OperatorExample] {
    Mode.allCases.map { mode in
      var op = RoiAlign()
      op.mode = mode
      op.height = 2
      op.width = 3
      op.samplingRatio = 2
      return OperatorExample(
        op,
        [
          .random(TensorType(.f32, [2, 3, 6, 6]), -1...1), .given(.f32([2, 4], [0, 1, 4, 5, 2, 0, 5, 3])),
          .given(.i64([2], [1, 0])),
        ])
    } + [
      OperatorExample(
        RoiAlign(),
        [
          .random(TensorType(.f32, [2, 3, 6, 6]), -1...1), .given(.f32([2, 4], [0, 1, 4, 5, 2, 0, 5, 3])),
          .given(.i64([2], [1, 0])),
        ])
    ] + [example(["n", "c", "h", "w"], sizes: [Symbol("n"): 2, Symbol("c"): 1, Symbol("h"): 5, Symbol("w"): 6])]
  }
}

extension RoiAlign: Differentiable {
  /// Each sample hands its part to the four elements that it lies between. Regions have none, as in PyTorch's torchvision.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    guard mode == .avg, samplingRatio > 0 else {
      throw DiagnosticError(
        .limit, "gradient.operator",
        "regions are differentiated where they are means of a known number of samples, but mode is \(mode.rawValue) and sampling_ratio \(samplingRatio)"
      )
    }
    guard node.wants(0) else { return [nil, nil, nil] }
    let (x, regions) = (try node.input(0), try node.input(1))
    let corners = try regions.split(into: 4, along: 1)
    let offset = coordinates == .halfPixel ? 0.5 : 0
    func corner(_ which: Int) throws -> GradientTensor {
      try corners[which].cast(to: try x.element) * spatialScale - offset
    }
    /// The two neighbours of all samples along an axis, places and weights as [regions, parts · samples].
    func taps(_ axis: Int) throws -> [(place: GradientTensor, weight: GradientTensor)] {
      let parts = axis == 0 ? height : width
      var extent = try corner(3 - axis) - corner(1 - axis)
      if coordinates == .outputHalfPixel { extent = try extent.applying(Variadic(.maximum), extent.number(1)) }
      let steps = (0..<(parts * samplingRatio)).map { (Double($0) + 0.5) / Double(samplingRatio * parts) }
      let places =
        try corner(1 - axis)
        + extent * node.tape.constant(HostTensor(try x.element, [1, steps.count], doubles: steps))
      let size = try x.size(axis + 2)
      let last = try size - x.integers([1])
      let isInside = try places.compare(.greaterOrEqual, -1)
        .applying(Binary(.and), places.compare(.lessOrEqual, size.cast(to: try x.element)))
      let held = try places.applying(Variadic(.maximum), places.number(0))
        .applying(Variadic(.minimum), last.cast(to: try x.element))
      let base = try held.unary(.floor)
      let (low, t) = (try base.cast(to: .i64), try held - base)
      return [
        (low, try (1 - t).kept(where: isInside)),
        (try (low + x.integers([1])).applying(Variadic(.minimum), last), try t.kept(where: isInside)),
      ]
    }
    let area = try x.size(2) * x.size(3)
    let images = try node.input(2).cast(to: .i64)
    let first = try (images.compare(.less, images.integers([0])).applying(Where(), images + x.size(0), images) * area)
      .unsqueezed([1, 2])
    // [regions, rows of samples, columns of samples, c].
    let factor = 1 / Double(samplingRatio * samplingRatio)
    let g = try (node.gradient() * factor).repeated(samplingRatio, along: 2).repeated(samplingRatio, along: 3)
      .transposed([0, 2, 3, 1])
    var scatter = ScatterND()
    scatter.reduction = .add
    var sum = try x.zeros(sizes: [x.size(0) * area, x.size(1)])
    for row in try taps(0) {
      for column in try taps(1) {
        let place = try first + row.place.unsqueezed([2]) * x.size(3) + column.place.unsqueezed([1])
        let weight = try (row.weight.unsqueezed([2]) * column.weight.unsqueezed([1])).unsqueezed([3])
        sum = try sum.applying(scatter, place.unsqueezed([3]), g * weight)
      }
    }
    let rows = try sum.reshaped(to: [x.size(0), x.size(2), x.size(3), x.size(1)])
    return [try rows.transposed([0, 3, 1, 2]).reshaped(like: x), nil, nil]
  }
}

extension GradientTensor {
  /// Each place along an axis several times, one copy behind the other.
  fileprivate func repeated(_ count: Int, along axis: Int) throws -> GradientTensor {
    if count == 1 { return self }
    var repeats = [Int](repeating: 1, count: try rank + 1)
    repeats[axis + 1] = count
    return try unsqueezed([axis + 1]).applying(Tile(), integers(repeats)).flattened(from: axis, to: axis + 1)
  }
}
