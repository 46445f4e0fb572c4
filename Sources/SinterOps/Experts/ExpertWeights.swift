import SinterCore
import SinterIR

/// The weights of one layer of all experts, [experts, results, inner], as floats or as integers of a few bits with scales.
struct ExpertWeights {
  /// The operator's name.
  let op: String
  /// Of floats, or bytes with `bits` bits an integer, the first in the lowest bits.
  let values: ValueID
  /// [experts, results], or [experts, results, blocks] for blocks along the inner axis; nil for floats.
  var scales: ValueID?
  /// Packed as the weights are; nil: the middle of the range.
  var zero: ValueID?
  /// [experts, results].
  var bias: ValueID?
  var bits = 8

  /// The layer's results [tokens, chosen, results] for inputs [tokens, chosen or 1, inner].
  ///
  /// Each token reads the weights of its own experts, so that none other is looked at.
  ///
  /// - Parameters:
  ///   - chosen: the experts of each token, i64 [tokens, chosen].
  ///   - inner: the size of the summed axis, as an i64 of one entry.
  func apply(
    _ x: ValueID, chosen: ValueID, inner: ValueID, into builder: inout GraphBuilder
  ) throws -> ValueID {
    let element = try builder.type(x).element
    let weights = try real(chosen: chosen, inner: inner, element, into: &builder)
    let wide = try builder.add1(Unsqueeze(), [x, builder.integers([2])])
    let products = try builder.add1(Binary(.multiply), [weights, wide])
    let sums = try builder.add1(Reduce(.sum, keepsAxes: false), [products, builder.integers([3])])
    guard let bias else { return sums }
    let own = try builder.add1(Gather(), [bias, chosen])
    return try builder.add1(Binary(.add), [sums, own])
  }

  /// That the sizes are those of a layer.
  func check(experts: Dim, inner: Dim, _ name: String, into builder: inout GraphBuilder) throws -> Dim {
    let type = try builder.type(values)
    guard type.rank == 3 else {
      throw DiagnosticError(
        .user, "experts.weights", "weights of \(name) must be [experts, results, inner], but are \(type)")
    }
    let perByte = scales == nil ? 1 : 8 / bits
    try builder.require(by: op) {
      try $0.equal(type.shape[0], experts, "numbers of experts, of \(name) \(type) and of the router")
      try $0.equal(type.shape[2] * Dim(perByte), inner, "sizes of \(name) \(type) and of what it is multiplied with")
    }
    for (value, what) in [(bias, "a bias"), (scales, "scales")] {
      guard let value else { continue }
      let own = try builder.type(value)
      guard own.rank == 2 || (own.rank == 3 && what == "scales") else {
        throw DiagnosticError(
          .user, "experts.parameter", "\(what) of \(name) must be [experts, results], but are \(own)")
      }
      try builder.require(by: op) {
        _ = try $0.equal(
          Array(own.shape.prefix(2)), Array(type.shape.prefix(2)), "sizes of \(what) \(own) and of \(name) \(type)")
        if own.rank == 3 { try $0.divisible(inner, by: own.shape[2], "size of \(name) \(type), in blocks,") }
      }
    }
    return type.shape[1]
  }

  /// The weights of chosen experts, [tokens, chosen, results, inner].
  private func real(
    chosen: ValueID, inner: ValueID, _ element: ElementType, into builder: inout GraphBuilder
  ) throws -> ValueID {
    guard let scales else { return try builder.add1(Gather(), [values, chosen]) }
    let results = try builder.size(of: values, along: 1)
    let integers = try unpacked(values, chosen: chosen, [results, inner], element, into: &builder)
    let isBlocked = try builder.type(scales).rank == 3
    let one = builder.integers([1])
    let blocks = isBlocked ? try builder.size(of: scales, along: 2) : one
    // The inner axis comes apart into blocks and places of one.
    let leading = try builder.add1(Shape(), [chosen])
    let block = try builder.add1(Binary(.divide), [inner, blocks])
    let apart = try builder.add1(Concat(axis: 0), [leading, results, blocks, block])
    let whole = try builder.add1(Concat(axis: 0), [leading, results, inner])
    var numbers = try builder.add1(Reshape(allowZero: true), [integers, apart])
    var middle = try builder.scalar(Double(1 << (bits - 1)), element)
    if let zero {
      let sizes = isBlocked ? [results, blocks] : [results]
      let offsets = try unpacked(zero, chosen: chosen, sizes, element, into: &builder)
      middle = try builder.add1(Unsqueeze(), [offsets, builder.integers(isBlocked ? [4] : [3, 4])])
    }
    numbers = try builder.add1(Binary(.subtract), [numbers, middle])
    let factors = try builder.add1(
      Cast(to: element), [try builder.add1(Gather(), [scales, chosen])])
    let wide = try builder.add1(Unsqueeze(), [factors, builder.integers(isBlocked ? [4] : [3, 4])])
    numbers = try builder.add1(Binary(.multiply), [numbers, wide])
    return try builder.add1(Reshape(allowZero: true), [numbers, whole])
  }

  /// Integers of chosen experts, [tokens, chosen, sizes…], as floats. The last of the packed bytes of a row may hold more than it needs.
  private func unpacked(
    _ packed: ValueID, chosen: ValueID, _ sizes: [ValueID], _ element: ElementType, into builder: inout GraphBuilder
  ) throws -> ValueID {
    let bytes = try builder.add1(Gather(), [packed, chosen])
    let perByte = 8 / bits
    if perByte == 1 { return try builder.add1(Cast(to: element), [bytes]) }
    let rank = try builder.type(bytes).rank
    let shifts = builder.constant(
      HostTensor(.u8, [perByte], values: (0..<perByte).map { UInt8($0 * bits) }))
    let wide = try builder.add1(Unsqueeze(), [bytes, builder.integers([rank])])
    let shifted = try builder.add1(Binary(.shiftRight), [wide, shifts])
    let masked = try builder.add1(
      Binary(.bitwiseAnd), [shifted, try builder.scalar(Double((1 << bits) - 1), .u8)])
    let row = try builder.add1(
      Binary(.multiply), [try builder.size(of: bytes, along: rank - 1), builder.integers([perByte])])
    let leading = try builder.add1(Shape(), [chosen])
    let shape = try builder.add1(Concat(axis: 0), [leading] + sizes.dropLast() + [row])
    let flat = try builder.add1(Reshape(allowZero: true), [masked, shape])
    let count = sizes[sizes.count - 1]
    let cut = try builder.add1(
      Slice(), [flat, builder.integers([0]), count, builder.integers([rank - 1])])
    return try builder.add1(Cast(to: element), [cut])
  }
}
