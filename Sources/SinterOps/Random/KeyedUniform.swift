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

extension KeyedUniform: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] { [nil, nil] }
}
