import SinterCore
import SinterIR
import SinterKernel

/// Which scale and zero point belong to an element: one for all, one for each place along an axis, or one for each block of places.
struct QuantizationGrid {
  var axis: Int
  var blockSize: Int

  func check(_ x: TensorType, _ scale: TensorType) throws {
    if scale.rank == 0 || scale.count == 1 { return }
    let axis = try normalizedAxis(axis, rank: x.rank)
    if blockSize > 0 {
      guard scale.rank == x.rank else {
        throw DiagnosticError(
          .user, "quantize.scale", "with blocks of \(blockSize), the scale must have as many axes as \(x), but is \(scale)")
      }
    } else {
      guard scale.rank == 1, scale.shape[0] == x.shape[axis] || !scale.shape[0].isConstant || !x.shape[axis].isConstant
      else {
        throw DiagnosticError(
          .user, "quantize.scale", "the scale must be one number, or [\(x.shape[axis])] for axis \(axis) of \(x), but is \(scale)")
      }
    }
  }

  /// The index of an element's entry.
  func index(_ builder: BodyBuilder, _ index: [Expr], of entries: TensorType) throws -> [Expr] {
    if entries.rank == 0 || entries.count == 1 { return entries.shape.map { _ in builder.constant(0, .i64) } }
    let axis = try normalizedAxis(axis, rank: index.count)
    if blockSize == 0 { return [index[axis]] }
    var own = index
    own[axis] = index[axis].floorDivided(by: builder.constant(blockSize, .i64))
    return own
  }
}

/// round(x / scale) + zero point, held within the result's type. Inputs: x, scale, zero point (0).
public struct QuantizeLinear: Primitive {
  public static let name = "QuantizeLinear"
  public static let summary = "Floats as small integers or narrow floats: round(x / scale) + zero point."

  public var axis = 1
  public var blockSize = 0
  /// ONNX's number of the result's type where no zero point tells it; 0 is u8.
  public var outputType = 0
  /// ONNX's number of the type that divides; 0 is the scale's.
  public var precision = 0
  public var saturate = true

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: 1)
    list.int("block_size", &blockSize, default: 0)
    list.int("output_dtype", &outputType, default: 0)
    list.int("precision", &precision, default: 0)
    list.bool("saturate", &saturate, default: true)
  }

  public static var onnx: [OnnxRule] { [.direct(QuantizeLinear.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? {
    OnnxForm(of: self, since: precision != 0 ? 23 : blockSize != 0 || outputType != 0 ? 21 : saturate ? 13 : 19)
  }

  private func resultType(_ inputs: NodeInputs) throws -> ElementType {
    if inputs.has(2) { return try inputs.tensor(2).element }
    guard outputType != 0 else { return .u8 }
    guard let type = ElementType(onnx: outputType) else {
      throw DiagnosticError(.user, "quantize.type", "output_dtype \(outputType) is no element type")
    }
    return type
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat || $0 == .i32 }
    try QuantizationGrid(axis: axis, blockSize: blockSize).check(x, try inputs.tensor(1))
    return [Fact(try resultType(inputs), x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, scale) = (try node.input(0), try node.input(1))
    let zero = node.has(2) ? try node.input(2) : nil
    let type = try node.output().element
    let grid = QuantizationGrid(axis: axis, blockSize: blockSize)
    let divides = precision == 0 ? scale.element : ElementType(onnx: precision) ?? scale.element
    return [
      try lowering.element(x.shape) { builder, index in
        let entry = try grid.index(builder, index, of: scale.type)
        let compute = divides.computeType
        let quotient = builder.load(x.id, index).cast(to: compute) / builder.load(scale.id, entry).cast(to: compute)
        let offset = try zero.map { builder.load($0.id, try grid.index(builder, index, of: $0.type)) }
        return Quantization.rounded(quotient.cast(to: divides).cast(to: compute), plus: offset, to: type, saturate: saturate)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 3]), -40...40)
    let sizes = [Symbol("n"): 4]
    func constant(_ values: [UInt8]) -> OperatorExample.Input { .constant(HostTensor(.u8, [values.count], values: values)) }
    var blocks = QuantizeLinear()
    blocks.axis = 0
    blocks.blockSize = 2
    return [
      OperatorExample(QuantizeLinear(), [x, .constant(.f32([], [0.25]))], sizes: sizes),
      OperatorExample(QuantizeLinear(), [x, .constant(.f32([3], [0.25, 0.5, 1])), constant([128, 3, 0])], sizes: sizes),
      OperatorExample(
        blocks,
        [
          .random(TensorType(.f32, [4, 2]), -9...9), .random(TensorType(.f32, [2, 2]), 0.1...1),
          .constant(HostTensor(.i8, [2, 2], values: [Int8](repeating: 1, count: 4))),
        ]),
    ]
  }
}

/// (x - zero point) · scale. Inputs: x, scale, zero point (0).
public struct DequantizeLinear: Primitive {
  public static let name = "DequantizeLinear"
  public static let summary = "Small integers or narrow floats as floats: (x - zero point)·scale."

  public var axis = 1
  public var blockSize = 0
  /// ONNX's number of the result's type; 0 is the scale's.
  public var outputType = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: 1)
    list.int("block_size", &blockSize, default: 0)
    list.int("output_dtype", &outputType, default: 0)
  }

  public static var onnx: [OnnxRule] { [.direct(DequantizeLinear.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? {
    OnnxForm(of: self, since: outputType != 0 ? 23 : blockSize != 0 ? 21 : 13)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, scale) = (try inputs.tensor(0), try inputs.tensor(1))
    try requireElement(x) { $0.isInteger || $0.bits <= 8 && $0.isFloat }
    try QuantizationGrid(axis: axis, blockSize: blockSize).check(x, scale)
    return [Fact(ElementType(onnx: outputType) ?? scale.element, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, scale) = (try node.input(0), try node.input(1))
    let zero = node.has(2) ? try node.input(2) : nil
    let type = try node.output().element
    let grid = QuantizationGrid(axis: axis, blockSize: blockSize)
    // Differences of integers are exact in 32 bits.
    let exact: ElementType = x.element.isFloat ? .f32 : .i32
    return [
      try lowering.element(x.shape) { builder, index in
        let entry = try grid.index(builder, index, of: scale.type)
        var value = builder.load(x.id, index).cast(to: exact)
        if let zero { value = value - builder.load(zero.id, try grid.index(builder, index, of: zero.type)).cast(to: exact) }
        let compute = scale.element.computeType
        return (value.cast(to: compute) * builder.load(scale.id, entry).cast(to: compute)).cast(to: type)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.u8, ["n", 3]), 0...255)
    let sizes = [Symbol("n"): 4]
    return [
      OperatorExample(DequantizeLinear(), [x, .constant(.f32([], [0.25]))], sizes: sizes),
      OperatorExample(
        DequantizeLinear(),
        [x, .constant(.f32([3], [0.25, 0.5, 1])), .constant(HostTensor(.u8, [3], values: [UInt8](arrayLiteral: 128, 3, 0)))],
        sizes: sizes),
    ]
  }
}

enum Quantization {
  /// A quotient as an element of a quantized type: rounded, moved by the zero point, and held within the type.
  static func rounded(_ quotient: Expr, plus offset: Expr?, to type: ElementType, saturate: Bool = true) -> Expr {
    if type.isFloat {
      var cast = Cast(to: type)
      cast.saturate = saturate
      return cast.convert(quotient)
    }
    let builder = quotient.builder
    var value = quotient.unary(.round)
    if let offset { value = value + offset.cast(to: type.computeType).cast(to: quotient.type) }
    let range = type.integerRange
    return value.clamped(
      builder.constant(Double(range.lowerBound), value.type), builder.constant(Double(range.upperBound), value.type)
    ).cast(to: .i32).cast(to: type)
  }
}
