import SinterCore
import SinterForms
import SinterIR

/// The weights of a `MatMulNBits` whose integers, scales and zero points are all constant, as tensors of integers of few bits.
///
/// Their product is one contraction over [blocks, block]: its right side is `(q − zero) · scale`, which schedules can read back to keep the
/// integers packed.
struct ConstantBlocks {
  private let op: MatMulNBits
  private let blocks: Int
  /// [N, blocks, block].
  private let integers: Operand
  /// [N, blocks], floats of any type.
  private let scales: Operand
  /// [N, blocks or a few more], integers or floats; nil: the middle of the range.
  private let zero: Operand?

  /// Nil where something is known only when the model runs.
  init?(_ weights: QuantizedBlocks, _ lowering: inout Lowering) {
    let op = weights.op
    self.op = op
    blocks = weights.blocks
    let integer: ElementType = op.bits == 2 ? .u2 : op.bits == 4 ? .u4 : .u8
    func constant(_ operand: Operand) -> HostTensor? { lowering.program.values[operand.id].constant }
    guard let bytes = constant(weights.bytes), let factors = constant(weights.scales) else { return nil }
    let name = lowering.program.values[weights.bytes.id].name
    var offsets: HostTensor?
    if let zero = weights.zero {
      guard let tensor = constant(zero) else { return nil }
      let entries = tensor.count / op.columns * (zero.element == .u8 ? weights.packing.perByte : 1)
      offsets = HostTensor(zero.element == .u8 ? integer : zero.element, [op.columns, entries], bytes: tensor.bytes)
    }
    integers = lowering.constant(
      HostTensor(integer, [op.columns, blocks, op.blockSize], bytes: bytes.bytes), named: name)
    scales = lowering.constant(factors.reshaped([op.columns, blocks]))
    zero = offsets.map { lowering.constant($0) }
  }

  func product(_ a: Operand, rows: [Dim], roundsToBytes: Bool, into lowering: inout Lowering) throws -> Operand {
    let rounded = roundsToBytes ? try RoundedRows(a, rows: rows, op, blocks: blocks, into: &lowering) : nil
    return try lowering.contract(
      batch: [], m: rows, n: [Dim(op.columns)], k: [Dim(blocks), Dim(op.blockSize)], accumulate: .f32,
      lhs: { builder, _, m, k in
        rounded.map { $0.element(builder, m, k) } ?? Self.element(builder, a, m, k, op)
      },
      rhs: { builder, _, n, k in
        let value = builder.load(integers.id, n + k).cast(to: .i32)
        let scale = builder.load(scales.id, n + [k[0]]).cast(to: .f32)
        guard let zero else { return (value - builder.constant(1 << (op.bits - 1), .i32)).cast(to: .f32) * scale }
        let offset = builder.load(zero.id, n + [k[0]])
        if zero.element.isFloat { return (value.cast(to: .f32) - offset.cast(to: .f32)) * scale }
        return (value - offset.cast(to: .i32)).cast(to: .f32) * scale
      })
  }

  /// An element of a, as f32; zero behind the end of the last block.
  fileprivate static func element(_ builder: BodyBuilder, _ a: Operand, _ row: [Expr], _ k: [Expr], _ op: MatMulNBits)
    -> Expr
  {
    let place = k[0] * builder.constant(op.blockSize, .i64) + k[1]
    let isInside = op.inner % op.blockSize == 0 ? nil : place < builder.constant(op.inner, .i64)
    return builder.load(a.id, row + [place], where: isInside).cast(to: .f32)
  }
}

/// Rows of numbers as signed bytes, with a scale for each block of a row: its largest magnitude is 127.
private struct RoundedRows {
  /// [rows…, blocks, block] of i8, [rows…, blocks] of f32.
  private let bytes: Operand, scales: Operand

  init(_ a: Operand, rows: [Dim], _ op: MatMulNBits, blocks: Int, into lowering: inout Lowering) throws {
    let largest = try lowering.reduce(.maximum, rows + [Dim(blocks)], over: [Dim(op.blockSize)]) {
      builder, index, inner in
      ConstantBlocks.element(builder, a, Array(index.dropLast()), [index[index.count - 1]] + inner, op).unary(.abs)
    }
    let scales = try lowering.element(rows + [Dim(blocks)]) { builder, index in
      builder.load(largest.id, index) * (1 / 127.0)
    }
    self.scales = scales
    bytes = try lowering.element(rows + [Dim(blocks), Dim(op.blockSize)]) { builder, index in
      let block = Array(index.dropLast())
      let most = builder.load(largest.id, block)
      // A block of zeros stays zeros.
      let isZero = most .== builder.constant(0, .f32)
      let factor = builder.select(isZero, most, builder.constant(127, .f32) / most)
      let value = ConstantBlocks.element(builder, a, Array(block.dropLast()), Array(index.suffix(2)), op)
      return Quantization.rounded(value * factor, plus: nil, to: .i8)
    }
  }

  func element(_ builder: BodyBuilder, _ row: [Expr], _ k: [Expr]) -> Expr {
    builder.load(bytes.id, row + k).cast(to: .f32) * builder.load(scales.id, row + [k[0]])
  }
}
