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

  private func block(_ inputs: NodeInputs) throws -> [Int] {
    let x = try inputs.tensor(0)
    guard x.rank == 3 else {
      throw DiagnosticError(.user, "col2im.rank", "the columns must be [n, c·block, blocks], but are \(x)")
    }
    let block = try inputs.knownIntegers(2, "block_shape")
    guard block.allSatisfy({ $0 > 0 }) else {
      throw DiagnosticError(.user, "col2im.block", "block_shape must be positive, but is \(block)")
    }
    return block
  }

  public func infer(_ inputs: NodeInputs) throws -> [Fact] {
    let x = try inputs.tensor(0)
    if inputs.contents(1) == nil || inputs.integers(2) == nil, let declared = inputs.declaredShape() {
      if inputs.integers(2) != nil { return [Fact(x.element, declared)] }
    }
    let block = try block(inputs)
    let image = try inputs.knownSizes(1, "image_shape")
    guard image.count == block.count else {
      throw DiagnosticError(.user, "col2im.shape", "image_shape \(image) and block_shape \(block) differ in length")
    }
    return [Fact(x.element, [x.shape[0], x.shape[1] / Dim(block.reduce(1, *))] + image)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    let block = try block(node.facts)
    let image = Array(shape.dropFirst(2))
    let rank = block.count
    let strides = self.strides.isEmpty ? block.map { _ in 1 } : self.strides
    let dilations = self.dilations.isEmpty ? block.map { _ in 1 } : self.dilations
    let pads = self.pads.isEmpty ? [Int](repeating: 0, count: 2 * rank) : self.pads
    // How many blocks lie along each axis.
    let counts = (0..<rank).map { axis in
      let reach = dilations[axis] * (block[axis] - 1) + 1
      return (image[axis] + Dim(pads[axis] + pads[axis + rank] - reach)) / Dim(strides[axis]) + 1
    }
    let result = try lowering.reduce(.sum, shape, over: block.map { Dim($0) }) { builder, index, inner in
      func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
      var (inside, column) = (builder.bool(true), number(0))
      for axis in 0..<rank {
        let place = index[axis + 2] + number(pads[axis]) - inner[axis] * number(dilations[axis])
        let which = place.floorDivided(by: number(strides[axis]))
        inside =
          inside && (place >= number(0)) && (place.modulo(number(strides[axis])) .== number(0))
          && (which < builder.size(counts[axis]))
        column = column * builder.size(counts[axis]) + which
      }
      let row = index[1] * number(block.reduce(1, *)) + Reshaping.linearize(builder, inner, block.map { Dim($0) })
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
