import SinterCore
import SinterForms
import SinterIR

/// Uniform numbers in 0 ..< 1, of type f32 and in the shape of the first input, that follow from a key known only at run time: the second input
/// holds a seed and a number of the run, i64[2]. Places and `stream` count within a run. See `Philox`.
public struct KeyedUniform: Primitive {
  public static let name = "KeyedUniform"
  public static let summary = "Uniform random numbers of a seed and a step that are known at run time."

  /// Distinguishes the nodes of a graph: less than 2^32.
  public var stream = 0

  public init() {}
  /// The numbers of one node of a graph.
  public init(stream: Int) { self.stream = stream }

  public mutating func attributes(_ list: inout some AttributeList) { list.int("stream", &stream, default: 0) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, key) = (try inputs.tensor(0), try inputs.tensor(1))
    guard key.element == .i64, key.rank == 1, (0...Int(UInt32.max)).contains(stream) else {
      throw DiagnosticError(
        .user, "random.key",
        "the key must be a seed and a step, i64[2], and stream less than 2^32, but are \(key), \(stream)")
    }
    try obligations.equal(key.shape[0], 2, "elements of the key \(key) and 2")
    return [Fact(.f32, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, key) = (try node.input(0), try node.input(1))
    let stream = stream
    return [
      try lowering.element(x.shape) { builder, index in
        func entry(_ place: Int) -> Expr { builder.load(key.id, [builder.constant(place, .i64)]).cast(to: .u64) }
        // The low half counts steps, the high half tells nodes apart.
        let step = entry(1).applying(.and, builder.constant(Int(UInt32.max), .u64))
        let more = step.applying(.or, builder.constant(stream, .u64).applying(.shiftLeft, builder.constant(32, .u64)))
        let word = Philox.words(Reshaping.place(builder, index, of: x.shape), key: entry(0), more: more)[0]
        return word.applying(.shiftRight, builder.constant(8, .u64)).cast(to: .f32) * builder.constant(0x1p-24, .f32)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 7]), -1...1)
    return [
      OperatorExample(KeyedUniform(), [x, .given(.i64([2], [5, 1]))], sizes: [Symbol("n"): 3]),
      OperatorExample(KeyedUniform(stream: 3), [x, .given(.i64([2], [-1, 1 << 40]))], sizes: [Symbol("n"): 2]),
    ]
  }
}

/// The same in operators on integers, which is what ONNX files hold.
extension KeyedUniform: Composite {
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    func number(_ value: UInt32) throws -> ValueID { try builder.scalar(Double(value), .u64) }
    func apply(_ kind: Binary.Kind, _ a: ValueID, _ b: ValueID) throws -> ValueID {
      try builder.add1(Binary(kind), [a, b])
    }
    func shifted(_ x: ValueID) throws -> ValueID { try apply(.shiftRight, x, try number(32)) }
    func low(_ x: ValueID) throws -> ValueID { try apply(.bitwiseAnd, x, try number(.max)) }
    func halves(_ x: ValueID) throws -> [ValueID] { [try low(x), try shifted(x)] }

    let (x, key) = (try inputs.value(0), try builder.add1(Cast(to: .u64), [try inputs.value(1)]))
    let count = try builder.add1(Size(), [x])
    let places = try builder.add1(
      Range(), [builder.constant(.i64([], [0])), count, builder.constant(.i64([], [1]))])
    let seed = try builder.add1(Gather(), [key, builder.constant(.i64([], [0]))])
    let step = try low(try builder.add1(Gather(), [key, builder.constant(.i64([], [1]))]))
    var c = try halves(try builder.add1(Cast(to: .u64), [places])) + [step, try number(UInt32(stream))]
    var keys = try halves(seed)
    for round in 0..<Philox.rounds {
      let (first, second) = (
        try apply(.multiply, c[0], number(Philox.factors.0)), try apply(.multiply, c[2], number(Philox.factors.1))
      )
      c = [
        try apply(.bitwiseXor, apply(.bitwiseXor, shifted(second), c[1]), keys[0]), try low(second),
        try apply(.bitwiseXor, apply(.bitwiseXor, shifted(first), c[3]), keys[1]), try low(first),
      ]
      if round + 1 == Philox.rounds { break }
      keys = [
        try low(apply(.add, keys[0], number(Philox.steps.0))), try low(apply(.add, keys[1], number(Philox.steps.1))),
      ]
    }
    let bits = try builder.add1(Cast(to: .f32), [try apply(.shiftRight, c[0], try number(8))])
    let uniform = try apply(.multiply, bits, builder.constant(.f32([], [0x1p-24])))
    return [try builder.add1(Reshape(allowZero: true), [uniform, try builder.add1(Shape(), [x])])]
  }
}

extension KeyedUniform: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] { [nil, nil] }
}
