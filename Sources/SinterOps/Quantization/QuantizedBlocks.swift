import SinterCore
import SinterForms
import SinterIR

/// The weights of a `MatMulNBits`, as real numbers.
struct QuantizedBlocks {
  let op: MatMulNBits
  let packing: PackedBits
  let bytes: Operand, scales: Operand
  let zero: Operand?, groups: Operand?
  let wrongGroup: Int
  var blocks: Int { (op.inner + op.blockSize - 1) / op.blockSize }

  init(_ op: MatMulNBits, _ node: LoweringNode, _ lowering: inout Lowering) throws {
    self.op = op
    packing = try PackedBits(op.bits)
    bytes = try node.input(1)
    scales = try node.input(2)
    zero = node.has(3) ? try node.input(3) : nil
    groups = node.has(4) ? try Self.groups(node.input(4), op, lowering) : nil
    wrongGroup = groups == nil ? 0 : lowering.error("MatMulNBits: g_idx names block %0 of %1")
  }

  /// The block of each place along K; nil where those are known to follow one another.
  private static func groups(_ operand: Operand, _ op: MatMulNBits, _ lowering: Lowering) -> Operand? {
    guard let known = lowering.program.values[operand.id].constant?.int64s, known.count >= op.inner else {
      return operand
    }
    return (0..<op.inner).allSatisfy { known[$0] == Int64($0 / op.blockSize) } ? nil : operand
  }

  /// Up to so many rows, unpacking the weights anew for each costs less than storing them.
  private static let fewRows = 8

  /// The product with rows of numbers. Constant weights stay integers, with a scale and a zero point per block; others are unpacked while the
  /// model runs, in one of two ways by how many rows there are.
  func product(_ a: Operand, rows: [Dim], roundsToBytes: Bool, into lowering: inout Lowering) throws -> Operand {
    let count = rows.reduce(Dim(1), *)
    if groups != nil { return try contracted(a, rows: rows, into: &lowering) }
    if let constant = ConstantBlocks(self, &lowering) {
      return try constant.product(a, rows: rows, roundsToBytes: roundsToBytes, into: &lowering)
    }
    if let count = count.value {
      return try count <= Self.fewRows
        ? reduced(a, rows: rows, into: &lowering) : contracted(a, rows: rows, into: &lowering)
    }
    let isFew = try lowering.element([]) { builder, _ in
      builder.size(count) <= builder.constant(Self.fewRows, .i64)
    }
    let type = TensorType(a.element.computeType, rows + [Dim(op.columns)])
    return try lowering.branch(
      isFew, types: [type], then: { [try reduced(a, rows: rows, into: &$0)] },
      otherwise: { [try contracted(a, rows: rows, into: &$0)] })[0]
  }

  /// The product as sums over the bytes of a column, all integers of a byte in one step, so that weights are read once and stay packed.
  private func reduced(_ a: Operand, rows: [Dim], into lowering: inout Lowering) throws -> Operand {
    let compute = a.element.computeType
    let (perByte, size, count) = (packing.perByte, op.blockSize, op.inner)
    return try lowering.reduce(
      .sum, rows + [Dim(op.columns)], over: [Dim(blocks), Dim(size / perByte)]
    ) { builder, index, inner in
      let (row, column) = (Array(index.dropLast()), index[index.count - 1])
      let byte = builder.load(bytes.id, [column] + inner).cast(to: .i32)
      let offset = zeroPoint(builder, column, inner[0])
      var sum: Expr?
      for place in 0..<perByte {
        let shifted = place == 0 ? byte : byte.applying(.shiftRight, builder.constant(place * packing.bits, .i32))
        let value = perByte == 1 ? byte : shifted.applying(.and, builder.constant((1 << packing.bits) - 1, .i32))
        let k =
          inner[0] * builder.constant(size, .i64) + inner[1] * builder.constant(perByte, .i64)
          + builder.constant(place, .i64)
        let isInside = count % size == 0 ? nil : k < builder.constant(count, .i64)
        let weight = offset.type == .i32 ? (value - offset).cast(to: compute) : value.cast(to: compute) - offset
        let term = builder.load(a.id, row + [k], where: isInside).cast(to: compute) * weight
        sum = sum.map { $0 + term } ?? term
      }
      return (sum ?? builder.constant(0, compute)) * scale(builder, column, inner[0])
    }
  }

  /// The product with weights that are unpacked once. They are the left side, whose rows are read as they lie, in the order in which they are
  /// packed: the result of that is turned.
  private func contracted(_ a: Operand, rows: [Dim], into lowering: inout Lowering) throws -> Operand {
    let compute = a.element.computeType
    let columns = Dim(op.columns)
    // The integers of a byte are an axis of their own, as long as they make whole blocks.
    let axes = op.inner % op.blockSize == 0 ? [op.inner / packing.perByte, packing.perByte] : [op.inner]
    func place(_ builder: BodyBuilder, _ k: [Expr]) -> Expr {
      k.count == 1 ? k[0] : k[0] * builder.constant(packing.perByte, .i64) + k[1]
    }
    let weights = try lowering.element([columns] + axes.map { Dim($0) }) { builder, index in
      try element(builder, column: index[0], place(builder, Array(index.dropFirst()))).cast(to: compute)
    }
    let turned = try lowering.contract(
      batch: [], m: [columns], n: rows, k: axes.map { Dim($0) }, accumulate: compute,
      lhs: { builder, _, m, k in builder.load(weights.id, m + k) },
      rhs: { builder, _, n, k in builder.load(a.id, n + [place(builder, k)]) })
    return try lowering.element(rows + [columns]) { builder, index in
      builder.load(turned.id, [index[index.count - 1]] + index.dropLast())
    }
  }

  /// The weight of a column at a place along K.
  func element(_ builder: BodyBuilder, column: Expr, _ k: Expr) throws -> Expr {
    let size = builder.constant(op.blockSize, .i64)
    let block = k.floorDivided(by: size)
    let value = packing.load(builder, bytes, [column, block], k.modulo(size))
    var group = block
    if let groups {
      group = builder.load(groups.id, [k]).cast(to: .i64).checked(
        below: builder.constant(blocks, .i64), error: wrongGroup)
    }
    let offset = zeroPoint(builder, column, group)
    let compute = scales.element.computeType
    let moved = offset.type == .i32 ? (value - offset).cast(to: compute) : value.cast(to: compute) - offset
    return moved * scale(builder, column, group)
  }

  private func scale(_ builder: BodyBuilder, _ column: Expr, _ group: Expr) -> Expr {
    builder.load(scales.id, at(builder, scales, column, group, entries: blocks)).cast(to: scales.element.computeType)
  }

  /// The zero point of a block: an i32, or a number where the file gives numbers.
  private func zeroPoint(_ builder: BodyBuilder, _ column: Expr, _ group: Expr) -> Expr {
    guard let zero else { return builder.constant(packing.middle, .i32) }
    if zero.element != .u8 {
      return builder.load(zero.id, at(builder, zero, column, group, entries: blocks)).cast(
        to: scales.element.computeType)
    }
    if zero.rank == 2 { return packing.load(builder, zero, [column], group) }
    let entries = (blocks + packing.perByte - 1) / packing.perByte * packing.perByte
    return packing.load(builder, zero, [], column * builder.constant(entries, .i64) + group)
  }

  private func at(_ builder: BodyBuilder, _ operand: Operand, _ column: Expr, _ entry: Expr, entries: Int) -> [Expr] {
    operand.rank == 2 ? [column, entry] : [column * builder.constant(entries, .i64) + entry]
  }
}
