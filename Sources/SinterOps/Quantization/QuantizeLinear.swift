import SinterCore
import SinterForms
import SinterIR

/// Which scale and zero point belong to an element: one for all, one for each place along an axis, or one for each block of places.
struct QuantizationGrid {
  var axis: Int
  var blockSize: Int

  func check(_ inputs: NodeInputs, _ obligations: inout Obligations) throws {
    let (x, scale) = (try inputs.tensor(0), try inputs.tensor(1))
    let zero = inputs.has(2) ? try inputs.tensor(2) : nil
    guard blockSize >= 0 else {
      throw DiagnosticError(.user, "quantize.block", "block_size must not be negative, but is \(blockSize)")
    }
    func mismatch(_ needed: String) -> DiagnosticError {
      DiagnosticError(.user, "quantize.scale", "the scale must be \(needed), but is \(scale)")
    }
    if blockSize > 0 {
      let axis = try normalizedAxis(axis, rank: x.rank)
      guard scale.rank == x.rank else {
        throw mismatch("like \(x), with an element for each block of \(blockSize) along axis \(axis)")
      }
      for (place, size) in x.shape.enumerated() {
        let entries = place == axis ? size.ceilDivided(by: Dim(blockSize)) : size
        try obligations.equal(
          entries, scale.shape[place],
          "numbers of \(place == axis ? "blocks of \(blockSize)" : "elements") of \(x) and of entries of the scale \(scale) along axis \(place)"
        )
      }
      guard let zero else { return }
      guard zero.rank == scale.rank else { throw mismatch("like the zero point \(zero)") }
      _ = try obligations.equal(scale.shape, zero.shape, "sizes of scale \(scale) and zero point \(zero)")
      return
    }
    guard scale.rank <= 1, zero.map({ $0.rank <= 1 }) ?? true else {
      throw mismatch("one number, or a list with a zero point like it")
    }
    if let count = scale.shape.first {
      // A list of one is for all elements, whatever the axis.
      let size = (try? normalizedAxis(axis, rank: x.rank)).map { x.shape[$0] } ?? 1
      try obligations.broadcasts(count, to: size, "number of entries of the scale, along axis \(axis) of \(x),")
    }
    guard let zero else { return }
    try obligations.equal(
      scale.shape.first ?? 1, zero.shape.first ?? 1, "numbers of entries of the scale and of the zero point")
  }

  /// The index of an element's entry.
  func index(_ builder: BodyBuilder, _ index: [Expr], of entries: TensorType, for x: TensorType) throws -> [Expr] {
    guard blockSize > 0 else {
      guard let count = entries.shape.first, count != 1 else {
        return entries.shape.map { _ in builder.constant(0, .i64) }
      }
      let axis = try normalizedAxis(axis, rank: index.count)
      return Broadcast.index(builder, [index[axis]], of: [x.shape[axis]], into: entries.shape)
    }
    let axis = try normalizedAxis(axis, rank: index.count)
    var own = index
    own[axis] = index[axis].floorDivided(by: builder.constant(blockSize, .i64))
    return own
  }
}

/// round(x / scale) + zero point, held within the result's type. Inputs: x, scale, zero point (0).
public struct QuantizeLinear: Primitive {
  public static let name = "QuantizeLinear"
  public static let summary = "Floats as small integers or narrow floats: round(x / scale) + zero point."

  /// The axis along which scales differ, where there are several; from the end where negative.
  public var axis = 1
  /// How many elements along the axis share a scale; 0: all, or there is a scale for each place.
  public var blockSize = 0
  /// ONNX's number of the result's type where no zero point tells it; 0 is u8.
  public var outputType = 0
  /// ONNX's number of the type that divides; 0 is the scale's.
  public var precision = 0
  /// Whether values beyond the greatest of an 8-bit float become that, not infinity or NaN.
  public var saturate = true

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: 1)
    list.int("block_size", &blockSize, default: 0)
    list.int("output_dtype", &outputType, default: 0)
    list.int("precision", &precision, default: 0)
    list.bool("saturate", &saturate, default: true)
  }

  public static var onnx: [OnnxRule] {
    [.direct(QuantizeLinear.self, since: 10), .direct(QuantizeLinear.self, domain: .microsoft)]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(
      of: self, since: precision != 0 ? 23 : blockSize != 0 || outputType != 0 ? 21 : saturate ? 13 : 19)
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
    try QuantizationGrid(axis: axis, blockSize: blockSize).check(inputs, &obligations)
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
        let entry = try grid.index(builder, index, of: scale.type, for: x.type)
        let compute = divides.computeType
        let quotient = builder.load(x.id, index).cast(to: compute) / builder.load(scale.id, entry).cast(to: compute)
        let offset = try zero.map { builder.load($0.id, try grid.index(builder, index, of: $0.type, for: x.type)) }
        return Quantization.rounded(
          quotient.cast(to: divides).cast(to: compute), plus: offset, to: type, saturate: saturate)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 3]), -40...40)
    let sizes = [Symbol("n"): 4]
    func constant(_ values: [UInt8]) -> OperatorExample.Input {
      .constant(HostTensor(.u8, [values.count], values: values))
    }
    var blocks = QuantizeLinear()
    blocks.axis = 0
    blocks.blockSize = 2
    return [
      OperatorExample(QuantizeLinear(), [x, .constant(.f32([], [0.25]))], sizes: sizes),
      OperatorExample(
        QuantizeLinear(), [x, .constant(.f32([3], [0.25, 0.5, 1])), constant([128, 3, 0])], sizes: sizes),
      OperatorExample(
        blocks,
        [
          .random(TensorType(.f32, [4, 2]), -9...9), .random(TensorType(.f32, [2, 2]), 0.1...1),
          .constant(HostTensor(.i8, [2, 2], values: [Int8](repeating: 1, count: 4))),
        ]),
      OperatorExample(
        blocks,
        [
          .random(TensorType(.f32, ["n", "m"]), -9...9), .random(TensorType(.f32, ["k", "l"]), 0.1...1),
          .random(TensorType(.i8, ["p", "q"]), -3...3),
        ], sizes: [Symbol("n"): 3, Symbol("m"): 2, Symbol("k"): 2, Symbol("l"): 2, Symbol("p"): 2, Symbol("q"): 2]),
      OperatorExample(
        QuantizeLinear(),
        [
          .random(TensorType(.f32, ["n", "m"]), -9...9), .random(TensorType(.f32, ["k"]), 0.1...1),
          .random(TensorType(.i8, ["p"]), -3...3),
        ], sizes: [Symbol("n"): 3, Symbol("m"): 2, Symbol("k"): 2, Symbol("p"): 2]),
    ]
  }
}

/// (x - zero point) · scale. Inputs: x, scale, zero point (0).
public struct DequantizeLinear: Primitive {
  public static let name = "DequantizeLinear"
  public static let summary = "Small integers or narrow floats as floats: (x - zero point)·scale."

  /// The axis along which scales differ, where there are several; from the end where negative.
  public var axis = 1
  /// How many elements along the axis share a scale; 0: all, or there is a scale for each place.
  public var blockSize = 0
  /// ONNX's number of the result's type; 0 is the scale's.
  public var outputType = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: 1)
    list.int("block_size", &blockSize, default: 0)
    list.int("output_dtype", &outputType, default: 0)
  }

  public static var onnx: [OnnxRule] {
    [.direct(DequantizeLinear.self, since: 10), .direct(DequantizeLinear.self, domain: .microsoft)]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, since: outputType != 0 ? 23 : blockSize != 0 ? 21 : 13)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, scale) = (try inputs.tensor(0), try inputs.tensor(1))
    try requireElement(x) { $0.isInteger || $0.bits <= 8 && $0.isFloat }
    try QuantizationGrid(axis: axis, blockSize: blockSize).check(inputs, &obligations)
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
        let entry = try grid.index(builder, index, of: scale.type, for: x.type)
        var value = builder.load(x.id, index).cast(to: exact)
        if let zero {
          value =
            value - builder.load(zero.id, try grid.index(builder, index, of: zero.type, for: x.type)).cast(to: exact)
        }
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
        [
          x, .constant(.f32([3], [0.25, 0.5, 1])),
          .constant(HostTensor(.u8, [3], values: [UInt8](arrayLiteral: 128, 3, 0))),
        ],
        sizes: sizes),
      OperatorExample(
        DequantizeLinear(),
        [
          .random(TensorType(.u8, ["n", "m"]), 0...255), .random(TensorType(.f32, ["k"]), 0.1...1),
          .random(TensorType(.u8, ["p"]), 0...255),
        ], sizes: [Symbol("n"): 3, Symbol("m"): 2, Symbol("k"): 1, Symbol("p"): 1]),
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
    if quotient.type == .f32, type == .u8 {
      // The conversion holds it within the type.
      let whole = quotient.unary(.round)
      return (offset.map { whole + $0.cast(to: .f32) } ?? whole).cast(to: type)
    }
    let builder = quotient.builder
    if quotient.type == .f32, type.bits <= 16 {
      // Held within the range first, a number is so small that adding 1.5·2²³ rounds it, halves to even, into the low bits of the sum.
      let range = type.integerRange
      let magic = Float(12_582_912)
      func bound(_ value: Int64) -> Expr {
        let limit = builder.constant(Double(value), .f32)
        return offset.map { limit - $0.cast(to: .f32) } ?? limit
      }
      let (low, high) = (bound(range.lowerBound), bound(range.upperBound))
      let raised = builder.select(quotient > low, quotient, low)
      let held = builder.select(raised < high, raised, high)
      let bits = (held + Double(magic)).bitcast(to: .i32)
      let base = builder.constant(Int(magic.bitPattern), .i32)
      return (bits - (offset.map { base - $0.cast(to: .i32) } ?? base)).cast(to: type)
    }
    var value = quotient.unary(.round)
    if let offset { value = value + offset.cast(to: type.computeType).cast(to: quotient.type) }
    let range = type.integerRange
    return value.clamped(
      builder.constant(Double(range.lowerBound), value.type), builder.constant(Double(range.upperBound), value.type)
    ).cast(to: .i32).cast(to: type)
  }
}

extension DequantizeLinear: Differentiable {
  /// Of the scale: the sum of what it multiplies. The numbers themselves are whole.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let scale = try node.input(1)
    guard node.wants(1) else { return [nil, nil, nil] }
    let rank = try scale.rank
    guard rank == 0 || blockSize == 0 else {
      throw DiagnosticError(.limit, "gradient.operator", "scales of blocks have no gradient")
    }
    let x = try node.input(0)
    let ones = try scale.zeros() + 1.0
    let numbers = try x.applying(self, ones, node.has(2) ? try node.input(2) : nil)
    let products = try (node.gradient() * numbers).cast(to: try scale.element)
    let own = rank == 0 ? nil : try normalizedAxis(axis, rank: try x.rank)
    let sum = try products.sum((0..<(try x.rank)).filter { $0 != own }, keepsAxes: false)
    guard rank > 0, let size = try scale.shape.first else { return [nil, try sum.reshaped(like: scale), nil] }
    // One scale may serve a whole axis.
    return [nil, try size == 1 ? sum.sum([0]) : sum.summed(to: scale), nil]
  }
}
