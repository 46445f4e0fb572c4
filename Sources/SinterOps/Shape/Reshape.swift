import SinterCore
import SinterIR
import SinterKernel

/// The same elements under sizes that the second input gives: 0 keeps the input's size there (or is zero with `allowzero`), and one -1
/// is whatever the others leave.
public struct Reshape: Primitive {
  public static let name = "Reshape"
  public static let summary = "The same elements under other sizes."

  public var allowZero = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("allowzero", &allowZero, default: false)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(Reshape.self, since: 5),
      OnnxRule("Reshape", since: 1) { node, builder in
        try builder.add(Reshape(), [node.input(0), builder.integers(node.ints("shape") ?? [])])
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: allowZero ? 14 : 5) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let fact = try inputs.fact(0)
    let x = try inputs.tensor(0)
    if inputs.contents(1) == nil, let declared = try inputs.declaredReshape(of: x) {
      return [Fact(x.element, declared)]
    }
    var shape = try inputs.knownSizes(1, "shape")
    var open: Int?
    for (axis, size) in shape.enumerated() {
      switch size.value {
      case 0 where !allowZero:
        guard axis < x.rank else {
          throw DiagnosticError(
            .user, "reshape.zero", "shape \(shape) keeps the size of axis \(axis), but the input is \(x)")
        }
        shape[axis] = x.shape[axis]
      case -1:
        if let open {
          throw DiagnosticError(
            .user, "reshape.shape", "shape \(shape) has -1 at axes \(open) and \(axis); one may be open")
        }
        open = axis
      case let number? where number < -1:
        throw DiagnosticError(
          .user, "reshape.shape", "shape \(shape) holds \(number); sizes are at least 0, or -1 once")
      default: break
      }
    }
    if let open {
      var rest = Dim(1)
      for (axis, size) in shape.enumerated() where axis != open { rest = rest * size }
      if let total = x.count.value, let known = rest.value, known == 0 ? total != 0 : total % known != 0 {
        throw DiagnosticError(
          .user, "reshape.count", "\(x) has \(total) elements, which shape \(shape) does not divide")
      }
      shape[open] = rest == 0 ? 0 : x.count.exactQuotient(by: rest) ?? x.count / rest
    } else {
      let count = shape.reduce(Dim(1), *)
      if let given = count.value, let total = x.count.value, given != total {
        throw DiagnosticError(.user, "reshape.count", "\(x) has \(total) elements, but shape \(shape) has \(given)")
      }
    }
    return [Fact(x.element, shape, contents: fact.contents)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    [try lowering.reshape(try node.input(0), to: try node.output().shape)]
  }

  public static var examples: [OperatorExample] {
    func example(_ shape: [Dim], _ to: [Int], _ sizes: [Symbol: Int] = [:]) -> OperatorExample {
      OperatorExample(
        Reshape(), [.random(TensorType(.f32, shape), -1...1), .constant(.i64([to.count], to))], sizes: sizes)
    }
    return [
      example([2, 3, 4], [4, 6]), example([2, 3, 4], [0, -1]), example([2, 3, 4], [2, 1, 3, 2, 2]),
      example([6], [2, 3]),
      example(["n", 6, 4], [-1, 4], [Symbol("n"): 3]), example(["n", 6, 4], [0, 2, 3, 4], [Symbol("n"): 3]),
      example([1], []),
    ]
  }
}

/// The axes before `axis` joined into one, and those from it on into another.
public struct Flatten: Primitive {
  public static let name = "Flatten"
  public static let summary = "The axes before and from an axis on joined into two."

  public var axis = 1

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.int("axis", &axis, default: 1) }
  public static var onnx: [OnnxRule] { [.direct(Flatten.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: axis < 0 ? 11 : 9) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let at = axis == x.rank ? x.rank : try normalizedAxis(axis, rank: max(x.rank, 1))
    return [Fact(x.element, [x.shape[..<at].reduce(1, *), x.shape[at...].reduce(1, *)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    [try lowering.reshape(try node.input(0), to: try node.output().shape)]
  }

  public static var examples: [OperatorExample] {
    [0, 1, 2, 3, -1].map { axis in
      var op = Flatten()
      op.axis = axis
      return OperatorExample(op, [.random(TensorType(.f32, ["n", 3, 4]), -1...1)], sizes: [Symbol("n"): 2])
    }
  }
}
