import SinterCore
import SinterForms
import SinterIR

/// Blocks of channels moved into squares of `blocksize` by `blocksize` places: [n, c·b², h, w] to [n, c, h·b, w·b].
public struct DepthToSpace: Primitive {
  public static let name = "DepthToSpace"
  public static let summary = "Channels moved into spatial blocks (pixel shuffle)."

  /// Whether the block's place is the slower or the faster part of a channel's number.
  public enum Mode: String, CaseIterable, Sendable {
    case depthColumnRow = "DCR"
    case columnRowDepth = "CRD"
  }

  /// Places on a side of the square; its square divides the number of channels.
  public var blockSize = 1
  public var mode = Mode.depthColumnRow

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("blocksize", &blockSize, default: 0)
    list.choice("mode", &mode, default: .depthColumnRow)
  }

  public static var onnx: [OnnxRule] { [.direct(DepthToSpace.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try imageOfBlocks(inputs, blockSize)
    let area = Dim(blockSize * blockSize)
    try obligations.divisible(x.shape[1], by: area, "number of channels of \(x)")
    let channels = x.shape[1].exactQuotient(by: area) ?? x.shape[1] / area
    return [Fact(x.element, [x.shape[0], channels, x.shape[2] * Dim(blockSize), x.shape[3] * Dim(blockSize)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    return [
      try lowering.element(shape) { builder, index in
        let block = builder.constant(blockSize, .i64)
        let (row, column) = (index[2].modulo(block), index[3].modulo(block))
        let channel =
          switch mode {
          case .depthColumnRow: (row * block + column) * builder.size(shape[1]) + index[1]
          case .columnRowDepth: (index[1] * block + row) * block + column
          }
        return builder.load(
          x.id, [index[0], channel, index[2].floorDivided(by: block), index[3].floorDivided(by: block)])
      }
    ]
  }

  public static var examples: [OperatorExample] {
    Mode.allCases.map { mode in
      var op = DepthToSpace()
      op.blockSize = 2
      op.mode = mode
      return OperatorExample(
        op, [.random(TensorType(.f32, ["n", "c", "h", 3]), -1...1)],
        sizes: [Symbol("n"): 2, Symbol("c"): 8, Symbol("h"): 2])
    }
  }
}

/// Squares of `blocksize` by `blocksize` places moved into channels: [n, c, h·b, w·b] to [n, b²·c, h, w].
public struct SpaceToDepth: Primitive {
  public static let name = "SpaceToDepth"
  public static let summary = "Spatial blocks moved into channels."

  /// Places on a side of the square; it divides height and width.
  public var blockSize = 1
  public var mode = DepthToSpace.Mode.depthColumnRow

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("blocksize", &blockSize, default: 0)
    list.choice("mode", &mode, default: .depthColumnRow)
  }

  public static var onnx: [OnnxRule] { [.direct(SpaceToDepth.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, since: mode == .depthColumnRow ? 1 : 28)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try imageOfBlocks(inputs, blockSize)
    let block = Dim(blockSize)
    for axis in [2, 3] { try obligations.divisible(x.shape[axis], by: block, "size of axis \(axis) of \(x)") }
    return [Fact(x.element, [x.shape[0], x.shape[1] * block * block, x.shape[2] / block, x.shape[3] / block])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    return [
      try lowering.element(try node.output().shape) { builder, index in
        let block = builder.constant(blockSize, .i64)
        let area = builder.constant(blockSize * blockSize, .i64)
        let channels = builder.size(x.shape[1])
        let (channel, place) =
          switch mode {
          case .depthColumnRow: (index[1].modulo(channels), index[1].floorDivided(by: channels))
          case .columnRowDepth: (index[1].floorDivided(by: area), index[1].modulo(area))
          }
        return builder.load(
          x.id,
          [
            index[0], channel, index[2] * block + place.floorDivided(by: block), index[3] * block + place.modulo(block),
          ])
      }
    ]
  }

  public static var examples: [OperatorExample] {
    DepthToSpace.Mode.allCases.map { mode in
      var op = SpaceToDepth()
      op.blockSize = 2
      op.mode = mode
      return OperatorExample(
        op, [.random(TensorType(.f32, ["n", "c", "h", 6]), -1...1)],
        sizes: [Symbol("n"): 2, Symbol("c"): 3, Symbol("h"): 4])
    }
  }
}

private func imageOfBlocks(_ inputs: NodeInputs, _ blockSize: Int) throws -> TensorType {
  let x = try inputs.tensor(0)
  guard x.rank == 4 else {
    throw DiagnosticError(
      .user, "blocks.rank", "the input must have 4 axes (batch, channels, height, width), but is \(x)")
  }
  guard (1...1 << 16).contains(blockSize) else {
    throw DiagnosticError(.user, "blocks.size", "blocksize must be from 1 to \(1 << 16), but is \(blockSize)")
  }
  return x
}

extension DepthToSpace: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    var back = SpaceToDepth()
    (back.blockSize, back.mode) = (blockSize, mode)
    return [try node.gradient().applying(back)]
  }
}

extension SpaceToDepth: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    var back = DepthToSpace()
    (back.blockSize, back.mode) = (blockSize, mode)
    return [try node.gradient().applying(back)]
  }
}
