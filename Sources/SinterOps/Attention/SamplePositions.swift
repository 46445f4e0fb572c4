import SinterIR

/// Where the new positions of each sample stand in its sequence.
struct SamplePositions {
  /// How many are before the new ones, i64 [batch], and with these.
  let before: ValueID
  let filled: ValueID
  /// Whether all positions are new, of one entry.
  let isPrompt: ValueID
  /// How many are new, i64 of one entry.
  let length: ValueID

  /// - Parameter counts: the number of positions of each sample, less one.
  init(counts: ValueID, isPrompt: ValueID, length: ValueID, _ builder: inout GraphBuilder) throws {
    let last = try builder.add1(Cast(to: .i64), [counts])
    let all = try builder.add1(Binary(.add), [last, builder.integers([1])])
    let zero = builder.integers([0])
    before = try builder.add1(
      Where(), [isPrompt, zero, try builder.add1(Binary(.subtract), [all, length])])
    filled = try builder.add1(Binary(.add), [before, length])
    (self.isPrompt, self.length) = (isPrompt, length)
  }

  /// The position of each new one, i64 [batch, length]. Of given ones, the first tells where all begin that have no past.
  func places(batch: ValueID, given: ValueID?, _ builder: inout GraphBuilder) throws -> ValueID {
    let steps = try builder.places(below: length)
    guard let given else {
      return try builder.add1(
        Binary(.add), [try builder.add1(Unsqueeze(), [before, builder.integers([1])]), steps])
    }
    let (row, one) = (builder.integers([0]), builder.integers([1]))
    let flat = try builder.add1(Reshape(), [given, builder.integers([-1])])
    let first = try builder.add1(Slice(), [flat, row, one, row])
    let counted = try builder.add1(Binary(.add), [first, steps])
    let wide = try builder.add1(Expand(), [counted, try builder.add1(Concat(axis: 0), [batch, length])])
    return try builder.add1(Where(), [isPrompt, wide, given])
  }
}
