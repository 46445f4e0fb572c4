import SinterCore
import SinterIR

/// alpha · A' · B' + C of bytes that stand for real numbers, where A' and B' may be transposed. Inputs: a, its scale and zero point, b, its
/// scale and zero point, c in 32-bit integers with the scale of the product (0), the result's scale and zero point. Without the last two the
/// result is real numbers.
public struct QGemm: Composite {
  public static let name = "QGemm"
  public static let summary = "Gemm of quantized matrices, quantized again or as floats."

  /// The factor of the product.
  public var alpha = 1.0
  /// Whether A is given as [k, m], and B as [n, k].
  public var transA = false, transB = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("alpha", &alpha, default: 1)
    list.bool("transA", &transA, default: false)
    list.bool("transB", &transB, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(QGemm.self, domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let typeA = try builder.byteType(inputs, 0)
    _ = try builder.byteType(inputs, 3)
    func side(_ index: Int, _ transposed: Bool) throws -> ValueID {
      let (value, type) = (try inputs.value(index), try inputs.tensor(index))
      guard type.rank == 2 else {
        throw DiagnosticError(.user, "gemm.rank", "a and b must be matrices, but input \(index) is \(type)")
      }
      return transposed ? try builder.add1(Transpose([1, 0]), [value]) : value
    }
    let (a, b) = (try side(0, transA), try side(3, transB))
    let product = IntegerProduct(op: Self.name, inputs: inputs)
    if inputs.has(5) {
      let (scales, zeros) = (try inputs.tensor(4), try inputs.tensor(5))
      try builder.require(by: Self.name) {
        try $0.equal(
          scales.count, zeros.count, "numbers of entries of the scale \(scales) and of the zero point \(zeros) of b")
      }
    }
    let zero = try builder.number(Self.name, inputs, 2, "the zero point of a", typeA)
    var sums = try product.sums(a, b, zeroA: zero, zeroB: 5, into: &builder)
    if let c = inputs.id(6) {
      let (own, result) = (try inputs.tensor(6), try builder.type(sums))
      try builder.require(by: Self.name) { try $0.broadcast(own.shape, to: result.shape) }
      sums = try builder.add1(Binary(.add), [sums, c])
    }
    var scale = try builder.number(Self.name, inputs, 1, "the scale of a", .f32)
    if alpha != 1 { scale = try builder.add1(Binary(.multiply), [scale, try builder.scalar(alpha, .f32)]) }
    guard inputs.has(7) else {
      return [try product.real(sums, scaleA: scale, scaleB: 4, of: b, bias: 9, into: &builder)]
    }
    // The three scales become one factor before anything is rounded.
    let target = try builder.number(Self.name, inputs, 7, "the result's scale", .f32)
    try product.requireColumns(4, "the scale of b", of: b, into: &builder)
    let both = try builder.add1(Binary(.multiply), [scale, try inputs.value(4)])
    let factor = try builder.add1(Binary(.divide), [both, target])
    let scaled = try builder.add1(Binary(.multiply), [try builder.add1(Cast(to: .f32), [sums]), factor])
    let element = inputs.has(8) ? try builder.byteType(inputs, 8) : typeA
    let offset = try builder.number(Self.name, inputs, 8, "the result's zero point", element)
    return [try builder.add1(QuantizeLinear(), [scaled, try builder.scalar(1, .f32), offset])]
  }

  public static var examples: [OperatorExample] {
    func byte(_ value: UInt8) -> OperatorExample.Input { .constant(HostTensor(.u8, [], values: [value])) }
    func scale(_ value: Float) -> OperatorExample.Input { .constant(.f32([], [value])) }
    var turned = QGemm()
    turned.transA = true
    turned.transB = true
    turned.alpha = 0.5
    return [
      OperatorExample(
        QGemm(),
        [
          .random(TensorType(.u8, ["n", 3]), 0...255), scale(0.0123), byte(120),
          .random(TensorType(.i8, [3, 2]), -128...127), .constant(.f32([2], [0.01, 0.03])),
          .constant(HostTensor(.i8, [2], values: [Int8](arrayLiteral: 5, -9))),
          .random(TensorType(.i32, [2]), -99...99),
          scale(0.0789), byte(128),
        ], sizes: [Symbol("n"): 4]),
      OperatorExample(
        turned,
        [
          .random(TensorType(.u8, [3, "m"]), 0...255), scale(0.0123), byte(120),
          .random(TensorType(.u8, ["n", 3]), 0...255), scale(0.02), byte(99),
        ], sizes: [Symbol("m"): 4, Symbol("n"): 2]),
    ]
  }
}
