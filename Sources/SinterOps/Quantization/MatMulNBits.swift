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
/// An `accuracy_level` of 4 allows a to be rounded on the way: to signed bytes, with a scale for each row and block. This is done where the
/// weights are constant. With any other level a is taken as it is.
public struct MatMulNBits: Primitive {
  public static let name = "MatMulNBits"
  public static let summary = "A product with weights of 2, 4 or 8 bits, which have a scale and a zero point per block."

  /// 4: a may be rounded to bytes. Others change nothing.
  public var accuracyLevel = 0
  /// Bits of a weight: 2, 4 or 8.
  public var bits = 4
  /// How many weights along K share a scale and a zero point: a power of two, at least 16.
  public var blockSize = 32
  /// K, the number of elements that are summed for each result.
  public var inner = 0
  /// N, the number of columns of the result.
  public var columns = 0
  /// Whether weights are in the order of one GPU's kernels; anything but 0 is refused.
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
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, domain: .microsoft) }

  private var blocks: Int { (inner + blockSize - 1) / blockSize }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let a = try inputs.tensor(0)
    try requireElement(a) { $0 == .f32 || $0 == .f16 || $0 == .bf16 }
    try checkWeights(inputs, &obligations)
    guard a.rank >= 1, try inputs.tensor(2).element == a.element else {
      throw DiagnosticError(
        .user, "matmul.type",
        "a must have an axis and the type of the scales, but they are \(a) and \(try inputs.tensor(2))")
    }
    try obligations.equal(a.shape[a.rank - 1], Dim(inner), "size of the last axis of a \(a) and K")
    if inputs.has(5) {
      let bias = try inputs.tensor(5)
      guard bias.rank == 1, bias.element == a.element else {
        throw DiagnosticError(.user, "matmul.bias", "the bias must be \(a.element)[N], but is \(bias)")
      }
      try obligations.equal(bias.shape[0], Dim(columns), "number of entries of the bias \(bias) and N")
    }
    return [Fact(a.element, a.shape.dropLast() + [Dim(columns)])]
  }

  /// That weights, scales, zero points and groups are as the attributes tell.
  func checkWeights(_ inputs: NodeInputs, _ obligations: inout Obligations) throws {
    let (b, scales) = (try inputs.tensor(1), try inputs.tensor(2))
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
    guard b.rank == 3, b.element == .u8 else {
      throw DiagnosticError(
        .user, "matmul.type", "b must be u8[N, blocks, bytes of a block], but is \(b)")
    }
    let shape = [columns, blocks, blockSize / packing.perByte].map { Dim($0) }
    _ = try obligations.equal(b.shape, shape, "sizes of b \(b) and those that N, K and block_size tell")
    guard scales.element.isFloat else {
      throw DiagnosticError(.user, "matmul.type", "the scales must be floats, but are \(scales)")
    }
    try check(scales, "the scales", entries: Dim(blocks), &obligations)
    if inputs.has(3) {
      let zero = try inputs.tensor(3)
      guard zero.element == .u8 || zero.element == scales.element else {
        throw DiagnosticError(
          .user, "matmul.type", "zero points must be of type u8 or like the scales, \(scales), but are \(zero)")
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
      try inputs.requireKnown(4, "block", below: Dim((inner + blockSize - 1) / blockSize))
    }
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
    let product = try weights.product(a, rows: rows, roundsToBytes: accuracyLevel == 4, into: &lowering)
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
    func packed(_ shape: [Int]) -> OperatorExample.Input {
      .constant(HostTensor(.u8, shape, integers: (0..<shape.reduce(1, *)).map { Int64($0 * 37 % 251) }))
    }
    /// Weights that are known, of few columns: 20 places in two blocks.
    func few(_ columns: Int, _ change: (inout MatMulNBits) -> Void) -> MatMulNBits {
      var op = op(change)
      (op.inner, op.columns) = (20, columns)
      return op
    }
    let scales = OperatorExample.Input.constant(.f32([2, 2], [0.25, 0.5, 1.25, 0.75]))
    let offsets = OperatorExample.Input.constant(.f32([2, 2], [0.5, 1, 2, 1.75]))
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
      OperatorExample(few(2) { _ in }, [floats(["n", 20]), packed([2, 2, 8]), scales], sizes: [Symbol("n"): 3]),
      OperatorExample(
        few(2) { $0.accuracyLevel = 4 }, [floats([2, "n", 20]), packed([2, 2, 8]), scales, packed([2, 1])],
        sizes: [Symbol("n"): 3]),
      OperatorExample(
        few(1) { ($0.accuracyLevel, $0.bits) = (4, 8) },
        [
          floats([1, 20]), packed([1, 2, 16]), .constant(.f32([1, 2], [0.25, 0.5])), .absent, .absent, floats([1]),
        ]),
      OperatorExample(
        few(2) { _ in },
        [
          floats([2, 20]), packed([2, 2, 8]), scales, .absent,
          .constant(HostTensor(.i32, [20], integers: (0..<20).map { $0 / 16 })),
        ]),
      OperatorExample(few(2) { $0.bits = 2 }, [floats([9, 20]), packed([2, 2, 4]), scales, offsets]),
    ]
  }
}
