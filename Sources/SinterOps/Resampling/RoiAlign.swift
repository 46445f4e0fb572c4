import SinterCore
import SinterForms
import SinterIR

/// Regions of images at a fixed size: each result is the mean or the maximum of samples inside its part of a region. Inputs: x [n, c, h, w],
/// regions [r, 4] (x1, y1, x2, y2), the image of each [r].
public struct RoiAlign: Primitive {
  public static let name = "RoiAlign"
  public static let summary = "Regions of images at a fixed size, by interpolation."

  public enum Mode: String, CaseIterable, Sendable { case avg, max }
  public enum Coordinates: String, CaseIterable, Sendable {
    case halfPixel = "half_pixel"
    case outputHalfPixel = "output_half_pixel"
  }

  public var coordinates = Coordinates.halfPixel
  public var mode = Mode.avg
  public var height = 1
  public var width = 1
  /// Samples along each axis of a part.
  public var samplingRatio = 0
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
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 16) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, regions, images) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.indices(2))
    try requireElement(x) { $0.isFloat }
    guard x.rank == 4, regions.rank == 2, images.rank == 1 else {
      throw DiagnosticError(
        .user, "roialign.shape",
        "expected [n, c, h, w], [regions, 4] and [regions], but the inputs are \(x), \(regions), \(images)")
    }
    guard samplingRatio > 0 else {
      throw DiagnosticError(
        .limit, "roialign.sampling",
        "sampling_ratio must be positive; 0 makes the number of samples depend on the regions")
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
    let samples = [Dim(samplingRatio), Dim(samplingRatio)]
    let combined = try lowering.reduce(
      mode == .avg ? .sum : .maximum, try node.output().shape, over: samples
    ) { builder, index, inner in
      let offset = coordinates == .halfPixel ? 0.5 : 0
      func corner(_ which: Int) -> Expr {
        builder.load(regions.id, [index[0], builder.constant(which, .i64)]).cast(to: compute) * spatialScale - offset
      }
      /// The taps along an axis: places and weights, the weights zero where the sample lies outside.
      func taps(_ axis: Int, begin: Expr, end: Expr, parts: Int) -> [(place: Expr, weight: Expr)] {
        var extent = end - begin
        if coordinates == .outputHalfPixel { extent = extent.maximum(builder.constant(1, compute)) }
        let part = extent / Double(parts)
        let sample = (inner[axis].cast(to: compute) + 0.5) * part / Double(samplingRatio)
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
      let rows = taps(0, begin: corner(1), end: corner(3), parts: height)
      let columns = taps(1, begin: corner(0), end: corner(2), parts: width)
      let values = rows.flatMap { row in
        columns.map { column in
          // Images without elements are zero.
          builder.load(x.id, [image, index[1], row.place, column.place], where: hasElements).cast(to: compute)
            * (row.weight * column.weight)
        }
      }
      return values.dropFirst().reduce(values[0]) { mode == .avg ? $0 + $1 : $0.maximum($1) }
    }
    let result = combined
    return [
      try lowering.element(try node.output().shape) { builder, index in
        let value = builder.load(result.id, index)
        return (mode == .avg ? value / Double(samplingRatio * samplingRatio) : value).cast(to: x.element)
      }
    ]
  }

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
    } + [example(["n", "c", "h", "w"], sizes: [Symbol("n"): 2, Symbol("c"): 1, Symbol("h"): 5, Symbol("w"): 6])]
  }
}
