import SinterCore
import SinterForms
import SinterIR

/// Functions of two elements of one type, with NumPy's broadcasting.
public struct Binary: Primitive, Elementwise {
  public static let name = "Binary"
  public static let summary = "Functions of two elements with broadcasting: arithmetic, logic, bits."

  /// Which function of two elements.
  public enum Kind: String, CaseIterable, Sendable {
    case add, subtract, multiply
    /// Integers toward zero.
    case divide
    /// The result has the type of the base; the exponent may have another.
    case power
    /// With the sign of the divisor, as Python has it.
    case modulo
    /// With the sign of the dividend, as C has it.
    case remainder
    case and, or, xor
    case bitwiseAnd, bitwiseOr, bitwiseXor
    case shiftLeft, shiftRight

    var onnxName: String {
      switch self {
      case .add: "Add"
      case .subtract: "Sub"
      case .multiply: "Mul"
      case .divide: "Div"
      case .power: "Pow"
      case .modulo, .remainder: "Mod"
      case .and: "And"
      case .or: "Or"
      case .xor: "Xor"
      case .bitwiseAnd: "BitwiseAnd"
      case .bitwiseOr: "BitwiseOr"
      case .bitwiseXor: "BitwiseXor"
      case .shiftLeft, .shiftRight: "BitShift"
      }
    }

    /// The opset that has it with broadcasting.
    var since: Int {
      switch self {
      case .add, .subtract, .multiply, .divide, .power, .and, .or, .xor: 7
      case .modulo, .remainder: 10
      case .shiftLeft, .shiftRight: 11
      case .bitwiseAnd, .bitwiseOr, .bitwiseXor: 18
      }
    }

    func accepts(_ type: ElementType) -> Bool {
      switch self {
      case .add, .subtract, .multiply, .divide, .power, .modulo, .remainder: type.isFloat || type.isInteger
      case .and, .or, .xor: type == .bool
      case .bitwiseAnd, .bitwiseOr, .bitwiseXor, .shiftLeft, .shiftRight: type.isInteger
      }
    }
  }

  /// Which function it is.
  public var kind = Kind.add

  public init() {}
  /// A function of two elements.
  public init(_ kind: Kind) { self.kind = kind }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .add)
  }

  public static var onnx: [OnnxRule] {
    let plain = Kind.allCases.filter { $0.onnxName != "Mod" && $0.onnxName != "BitShift" }
    return plain.map { kind in .direct(Binary.self, as: kind.onnxName, since: kind.since) { op, _ in op.kind = kind } }
      + plain.filter { $0.since == 7 }.map { legacyBroadcast(Binary($0), as: $0.onnxName) } + [
        .direct(Binary.self, as: "Mod", since: 10) { op, node in
          op.kind = node.int("fmod") ?? 0 != 0 ? .remainder : .modulo
        },
        .direct(Binary.self, as: "BitShift", since: 11) { op, node in
          switch node.string("direction") {
          case "LEFT": op.kind = .shiftLeft
          case "RIGHT": op.kind = .shiftRight
          case let other:
            throw DiagnosticError(
              .user, "onnx.attribute", "attribute direction must be \"LEFT\" or \"RIGHT\", but is \(other ?? "missing")"
            )
          }
        },
      ]
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    let attributes: [(name: String, value: OnnxAttribute)] =
      switch kind {
      case .remainder: [("fmod", .int(1))]
      case .shiftLeft: [("direction", .string("LEFT"))]
      case .shiftRight: [("direction", .string("RIGHT"))]
      case .add, .subtract, .multiply, .divide, .power, .modulo, .and, .or, .xor, .bitwiseAnd, .bitwiseOr, .bitwiseXor:
        []
      }
    return NodeSpecification(kind.onnxName, since: kind.since, attributes: attributes)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (a, b) = (try inputs.tensor(0), try inputs.tensor(1))
    try requireElement(a, kind.accepts, name: "input 0")
    if kind == .power {
      try requireElement(b, kind.accepts, name: "input 1")
    } else if a.element != b.element {
      throw DiagnosticError(
        .user, "operator.type", "inputs must have one element type, but are \(a) and \(b)", hint: "insert a Cast")
    }
    return [Fact(a.element, try obligations.broadcast(a.shape, b.shape))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (a, b) = (try node.input(0), try node.input(1))
    let shape = try node.output().shape
    let exponent = kind == .power ? node.facts.constant(1)?.uniformNumber : nil
    return [
      try lowering.element(shape) { builder, index in
        let x = builder.load(a, at: index, of: shape)
        if let exponent, let result = Binary.power(x, exponent) { return result.cast(to: a.element) }
        return apply(x, builder.load(b, at: index, of: shape)).cast(to: a.element)
      }
    ]
  }

  private func apply(_ x: Expr, _ y: Expr) -> Expr {
    switch kind {
    case .add: return x + y
    case .subtract: return x - y
    case .multiply: return x * y
    case .divide: return x / y
    case .power:
      if x.type.isInteger && y.type.isFloat { return x.cast(to: .f64).power(y.cast(to: .f64)) }
      return x.power(y.cast(to: x.type))
    case .modulo: return x.modulo(y)
    case .remainder: return x.remainder(y)
    case .and, .bitwiseAnd: return x.applying(.and, y)
    case .or, .bitwiseOr: return x.applying(.or, y)
    case .xor, .bitwiseXor: return x.applying(.xor, y)
    case .shiftLeft: return x.applying(.shiftLeft, y)
    case .shiftRight:
      guard x.type.kind == .signed else { return x.applying(.shiftRight, y) }
      // By the width or more, and by less than nothing, only the sign is left.
      let last = x.builder.constant(x.type.bits - 1, x.type)
      return x.applying(.shiftRight, x.builder.select((y < 0) || (y > last), last, y))
    }
  }

  /// A power that is cheaper as products or as a square root.
  private static func power(_ x: Expr, _ exponent: Double) -> Expr? {
    switch exponent {
    case 1: x
    case 2: x * x
    case 3: x * x * x
    case 0.5 where x.type.isFloat: x.unary(.sqrt)
    case -0.5 where x.type.isFloat: 1 / x.unary(.sqrt)
    case -1 where x.type.isFloat: 1 / x
    case -2 where x.type.isFloat: 1 / (x * x)
    default: nil
    }
  }

  public static var examples: [OperatorExample] {
    Kind.allCases.map { kind in
      let (type, range, other): (ElementType, ClosedRange<Double>, ClosedRange<Double>) =
        switch kind {
        case .and, .or, .xor: (.bool, 0...2, 0...2)
        case .bitwiseAnd, .bitwiseOr, .bitwiseXor: (.i32, -100...100, -100...100)
        case .shiftLeft, .shiftRight: (.u16, 0...500, 0...9)
        case .power: (.f32, 0.2...3, -2...2)
        case .add, .subtract, .multiply, .divide, .modulo, .remainder: (.f32, -3...3, 0.5...2)
        }
      return OperatorExample(
        Binary(kind), [.random(TensorType(type, [2, 1, "n"]), range), .random(TensorType(type, [3, 1]), other)],
        sizes: [Symbol("n"): 5])
    } + [
      OperatorExample(
        Binary(.divide), [.random(TensorType(.i32, [9]), -20...20), .random(TensorType(.i32, [9]), 1...4)]),
      OperatorExample(
        Binary(.modulo), [.random(TensorType(.i64, [9]), -20...20), .random(TensorType(.i64, []), 1...4)]),
      OperatorExample(
        Binary(.power), [.random(TensorType(.f32, [5]), -2...2), .constant(.f32([], [2]))]),
      OperatorExample(
        Binary(.add), [.random(TensorType(.f32, ["a", 3]), -2...2), .random(TensorType(.f32, ["b", 3]), -2...2)],
        sizes: [Symbol("a"): 1, Symbol("b"): 4]),
    ]
  }
}

/// The reading of opsets 1 to 6: no broadcasting, unless `broadcast` says so; the second input's axes then begin at `axis`, by default
/// so that they end with the first's.
func legacyBroadcast(_ op: some Operator, as opType: String) -> OnnxRule {
  OnnxRule(opType, since: 1) { node, builder in
    var inputs = node.inputs
    if node.int("broadcast") ?? 0 != 0, let axis = node.int("axis"), let a = node.input(0), let b = node.input(1) {
      let rank = try builder.type(a).rank
      inputs[1] = try builder.alignLeft(b, at: try normalizedAxis(axis, rank: rank), rank: rank)
    }
    return try builder.add(op, inputs)
  }
}

extension HostTensor {
  /// The one number that all elements are; nil where they differ, or for types other than f32, f64 and integers.
  var uniformNumber: Double? {
    let values: [Double]
    switch element {
    case .f32 where count <= 16: values = array(of: Float.self).map { Double($0) }
    case .f64 where count <= 16: values = array(of: Double.self)
    default:
      guard count <= 16, let integers else { return nil }
      values = integers.map { Double($0) }
    }
    guard let first = values.first, values.allSatisfy({ $0 == first }) else { return nil }
    return first
  }

  /// The same, integers exactly.
  var uniformScalar: Scalar? {
    if element.isFloat { return uniformNumber.map { .float($0) } }
    guard count <= 16, let integers, let first = integers.first, integers.allSatisfy({ $0 == first }) else {
      return nil
    }
    return .int(Int64(first))
  }
}

extension Binary: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (a, b) = (try node.input(0), try node.input(1))
    let g = try node.gradient()
    func ofA(_ gradient: () throws -> GradientTensor) throws -> GradientTensor? {
      node.wants(0) ? try gradient().summed(to: a) : nil
    }
    func ofB(_ gradient: () throws -> GradientTensor) throws -> GradientTensor? {
      node.wants(1) ? try gradient().cast(to: try b.element).summed(to: b) : nil
    }
    switch kind {
    case .add: return [try ofA { g }, try ofB { g }]
    case .subtract: return [try ofA { g }, try ofB { try -g }]
    case .multiply: return [try ofA { try g * b }, try ofB { try g * a }]
    case .divide: return [try ofA { try g / b }, try ofB { try -(g * node.output / b) }]
    case .power:
      let exponent = try b.cast(to: try a.element)
      return [
        // The derivative of x^0 is 0 also at 0, where the formula has 0 times infinity.
        try ofA { try (g * exponent * a.power(exponent - 1)).dropped(where: exponent.compare(.equal, 0)) },
        try ofB { try (g * node.output * a.unary(.log)).dropped(where: a.compare(.equal, 0)) },
      ]
    case .modulo: return [try ofA { g }, try ofB { try -(g * (a / b).unary(.floor)) }]
    case .remainder: return [try ofA { g }, try ofB { try -(g * ((a - node.output) / b).unary(.round)) }]
    case .and, .or, .xor, .bitwiseAnd, .bitwiseOr, .bitwiseXor, .shiftLeft, .shiftRight: return [nil, nil]
    }
  }
}
