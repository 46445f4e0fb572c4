import SinterCore
import SinterIR

/// The attention of decoders in onnxruntime's domain of which each query sees some blocks of positions only.
///
/// Inputs: queries, keys, values and the past as `GroupQueryAttention` has them; the blocks that are seen, as rows [layouts, blocks + 1] and columns
/// [layouts, entries] of compressed sparse rows; the greatest number of positions; the number of each sample's positions; cosines and sines
/// [positions, half]. Results: [batch, length, heads · head], keys and values for the next step.
///
/// Head h has the layout h modulo their number. Of the blocks that are seen, positions behind the query's own are not. Columns behind the last row's
/// end are padding.
public struct SparseAttention: Composite {
  public static let name = "SparseAttention"
  public static let summary = "Attention of a decoder to some blocks of positions, told by sparse rows."

  /// The number of heads of queries, a multiple of `keyHeads`.
  public var heads = 0
  /// The number of heads of keys and values; at least 1.
  public var keyHeads = 0
  /// Positions in a block.
  public var blockSize = 0
  /// Whether queries and keys are rotated by the angles of their positions.
  public var rotates = false
  /// Whether rotated pairs are neighbours, else one element of each half of a head.
  public var isInterleaved = false
  /// What scores are multiplied by; nil: 1 / √(size of a head).
  public var scale: Double?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("do_rotary", &rotates, default: false)
    list.int("kv_num_heads", &keyHeads, default: 0)
    list.int("num_heads", &heads, default: 0)
    list.bool("rotary_interleaved", &isInterleaved, default: false)
    list.optionalFloat("scale", &scale)
    list.int("sparse_block_size", &blockSize, default: 0)
  }

  public static var onnx: [OnnxRule] { [.direct(SparseAttention.self, domain: .microsoft)] }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(7)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    guard blockSize > 0, heads > 0 else {
      throw DiagnosticError(
        .user, "attention.blocks",
        "sparse_block_size and num_heads must be positive, but they are \(blockSize) and \(heads)")
    }
    let query = try inputs.value(0)
    let length = try builder.size(of: query, along: 1)
    let total = try builder.add1(
      Reshape(), [try builder.add1(Cast(to: .i64), [try inputs.value(7)]), builder.integers([1])])
    let last = try builder.add1(
      Binary(.subtract), [try builder.add1(Cast(to: .i64), [try inputs.value(8)]), builder.integers([1])])
    let positions = try SamplePositions(
      counts: last, isPrompt: try builder.add1(Compare(.equal), [total, length]), length: length, &builder)
    let seen = try headBlocks(inputs, into: &builder)
    let places = try positions.places(batch: try builder.size(of: query, along: 0), given: nil, &builder)
    // Of each query its row of blocks, of each position the column of its block: [heads, batch, length, positions].
    let rows = try builder.add1(Gather(axis: 1), [seen, try blocks(of: places, into: &builder)])
    let keys = try blocks(of: try builder.places(below: total), into: &builder)
    let pairs = try builder.add1(Gather(axis: 3), [rows, keys])
    let element = try inputs.tensor(0).element
    let bias = try builder.add1(
      Where(),
      [
        try builder.add1(Transpose([1, 0, 2, 3]), [pairs]), try builder.scalar(0, element),
        try builder.scalar(-.infinity, element),
      ])
    var dense = GroupQueryAttention()
    (dense.heads, dense.keyHeads, dense.scale) = (heads, keyHeads, scale)
    (dense.rotates, dense.isInterleaved) = (rotates, isInterleaved)
    return try builder.add(
      dense,
      [
        query, inputs.id(1), inputs.id(2), inputs.id(3), inputs.id(4), last, total, inputs.id(9), inputs.id(10), nil,
        bias,
      ], outputs: 3)
  }

  /// The numbers of the blocks that positions lie in.
  private func blocks(of positions: ValueID, into builder: inout GraphBuilder) throws -> ValueID {
    try builder.add1(Binary(.divide), [positions, builder.integers([blockSize])])
  }

  /// Which blocks the queries of each block see, truth values [heads, blocks, blocks].
  private func headBlocks(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> ValueID {
    let (rows, columns) = (try inputs.tensor(5), try inputs.tensor(6))
    guard rows.rank == 2, columns.rank == 2 else {
      throw DiagnosticError(
        .user, "attention.blocks", "rows and columns of blocks must have two axes, but they are \(rows) and \(columns)")
    }
    try builder.require(by: Self.name) {
      try $0.equal(rows.shape[0], columns.shape[0], "numbers of layouts of \(rows) and of \(columns)")
      try $0.atLeast(rows.shape[0], 1, "number of layouts of \(rows)")
      try $0.divisible(Dim(heads), by: rows.shape[0], "number of heads, for the layouts of \(rows),")
    }
    let bounds = try builder.add1(Cast(to: .i64), [try inputs.value(5)])
    let count = try builder.add1(
      Binary(.subtract), [try builder.size(of: bounds, along: 1), builder.integers([1])])
    let (axis, zero, end) = (builder.integers([1]), builder.integers([0]), builder.integers([Int(Int32.max)]))
    let begins = try builder.add1(Slice(), [bounds, zero, count, axis])
    let ends = try builder.add1(Slice(), [bounds, axis, end, axis])
    let entries = try builder.places(below: try builder.size(of: try inputs.value(6), along: 1))
    func column(_ x: ValueID) throws -> ValueID { try builder.add1(Unsqueeze(), [x, builder.integers([2])]) }
    // Which entries are of which row, [layouts, blocks, entries], and which column they name, [layouts, entries, blocks].
    let isOfRow = try builder.add1(
      Binary(.and),
      [
        try builder.add1(Compare(.greaterOrEqual), [entries, try column(begins)]),
        try builder.add1(Compare(.less), [entries, try column(ends)]),
      ])
    let named = try column(try builder.add1(Cast(to: .i64), [try inputs.value(6)]))
    let isColumn = try builder.add1(Compare(.equal), [named, try builder.places(below: count)])
    let hits = try builder.add1(
      MatMul(), [isOfRow, isColumn].map { try builder.add1(Cast(to: .f32), [$0]) })
    let seen = try builder.add1(Compare(.greater), [hits, try builder.scalar(0, .f32)])
    let own = try builder.add1(
      Binary(.remainder), [builder.integers(Array(0..<heads)), try builder.size(of: bounds, along: 0)])
    return try builder.add1(Gather(axis: 0), [seen, own])
  }

  public static var examples: [OperatorExample] {
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    func table(_ rows: [[Int32]]) -> OperatorExample.Input {
      .constant(HostTensor(.i32, [rows.count, rows[0].count], values: rows.flatMap { $0 }))
    }
    func lengths(_ values: [Int32]) -> OperatorExample.Input {
      .given(HostTensor(.i32, [values.count], values: values))
    }
    var (plain, packed) = (SparseAttention(), SparseAttention())
    (plain.heads, plain.keyHeads, plain.blockSize) = (4, 2, 2)
    (packed.heads, packed.keyHeads, packed.blockSize, packed.rotates) = (4, 2, 2, true)
    let rows = table([[0, 1, 3, 5, 8], [0, 1, 3, 6, 9]])
    let columns = table([[0, 0, 1, 1, 2, 1, 2, 3, -1], [0, 0, 1, 0, 1, 2, 0, 2, 3]])
    let past = floats([2, 2, 8, 8])
    return [
      OperatorExample(
        plain,
        [
          floats([2, "s", 32]), floats([2, "s", 16]), floats([2, "s", 16]), past, past, rows, columns,
          .constant(HostTensor(.i32, [], values: [Int32(5)])), lengths([5, 3]),
        ], outputs: 3, sizes: [Symbol("s"): 5]),
      OperatorExample(
        packed,
        [
          floats([2, 1, 64]), .absent, .absent, past, past, rows, columns,
          .constant(HostTensor(.i32, [1], values: [Int32(7)])), lengths([7, 4]), floats([8, 4]), floats([8, 4]),
        ], outputs: 3),
    ]
  }
}
