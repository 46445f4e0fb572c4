import SinterCore
import SinterForms
import SinterIR

/// Each element over a power of the squares of its neighbours along the channels: x / (bias + alpha / size · Σ x²)^beta.
public struct LRN: Primitive {
  public static let name = "LRN"
  public static let summary = "Normalization by the squares of neighbouring channels."

  /// The factor of the sum of squares, which is divided by the number of channels that count.
  public var alpha = 1e-4
  /// The exponent.
  public var beta = 0.75
  /// What the sum is added to.
  public var bias = 1.0
  /// How many channels count, the own one in the middle.
  public var size = 1

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("alpha", &alpha, default: 1e-4)
    list.float("beta", &beta, default: 0.75)
    list.float("bias", &bias, default: 1)
    list.int("size", &size, default: 0)
  }

  public static var onnx: [OnnxRule] { [.direct(LRN.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat }
    guard x.rank >= 2, size > 0 else {
      throw DiagnosticError(
        .user, "lrn", "the input must have channels and size be positive, but they are \(x) and \(size)")
    }
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let compute = x.element.computeType
    let squares = try lowering.reduce(.sum, x.shape, over: [Dim(size)]) { builder, index, inner in
      var own = index
      own[1] = index[1] + inner[0] - builder.constant((size - 1) / 2, .i64)
      let inside = own[1] >= builder.constant(0, .i64) && own[1] < builder.size(x.shape[1])
      let value = builder.load(x.id, own, where: inside).cast(to: compute)
      return value * value
    }
    return [
      try lowering.element(x.shape) { builder, index in
        let divisor = builder.load(squares.id, index) * (alpha / Double(size)) + bias
        let value = builder.load(x.id, index).cast(to: compute)
        return (value / divisor.power(builder.constant(beta, compute))).cast(to: x.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    [3, 4].map { size in
      var op = LRN()
      op.size = size
      op.alpha = 0.5
      return OperatorExample(op, [.random(TensorType(.f32, ["n", 5, 3]), -1...1)], sizes: [Symbol("n"): 2])
    }
  }
}

extension LRN: Composite {
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let tape = GradientTape(builder)
    defer { builder = tape.builder }
    let x = GradientTensor(try inputs.value(0), tape)
    let rest = try (2..<(try x.rank)).reduce(x.integers([1])) { try $0 * x.size($1) }
    // Channels as rows of an image: a sum over neighbours is a mean times their number.
    var pool = AveragePool()
    pool.countIncludePad = true
    pool.window.kernel = [size, 1]
    pool.window.pads = [(size - 1) / 2, 0, size - 1 - (size - 1) / 2, 0]
    let squares = try (x * x).reshaped(to: [x.size(0), x.integers([1]), x.size(1), rest]).applying(pool)
    let divisor = try (squares * alpha + bias).reshaped(like: x)
    return [try (x / divisor.power(divisor.number(beta))).id]
  }
}
