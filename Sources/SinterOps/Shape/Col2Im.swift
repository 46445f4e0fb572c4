import SinterCore
import SinterIR
import SinterKernel

/// Blocks, one a column, added up where they overlap to an image: [n, c · block, blocks] to [n, c, image…]. Inputs: columns, the image's
/// sizes, the block's sizes.
public struct Col2Im: Primitive {
  public static let name = "Col2Im"
  public static let summary = "Columns of blocks added up to an image."

  public var dilations: [Int] = []
  public var pads: [Int] = []
  public var strides: [Int] = []

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.ints("dilations", &dilations, default: [])
    list.ints("pads", &pads, default: [])
    list.ints("strides", &strides, default: [])
  }

  public static var onnx: [OnnxRule] { [.direct(Col2Im.self, since: 18)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 18) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard x.rank == 3 else {
      throw DiagnosticError(.user, "col2im.rank", "the columns must be [n, c·block, blocks], but are \(x)")
    }
    let axes = try inputs.tensor(2).count
    for (name, values, count) in [("strides", strides, axes), ("dilations", dilations, axes), ("pads", pads, axes * 2)]
    {
      guard values.isEmpty || Dim(values.count) == count,
        values.allSatisfy({ ((name == "pads" ? 0 : 1)...Window.limit).contains($0) })
      else {
        throw DiagnosticError(.user, "col2im.\(name)", "\(name) must be \(count) positive numbers, but are \(values)")
      }
    }
    if let block = inputs.integers(2), block.count > 3 || !block.allSatisfy({ (1...1 << 16).contains($0) }) {
      throw DiagnosticError(
        .user, "col2im.shape", "block_shape must be up to three numbers from 1 to \(1 << 16), but is \(block)")
    }
    if inputs.contents(1) == nil || inputs.integers(2) == nil, let declared = inputs.declaredShape(),
      declared.count > 2,
      Dim(declared.count - 2) == axes
    {
      return [Fact(x.element, declared)]
    }
    let block = try inputs.knownIntegers(2, "block_shape")
    let image = try inputs.knownSizes(1, "image_shape")
    guard image.count == block.count else {
      throw DiagnosticError(
        .user, "col2im.shape",
        "image_shape and block_shape must be equally long, but are \(image) and \(block)"
      )
    }
    return [Fact(x.element, [x.shape[0], x.shape[1] / Dim(block.reduce(1, *))] + image)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, blockShape) = (try node.input(0), try node.input(2))
    let shape = try node.output().shape
    let image = Array(shape.dropFirst(2))
    let rank = image.count
    let known = node.facts.integers(2)
    let strides = self.strides.isEmpty ? image.map { _ in 1 } : self.strides
    let dilations = self.dilations.isEmpty ? image.map { _ in 1 } : self.dilations
    let pads = self.pads.isEmpty ? [Int](repeating: 0, count: 2 * rank) : self.pads
    let places = known.map { Dim($0.reduce(1, *)) } ?? x.shape[1] / shape[1]
    let result = try lowering.reduce(.sum, shape, over: [places]) { builder, index, inner in
      func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
      let block = (0..<rank).map { axis in
        known.map { number($0[axis]) } ?? builder.load(blockShape.id, [number(axis)]).cast(to: .i64)
      }
      // The place within the block along each axis, the last one first.
      var (rest, offsets) = (inner[0], [Expr]())
      for size in block.reversed() {
        offsets.append(rest.modulo(size))
        rest = rest.floorDivided(by: size)
      }
      var (inside, column) = (builder.bool(true), number(0))
      for axis in 0..<rank {
        let reach = (block[axis] - 1) * number(dilations[axis]) + number(1)
        let free = builder.size(image[axis] + Dim(pads[axis] + pads[axis + rank])) - reach
        let count = free.floorDivided(by: number(strides[axis])) + number(1)
        let place = index[axis + 2] + number(pads[axis]) - offsets[rank - 1 - axis] * number(dilations[axis])
        let which = place.floorDivided(by: number(strides[axis]))
        let isWhole = place.modulo(number(strides[axis])) .== number(0)
        inside = inside && (place >= number(0)) && isWhole && (which < count)
        column = column * count + which
      }
      let row = index[1] * builder.size(places) + inner[0]
      inside = inside && ((row < builder.size(x.shape[1])) && (column < builder.size(x.shape[2])))
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
    ]
  }
}
