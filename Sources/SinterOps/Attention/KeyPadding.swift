import SinterCore
import SinterIR

/// Which keys count, as onnxruntime's operators of attention are told: numbers that are added to scores.
struct KeyPadding {
  /// The operator's name.
  let op: String
  /// What is added to the score of a key that does not count.
  let filter: Double
  let batch: Dim
  let queries: Dim
  let keys: Dim

  /// Numbers that broadcast to scores [batch, heads, queries, keys].
  ///
  /// - Parameters:
  ///   - mask: i32. Of one axis it holds the number of keys of each sample, behind which places of a packed form may stand, 3 · batch + 2 in all.
  ///     Of two axes [batch, keys] or three [batch, queries, keys] it is above zero where a key counts.
  ///   - count: the number of keys, as an i64 of one entry.
  func additive(_ mask: ValueID, count: ValueID, into builder: inout GraphBuilder) throws -> ValueID {
    let type = try builder.type(mask)
    guard type.element == .i32, (1...3).contains(type.rank) else {
      throw DiagnosticError(
        .user, "attention.mask", "the mask must be i32 of one, two or three axes, but is \(type)",
        hint: "give numbers to add to scores as the attention bias")
    }
    let counts: ValueID
    if type.rank == 1 {
      var lengths = mask
      if type.shape[0] == batch * 3 + 2 {
        lengths = try builder.add1(Slice(), [mask, builder.integers([0]), try samples(mask, &builder)])
      } else {
        try builder.require(by: op) {
          try $0.equal(type.shape[0], batch, "number of entries of the mask \(type) and of samples")
        }
      }
      let places = try builder.add1(Cast(to: .i32), [try builder.places(below: count)])
      counts = try builder.add1(
        Compare(.less), [places, try builder.add1(Unsqueeze(), [lengths, builder.integers([1])])])
    } else {
      let expected = type.rank == 2 ? [batch, keys] : [batch, queries, keys]
      try builder.require(by: op) {
        _ = try $0.equal(
          type.shape, expected, "sizes of the mask \(type) and those that fit, \(Broadcast.list(expected)),")
      }
      counts = try builder.add1(Compare(.greater), [mask, try builder.scalar(0, .i32)])
    }
    let shift = try builder.add1(Where(), [counts, try builder.scalar(0, .f32), try builder.scalar(filter, .f32)])
    return try builder.add1(Unsqueeze(), [shift, builder.integers(type.rank == 3 ? [1] : [1, 2])])
  }

  /// The number of samples, from a mask of 3 · batch + 2 entries.
  private func samples(_ mask: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
    let entries = try builder.size(of: mask, along: 0)
    let threefold = try builder.add1(Binary(.subtract), [entries, builder.integers([2])])
    return try builder.add1(Binary(.divide), [threefold, builder.integers([3])])
  }
}

/// What is added to scores besides a mask.
struct ScoreBias {
  /// The sum of a bias [batch or 1, heads or 1, queries, keys] and of what a mask adds, either of which may be absent.
  static func sum(
    _ bias: ValueID?, _ added: ValueID?, queries: Dim, keys: Dim, by op: String, into builder: inout GraphBuilder
  ) throws -> ValueID? {
    guard let bias else { return added }
    let type = try builder.type(bias)
    guard type.rank == 4 else {
      throw DiagnosticError(
        .user, "attention.bias", "numbers that are added to scores must have four axes, but are \(type)")
    }
    try builder.require(by: op) {
      try $0.equal(type.shape[2], queries, "lengths of \(type), which is added to scores, and of the queries")
      try $0.equal(type.shape[3], keys, "sizes of \(type), which is added to scores, and number of keys")
    }
    return try added.map { try builder.add1(Binary(.add), [$0, bias]) } ?? bias
  }
}
