import SinterCore
import SinterForms
import SinterIR

/// A product of real numbers and of weights of a few bits, in blocks along the summed axis that have a scale and a zero point each.
///
/// Inputs: a […, K]; the weights in bytes [N, blocks, bytes of a block], K along the bytes, the first in the lowest bits; scales [N, blocks];
/// zero points, packed like a row of weights in bytes [N, bytes of all blocks] or as numbers of a's type [N, blocks] (the middle of the range);
/// the block that each place along K belongs to [K] (those that follow one another); a bias [N] (0). The last block may be short. A tensor of
/// scales or zero points may have one axis instead of two.
///
/// `accuracy_level` allows onnxruntime to round a on the way. Here it changes nothing: a is taken as it is.
public struct MatMulNBits: Primitive {
  public static let name = "MatMulNBits"
  public static let summary = "A product with weights of 2, 4 or 8 bits, which have a scale and a zero point a block."

  /// Read and written again, and nothing else.
  public var accuracyLevel = 0
  public var bits = 4
  public var blockSize = 32
  public var inner = 0
  public var columns = 0
  public var isPrepacked = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("K", &inner, default: 0)
    list.int("N", &columns, default: 0)
    list.int("accuracy_level", &accuracyLevel, default: 0)
    list.int("bits", &bits, default: 4)
    list.int("block_size", &blockSize, default: 0)
    list.int("weight_prepacked", &isPrepacked, default: 0)
  }

  public static var onnx: [OnnxRule] { [.direct(MatMulNBits.self, domain: .microsoft)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, domain: .microsoft) }

  private var blocks: Int { (inner + blockSize - 1) / blockSize }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (a, b, scales) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    try requireElement(a) { $0 == .f32 || $0 == .f16 || $0 == .bf16 }
    let packing = try PackedBits(bits)
    guard isPrepacked == 0 else {
      throw DiagnosticError(
        .limit, "matmul.prepacked",
        "weight_prepacked is \(isPrepacked): the weights are in the order of one GPU's kernels",
        hint: "export the model with weight_prepacked = 0")
    }
    guard inner > 0, columns > 0, blockSize >= 16, blockSize.nonzeroBitCount == 1 else {
      throw DiagnosticError(
        .user, "matmul.block",
        "K and N must be positive and block_size a power of two from 16 on, but they are \(inner), \(columns) and \(blockSize)"
      )
    }
    guard a.rank >= 1, b.rank == 3, b.element == .u8 else {
      throw DiagnosticError(
        .user, "matmul.type",
        "a must have an axis, and b must be u8[N, blocks, bytes of a block], but they are \(a) and \(b)")
    }
    try obligations.equal(a.shape[a.rank - 1], Dim(inner), "size of the last axis of a \(a) and K")
    let shape = [columns, blocks, blockSize / packing.perByte].map { Dim($0) }
    _ = try obligations.equal(b.shape, shape, "sizes of b \(b) and those that N, K and block_size tell")
    guard scales.element == a.element else {
      throw DiagnosticError(.user, "matmul.type", "a is \(a), but the scales are \(scales)")
    }
    try check(scales, "the scales", entries: Dim(blocks), &obligations)
    if inputs.has(3) {
      let zero = try inputs.tensor(3)
      guard zero.element == .u8 || zero.element == a.element else {
        throw DiagnosticError(.user, "matmul.type", "zero points must be of type u8 or like a, \(a), but are \(zero)")
      }
      let entries = zero.element == .u8 ? packing.bytes(Dim(blocks)) : Dim(blocks)
      try check(zero, "the zero points", entries: entries, &obligations)
    }
    if inputs.has(4) {
      let groups = try inputs.tensor(4)
      guard groups.rank == 1, groups.element == .i32 else {
        throw DiagnosticError(.user, "matmul.groups", "g_idx must be i32[K], but is \(groups)")
      }
      try obligations.atLeast(groups.shape[0], Dim(inner), "number of entries of g_idx \(groups)")
    }
    if inputs.has(5) {
      let bias = try inputs.tensor(5)
      guard bias.rank == 1, bias.element == a.element else {
        throw DiagnosticError(.user, "matmul.bias", "the bias must be \(a.element)[N], but is \(bias)")
      }
      try obligations.equal(bias.shape[0], Dim(columns), "number of entries of the bias \(bias) and N")
    }
    return [Fact(a.element, a.shape.dropLast() + [Dim(columns)])]
  }

  /// Entries of a row of weights each, in two axes or in one.
  private func check(
    _ type: TensorType, _ name: String, entries: Dim, _ obligations: inout Obligations
  ) throws {
    guard type.rank == 1 || type.rank == 2 else {
      throw DiagnosticError(.user, "matmul.scale", "\(name) must be [N, entries of a row], but are \(type)")
    }
    let expected = type.rank == 1 ? [Dim(columns) * entries] : [Dim(columns), entries]
    _ = try obligations.equal(
      type.shape, expected,
      "sizes of \(name) \(type) and those that N, K and block_size tell, \(Broadcast.list(expected)),")
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let a = try node.input(0)
    let bias = node.has(5) ? try node.input(5) : nil
    let weights = try QuantizedBlocks(self, node, &lowering)
    let rows = Array(a.shape.dropLast())
    let compute = a.element.computeType
    let product = try weights.product(a, rows: rows, into: &lowering)
    return [
      try lowering.element(try node.output().shape) { builder, index in
        let value = builder.load(product.id, index)
        let moved = bias.map { value + builder.load($0.id, [index[index.count - 1]]).cast(to: compute) } ?? value
        return moved.cast(to: a.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    func op(_ change: (inout MatMulNBits) -> Void) -> MatMulNBits {
      var op = MatMulNBits()
      (op.inner, op.columns, op.blockSize) = (40, 5, 16)
      change(&op)
      return op
    }
    func bytes(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.u8, shape), 0...255) }
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    let groups = OperatorExample.Input.random(TensorType(.i32, [40]), 0...2.9)
    return [
      OperatorExample(
        op { _ in }, [floats(["n", 40]), bytes([5, 3, 8]), floats([5, 3])], sizes: [Symbol("n"): 3]),
      OperatorExample(
        op { $0.bits = 2 },
        [floats([2, "n", 40]), bytes([5, 3, 4]), floats([15]), bytes([5, 1]), .absent, floats([5])],
        sizes: [Symbol("n"): 3]),
      OperatorExample(
        op { $0.bits = 8 }, [floats([3, 40]), bytes([5, 3, 16]), floats([5, 3]), floats([5, 3]), groups]),
      OperatorExample(
        op { _ in },
        [floats(["a", "b"]), bytes(["n", "l", "w"]), floats(["o", "p"]), bytes(["q"]), .absent, floats(["r"])],
        sizes: [
          Symbol("a"): 2, Symbol("b"): 40, Symbol("n"): 5, Symbol("l"): 3, Symbol("w"): 8, Symbol("o"): 5,
          Symbol("p"): 3,
          Symbol("q"): 10, Symbol("r"): 5,
        ]),
    ]
  }
}

/// The weights of a `MatMulNBits`, as real numbers.
private struct QuantizedBlocks {
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
    groups = node.has(4) ? try node.input(4) : nil
    wrongGroup = groups == nil ? 0 : lowering.error("MatMulNBits: g_idx names block %0 of %1")
  }

  /// Up to so many rows, unpacking the weights anew for each costs less than storing them.
  private static let fewRows = 8

  /// The product with rows of numbers, in one of two ways by how many there are, wherever that is known.
  func product(_ a: Operand, rows: [Dim], into lowering: inout Lowering) throws -> Operand {
    let count = rows.reduce(Dim(1), *)
    if groups != nil { return try contracted(a, rows: rows, into: &lowering) }
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
  private func element(_ builder: BodyBuilder, column: Expr, _ k: Expr) throws -> Expr {
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
