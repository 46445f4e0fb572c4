import SinterCore
import SinterForms
import SinterIR

/// Elements converted to another type by value.
public struct Cast: Primitive, Elementwise {
  public static let name = "Cast"
  public static let summary = "Elements converted to another type."

  /// Which power of two a number becomes that lies between two of them.
  public enum RoundMode: String, CaseIterable, Sendable { case up, down, nearest }

  /// The element type of the result.
  public var to = ElementType.f32
  /// Whether values beyond the greatest of an 8-bit float become that, not infinity or NaN.
  public var saturate = true
  /// How values are rounded to f8e8m0, which holds powers of two: away from zero, towards it, or to the nearer one, halves up.
  public var roundMode = RoundMode.up

  public init() {}
  /// A conversion to a type, saturating.
  public init(to type: ElementType) { to = type }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.elementType("to", &to)
    list.bool("saturate", &saturate, default: true)
    list.choice("round_mode", &roundMode, default: .up)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(Cast.self, since: 6).keepingShape,
      OnnxRule(values: Cast.name) { node, builder in
        // The first version names the type in capitals.
        let names: [String: ElementType] = [
          "FLOAT": .f32, "DOUBLE": .f64, "FLOAT16": .f16, "INT8": .i8, "INT16": .i16, "INT32": .i32, "INT64": .i64,
          "UINT8": .u8, "UINT16": .u16, "UINT32": .u32, "UINT64": .u64, "BOOL": .bool, "STRING": .string,
        ]
        var named = node
        if let name = node.string("to") {
          guard let type = names[name.uppercased()] else {
            throw DiagnosticError(.user, "onnx.attribute", "attribute to must be an element type, but is \"\(name)\"")
          }
          named.attributes["to"] = .elementType(type)
        }
        return try OnnxRule.direct(Cast.self).build(named, &builder)
      }.keepingShape,
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, since: roundMode != .up ? 24 : saturate ? 9 : 19)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let fact = try inputs.fact(0)
    let x = try inputs.tensor(0)
    for type in [x.element, to] where type.kind == .string || type.kind == .complex {
      if x.element != to, !(type == .string && Self.hasText(x.element == .string ? to : x.element)) {
        throw DiagnosticError(.limit, "cast.type", "casts from \(x.element) to \(to) are not supported")
      }
    }
    return [Fact(to, x.shape, contents: to == .i64 || to == .i32 ? fact.contents : nil)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    if x.element == to { return [x] }
    if to == .string { return [try printed(x, into: &lowering)] }
    if x.element == .string { return [try parsed(x, into: &lowering)] }
    return [try lowering.element(x.shape) { builder, index in convert(builder.load(x.id, index)) }]
  }

  func convert(_ x: Expr) -> Expr {
    if let limit = to.unsaturatedLimit, !saturate, x.type.isFloat {
      let wide = x.cast(to: x.type == .f64 ? .f64 : .f32)
      let isBeyond = wide.unary(.abs) > limit
      guard to == .f8e5m2 else {
        return x.builder.select(isBeyond, x.builder.constant(.nan, wide.type), wide).cast(to: to)
      }
      // A cast saturates, so that infinity is written as its bits.
      let infinity = x.builder.select(wide < 0, x.builder.constant(0xfc, .u8), x.builder.constant(0x7c, .u8))
      return x.builder.select(isBeyond, infinity, wide.cast(to: to).bitcast(to: .u8)).bitcast(to: to)
    }
    if to == .f8e8m0 { return power(x) }
    // Packed integers keep the low bits; the smallest float has no NaN.
    if to.isInteger && to.bits < 8 { return x.cast(to: .i32).cast(to: to) }
    if to == .f4e2m1 {
      let wide = x.cast(to: x.type == .f64 ? .f64 : .f32)
      return x.builder.select(wide.unary(.isNaN), x.builder.constant(-0.0, wide.type), wide).cast(to: to)
    }
    if to == .f16 || to == .bf16, x.type.isFloat, x.type.bits > 16 { return x.rounded(to: to) }
    return x.cast(to: to)
  }

  /// The power of two that a number is rounded to; NaN for negative numbers. The conversion of bodies rounds up and saturates, so that it is
  /// given a power of two already where the mode is another.
  private func power(_ x: Expr) -> Expr {
    let builder = x.builder
    let value = x.cast(to: .f32)
    func number(_ value: Double) -> Expr { builder.constant(value, .f32) }
    var rounded = value
    if roundMode != .up {
      let bits = value.bitcast(to: .i32)
      let half = builder.constant(roundMode == .nearest ? 1 << 22 : 0, .i32)
      let exponent = builder.constant(Int(Int32(bitPattern: 0xff80_0000)), .i32)
      let power = (bits + half).applying(.and, exponent).bitcast(to: .f32)
      // The least power of two has no exponent bits in f32.
      let upper = roundMode == .nearest ? 0x1.8p-127 : 0x1p-126
      let small = builder.select(value >= upper, number(0x1p-126), value.minimum(number(0x1p-127)))
      rounded = builder.select(value < 0x1p-126, small, power)
      rounded = builder.select(value <= Double(Float.greatestFiniteMagnitude), rounded, value)
    }
    if !saturate {
      let isWithin = (value >= 0x1p-127) && (value <= 0x1p127)
      rounded = builder.select(isWithin, rounded, number(.nan))
    }
    return rounded.cast(to: to)
  }

  public static var examples: [OperatorExample] {
    func example(_ from: ElementType, _ to: ElementType, _ range: ClosedRange<Double>) -> OperatorExample {
      OperatorExample(Cast(to: to), [.random(TensorType(from, ["n", 5]), range)], sizes: [Symbol("n"): 2])
    }
    return [
      example(.f32, .i32, -9...9), example(.i64, .f32, -9...9), example(.f32, .f16, -9...9),
      example(.f16, .f64, -9...9),
      example(.f32, .bool, -1...1), example(.bool, .i64, 0...2), example(.f32, .bf16, -9...9),
      example(.i32, .u8, 0...255),
    ] + textExamples
  }

  private static var textExamples: [OperatorExample] {
    let numbers: [OperatorExample.Input] = [
      .given(.f32([9], [0, -0.0, 0.1, 1.0 / 3, 16_777_216, 1e-5, .nan, .infinity, -.infinity])),
      .given(HostTensor(.f64, [3], doubles: [1e300, -0.1, 16_777_216])),
      .given(HostTensor(.f16, [2], doubles: [0.1, -2])),
      .given(.i64([3], [.min, 0, .max])), .given(HostTensor(.u64, [2], integers: [-1, 7] as [Int64])),
      .given(HostTensor(.i8, [2], integers: [-128, 5] as [Int64])),
      .given(HostTensor(.bool, [2], values: [true, false])),
    ]
    let texts = HostTensor(strings: ["1", " -2.5e1x", "007", "+3 4"], shape: [2, 2])
    let special = HostTensor(strings: ["nan", "-INF", "infinity", "1e999", ".5", "0x10"], shape: [6])
    return numbers.map { OperatorExample(Cast(to: .string), [$0]) }
      + [.f32, .f64, .f16, .i64, .i8, .u8, .u64, .bool].map { OperatorExample(Cast(to: $0), [.given(texts)]) }
      + [.f32, .f64].map { OperatorExample(Cast(to: $0), [.given(special)]) }
  }
}

/// Elements converted to the type of a second input.
public struct CastLike: Composite {
  public static let name = "CastLike"
  public static let summary = "Elements converted to the type of a second input."

  /// Whether values beyond the greatest of an 8-bit float become that, not infinity or NaN.
  public var saturate = true
  /// How values are rounded to f8e8m0: see `Cast`.
  public var roundMode = Cast.RoundMode.up

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("saturate", &saturate, default: true)
    list.choice("round_mode", &roundMode, default: .up)
  }

  public static var onnx: [OnnxRule] { [.direct(CastLike.self, since: 15).keepingShape] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, since: roundMode != .up ? 24 : saturate ? 15 : 19)
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    var cast = Cast(to: try inputs.tensor(1).element)
    cast.saturate = saturate
    cast.roundMode = roundMode
    return [try builder.add1(cast, [try inputs.value(0)])]
  }

  public static var examples: [OperatorExample] {
    [OperatorExample(CastLike(), [.random(TensorType(.f32, [4]), -9...9), .random(TensorType(.i32, [1]), 0...1)])]
  }
}

extension ElementType {
  /// The largest magnitude that rounds to a finite value, for 8-bit floats. Half the way to the next exponent rounds to even: down
  /// where the largest number is even, up where it is odd.
  fileprivate var unsaturatedLimit: Double? {
    switch self {
    case .f8e4m3fn: 464
    case .f8e4m3fnuz: Double(Float(248).nextDown)
    case .f8e5m2, .f8e5m2fnuz: Double(Float(61440).nextDown)
    default: nil
    }
  }
}

extension Cast: Differentiable {
  /// Rounding is passed through; numbers that are no floats have no gradient.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let element = try node.input(0).element
    return [to.isFloat && element.isFloat ? try node.gradient().cast(to: element) : nil]
  }
}
