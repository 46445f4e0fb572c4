import SinterCore
import SinterIR

/// Attention that may go to no key: each head has a score of it, which counts in the sum that weights are divided by.
///
/// It is a key behind all others, whose elements are zero, as are its value's: its score is what a mask adds.
struct AttentionSink {
  /// The operator's name.
  let op: String
  let isCausal: Bool
  let window: Int

  /// Keys or values with the one of no key behind them.
  func extended(_ cache: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
    try builder.add1(Pad(), [cache, builder.integers([0, 0, 0, 0, 0, 0, 1, 0])])
  }

  /// What is added to scores [batch, heads, length, keys + 1]: numbers where keys are seen, and the score of no key.
  func mask(
    _ sink: ValueID?, bias: ValueID?, heads: Int, _ cache: ValueID, _ positions: SamplePositions, batch: ValueID,
    _ builder: inout GraphBuilder
  ) throws -> ValueID {
    let count = try builder.size(of: cache, along: 2)
    let type = try builder.type(cache).element
    let keys = try builder.places(below: count)
    func column(_ x: ValueID, _ axes: [Int], _ builder: inout GraphBuilder) throws -> ValueID {
      try builder.add1(Unsqueeze(), [x, builder.integers(axes)])
    }
    var isSeen = try builder.add1(Compare(.less), [keys, try column(positions.filled, [1, 2, 3], &builder)])
    if isCausal {
      let steps = try column(try builder.places(below: positions.length), [1], &builder)
      let place = try builder.add1(Binary(.add), [try column(positions.before, [1, 2, 3], &builder), steps])
      let isBefore = try builder.add1(Compare(.lessOrEqual), [keys, place])
      isSeen = try builder.add1(Binary(.and), [isSeen, isBefore])
      if window > 0 {
        let first = try builder.add1(Binary(.subtract), [place, builder.integers([window])])
        isSeen = try builder.add1(Binary(.and), [isSeen, try builder.add1(Compare(.greater), [keys, first])])
      }
    }
    var numbers = try builder.scalar(0, type)
    if let bias {
      let behind = try builder.add1(Binary(.subtract), [count, try builder.size(of: bias, along: 3)])
      let zeros = builder.integers([0, 0, 0, 0, 0, 0, 0])
      numbers = try builder.add1(Pad(), [bias, try builder.add1(Concat(axis: 0), [zeros, behind])])
    }
    let own = try builder.add1(Where(), [isSeen, numbers, try builder.scalar(-.infinity, type)])
    let head = builder.integers([heads])
    let shape = try builder.add1(Concat(axis: 0), [batch, head, positions.length])
    let wide = try builder.add1(Expand(), [own, try builder.add1(Concat(axis: 0), [shape, count])])
    let score: ValueID
    if let sink {
      let given = try builder.type(sink)
      guard given.rank == 1 else {
        throw DiagnosticError(.user, "attention.sink", "head_sink must be a list, but is \(given)")
      }
      try builder.require(by: op) {
        try $0.equal(given.shape[0], Dim(heads), "number of entries of head_sink \(given) and of heads")
      }
      score = try column(sink, [1, 2], &builder)
    } else {
      score = try builder.scalar(0, type)
    }
    let last = try builder.add1(
      Expand(), [score, try builder.add1(Concat(axis: 0), [shape, builder.integers([1])])])
    return try builder.add1(Concat(axis: 3), [wide, last])
  }
}
