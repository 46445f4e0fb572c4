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
    }
      + Mode.allCases.map { mode in
        var op = RoiAlign()
        op.mode = mode
        op.height = 2
        return OperatorExample(
          op,
          [
            .random(TensorType(.f32, [2, 2, 6, 6]), 0.5...1.5),
            .given(.f32([3, 4], [0, 1, 4, 5, 2, 0, 5, 3, 3, 3, 3, 3])), .given(.i64([3], [1, 0, 1])),
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
  /// What samples read, of each of the regions · height · width parts: places among all images' rows and columns, and weights, [parts, taps]. Taps that
  /// count for nothing have the weight zero.
  private struct Taps {
    var places: GradientTensor, weights: GradientTensor
    /// Which taps are of samples that their part has, and by how many samples each part's sum is divided, [parts, taps] and [parts, 1]; nil where
    /// all parts have the same number.
    var areSamples: GradientTensor?, counts: GradientTensor?
  }

  /// Each sample hands its part to the four elements that it lies between; of a maximum, the first of the greatest products to its element. Regions have
  /// no gradient, as in PyTorch's torchvision.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    guard node.wants(0) else { return [nil, nil, nil] }
    let x = try node.input(0)
    let taps = try taps(node)
    // [parts, channels].
    var g = try node.gradient().transposed([0, 2, 3, 1]).flattened(from: 0, to: 2)
    var (places, weights) = (taps.places, taps.weights)
    if let counts = taps.counts { g = try g.kept(where: counts.compare(.greater, counts.number(0))) }
    switch mode {
    case .avg:
      let counts = try taps.counts ?? g.number(Double(samplingRatio * samplingRatio))
      g = try (g / counts.applying(Variadic(.maximum), counts.number(1))).unsqueezed([1])
      weights = try weights.unsqueezed([2])
    case .max:
      let rows = try x.transposed([0, 2, 3, 1]).flattened(from: 0, to: 2)
      var products = try rows.applying(Gather(axis: 0), places) * weights.unsqueezed([2])
      if let areSamples = taps.areSamples {
        products = try areSamples.unsqueezed([2]).applying(Where(), products, products.number(-.infinity))
      }
      var (greatest, pick) = (ArgReduce(.maximum), GatherElements())
      (greatest.axis, greatest.keepsAxes, pick.axis) = (1, false, 1)
      let own = try products.applying(greatest)
      (places, weights) = (try places.applying(pick, own), try weights.applying(pick, own))
    }
    return [try scattered(g * weights, to: places, like: x), nil, nil]
  }

  /// The sum of what goes to each element of the images: updates [parts, taps, channels] to places [parts, taps], or both [parts, channels].
  private func scattered(
    _ updates: GradientTensor, to places: GradientTensor, like x: GradientTensor
  ) throws -> GradientTensor {
    var scatter = ScatterND()
    scatter.reduction = .add
    let count = try x.size(0) * x.size(2) * x.size(3)
    var sum: GradientTensor
    if try places.rank == updates.rank {
      let elements = try places * x.size(1) + x.positions(along: 1)
      sum = try x.zeros(sizes: [count * x.size(1)]).applying(scatter, elements.unsqueezed([2]), updates)
    } else {
      sum = try x.zeros(sizes: [count, x.size(1)]).applying(scatter, places.unsqueezed([2]), updates)
    }
    sum = try sum.reshaped(to: [x.size(0), x.size(2), x.size(3), x.size(1)])
    return try sum.transposed([0, 3, 1, 2]).reshaped(like: x)
  }

  private func taps(_ node: GradientNode) throws -> Taps {
    let x = try node.input(0)
    let axes = try (0..<2).map { try taps($0, node) }
    let area = try x.size(2) * x.size(3)
    let images = try node.input(2).cast(to: .i64)
    let first = try (images.compare(.less, images.integers([0])).applying(Where(), images + x.size(0), images) * area)
      .unsqueezed([1, 2, 3, 4])
    /// Of both axes, [regions, height, width, samples of rows, samples of columns].
    func rows(_ value: GradientTensor) throws -> GradientTensor { try value.unsqueezed([2, 4]) }
    func columns(_ value: GradientTensor) throws -> GradientTensor { try value.unsqueezed([1, 3]) }
    /// Of four values so, [parts, taps].
    func joined(_ values: [GradientTensor]) throws -> GradientTensor {
      let whole = try node.tape.add(Concat(axis: 5), values.map { try $0.unsqueezed([5]) })[0]
      return try whole.flattened(from: 3, to: 5).flattened(from: 0, to: 2)
    }
    var places: [GradientTensor] = [], weights: [GradientTensor] = []
    for row in axes[0].taps {
      for column in axes[1].taps {
        places.append(try first + rows(row.place) * x.size(3) + columns(column.place))
        weights.append(try rows(row.weight) * columns(column.weight))
      }
    }
    var result = Taps(places: try joined(places), weights: try joined(weights))
    if let a = axes[0].areSamples, let b = axes[1].areSamples, let m = axes[0].counts, let n = axes[1].counts {
      let own = try rows(a).applying(Binary(.and), columns(b))
      result.areSamples = try joined([own, own, own, own])
      // The same for all parts of a region.
      let parts = node.tape.constant(.i64([1], [height * width]))
      result.counts = try (m * n).cast(to: x.element)
        .applying(Expand(), node.tape.add(Concat(axis: 0), [m.size(0), parts])[0])
        .flattened(from: 0, to: 1).unsqueezed([1])
    }
    return result
  }

  /// Along an axis of the image, rows first: the two neighbours of each sample, places and weights [regions, parts, samples], and, where regions
  /// have different numbers of samples, which of these are theirs, and how many, [regions, 1].
  private func taps(
    _ axis: Int, _ node: GradientNode
  ) throws -> (
    taps: [(place: GradientTensor, weight: GradientTensor)], areSamples: GradientTensor?, counts: GradientTensor?
  ) {
    let x = try node.input(0)
    let corners = try node.input(1).split(into: 4, along: 1)
    let offset = coordinates == .halfPixel ? 0.5 : 0
    func corner(_ which: Int) throws -> GradientTensor {
      try corners[which].cast(to: try x.element) * spatialScale - offset
    }
    let begin = try corner(1 - axis)
    var extent = try corner(3 - axis) - begin
    if coordinates == .outputHalfPixel { extent = try extent.applying(Variadic(.maximum), extent.number(1)) }
    let parts = axis == 0 ? height : width
    let part = try extent / Double(parts)
    let partNumbers = node.tape.constant(HostTensor(try x.element, [parts], doubles: (0..<parts).map(Double.init)))
    var numbers = node.tape.constant(.i64([samplingRatio], Array(0..<samplingRatio)))
    var areSamples: GradientTensor?, counts: GradientTensor?
    var spacing = try part / Double(samplingRatio)
    if samplingRatio == 0 {
      let own = try part.unary(.ceil).cast(to: .i64).applying(Variadic(.maximum), x.integers([0]))
      let most = try own.applying(Reduce(.maximum, keepsAxes: false))
      // One at least, so that there is a greatest in any case.
      let (zero, one) = (node.tape.constant(.i64([], [0])), node.tape.constant(.i64([], [1])))
      numbers = try zero.applying(Range(), most.applying(Variadic(.maximum), one), one)
      areSamples = try numbers.compare(.less, own).unsqueezed([1])
      counts = own
      spacing = try part / own.applying(Variadic(.maximum), x.integers([1])).cast(to: x.element)
    }
    let samples = try (numbers.cast(to: x.element) + 0.5) * spacing.unsqueezed([2])
    let sample = try (begin + partNumbers * part).unsqueezed([2]) + samples
    let size = try x.size(axis + 2)
    let last = try size - x.integers([1])
    var isRead = try sample.compare(.greaterOrEqual, -1)
      .applying(Binary(.and), sample.compare(.lessOrEqual, size.cast(to: try x.element)))
    areSamples = try areSamples?.expanded(like: sample)
    if let areSamples { isRead = try isRead.applying(Binary(.and), areSamples) }
    let held = try sample.applying(Variadic(.maximum), sample.number(0))
      .applying(Variadic(.minimum), last.cast(to: try x.element))
    let base = try held.unary(.floor)
    let (low, t) = (try base.cast(to: .i64), try held - base)
    let taps = [
      (place: low, weight: try (1 - t).kept(where: isRead)),
      (place: try (low + x.integers([1])).applying(Variadic(.minimum), last), weight: try t.kept(where: isRead)),
    ]
    return (taps, areSamples, counts)
  }
}
