import SinterCore
import SinterIR

/// A product of bytes in 32-bit integers, and what makes real numbers of it: what DynamicQuantizeMatMul, MatMulIntegerToFloat, QGemm and
/// QAttention share. The left side has one scale and one zero point, the right side one each or one per column.
struct IntegerProduct {
  /// The operator's name.
  let op: String
  let inputs: NodeInputs

  /// The sums, without the zero points.
  ///
  /// - Parameters:
  ///   - a: the left side's bytes.
  ///   - b: the right side's bytes.
  ///   - zeroA: the left side's zero point, a number.
  ///   - zeroB: which input is the right side's zero point.
  func sums(
    _ a: ValueID, _ b: ValueID, zeroA: ValueID, zeroB: Int, into builder: inout GraphBuilder
  ) throws -> ValueID {
    try requireColumns(zeroB, "the zero point of b", of: b, into: &builder)
    let (type, list) = (try builder.type(b), inputs.has(zeroB) ? try inputs.tensor(zeroB) : nil)
    if let list, list.element != type.element {
      throw DiagnosticError(.user, "quantized.type", "b is \(type), but its zero point is \(list)")
    }
    return try builder.add1(MatMulInteger(), [a, b, zeroA, inputs.id(zeroB)])
  }

  /// An input is one number, a list with one for each column of a matrix `b`, or like `b` with one row.
  func requireColumns(_ index: Int, _ name: String, of b: ValueID, into builder: inout GraphBuilder) throws {
    guard inputs.has(index) else { return }
    let (factor, entries) = (try builder.type(b), try inputs.tensor(index))
    guard factor.rank >= 2 else {
      throw DiagnosticError(.user, "quantized.rank", "b must have at least two axes, but is \(factor)")
    }
    if entries.rank == 0 { return }
    try builder.require(by: op) { obligations in
      if entries.rank == 1 {
        let columns = factor.rank == 2 ? factor.shape[1] : 1
        return try obligations.broadcasts(entries.shape[0], to: columns, "number of entries of \(name) \(entries)")
      }
      guard entries.rank == factor.rank else {
        throw DiagnosticError(
          .user, "quantized.shape",
          "\(name) must be one number or a list of one per column of \(factor), but is \(entries)")
      }
      for place in 0..<factor.rank {
        try obligations.equal(
          entries.shape[place], place == factor.rank - 2 ? 1 : factor.shape[place],
          "sizes of \(name) \(entries) and of \(factor) with one row, along axis \(place),")
      }
    }
  }

  /// The sums times the scales of both sides, plus a bias, which may be absent and has one element per column.
  func real(
    _ sums: ValueID, scaleA: ValueID, scaleB: Int, of b: ValueID, bias: Int, into builder: inout GraphBuilder
  ) throws -> ValueID {
    try requireColumns(scaleB, "the scale of b", of: b, into: &builder)
    let scale = try builder.add1(Binary(.multiply), [scaleA, try columns(scaleB, &builder)])
    let product = try builder.add1(Binary(.multiply), [try builder.add1(Cast(to: .f32), [sums]), scale])
    guard let offset = inputs.id(bias) else { return product }
    let (type, result) = (try inputs.tensor(bias), try builder.type(product))
    guard type.rank == 1 else {
      throw DiagnosticError(
        .user, "quantized.bias", "the bias must be a list of one per column of \(result), but is \(type)")
    }
    try builder.require(by: op) {
      try $0.equal(
        type.shape[0], result.shape[result.rank - 1],
        "numbers of entries of the bias \(type) and of columns of \(result)")
    }
    return try builder.add1(Binary(.add), [product, offset])
  }

  /// Scales of the right side, to be multiplied with rows of the product; a list of one as a number, as rows may have no axis of columns.
  private func columns(_ index: Int, _ builder: inout GraphBuilder) throws -> ValueID {
    let (value, type) = (try inputs.value(index), try inputs.tensor(index))
    guard type.element == .f32 else {
      throw DiagnosticError(.user, "quantized.type", "the scale of b must be of type f32, but is \(type)")
    }
    return type.rank == 1 && type.shape[0] == 1 ? try builder.add1(Squeeze(), [value, builder.integers([0])]) : value
  }
}
