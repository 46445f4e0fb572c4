import SinterCore
import SinterForms
import SinterIR

/// An LSTM whose weights are bytes that stand for real numbers, and whose inputs and states are quantized on the way, all of the inputs at
/// once and the states anew in each step. Steps behind the longest example's end, and states of examples that have ended, do not count for the
/// range of what is quantized; examples that are walked from their ends begin together.
///
/// Inputs: those of `LSTM`, but W [directions, input, 4 · hidden] and R [directions, hidden, 4 · hidden] in bytes; then the scale and the zero
/// point of W, and those of R, one per direction or one per direction and column.
public struct DynamicQuantizeLSTM: Primitive {
  public static let name = "DynamicQuantizeLSTM"
  public static let summary = "LSTM with quantized weights; inputs and states are quantized when it runs."

  var recurrence = Recurrence()
  /// Whether the forget gate is 1 less the input gate.
  public var inputForget = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    recurrence.attributes(&list)
    list.bool("input_forget", &inputForget, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(DynamicQuantizeLSTM.self, domain: .microsoft)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, domain: .microsoft) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0 == .f32 }
    guard recurrence.layout == 0 else {
      throw DiagnosticError(.user, "recurrent.layout", "layout must be 0, but is \(recurrence.layout)")
    }
    let sizes = try recurrence.sizes(inputs, gates: 4, states: 2, areTransposed: true, &obligations)
    let columns = [Dim(recurrence.directions), sizes.hidden * 4]
    for (weights, scale, zero, name) in [(1, 8, 9, "W"), (2, 10, 11, "R")] {
      let type = try inputs.tensor(weights)
      try requireElement(type, { $0 == .u8 || $0 == .i8 }, name: name)
      let (scales, zeros) = (try inputs.tensor(scale), try inputs.tensor(zero))
      guard scales.element == .f32, zeros.element == type.element else {
        throw DiagnosticError(
          .user, "quantized.type",
          "\(name) \(type) must have scales of type f32 and zero points of type \(type.element), but has \(scales) and \(zeros)"
        )
      }
      for (entries, what) in [(scales, "scales"), (zeros, "zero points")] {
        guard entries.rank == 1 || entries.rank == 2 else {
          throw DiagnosticError(
            .user, "quantized.shape",
            "\(what) of \(name) must be one per direction, or one per direction and column, but are \(entries)")
        }
        _ = try obligations.equal(
          entries.shape, Array(columns.prefix(entries.rank)),
          "sizes of the \(what) of \(name) \(entries) and those needed")
      }
    }
    return recurrence.facts(x, sizes, states: 2)
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let gates = LSTMGates(node, recurrence, inputForget: inputForget)
    let w = try QuantizedWeights(node.input(1), scale: node.input(8), zero: node.input(9), into: &lowering)
    let r = try QuantizedWeights(node.input(2), scale: node.input(10), zero: node.input(11), into: &lowering)
    let lengths = node.has(4) ? try node.input(4) : nil
    let longest = try lengths.map { lengths in
      try lowering.reduce(.maximum, [], over: lengths.shape) { builder, _, inner in builder.load(lengths.id, inner) }
    }
    let quantized = try DynamicQuantizeLinear.quantize(
      x, counting: longest.map { longest in { $1[0] < $0.load(longest.id, []).cast(to: .i64) } }, into: &lowering)
    return try recurrence.lower(
      node, into: &lowering, gates: 4, states: 2, areTransposed: true, addRecurrentBias: { _, _, bias in bias },
      projection: { lowering, direction in try w.product(quantized, direction, into: &lowering) }, startsTogether: true
    ) { lowering, cell in
      let state = try DynamicQuantizeLinear.quantize(
        cell.states[0],
        counting: cell.lengths.map { lengths in
          { $0.load(cell.time.id, []) <= $0.load(lengths.id, [$1[0]]).cast(to: .i64) }
        }, into: &lowering)
      return try gates.next(&lowering, cell, try r.product(state, cell.direction, into: &lowering))
    }
  }

  /// Weights [directions, inner, columns] in bytes, with a scale and a zero point per direction, or one per direction and column.
  private struct QuantizedWeights {
    let bytes: Operand, scale: Operand, zero: Operand
    /// Of each direction and column: the sum of the weights without their zero point.
    private let sums: Operand

    init(_ bytes: Operand, scale: Operand, zero: Operand, into lowering: inout Lowering) throws {
      (self.bytes, self.scale, self.zero) = (bytes, scale, zero)
      sums = try lowering.reduce(.sum, [bytes.shape[0], bytes.shape[2]], over: [bytes.shape[1]]) {
        builder, outer, inner in
        let weight = builder.load(bytes.id, [outer[0]] + inner + [outer[1]]).cast(to: .i32)
        return weight - Self.entry(builder, zero, outer[0], outer[1]).cast(to: .i32)
      }
    }

    private static func entry(_ builder: BodyBuilder, _ operand: Operand, _ direction: Expr, _ column: Expr) -> Expr {
      builder.load(operand.id, operand.rank == 1 ? [direction] : [direction, column])
    }

    /// A product with quantized rows […, inner] as floats […, columns].
    ///
    /// Bytes are multiplied as they are: Σ (a − p)·(b − q) = Σ a·b − p·Σ (b − q) − q·Σ a, in 32-bit integers that wrap around.
    func product(
      _ rows: (bytes: Operand, scale: Operand, zero: Operand), _ direction: Int, into lowering: inout Lowering
    ) throws -> Operand {
      let (inner, columns) = (bytes.shape[1], bytes.shape[2])
      let outer = Array(rows.bytes.shape.dropLast())
      let products = try lowering.contract(
        batch: [], m: outer, n: [columns], k: [inner], accumulate: .i32,
        lhs: { builder, _, m, k in builder.load(rows.bytes.id, m + k) },
        rhs: { builder, _, n, k in builder.load(bytes.id, [builder.constant(direction, .i64)] + k + n) })
      let rowSums = try lowering.reduce(.sum, outer, over: [inner]) { builder, outer, inner in
        builder.load(rows.bytes.id, outer + inner).cast(to: .i32)
      }
      return try lowering.element(products.shape) { builder, index in
        let (own, column) = (builder.constant(direction, .i64), index[index.count - 1])
        let rowZero = builder.load(rows.zero.id, []).cast(to: .i32)
        let columnZero = Self.entry(builder, zero, own, column).cast(to: .i32)
        let sum =
          builder.load(products.id, index) - rowZero * builder.load(sums.id, [own, column])
          - columnZero * builder.load(rowSums.id, index.dropLast())
        return sum.cast(to: .f32) * (builder.load(rows.scale.id, []) * Self.entry(builder, scale, own, column))
      }
    }
  }

  public static var examples: [OperatorExample] {
    var both = DynamicQuantizeLSTM()
    both.recurrence.direction = .bidirectional
    func inputs(_ d: Int, steps: Dim, perColumn: Bool) -> [OperatorExample.Input] {
      func floats(_ shape: [Dim], _ range: ClosedRange<Double> = -0.5...0.5) -> OperatorExample.Input {
        .random(TensorType(.f32, shape), range)
      }
      func bytes(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.i8, shape), -128...127) }
      let directions = Dim(d)
      let entries: [Dim] = perColumn ? [directions, 24] : [directions]
      return [
        floats([steps, 3, 5]), bytes([directions, 5, 24]), bytes([directions, 6, 24]), floats([directions, 48]),
        .absent,
        .absent, .absent, .absent, floats(entries, 0.004...0.006), bytes(entries), floats(entries, 0.004...0.006),
        bytes(entries),
      ]
    }
    // Where a state is nearly between two bytes, rounding may go either way.
    return [
      OperatorExample(DynamicQuantizeLSTM(), inputs(1, steps: 4, perColumn: false), outputs: 3, tolerance: 1e-2),
      OperatorExample(
        both, inputs(2, steps: "t", perColumn: true), outputs: 3, sizes: [Symbol("t"): 3], tolerance: 1e-2),
    ]
  }
}
