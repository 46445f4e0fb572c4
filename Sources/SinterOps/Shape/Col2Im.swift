import SinterCore
import SinterForms
import SinterIR

/// Blocks, one per column, added up where they overlap to an image: [n, c · block, blocks] to [n, c, image…]. Inputs: columns, the image's
/// sizes, the block's sizes.
public struct Col2Im: Primitive {
  public static let name = "Col2Im"
  public static let summary = "Columns of blocks added up to an image."

  /// The distance between elements of a block along each axis; empty: 1.
  public var dilations: [Int] = []
  /// What the image was padded by before it was cut into blocks, all begins, then all ends; empty: 0.
  public var pads: [Int] = []
  /// The distance between blocks along each axis; empty: 1.
  public var strides: [Int] = []

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.ints("dilations", &dilations, default: [])
    list.ints("pads", &pads, default: [])
    list.ints("strides", &strides, default: [])
  }

  public static var onnx: [OnnxRule] { [.direct(Col2Im.self, since: 18)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 18) }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(1), SizeInput(2)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard x.rank == 3 else {
      throw DiagnosticError(.user, "col2im.rank", "the columns must be [n, c·block, blocks], but are \(x)")
    }
    let plan = try plan(inputs, &obligations)
    let places = plan.block.reduce(1, *)
    try obligations.divisible(x.shape[1], by: places, "number of channels of the columns, which are \(x),")
    try obligations.atLeast(x.shape[1], 1, "number of channels of the columns, which are \(x),")
    try obligations.equal(
      x.shape[2], plan.counts.reduce(1, *),
      "number of blocks of the columns, which are \(x), and of image \(Broadcast.list(plan.image))")
    return [Fact(x.element, [x.shape[0], x.shape[1].exactQuotient(by: places) ?? x.shape[1] / places] + plan.image)]
  }

  private struct Plan {
    var image: [Dim], block: [Dim], counts: [Dim] = []
    var strides: [Int], dilations: [Int], pads: [Int]
  }

  private func plan(_ inputs: NodeInputs, _ obligations: inout Obligations) throws -> Plan {
    let block = try inputs.sizes(2, "block_shape", atLeast: 1, requiring: &obligations)
    let image = try inputs.sizes(1, "image_shape", atLeast: 1, requiring: &obligations)
    let rank = image.count
    guard rank == block.count, (1...3).contains(rank) else {
      throw DiagnosticError(
        .user, "col2im.shape",
        "image_shape and block_shape must both hold one to three sizes, but are \(image) and \(block)")
    }
    for (name, values, count) in [("strides", strides, rank), ("dilations", dilations, rank), ("pads", pads, rank * 2)]
    {
      guard values.isEmpty || values.count == count,
        values.allSatisfy({ ((name == "pads" ? 0 : 1)...Window.limit).contains($0) })
      else {
        throw DiagnosticError(.user, "col2im.\(name)", "\(name) must be \(count) positive numbers, but are \(values)")
      }
    }
    var plan = Plan(
      image: image, block: block, strides: strides.isEmpty ? image.map { _ in 1 } : strides,
      dilations: dilations.isEmpty ? image.map { _ in 1 } : dilations,
      pads: pads.isEmpty ? [Int](repeating: 0, count: 2 * rank) : pads)
    for axis in 0..<rank {
      let reach = (block[axis] - 1) * Dim(plan.dilations[axis]) + 1
      let padded = image[axis] + Dim(plan.pads[axis] + plan.pads[axis + rank])
      try obligations.atLeast(padded, reach, "size of axis \(axis) of the image with its pads")
      plan.counts.append((padded - reach) / Dim(plan.strides[axis]) + 1)
    }
    return plan
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    var settled = Obligations()
    let plan = try plan(node.facts, &settled)
    let rank = plan.image.count
    let places = plan.block.reduce(1, *)
    let result = try lowering.reduce(.sum, shape, over: [places]) { builder, index, inner in
      func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
      // The place within the block along each axis, the last one first.
      var (rest, offsets) = (inner[0], [Expr]())
      for size in plan.block.reversed() {
        offsets.append(rest.modulo(builder.size(size)))
        rest = rest.floorDivided(by: builder.size(size))
      }
      var (inside, column) = (builder.bool(true), number(0))
      for axis in 0..<rank {
        let (stride, count) = (number(plan.strides[axis]), builder.size(plan.counts[axis]))
        let place = index[axis + 2] + number(plan.pads[axis]) - offsets[rank - 1 - axis] * number(plan.dilations[axis])
        let which = place.floorDivided(by: stride)
        inside = inside && (place >= number(0)) && (place.modulo(stride) .== number(0)) && (which < count)
        column = column * count + which
      }
      let row = index[1] * builder.size(places) + inner[0]
      return builder.load(x.id, [index[0], row, column], where: inside).cast(to: x.element.computeType)
    }
    return [try lowering.cast(result, to: x.element)]
  }

  public static var examples: [OperatorExample] {
    var op = Col2Im()
    op.pads = [1, 0, 1, 0]
    op.strides = [2, 1]
    return [
      OperatorExample(
        op,
        [
          .random(TensorType(.f32, ["n", 12, 8]), -1...1), .constant(.i64([2], [3, 5])), .constant(.i64([2], [2, 2])),
        ], sizes: [Symbol("n"): 2]),
      OperatorExample(
        Col2Im(),
        [.random(TensorType(.f32, [1, 5, 5]), -1...1), .constant(.i64([2], [5, 5])), .constant(.i64([2], [1, 5]))]),
      OperatorExample(
        op,
        [.random(TensorType(.f32, ["n", "c", "l"]), -1...1), .given(.i64([2], [3, 5])), .given(.i64([2], [2, 2]))],
        sizes: [Symbol("n"): 2, Symbol("c"): 12, Symbol("l"): 8]),
    ]
  }
}

extension Col2Im: Differentiable {
  /// The columns of the gradient: a convolution of each channel alone by windows that pick one element each.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    var settled = Obligations()
    let block = try node.facts.sizes(2, "block_shape", atLeast: 1, requiring: &settled).compactMap(\.value)
    let rank = try g.rank - 2
    guard block.count == rank else {
      throw DiagnosticError(
        .limit, "gradient.dynamic", "block_shape (input 2) must be known ahead of time to be differentiated")
    }
    let count = block.reduce(1, *)
    let picks = try GradientTensor.unitRows(count, count, like: x).applying(Reshape(), x.integers([count, 1] + block))
    var conv = Conv()
    conv.window = Window()
    (conv.window.kernel, conv.window.strides) = (block, strides)
    (conv.window.dilations, conv.window.pads) = (dilations, pads)
    let images = try g.reshaped(
      to: [try g.size(0) * g.size(1), g.integers([1])] + (0..<rank).map { try g.size($0 + 2) })
    return [try images.applying(conv, picks).reshaped(like: x), nil, nil]
  }
}
