import SinterCore
import SinterForms
import SinterIR

/// Parts of images, resampled to one size, corners on corners. Inputs: images [n, c, h, w], boxes [r, 4] of y1, x1, y2, x2, where 0 is the
/// first place of an axis and 1 the last one, the image of each box [r], and the height and width of results [2]. What lies beyond an image has
/// one value.
public struct CropAndResize: Primitive {
  public static let name = "CropAndResize"
  public static let summary = "Boxes of images resampled to one size."

  /// Whether a result is between its four neighbours, or is the nearest of them.
  public enum Mode: String, CaseIterable, Sendable { case bilinear, nearest }

  public var mode = Mode.bilinear
  /// The value of what lies beyond an image.
  public var outside = 0.0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("extrapolation_value", &outside, default: 0)
    list.choice("mode", &mode, default: .bilinear)
  }
  public static var onnx: [OnnxRule] { [.direct(CropAndResize.self, domain: .microsoft)] }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(3)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, boxes, images) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.indices(2))
    try requireElement(x) { $0.isFloat }
    guard x.rank == 4, boxes.rank == 2, images.rank == 1, boxes.element == x.element else {
      throw DiagnosticError(
        .user, "crop.shape",
        "expected images [n, c, h, w], boxes [boxes, 4] and [boxes], but the inputs are \(x), \(boxes) and \(images)")
    }
    let size = try inputs.sizes(3, "crop_size", atLeast: 1, requiring: &obligations)
    guard size.count == 2 else {
      throw DiagnosticError(.user, "crop.size", "crop_size must be a height and a width, but has \(size.count) entries")
    }
    try obligations.equal(boxes.shape[1], 4, "size of axis 1 of the boxes, which are \(boxes), and 4")
    let count = try obligations.equal(
      boxes.shape[0], images.shape[0], "numbers of boxes, which are \(boxes), and of their images, which are \(images),"
    )
    return [Fact(x.element, [count, x.shape[1]] + size)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, boxes, images) = (try node.input(0), try node.input(1), try node.input(2))
    let compute = x.element.computeType
    let shape = try node.output().shape
    let outer = lowering.error("CropAndResize: image %0 lies outside of %1 images")
    return [
      try lowering.element(shape) { builder, index in
        let (zero, one) = (builder.constant(0, .i64), builder.constant(1, .i64))
        /// The two places along an axis that a result lies between, how far it lies behind the first, and whether it lies inside.
        func taps(_ axis: Int) -> (low: Expr, high: Expr, t: Expr, isInside: Expr) {
          func corner(_ which: Int) -> Expr {
            builder.load(boxes.id, [index[0], builder.constant(which, .i64)]).cast(to: compute)
          }
          let (first, last) = (corner(axis - 2), corner(axis))
          let end = builder.size(x.shape[axis] - 1).cast(to: compute)
          let steps = builder.size(shape[axis] - 1)
          let isOne = steps .== zero
          let step = (last - first) * end / steps.maximum(one).cast(to: compute)
          let place = builder.select(
            isOne, (first + last) * end * 0.5, first * end + index[axis].cast(to: compute) * step)
          let isInside = place >= 0 && place <= end
          let held = builder.select(isInside, place, builder.constant(0, compute))
          let base = mode == .nearest ? (held + 0.5).unary(.floor) : held.unary(.floor)
          let low = base.cast(to: .i64)
          return (low, (low + one).minimum(builder.size(x.shape[axis] - 1)), held - base, isInside)
        }
        let (y, z) = (taps(2), taps(3))
        let isInside = y.isInside && z.isInside
        // The image of what lies beyond all of it is not looked at.
        let number = builder.load(images.id, [index[0]]).cast(to: .i64)
        let count = builder.select(isInside, builder.size(x.shape[0]), one)
        let image = builder.select(isInside, number, zero).checked(below: count, error: outer)
        func pixel(_ row: Expr, _ column: Expr) -> Expr {
          builder.load(x.id, [image, index[1], row, column], where: isInside).cast(to: compute)
        }
        func line(_ row: Expr) -> Expr {
          let first = pixel(row, z.low)
          return first + (pixel(row, z.high) - first) * z.t
        }
        let value: Expr
        if mode == .nearest {
          value = pixel(y.low, z.low)
        } else {
          let first = line(y.low)
          value = first + (line(y.high) - first) * y.t
        }
        return builder.select(isInside, value, builder.constant(outside, compute)).cast(to: x.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let boxes = HostTensor.f32([3, 4], [0, 0, 1, 1, 0.9, -0.25, 0.2, 0.7, 0.25, 0.5, 0.3, 1.25])
    return Mode.allCases.flatMap { mode in
      var op = CropAndResize()
      (op.mode, op.outside) = (mode, 7)
      return [
        OperatorExample(
          op,
          [
            .random(TensorType(.f32, ["n", 2, 5, "w"]), -1...1), .given(boxes),
            .given(HostTensor(.i32, [3], values: [Int32](arrayLiteral: 1, 0, 1))),
            .constant(HostTensor(.i32, [2], values: [Int32](arrayLiteral: 3, 4))),
          ], sizes: [Symbol("n"): 2, Symbol("w"): 6]),
        OperatorExample(
          op,
          [
            .random(TensorType(.f32, [1, 1, 4, 5]), -1...1), .random(TensorType(.f32, ["r", 4]), 0...1),
            .random(TensorType(.i32, ["r"]), 0...0.5),
            .given(HostTensor(.i32, [2], values: [Int32](arrayLiteral: 1, 2))),
          ], sizes: [Symbol("r"): 2]),
      ]
    }
  }
}

extension CropAndResize: Composite {
  /// Rows of channels, gathered at the four places around each place of the result. Gradients go through it, to images and boxes.
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.require(by: Self.name) { _ = try infer(inputs, requiring: &$0) }
    let tape = GradientTape(builder)
    defer { builder = tape.builder }
    func input(_ index: Int) throws -> GradientTensor { GradientTensor(try inputs.value(index), tape) }
    let x = try input(0)
    let element = try x.element.computeType
    let corners = try input(1).cast(to: element).split(into: 4, along: 1)
    let size = try input(3).cast(to: .i64)
    func number(_ value: Int) -> GradientTensor { x.integers([value]) }

    /// Of each box, the two places along an axis of the image that each place of the result lies between, as [boxes, places], how far it lies
    /// behind the first, and whether it lies inside.
    func taps(_ axis: Int) throws -> (
      low: GradientTensor, high: GradientTensor, t: GradientTensor, isInside: GradientTensor
    ) {
      let (first, last) = (corners[axis - 2], corners[axis])
      let highest = try x.size(axis) - number(1)
      let end = try highest.cast(to: element)
      let scalar = tape.constant(.i64([], [axis - 2]))
      let count = try size.applying(Gather(axis: 0), scalar)
      let steps = try count - number(1)
      let step = try (last - first) * end / steps.applying(Variadic(.maximum), number(1)).cast(to: element)
      let along = try tape.constant(.i64([], [0])).applying(Range(), count, tape.constant(.i64([], [1])))
      let spread = try first * end + along.cast(to: element) * step
      let middle = try (first + last) * end * 0.5
      let place = try steps.compare(.equal, number(0)).applying(Where(), middle, spread)
      let isInside = try place.compare(.greaterOrEqual, 0).applying(Binary(.and), place.compare(.lessOrEqual, end))
      let held = try place.kept(where: isInside)
      let base = try (mode == .nearest ? held + 0.5 : held).unary(.floor)
      let low = try base.cast(to: .i64)
      return (low, try (low + number(1)).applying(Variadic(.minimum), highest), try held - base, isInside)
    }
    let (y, z) = (try taps(2), try taps(3))
    let isInside = try y.isInside.unsqueezed([2]).applying(Binary(.and), z.isInside.unsqueezed([1]))
    // The image of what lies beyond all of it is not looked at; a negative number is as wrong as one that is too large.
    let images = try input(2).cast(to: .i64)
    let known = try images.compare(.less, number(0)).applying(Where(), x.size(0), images)
    let image = try isInside.applying(Where(), known.unsqueezed([1, 2]), number(0))
    let table = try x.cast(to: element).transposed([0, 2, 3, 1])
      .reshaped(to: [x.size(0) * x.size(2) * x.size(3), x.size(1)])
    func pixel(_ row: GradientTensor, _ column: GradientTensor) throws -> GradientTensor {
      let line = try image * x.size(2) + row.unsqueezed([2])
      return try table.applying(Gather(axis: 0), line * x.size(3) + column.unsqueezed([1]))
    }
    func between(_ a: GradientTensor, _ b: GradientTensor, _ t: GradientTensor) throws -> GradientTensor {
      try a + (b - a) * t
    }
    var value = try pixel(y.low, z.low)
    if mode == .bilinear {
      let across = try z.t.unsqueezed([1, 3])
      let first = try between(value, pixel(y.low, z.high), across)
      let second = try between(pixel(y.high, z.low), pixel(y.high, z.high), across)
      value = try between(first, second, y.t.unsqueezed([2, 3]))
    }
    let result = try isInside.unsqueezed([3]).applying(Where(), value, value.number(outside))
    return [try result.transposed([0, 3, 1, 2]).cast(to: x.element).id]
  }
}
