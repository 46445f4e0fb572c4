import SinterCore
import SinterIR

/// Buffers of keys and values [batch, heads, length, head] that are longer than what they hold, as onnxruntime's decoders have them.
struct CacheBuffer {
  /// The operator's name.
  let op: String
  let heads: Int

  struct Written {
    /// The buffers with what is new written into them.
    var buffers: [ValueID]
    /// The same as queries see them: each position from its beam.
    var seen: [ValueID]
    /// How many positions count for each sample, i64 [batch].
    var lengths: ValueID
    /// How many that is, an i64 of one entry, and the number where it is known ahead of time.
    var filled: ValueID
    var count: Dim?
  }

  /// Writes new keys and values [batch, heads, new length, head] behind the positions that are filled.
  ///
  /// - Parameters:
  ///   - length: how many are filled, one i32.
  ///   - beams: of each position the beam whose past it is of, i32 [samples, beams, length].
  func write(
    _ new: [ValueID], into past: [ValueID], behind length: ValueID, beams: ValueID?, _ builder: inout GraphBuilder
  ) throws -> Written {
    let (lengthType, buffer) = (try builder.type(length), try builder.type(past[0]))
    try builder.require(by: op) { try $0.scalar(lengthType, "the number of positions of the past") }
    let (keys, values) = (try builder.type(new[0]), try builder.type(new[1]))
    try builder.require(by: op) {
      try $0.equal(keys.shape[2], values.shape[2], "lengths of keys \(keys) and values \(values)")
    }
    guard buffer.rank == 4 else {
      throw DiagnosticError(
        .user, "attention.past", "the past must be [batch, heads, length, head], but is \(buffer)")
    }
    let before = try builder.add1(
      Reshape(), [try builder.add1(Cast(to: .i64), [length]), builder.integers([1])])
    let filled = try builder.add1(Binary(.add), [before, try builder.size(of: new[0], along: 2)])
    let known = builder.inputs([filled], outputs: 1).contents(0)?.first
    let start = try fitting(before, filled, known, buffer, past[0], &builder)
    let samples = try builder.size(of: new[0], along: 0)
    let starts = try builder.add1(Expand(), [start, samples])
    let buffers = try zip(past, new).map { try builder.add1(TensorScatter(), [$0, $1, starts]) }
    var seen = buffers
    if let beams {
      seen = try zip(past, new).map {
        try builder.add1(TensorScatter(), [try picked($0, beams, &builder), $1, starts])
      }
    }
    let lengths = try builder.add1(Expand(), [filled, samples])
    return Written(buffers: buffers, seen: seen, lengths: lengths, filled: filled, count: known)
  }

  /// The number of positions of the past, which is not negative and leaves room for the new ones.
  private func fitting(
    _ before: ValueID, _ filled: ValueID, _ known: Dim?, _ buffer: TensorType, _ past: ValueID,
    _ builder: inout GraphBuilder
  ) throws -> ValueID {
    if let known {
      try builder.require(by: op) {
        try $0.atLeast(buffer.shape[2], known, "length of the buffer \(buffer), which holds past and new positions,")
      }
      return before
    }
    let room = try builder.size(of: past, along: 2)
    let fits = try builder.add1(Compare(.lessOrEqual), [filled, room])
    let isCounted = try builder.add1(Compare(.greaterOrEqual), [before, builder.integers([0])])
    return try builder.add1(
      Expect(true, reason: "\(op): the past and what is new do not fit into the buffer"),
      [try builder.add1(Binary(.and), [fits, isCounted]), before])
  }

  /// A buffer whose positions are those of the beams that are named.
  private func picked(_ past: ValueID, _ beams: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
    let (type, own) = (try builder.type(past), try builder.type(beams))
    guard own.rank == 3 else {
      throw DiagnosticError(
        .user, "attention.beams", "cache_indirection must be [samples, beams, length], but is \(own)")
    }
    try builder.require(by: op) {
      try $0.equal(type.shape[0], own.shape[0] * own.shape[1], "number of samples of \(type) and of beams of \(own)")
      try $0.equal(type.shape[2], own.shape[2], "lengths of the buffer \(type) and of \(own), which names beams,")
    }
    var (first, rest) = (Shape(), Shape())
    (first.start, first.end) = (0, 2)
    rest.start = 1
    let shape = try builder.add1(
      Concat(axis: 0), [try builder.add1(first, [beams]), try builder.add1(rest, [past])])
    let apart = try builder.add1(Reshape(allowZero: true), [past, shape])
    let index = try builder.add1(Unsqueeze(), [beams, builder.integers([2, 4])])
    var gather = GatherElements()
    gather.axis = 1
    let chosen = try builder.add1(gather, [apart, try builder.add1(Expand(), [index, shape])])
    return try builder.add1(Reshape(allowZero: true), [chosen, try builder.add1(Shape(), [past])])
  }
}
