import SinterCore
import SinterForms
import SinterIR

/// Slices of a tensor of few bits along an axis, picked by the elements of the second input, as real numbers: (x - zero point) · scale, where each
/// block along one axis has a scale and a zero point. Inputs: the data, the indices, scales, zero points. An index beyond the axis gives zeros.
///
/// Bytes hold `bits` each, packed along their last axis, and stand for themselves less the middle of their range where there are no zero points;
/// other types hold their own elements.
public struct GatherBlockQuantized: Primitive {
  public static let name = "GatherBlockQuantized"
  public static let summary = "Slices of quantized blocks along an axis, picked by index, as floats."

  /// Bits of a number in data of bytes: 2, 4 or 8.
  public var bits = 4
  /// How many numbers along `quantizeAxis` share a scale and a zero point.
  public var blockSize = 128
  /// The axis of the data that slices are picked along.
  public var gatherAxis = 0
  /// The axis of the data that is cut into blocks.
  public var quantizeAxis = 1

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("bits", &bits, default: 4)
    list.int("block_size", &blockSize, default: 128)
    list.int("gather_axis", &gatherAxis, default: 0)
    list.int("quantize_axis", &quantizeAxis, default: 1)
  }

  public static var onnx: [OnnxRule] { [.direct(GatherBlockQuantized.self, domain: .microsoft)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, domain: .microsoft) }

  /// The data's sizes in elements, and what holds them.
  private struct Layout {
    var shape: [Dim]
    var packing: PackedBits?
    var gather: Int, quantize: Int
    /// Elements along the quantized axis that share a scale.
    var block: Dim
  }

  private func layout(_ data: TensorType) throws -> Layout {
    let (gather, quantize) = (
      try normalizedAxis(gatherAxis, rank: data.rank), try normalizedAxis(quantizeAxis, rank: data.rank)
    )
    guard gather != quantize else {
      throw DiagnosticError(
        .user, "gather.axis", "gather_axis and quantize_axis must differ, but both are axis \(gather) of \(data)")
    }
    var shape = data.shape
    let packing = data.element == .u8 ? try PackedBits(bits) : nil
    if let packing { shape[data.rank - 1] = shape[data.rank - 1] * Dim(packing.perByte) }
    if blockSize == 0, data.element.isFloat {
      return Layout(shape: shape, packing: packing, gather: gather, quantize: quantize, block: shape[quantize])
    }
    guard blockSize >= 16, blockSize.nonzeroBitCount == 1 else {
      throw DiagnosticError(
        .user, "gather.block", "block_size must be a power of two from 16 on, but is \(blockSize)")
    }
    return Layout(shape: shape, packing: packing, gather: gather, quantize: quantize, block: Dim(blockSize))
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (data, indices, scales) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    try requireElement(data, { $0 == .u8 || $0.isFloat && $0.bits <= 8 || $0 == .i4 || $0 == .u4 }, name: "the data")
    try requireElement(indices, { $0 == .i32 || $0 == .i64 }, name: "indices")
    try requireElement(scales, { $0 == .f32 || $0 == .f16 || $0 == .bf16 }, name: "the scales")
    let layout = try layout(data)
    guard scales.rank == data.rank else {
      throw DiagnosticError(
        .user, "gather.scale", "the scales must have the axes of the data \(data), but are \(scales)")
    }
    func entries(_ axis: Int) -> Dim {
      if axis != layout.quantize { return layout.shape[axis] }
      return layout.block == layout.shape[axis] ? 1 : layout.shape[axis].ceilDivided(by: layout.block)
    }
    for axis in scales.shape.indices {
      let subject =
        "sizes of the scales \(scales) and of the blocks of \(layout.block) along axis \(layout.quantize) of \(data), along axis \(axis),"
      if data.element.isFloat {
        try obligations.broadcasts(scales.shape[axis], to: entries(axis), subject)
      } else {
        try obligations.equal(scales.shape[axis], entries(axis), subject)
      }
    }
    if inputs.has(3) {
      let zero = try inputs.tensor(3)
      guard zero.element == data.element, zero.rank == scales.rank, !data.element.isFloat else {
        throw DiagnosticError(
          .user, "gather.zero",
          "zero points must be integers with the type and the axes of the data \(data), but are \(zero)")
      }
      var expected = scales.shape
      if let packing = layout.packing, let last = expected.last { expected[expected.count - 1] = packing.bytes(last) }
      _ = try obligations.equal(
        zero.shape, expected,
        "sizes of the zero points \(zero) and those that fit the scales, \(Broadcast.list(expected)),")
    }
    let shape = layout.shape[..<layout.gather] + indices.shape + layout.shape[(layout.gather + 1)...]
    return [Fact(scales.element, Array(shape))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (data, indices, scales) = (try node.input(0), try node.input(1), try node.input(2))
    let zero = node.has(3) ? try node.input(3) : nil
    let layout = try layout(data.type)
    let (first, past) = (layout.gather, layout.gather + indices.rank)
    return [
      try lowering.element(try node.output().shape) { builder, index in
        let size = builder.size(layout.shape[first])
        let given = builder.load(indices.id, Array(index[first..<past])).cast(to: .i64)
        let place = builder.select(given < 0, given + size, given)
        let isInside = (place >= builder.constant(0, .i64)) && (place < size)
        let at = index[..<first] + [place] + index[past...]
        var entry = Array(at)
        entry[layout.quantize] = entry[layout.quantize].floorDivided(by: builder.size(layout.block))
        let compute: ElementType = .f32
        func number(_ operand: Operand, _ index: [Expr]) -> Expr {
          if let packing = layout.packing {
            return packing.load(builder, operand, index.dropLast(), index[index.count - 1], where: isInside)
          }
          return builder.load(operand.id, index, where: isInside).cast(to: data.element.isFloat ? .f32 : .i32)
        }
        var value = number(data, Array(at))
        if let zero {
          value = value - number(zero, entry)
        } else if let packing = layout.packing {
          value = value - builder.constant(packing.middle, .i32)
        }
        for axis in entry.indices where scales.shape[axis] == 1 { entry[axis] = builder.constant(0, .i64) }
        let scale = builder.load(scales.id, entry, where: isInside).cast(to: compute)
        return (value.cast(to: compute) * scale).cast(to: scales.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    func op(_ bits: Int, _ gather: Int = 0, _ quantize: Int = 1) -> GatherBlockQuantized {
      var op = GatherBlockQuantized()
      (op.bits, op.blockSize, op.gatherAxis, op.quantizeAxis) = (bits, 16, gather, quantize)
      return op
    }
    let indices = OperatorExample.Input.given(.i64([2, 2], [0, -1, 4, 2]))
    func bytes(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.u8, shape), 0...255) }
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    return [
      OperatorExample(op(4), [bytes([5, 20]), indices, floats([5, 3])]),
      OperatorExample(
        op(8), [bytes(["n", 20]), indices, floats(["n", 2]), bytes(["n", 2])], sizes: [Symbol("n"): 4]),
      OperatorExample(
        op(2), [bytes(["n", "m"]), indices, floats(["p", "q"]), bytes(["r", "s"])],
        sizes: [
          Symbol("n"): 5, Symbol("m"): 8, Symbol("p"): 5, Symbol("q"): 2, Symbol("r"): 5, Symbol("s"): 1,
        ]),
    ]
  }
}
