import SinterCore
import SinterForms
import SinterIR

/// A product of matrices of bytes in 32-bit integers, zero points taken off first. Inputs: a, b, zero point of a (0), of b (0).
public struct MatMulInteger: Composite {
  public static let name = "MatMulInteger"
  public static let summary = "A matrix product of bytes in 32-bit integers."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(MatMulInteger.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 10) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    // A list of zero points belongs to the rows of a and to the columns of b.
    let rows = QuantizedFactor(op: Self.name, inputs: inputs, value: 0, axis: -2, listRank: 2)
    let columns = QuantizedFactor(op: Self.name, inputs: inputs, value: 1, axis: -1, listRank: 2)
    try rows.check(2, "the zero point of a", summed: -1, into: &builder)
    try columns.check(3, "the zero point of b", summed: -2, into: &builder)
    return [try builder.byteProduct(inputs, 0, 1, zeros: (2, 3))]
  }

  public static var examples: [OperatorExample] {
    func bytes(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.u8, shape), 0...255) }
    return [
      OperatorExample(MatMulInteger(), [bytes(["n", 3]), bytes([3, 2])], sizes: [Symbol("n"): 4]),
      OperatorExample(
        MatMulInteger(),
        [bytes([4, 3]), bytes([3, 2]), .constant(HostTensor(.u8, [], values: [UInt8(12)])), bytes([2])]),
      OperatorExample(
        MatMulInteger(), [bytes(["m", "k"]), bytes(["l", "n"]), bytes(["y"]), bytes(["z"])],
        sizes: [Symbol("m"): 4, Symbol("k"): 3, Symbol("l"): 3, Symbol("n"): 2, Symbol("y"): 4, Symbol("z"): 2]),
    ]
  }
}

/// A product of quantized matrices, quantized again. Inputs: a, its scale and zero point, b, its scale and zero point, the result's scale and
/// zero point.
public struct QLinearMatMul: Composite {
  public static let name = "QLinearMatMul"
  public static let summary = "A matrix product of quantized matrices, quantized again."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(QLinearMatMul.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 10) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let rows = QuantizedFactor(op: Self.name, inputs: inputs, value: 0, axis: -2, listRank: 2)
    let columns = QuantizedFactor(op: Self.name, inputs: inputs, value: 3, axis: -1, listRank: 2)
    for (index, name) in [(1, "the scale of a"), (2, "the zero point of a")] {
      try rows.check(index, name, summed: -1, into: &builder)
    }
    for (index, name) in [(4, "the scale of b"), (5, "the zero point of b")] {
      try columns.check(index, name, summed: -2, into: &builder)
    }
    for (index, name) in [(6, "the result's scale"), (7, "the result's zero point")] {
      try builder.requireNumber(Self.name, inputs, index, name)
    }
    let product = try builder.byteProduct(inputs, 0, 3, zeros: (2, 5))
    return [try builder.requantized(product, inputs, scales: (1, 4), axes: (-2, -1))]
  }

  public static var examples: [OperatorExample] {
    func bytes(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.u8, shape), 0...255) }
    func byte(_ value: UInt8) -> OperatorExample.Input { .constant(HostTensor(.u8, [], values: [value])) }
    func scale(_ value: Float) -> OperatorExample.Input { .constant(.f32([], [value])) }
    func scales(_ symbol: String) -> OperatorExample.Input {
      .random(TensorType(.f32, [Dim(symbol: symbol)]), 0.01...0.03)
    }
    return [
      OperatorExample(
        QLinearMatMul(),
        [bytes(["n", 3]), scale(0.01), byte(120), bytes([3, 2]), scale(0.02), byte(99), scale(0.05), byte(128)],
        sizes: [Symbol("n"): 4]),
      OperatorExample(
        QLinearMatMul(),
        [
          bytes(["m", "k"]), scales("a"), bytes(["b"]), bytes(["l", "n"]), scales("c"), bytes(["d"]), scale(0.05),
          byte(128),
        ],
        sizes: [
          Symbol("m"): 4, Symbol("k"): 3, Symbol("a"): 4, Symbol("b"): 4, Symbol("l"): 3, Symbol("n"): 2,
          Symbol("c"): 2,
          Symbol("d"): 1,
        ]),
    ]
  }
}

/// A convolution of bytes in 32-bit integers, zero points taken off first. Inputs: x, w, zero point of x (0), of w (0).
public struct ConvInteger: Composite {
  public static let name = "ConvInteger"
  public static let summary = "A convolution of bytes in 32-bit integers."

  /// The convolution's window and groups.
  public var conv = Conv()

  public init() {}
  /// The convolution of bytes by the window and groups of another.
  public init(_ conv: Conv) { self.conv = conv }

  public mutating func attributes(_ list: inout some AttributeList) {
    conv.window.attributes(&list)
    list.int("group", &conv.group, default: 1)
  }

  public static var onnx: [OnnxRule] { [.direct(ConvInteger.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 10) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.requireNumber(Self.name, inputs, 2, "the zero point of x")
    try QuantizedFactor(op: Self.name, inputs: inputs, value: 1, axis: 0).check(
      3, "the zero point of w", into: &builder)
    return [try builder.byteConvolution(conv, inputs, 0, 1, zeros: (2, 3), bias: nil)]
  }

  public static var examples: [OperatorExample] {
    var op = ConvInteger()
    op.conv.window.pads = [1, 1, 1, 1]
    return [
      OperatorExample(
        op,
        [
          .random(TensorType(.u8, ["n", 2, 4, 4]), 0...255), .random(TensorType(.u8, [3, 2, 3, 3]), 0...255),
          .constant(HostTensor(.u8, [], values: [UInt8(12)])),
        ], sizes: [Symbol("n"): 2])
    ]
  }
}

/// A convolution of quantized tensors, quantized again. Inputs: x, its scale and zero point, w, its scale and zero point, the result's scale
/// and zero point, the bias in 32-bit integers.
public struct QLinearConv: Composite {
  public static let name = "QLinearConv"
  public static let summary = "A convolution of quantized tensors, quantized again."

  var conv = Conv()

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    conv.window.attributes(&list)
    list.int("group", &conv.group, default: 1)
  }

  public static var onnx: [OnnxRule] { [.direct(QLinearConv.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 10) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let numbers = [
      (1, "the scale of x"), (2, "the zero point of x"), (6, "the result's scale"), (7, "the result's zero point"),
    ]
    for (index, name) in numbers { try builder.requireNumber(Self.name, inputs, index, name) }
    let weights = QuantizedFactor(op: Self.name, inputs: inputs, value: 3, axis: 0)
    for (index, name) in [(4, "the scale of w"), (5, "the zero point of w")] {
      try weights.check(index, name, into: &builder)
    }
    let sum = try builder.byteConvolution(conv, inputs, 0, 3, zeros: (2, 5), bias: inputs.id(8))
    return [try builder.requantized(sum, inputs, scales: (1, 4), axes: (0, 1))]
  }

  public static var examples: [OperatorExample] {
    func byte(_ value: UInt8) -> OperatorExample.Input { .constant(HostTensor(.u8, [], values: [value])) }
    func scale(_ value: Float) -> OperatorExample.Input { .constant(.f32([], [value])) }
    return [
      OperatorExample(
        QLinearConv(),
        [
          .random(TensorType(.u8, ["n", 2, 4, 4]), 0...255), scale(0.01), byte(120),
          .random(TensorType(.u8, [3, 2, 3, 3]), 0...255), .constant(.f32([3], [0.01, 0.02, 0.03])), byte(99),
          scale(0.2),
          byte(128), .random(TensorType(.i32, [3]), -999...999),
        ], sizes: [Symbol("n"): 2])
    ]
  }
}

/// What a product of quantized tensors asks of scales and zero points.
private struct QuantizedFactor {
  /// The operator's name.
  let op: String
  let inputs: NodeInputs
  /// Which input the factor is.
  let value: Int
  /// The axis of the factor along which a list of scales or zero points lies, and how many axes the factor must have for that.
  let axis: Int
  var listRank: Int?

  /// An input is one number, a list along the axis, or where a product sums over an axis (counted from the last one) a tensor
  /// like the factor with one element along that axis.
  func check(_ index: Int, _ name: String, summed: Int? = nil, into builder: inout GraphBuilder) throws {
    guard inputs.has(index) else { return }
    let (factor, entries) = (try inputs.tensor(value), try inputs.tensor(index))
    if entries.rank == 0 { return }
    let subject = "\(name) \(entries) and of the factor \(factor)"
    try builder.require(by: op) { obligations in
      if entries.rank == 1 {
        let isList = listRank.map { factor.rank == $0 } ?? true
        let place = axis < 0 ? axis + factor.rank : axis
        guard !isList || factor.shape.indices.contains(place) else {
          throw DiagnosticError(.user, "quantized.shape", "\(name) is a list \(entries), but the factor is \(factor)")
        }
        try obligations.broadcasts(
          entries.shape[0], to: isList ? factor.shape[place] : 1,
          "number of entries of \(name) \(entries)")
        return
      }
      guard let summed, entries.rank == factor.rank else {
        throw DiagnosticError(.user, "quantized.shape", "\(name) must be one number or a list, but is \(entries)")
      }
      for place in 0..<factor.rank {
        let size = place == factor.rank + summed ? 1 : factor.shape[place]
        try obligations.equal(
          entries.shape[place], size, "sizes of \(subject), but for the axis that is summed over, along axis \(place),")
      }
    }
  }
}

extension GraphBuilder {
  /// An input of a product is one number.
  fileprivate mutating func requireNumber(_ op: String, _ inputs: NodeInputs, _ index: Int, _ name: String) throws {
    guard inputs.has(index) else { return }
    let type = try inputs.tensor(index)
    guard type.rank <= 1 else {
      throw DiagnosticError(.user, "quantized.shape", "\(name) must be one number, but is \(type)")
    }
    if type.rank == 1 { try require(by: op) { try $0.equal(type.shape[0], 1, "number of entries of \(name) and 1") } }
  }

  /// A list of numbers along an axis of values of another rank; one number stays as it is.
  mutating func along(_ list: ValueID, axis: Int, rank: Int) throws -> ValueID {
    let type = try type(list)
    guard type.rank == 1, type.count != 1 else { return list }
    return try alignLeft(list, at: axis < 0 ? axis + rank : axis, rank: rank)
  }

  /// Sums in 32-bit integers quantized to inputs 6 (scale) and 7 (zero point). Lists of scales of the factors lie along `axes` of the result.
  fileprivate mutating func requantized(
    _ sum: ValueID, _ inputs: NodeInputs, scales: (Int, Int), axes: (Int, Int)
  ) throws -> ValueID {
    let rank = try type(sum).rank
    let first = try along(try add1(Cast(to: .f32), [try inputs.value(scales.0)]), axis: axes.0, rank: rank)
    let second = try along(try add1(Cast(to: .f32), [try inputs.value(scales.1)]), axis: axes.1, rank: rank)
    let target = try add1(Cast(to: .f32), [try inputs.value(6)])
    // In this order, as others round it.
    let multiplier = try add1(Binary(.divide), [try add1(Binary(.multiply), [first, second]), target])
    return try add1(Requantize(), [sum, multiplier, try inputs.value(7)])
  }
}
