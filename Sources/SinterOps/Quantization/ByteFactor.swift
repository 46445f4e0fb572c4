import SinterCore
import SinterIR

/// A factor of a product of bytes, in the sign that tiles want: unsigned on the left, signed on the right. What that adds to the values goes
/// into their zero point.
struct ByteFactor {
  var value: ValueID
  /// In 32 bits, as the operator has it: one number, a list, or a tensor. Nil where it is zero for certain.
  var zero: ValueID?
}

extension GraphBuilder {
  /// - Parameter zero: the input that is the zero point, of the value's type.
  private mutating func byteFactor(_ inputs: NodeInputs, _ index: Int, zero: Int, as wanted: ElementType) throws
    -> ByteFactor
  {
    let value = try inputs.value(index)
    let given = inputs.constant(zero)?.integers?.allSatisfy { $0 == 0 } == true ? nil : inputs.id(zero)
    let offset = try given.map { try add1(Cast(to: .i32), [$0]) }
    let element = try type(value).element
    guard element != wanted, element == .u8 || element == .i8 else { return ByteFactor(value: value, zero: offset) }
    let shift = try scalar(wanted == .u8 ? 128 : -128, .i32)
    return ByteFactor(
      value: try add1(FlipTopBit(), [value]), zero: try offset.map { try add1(Binary(.add), [$0, shift]) } ?? shift)
  }

  /// The elements of a factor without its zero point, in 32 bits.
  private mutating func centered(_ factor: ByteFactor, zero: ValueID?) throws -> ValueID {
    let wide = try add1(Cast(to: .i32), [factor.value])
    return try zero.map { try add1(Binary(.subtract), [wide, $0]) } ?? wide
  }

  private mutating func sum(_ value: ValueID, over axes: [Int]) throws -> ValueID {
    try add1(Reduce(.sum), [value, integers(axes)])
  }

  private mutating func subtract(_ value: ValueID, _ a: ValueID, times b: ValueID) throws -> ValueID {
    try add1(Binary(.subtract), [value, try add1(Binary(.multiply), [a, b])])
  }

  /// Σ (b − zb) of a matrix's columns, as a row. The sums of the bytes themselves are a product with ones, for which no 32-bit copy of large
  /// weights is made.
  private mutating func columnSums(of b: ByteFactor, zero: ValueID?) throws -> ValueID {
    let shape = try type(b.value).shape
    guard let depth = shape[shape.count - 2].value else { return try sum(try centered(b, zero: zero), over: [-2]) }
    let ones = constant(HostTensor(.u8, [1, depth], values: [UInt8](repeating: 1, count: depth)))
    let sums = try add1(ByteMatMul(), [ones, b.value])
    return try zero.map { try subtract(sums, $0, times: try scalar(Double(depth), .i32)) } ?? sums
  }

  /// Σ (a − za)·(b − zb) = Σ a·b − za·Σ (b − zb) − zb·Σ a, all in 32 bits that wrap around.
  mutating func byteProduct(_ inputs: NodeInputs, _ left: Int, _ right: Int, zeros: (Int, Int)) throws -> ValueID {
    let a = try byteFactor(inputs, left, zero: zeros.0, as: .u8)
    let b = try byteFactor(inputs, right, zero: zeros.1, as: .i8)
    let (rank, rightRank) = (try type(a.value).rank, try type(b.value).rank)
    let rows = try a.zero.map { try along($0, axis: -2, rank: rank) }
    let columns = try b.zero.map { try along($0, axis: -1, rank: rightRank) }
    guard rank > 1, rightRank > 1 else {
      return try add1(MatMul(), [try centered(a, zero: rows), try centered(b, zero: columns)])
    }
    var result = try add1(ByteMatMul(), [a.value, b.value])
    if let rows { result = try subtract(result, rows, times: try columnSums(of: b, zero: columns)) }
    if let columns {
      result = try subtract(result, columns, times: try sum(try add1(Cast(to: .i32), [a.value]), over: [-1]))
    }
    return result
  }

  /// The same over a window, with the image's zero point around it, plus a bias.
  mutating func byteConvolution(
    _ conv: Conv, _ inputs: NodeInputs, _ image: Int, _ weights: Int, zeros: (Int, Int), bias: ValueID?
  ) throws -> ValueID {
    let x = try byteFactor(inputs, image, zero: zeros.0, as: .u8)
    let w = try byteFactor(inputs, weights, zero: zeros.1, as: .i8)
    let (type, rank) = (try type(w.value), try self.type(x.value).rank)
    let channels = try w.zero.map { try along($0, axis: 0, rank: type.rank) }
    let sizes = type.shape.compactMap(\.value)
    guard type.rank > 2, rank == type.rank, w.zero == nil || sizes.count == rank else {
      let factors = [try centered(x, zero: x.zero), try centered(w, zero: channels)]
      return try add1(conv, factors + (bias.map { [$0] } ?? []))
    }
    // One number, or one for each channel of the result.
    func perChannel(_ value: ValueID, _ builder: inout GraphBuilder) throws -> ValueID {
      try builder.type(value).rank == rank ? try builder.add1(Squeeze(), [value, builder.integers([1])]) : value
    }
    let outside = try x.zero.map { [try add1(Cast(to: .u8), [$0])] } ?? []
    var result = try add1(ByteConv(conv), [x.value, w.value] + outside)
    var offset = try bias.map { try alignLeft($0, at: 1, rank: rank) }
    if let zero = x.zero {
      let sums = try perChannel(try sum(try centered(w, zero: channels), over: Array(1..<rank)), &self)
      let start = try offset ?? scalar(0, .i32)
      offset = try subtract(start, zero, times: sums)
    }
    if let channels {
      // The sums of the windows themselves, the same for all channels of a group.
      var ones = sizes
      if conv.group == 1 { ones[0] = 1 }
      let unit = constant(HostTensor(.i8, ones, values: [Int8](repeating: 1, count: ones.reduce(1, *))))
      let windows = try add1(ByteConv(conv), [x.value, unit] + outside)
      result = try subtract(result, try perChannel(channels, &self), times: windows)
    }
    return try offset.map { try add1(Binary(.add), [result, $0]) } ?? result
  }
}
