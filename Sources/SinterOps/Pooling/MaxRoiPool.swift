import SinterCore
import SinterForms
import SinterIR

/// Regions of images at a fixed size: each result is the greatest element of its part of a region, whole elements only; 0 where a part has none.
/// Inputs: x [n, c, h, w], regions [r, 5] of an image's number, x1, y1, x2, y2.
public struct MaxRoiPool: Primitive {
  public static let name = "MaxRoiPool"
  public static let summary = "Maximum over the parts of regions of images."

  /// Rows and columns of each result.
  public var size: [Int] = []
  /// What coordinates of regions are multiplied by to be those of x.
  public var scale = 1.0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.ints("pooled_shape", &size, default: [])
    list.float("spatial_scale", &scale, default: 1)
  }
  public static var onnx: [OnnxRule] { [.direct(MaxRoiPool.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, regions) = (try inputs.tensor(0), try inputs.tensor(1))
    try requireElement(x) { $0.isFloat }
    guard x.rank == 4, regions.rank == 2, regions.element == x.element else {
      throw DiagnosticError(
        .user, "roipool.shape", "expected [n, c, h, w] and [regions, 5], but the inputs are \(x) and \(regions)")
    }
    guard size.count == 2, size.allSatisfy({ (1...Window.limit).contains($0) }) else {
      throw DiagnosticError(.user, "roipool.size", "pooled_shape must be two positive sizes, but is \(size)")
    }
    try obligations.equal(regions.shape[1], 5, "size of axis 1 of the regions, which are \(regions), and 5")
    return [Fact(x.element, [regions.shape[0], x.shape[1]] + size.map { Dim($0) })]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, regions) = (try node.input(0), try node.input(1))
    let shape = try node.output().shape
    let compute = x.element.computeType
    let outer = lowering.error("MaxRoiPool: image %0 lies outside of %1 images")
    func number(_ builder: BodyBuilder, _ region: Expr, _ which: Int) -> Expr {
      builder.load(regions.id, [region, builder.constant(which, .i64)]).cast(to: compute)
    }
    /// The places along an axis of the image that a part has: from the first to before the second.
    func part(_ builder: BodyBuilder, _ index: [Expr], _ axis: Int) -> (begin: Expr, end: Expr) {
      let half = builder.constant(0.5, compute)
      func corner(_ which: Int) -> Expr {
        // To the nearest, halves away from zero.
        let value = number(builder, index[0], which) * scale
        let size = (value.unary(.abs) + half).unary(.floor)
        return builder.select(value < 0, -size, size)
      }
      let (first, last) = (corner(axis == 2 ? 2 : 1), corner(axis == 2 ? 4 : 3))
      let extent = (last - first + 1).maximum(builder.constant(1, compute))
      let step = extent / Double(size[axis - 2])
      let place = index[axis].cast(to: compute)
      let limit = builder.size(x.shape[axis]).cast(to: compute)
      func held(_ at: Expr) -> Expr { (at + first).clamped(builder.constant(0, compute), limit).cast(to: .i64) }
      return (held((place * step).unary(.floor)), held(((place + 1) * step).unary(.ceil)))
    }
    let greatest = try lowering.reduce(.maximum, shape, over: [x.shape[2], x.shape[3]]) { builder, index, inner in
      let (rows, columns) = (part(builder, index, 2), part(builder, index, 3))
      let isInside =
        inner[0] >= rows.begin && inner[0] < rows.end && inner[1] >= columns.begin && inner[1] < columns.end
      let image = number(builder, index[0], 0).cast(to: .i64).checked(below: builder.size(x.shape[0]), error: outer)
      return builder.load(x.id, [image, index[1]] + inner, where: isInside, otherwise: .float(-.infinity)).cast(
        to: compute)
    }
    return [
      try lowering.element(shape) { builder, index in
        let (rows, columns) = (part(builder, index, 2), part(builder, index, 3))
        let isEmpty = rows.begin >= rows.end || columns.begin >= columns.end
        return builder.select(isEmpty, builder.constant(0, compute), builder.load(greatest.id, index)).cast(
          to: x.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var op = MaxRoiPool()
    (op.size, op.scale) = ([2, 3], 0.5)
    let regions = HostTensor.f32([3, 5], [0, 0, 0, 9, 7, 1, 3, 2, 6, 11, 1, 12, 1, 14, 3])
    return [
      OperatorExample(
        op, [.random(TensorType(.f32, ["n", 2, 5, "w"]), -1...1), .given(regions)],
        sizes: [Symbol("n"): 2, Symbol("w"): 6])
    ]
  }
}

extension MaxRoiPool: Composite {
  /// The greatest of all elements of an image, those outside of a part being minus infinity. Gradients go through it; regions have none.
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.require(by: Self.name) { _ = try infer(inputs, requiring: &$0) }
    let tape = GradientTape(builder)
    defer { builder = tape.builder }
    let (x, regions) = (GradientTensor(try inputs.value(0), tape), GradientTensor(try inputs.value(1), tape))
    let element = try x.element.computeType
    let numbers = try regions.cast(to: element).split(into: 5, along: 1)

    /// The places along an axis of the image that the parts of all regions have, as [regions, parts]: from the first to before the second.
    func parts(_ axis: Int) throws -> (begin: GradientTensor, end: GradientTensor) {
      let count = size[axis - 2]
      /// To the nearest, halves away from zero.
      func corner(_ which: Int) throws -> GradientTensor {
        let value = try numbers[which] * scale
        let size = try (value.unary(.abs) + 0.5).unary(.floor)
        return try value.compare(.less, 0).applying(Where(), -size, size)
      }
      let (first, last) = (try corner(axis == 2 ? 2 : 1), try corner(axis == 2 ? 4 : 3))
      let step = try (last - first + 1).applying(Variadic(.maximum), first.number(1)) / Double(count)
      let limit = try x.size(axis).cast(to: element)
      func places(_ offset: Int) -> GradientTensor {
        tape.constant(HostTensor(element, [1, count], doubles: (0..<count).map { Double($0 + offset) }))
      }
      func held(_ at: GradientTensor) throws -> GradientTensor {
        try (at + first).applying(Variadic(.maximum), at.number(0)).applying(Variadic(.minimum), limit).cast(to: .i64)
      }
      return (try held((places(0) * step).unary(.floor)), try held((places(1) * step).unary(.ceil)))
    }
    /// Whether a part has a place of the image: [regions, parts, places].
    func mask(_ part: (begin: GradientTensor, end: GradientTensor), _ axis: Int) throws -> GradientTensor {
      let places = try x.positions(along: axis)
      return try part.begin.unsqueezed([2]).compare(.lessOrEqual, places)
        .applying(Binary(.and), part.end.unsqueezed([2]).compare(.greater, places))
    }
    let (rows, columns) = (try parts(2), try parts(3))
    let images = try numbers[0].cast(to: .i64).squeezed([1])
    let known = try images.compare(.less, images.integers([0])).applying(Where(), x.size(0), images)
    let own = try x.cast(to: element).applying(Gather(axis: 0), known)
    // [regions, c, parts along both axes, h, w].
    let isInside = try mask(rows, 2).unsqueezed([1, 3, 5]).applying(
      Binary(.and), mask(columns, 3).unsqueezed([1, 2, 4]))
    let values = try isInside.applying(Where(), own.unsqueezed([2, 3]), own.number(-.infinity))
    let greatest = try values.applying(Reduce(.maximum, keepsAxes: false), x.integers([4, 5]))
    func isEmpty(_ part: (begin: GradientTensor, end: GradientTensor)) throws -> GradientTensor {
      try part.begin.compare(.greaterOrEqual, part.end)
    }
    let empty = try isEmpty(rows).unsqueezed([1, 3]).applying(Binary(.or), isEmpty(columns).unsqueezed([1, 2]))
    return [try greatest.dropped(where: empty).cast(to: x.element).id]
  }
}
