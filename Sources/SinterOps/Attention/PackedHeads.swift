import SinterCore
import SinterIR

/// The attention of onnxruntime's domain: queries, keys and values lie side by side in the columns of one projection of the input, and positions
/// that a mask keeps away have a number added to their scores.
struct PackedHeads {
  /// The operator's name.
  let op: String
  let heads: Int
  var isCausal = false
  var scale: Double?
  /// What is added to the score of a position that the mask keeps away.
  var filter = -10_000.0
  /// The columns of queries, keys and values; thirds where there are none.
  var sizes: [Int] = []

  /// The attended values [batch, length, size], and keys and values with those of the past before them, [2, batch, heads, total length, head].
  ///
  /// - Parameters:
  ///   - projected: [batch, length, columns of queries, keys and values].
  ///   - mask: i32, of one, two or three axes; see `additive`.
  ///   - past: [2, batch, heads, past length, head].
  ///   - returnsPresent: whether the second result is asked for.
  ///   - shift: numbers that are added to scores [batch or 1, heads or 1, length, total length].
  func attend(
    _ projected: ValueID, mask: ValueID?, past: ValueID?, shift: ValueID? = nil, returnsPresent: Bool,
    into builder: inout GraphBuilder
  ) throws -> [ValueID] {
    let type = try builder.type(projected)
    guard heads > 0 else {
      throw DiagnosticError(.user, "attention.heads", "num_heads must be positive, but is \(heads)")
    }
    let parts = try split(projected, type, &builder)
    var (pastKeys, pastValues): (ValueID?, ValueID?)
    if let past {
      let own = try builder.type(past)
      guard own.rank == 5 else {
        throw DiagnosticError(
          .user, "attention.past", "the past must be [2, batch, heads, length, head], but is \(own)")
      }
      try builder.require(by: op) { try $0.equal(own.shape[0], 2, "size of the first axis of the past \(own) and 2") }
      pastKeys = try builder.add1(Gather(), [past, try builder.scalar(0, .i64)])
      pastValues = try builder.add1(Gather(), [past, try builder.scalar(1, .i64)])
    }
    var attention = Attention()
    (attention.queryHeads, attention.keyHeads) = (heads, heads)
    (attention.isCausal, attention.scale) = (isCausal, scale == 0 ? nil : scale)
    var added = try mask.flatMap { try additive($0, projected, past: past, into: &builder) }
    if let shift {
      let own = try builder.type(shift)
      let before = try past.map { try builder.type($0).shape[3] } ?? 0
      guard own.rank == 4 else {
        throw DiagnosticError(
          .user, "attention.bias", "numbers that are added to scores must have four axes, but are \(own)")
      }
      try builder.require(by: op) {
        try $0.equal(own.shape[2], type.shape[1], "lengths of \(own), which is added to scores, and of the input")
        try $0.equal(
          own.shape[3], before + type.shape[1], "sizes of \(own), which is added to scores, and number of keys")
      }
      added = try added.map { try builder.add1(Binary(.add), [$0, shift]) } ?? shift
    }
    let results = try builder.add(attention, parts + [added, pastKeys, pastValues], outputs: 3)
    if !returnsPresent { return [results[0]] }
    let present = try builder.add1(
      Concat(axis: 0), try results.dropFirst().map { try builder.add1(Unsqueeze(), [$0, builder.integers([0])]) })
    return [results[0], present]
  }

  /// Queries, keys and values.
  private func split(_ projected: ValueID, _ type: TensorType, _ builder: inout GraphBuilder) throws -> [ValueID] {
    if sizes.isEmpty {
      try builder.require(by: op) {
        try $0.divisible(
          type.shape[2], by: Dim(3 * heads), "columns of the projection \(type), for three times \(heads) heads,")
      }
      var thirds = Split(axis: 2)
      thirds.numOutputs = 3
      return try builder.add(thirds, [projected], outputs: 3)
    }
    guard sizes.count == 3, sizes.allSatisfy({ $0 > 0 && $0 % heads == 0 }), sizes[0] == sizes[1] else {
      throw DiagnosticError(
        .user, "attention.sizes",
        "qkv_hidden_sizes must be three multiples of \(heads) heads, the first two equal, but are \(sizes)")
    }
    return try builder.add(Split(axis: 2), [projected, builder.integers(sizes)], outputs: 3)
  }

  /// The mask as numbers that broadcast to scores [batch, heads, length, total length].
  ///
  /// Of two axes [batch, total length] or three [batch, length, total length] it is above zero where a position counts. Of one axis it holds for
  /// each sample where its positions end, and behind those, if it is twice as long, where they begin. A mask that is known to have one column
  /// where there are several positions stands for none: nil.
  private func additive(
    _ mask: ValueID, _ projected: ValueID, past: ValueID?, into builder: inout GraphBuilder
  ) throws -> ValueID? {
    let (type, rows) = (try builder.type(mask), try builder.type(projected))
    guard type.element == .i32 else {
      throw DiagnosticError(.user, "attention.mask", "the mask must be of type i32, but is \(type)")
    }
    let before = try past.map { try builder.type($0).shape[3] } ?? 0
    let (batch, length, total) = (rows.shape[0], rows.shape[1], before + rows.shape[1])
    if type.rank == 2, type.shape[1] == 1, total != 1, type.shape[0] == 1 || type.shape[0] == batch { return nil }
    let zero = try builder.scalar(0, .i32)
    var counts: ValueID
    switch type.rank {
    case 1:
      counts = try padding(mask, type.shape[0], batch: batch, projected, past: past, into: &builder)
    case 2, 3:
      let expected = type.rank == 2 ? [batch, total] : [batch, length, total]
      try builder.require(by: op) {
        _ = try $0.equal(
          type.shape, expected, "sizes of the mask \(type) and those that fit, \(Broadcast.list(expected)),")
      }
      counts = try builder.add1(Compare(.greater), [mask, zero])
    default:
      throw DiagnosticError(
        .user, "attention.mask", "the mask must have one, two or three axes, but is \(type)",
        hint: "onnxruntime's processor kernels know no others either")
    }
    let shift = try builder.add1(
      Where(), [counts, try builder.scalar(0, .f32), try builder.scalar(filter, .f32)])
    return try builder.add1(Unsqueeze(), [shift, builder.integers(type.rank == 3 ? [1] : [1, 2])])
  }

  /// Whether each position [batch, total length] lies before a sample's end and not before its beginning.
  private func padding(
    _ mask: ValueID, _ entries: Dim, batch: Dim, _ projected: ValueID, past: ValueID?, into builder: inout GraphBuilder
  ) throws -> ValueID {
    func size(_ value: ValueID, _ axis: Int) throws -> ValueID {
      var shape = Shape()
      (shape.start, shape.end) = (axis, axis + 1)
      return try builder.add1(Squeeze(), [try builder.add1(shape, [value]), builder.integers([0])])
    }
    func places(_ count: ValueID) throws -> ValueID {
      try builder.add1(Range(), [try builder.scalar(0, .i64), count, try builder.scalar(1, .i64)])
    }
    func column(_ part: ValueID) throws -> ValueID { try builder.add1(Unsqueeze(), [part, builder.integers([1])]) }
    try builder.require(by: op) {
      let subject = "number of entries of the mask, which are one per sample or two,"
      try $0.atLeast(entries, batch, subject)
      try $0.atLeast(batch * 2, entries, "twice the number of samples, which a mask of as many entries has at least,")
      if entries != batch, entries != batch * 2 { try $0.divisible(entries, by: batch, subject) }
    }
    var total = try size(projected, 1)
    if let past { total = try builder.add1(Binary(.add), [total, try size(past, 3)]) }
    let positions = try builder.add1(Cast(to: .i32), [try places(total)])
    if entries == batch { return try builder.add1(Compare(.less), [positions, try column(mask)]) }
    let (samples, count) = (try size(projected, 0), try size(mask, 0))
    let own = try places(samples)
    let isBefore = try builder.add1(
      Compare(.less), [positions, try column(try builder.add1(Gather(), [mask, own]))])
    // Where there are no beginnings, the last end is read instead, and nothing lies before it.
    let last = try builder.add1(Binary(.subtract), [count, try builder.scalar(1, .i64)])
    let begins = try builder.add1(
      Variadic(.minimum), [try builder.add1(Binary(.add), [own, samples]), last])
    let isBehind = try builder.add1(
      Compare(.greaterOrEqual), [positions, try column(try builder.add1(Gather(), [mask, begins]))])
    let hasNone = try builder.add1(Compare(.lessOrEqual), [count, samples])
    return try builder.add1(Binary(.and), [isBefore, try builder.add1(Binary(.or), [isBehind, hasNone])])
  }
}
