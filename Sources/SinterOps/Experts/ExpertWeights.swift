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
    let sums: ValueID
    if let scales {
      sums = try integerSums(x, scales, chosen: chosen, inner: inner, into: &builder)
    } else {
      let weights = try builder.add1(Gather(), [values, chosen])
      let wide = try builder.add1(Unsqueeze(), [x, builder.integers([2])])
      let products = try builder.add1(Binary(.multiply), [weights, wide])
      sums = try builder.add1(Reduce(.sum, keepsAxes: false), [products, builder.integers([3])])
    }
    guard let bias else { return sums }
    let own = try builder.add1(Gather(), [bias, chosen])
    return try builder.add1(Binary(.add), [sums, own])
  }

  /// The layer's results [blocks, rows, results] for inputs [blocks, rows, inner], where each block is one expert's.
  ///
  /// - Parameter experts: the expert of each block, i64 [blocks].
  func product(_ x: ValueID, experts: ValueID, into builder: inout GraphBuilder) throws -> ValueID {
    let own = try floats(try builder.type(x).element, of: experts, into: &builder)
    let sums = try builder.add1(MatMul(), [x, try builder.add1(Transpose([0, 2, 1]), [own])])
    guard let bias else { return sums }
    let offsets = try builder.add1(Unsqueeze(), [try builder.add1(Gather(), [bias, experts]), builder.integers([1])])
    return try builder.add1(Binary(.add), [sums, offsets])
  }

  /// The weights of some experts as floats, [blocks, results, inner].
  private func floats(
    _ element: ElementType, of experts: ValueID, into builder: inout GraphBuilder
  ) throws -> ValueID {
    guard let scales else { return try builder.add1(Gather(), [values, experts]) }
    let isBlocked = try builder.type(scales).rank == 3
    let results = try builder.size(of: values, along: 1)
    let bytes = try builder.size(of: values, along: 2)
    let inner = try builder.add1(Binary(.multiply), [bytes, builder.integers([8 / bits])])
    let integers = try unpacked(values, chosen: experts, [results, inner], element, into: &builder)
    let shape = try builder.add1(Shape(), [integers])
    let groups = isBlocked ? try builder.size(of: scales, along: 2) : builder.integers([1])
    let steps = try builder.add1(Binary(.divide), [inner, groups])
    // [blocks, results, groups, integers of a group].
    let apart = try builder.add1(
      Reshape(allowZero: true),
      [
        integers,
        try builder.add1(Concat(axis: 0), [try builder.size(of: experts, along: 0), results, groups, steps]),
      ])
    let offset =
      try zero.map {
        let own = try unpacked(
          $0, chosen: experts, isBlocked ? [results, groups] : [results], element, into: &builder)
        return try builder.add1(Unsqueeze(), [own, builder.integers(isBlocked ? [3] : [2, 3])])
      } ?? builder.scalar(Double(1 << (bits - 1)), element)
    let factors = try builder.add1(
      Unsqueeze(),
      [
        try builder.add1(Cast(to: element), [try builder.add1(Gather(), [scales, experts])]),
        builder.integers(isBlocked ? [3] : [2, 3]),
      ])
    let scaled = try builder.add1(
      Binary(.multiply), [try builder.add1(Binary(.subtract), [apart, offset]), factors])
    return try builder.add1(Reshape(allowZero: true), [scaled, shape])
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

  /// The products with integers, [tokens, chosen, results]: in each block the sums over bytes, all integers of a byte in one step, times the
  /// block's scale.
  private func integerSums(
    _ x: ValueID, _ scales: ValueID, chosen: ValueID, inner: ValueID, into builder: inout GraphBuilder
  ) throws -> ValueID {
    let element = try builder.type(x).element
    let perByte = 8 / bits
    let isBlocked = try builder.type(scales).rank == 3
    let results = try builder.size(of: values, along: 1)
    let blocks = isBlocked ? try builder.size(of: scales, along: 2) : builder.integers([1])
    let steps = try builder.add1(
      Binary(.divide), [try builder.add1(Binary(.divide), [inner, builder.integers([perByte])]), blocks])
    let leading = try builder.add1(Shape(), [chosen])
    // [tokens, chosen, results, blocks, bytes of a block].
    let bytes = try builder.add1(
      Reshape(allowZero: true),
      [
        try builder.add1(Gather(), [values, chosen]),
        try builder.add1(Concat(axis: 0), [leading, results, blocks, steps]),
      ])
    // [tokens, chosen or 1, 1, blocks, bytes of a block, integers of a byte].
    let places = try builder.add1(
      Concat(axis: 0),
      [
        try builder.size(of: x, along: 0), try builder.size(of: x, along: 1), builder.integers([1]), blocks, steps,
        builder.integers([perByte]),
      ])
    let apart = try builder.add1(Reshape(allowZero: true), [x, places])
    let zero = try zeroPoints(element, chosen: chosen, results: results, blocks: blocks, isBlocked, into: &builder)
    var sum: ValueID?
    for place in 0..<perByte {
      var integers = bytes
      if place > 0 {
        integers = try builder.add1(
          Binary(.shiftRight), [integers, try builder.scalar(Double(place * bits), .u8)])
      }
      if perByte > 1 {
        integers = try builder.add1(
          Binary(.bitwiseAnd), [integers, try builder.scalar(Double((1 << bits) - 1), .u8)])
      }
      let moved = try builder.add1(
        Binary(.subtract), [try builder.add1(Cast(to: element), [integers]), zero])
      let own = try builder.add1(Gather(axis: 5), [apart, try builder.scalar(Double(place), .i64)])
      let product = try builder.add1(Binary(.multiply), [moved, own])
      sum = try sum.map { try builder.add1(Binary(.add), [$0, product]) } ?? product
    }
    guard let sum else { throw DiagnosticError(.bug, "experts.bits", "a byte holds no integer of \(bits) bits") }
    let inBlocks = try builder.add1(Reduce(.sum, keepsAxes: false), [sum, builder.integers([4])])
    var factors = try builder.add1(Cast(to: element), [try builder.add1(Gather(), [scales, chosen])])
    if !isBlocked { factors = try builder.add1(Unsqueeze(), [factors, builder.integers([3])]) }
    let scaled = try builder.add1(Binary(.multiply), [inBlocks, factors])
    return try builder.add1(Reduce(.sum, keepsAxes: false), [scaled, builder.integers([3])])
  }

  /// What stands for zero, as floats that broadcast to [tokens, chosen, results, blocks, bytes of a block].
  private func zeroPoints(
    _ element: ElementType, chosen: ValueID, results: ValueID, blocks: ValueID, _ isBlocked: Bool,
    into builder: inout GraphBuilder
  ) throws -> ValueID {
    guard let zero else { return try builder.scalar(Double(1 << (bits - 1)), element) }
    let sizes = isBlocked ? [results, blocks] : [results]
    let offsets = try unpacked(zero, chosen: chosen, sizes, element, into: &builder)
    return try builder.add1(Unsqueeze(), [offsets, builder.integers(isBlocked ? [4] : [3, 4])])
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
