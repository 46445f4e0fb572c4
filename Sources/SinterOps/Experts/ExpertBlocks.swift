import SinterCore
import SinterIR

/// Tokens sorted by the experts that they are sent to, in blocks of as many rows each that belong to one expert.
///
/// An expert has as many blocks as its tokens need, and none where it has no tokens, so that its weights are read only where they are needed, and
/// once for all rows of a block. Rows of a block that are left over hold the first token, and nobody reads what becomes of them.
struct ExpertBlocks {
  /// The token in each row, i64 [blocks, rows].
  let tokens: ValueID
  /// The expert of each block, i64 [blocks].
  let experts: ValueID
  /// The row that each choice of each token is in, counted over all blocks, i64 [tokens, chosen].
  let places: ValueID

  /// The most rows of a block: a panel of weights then serves so many, and an expert's last block wastes no more.
  private static let mostRows = 128

  /// - Parameters:
  ///   - chosen: the experts of each token, i64 [tokens, chosen].
  ///   - experts: how many experts there are, an i64 of one entry.
  init(chosen: ValueID, experts count: ValueID, into builder: inout GraphBuilder) throws {
    let (zero, one) = (builder.constant(.i64([], [0])), builder.constant(.i64([], [1])))
    func binary(_ kind: Binary.Kind, _ a: ValueID, _ b: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
      try builder.add1(Binary(kind), [a, b])
    }
    // All choices, one after another, and how many with the same expert come before each.
    let choices = try builder.add1(Reshape(), [chosen, builder.integers([-1])])
    let column = try builder.add1(Unsqueeze(), [choices, builder.integers([1])])
    let isOwn = try builder.add1(
      Cast(to: .i64), [try builder.add1(Compare(.equal), [column, try builder.places(below: count)])])
    var ownColumn = GatherElements()
    ownColumn.axis = 1
    let upTo = try builder.add1(ownColumn, [try builder.add1(Cumulative(), [isOwn, zero]), column])
    let before = try binary(
      .subtract, try builder.add1(Squeeze(), [upTo, builder.integers([1])]), one, &builder)

    let totals = try builder.add1(Reduce(.sum, keepsAxes: false), [isOwn, builder.integers([0])])
    let most = try builder.add1(Reduce(.maximum), [totals, builder.integers([0])])
    let rows = try builder.add1(
      ReadSizes(), [try builder.add1(Clip(), [most, one, builder.constant(.i64([], [Self.mostRows]))])])
    let filled = try binary(.add, totals, try binary(.subtract, rows, one, &builder), &builder)
    let blocks = try binary(.divide, filled, rows, &builder)
    let ends = try builder.add1(Cumulative(), [blocks, zero])
    let first = try builder.add1(Gather(), [try binary(.subtract, ends, blocks, &builder), choices])
    let row = try binary(.add, try binary(.multiply, first, rows, &builder), before, &builder)
    places = try builder.add1(Reshape(allowZero: true), [row, try builder.add1(Shape(), [chosen])])

    let blockCount = try builder.add1(ReadSizes(), [try builder.add1(Reduce(.sum), [blocks, builder.integers([0])])])
    var empty = ConstantOfShape()
    empty.value = .i64([1], [0])
    let nothing = try builder.add1(empty, [try binary(.multiply, blockCount, rows, &builder)])
    let numbers = try builder.places(below: try builder.size(of: choices, along: 0))
    let token = try binary(.divide, numbers, try builder.size(of: chosen, along: 1), &builder)
    tokens = try builder.add1(
      Reshape(allowZero: true),
      [
        try builder.add1(ScatterElements(), [nothing, row, token]),
        try builder.add1(Concat(axis: 0), [blockCount, rows]),
      ])
    // A block's expert: as many as end before it.
    let isBehind = try builder.add1(
      Compare(.greaterOrEqual),
      [
        try builder.add1(Unsqueeze(), [try builder.places(below: blockCount), builder.integers([1])]), ends,
      ])
    experts = try builder.add1(
      Reduce(.sum, keepsAxes: false), [try builder.add1(Cast(to: .i64), [isBehind]), builder.integers([1])])
  }
}
