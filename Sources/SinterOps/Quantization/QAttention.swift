import SinterCore
import SinterIR

/// Attention of an input to itself, where the projection to queries, keys and values is a product of bytes that stand for real numbers.
///
/// Inputs: the input [batch, length, inner], the weights [inner, 3 · size], a bias [3 · size] in floats, the scales of the two, a mask, the zero
/// points of the two (0), keys and values of the past [2, batch, heads, past length, head]. Those of the weights may be one per column. Results:
/// [batch, length, size], and keys and values for the next step. See `PackedHeads` for the mask.
public struct QAttention: Composite {
  public static let name = "QAttention"
  public static let summary = "Self-attention of a quantized input with quantized weights."

  /// Whether a query sees no key behind its own position.
  public var isCausal = false
  /// The number of heads; at least 1.
  public var heads = 0
  /// What scores are multiplied by; nil: 1 / √(size of a head).
  public var scale: Double?
  /// What is added to the score of a key that the mask leaves out.
  public var filter = -10_000.0
  /// Whether queries and keys are rotated by the angles of their positions; refused.
  public var rotates = false
  /// Whether keys and values of the past lie in a buffer that also has room for new ones; refused.
  public var sharesBuffer = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("do_rotary", &rotates, default: false)
    list.float("mask_filter_value", &filter, default: -10_000)
    list.int("num_heads", &heads, default: 0)
    list.bool("past_present_share_buffer", &sharesBuffer, default: false)
    list.optionalFloat("scale", &scale)
    list.bool("unidirectional", &isCausal, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(QAttention.self, domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    guard !rotates, !sharesBuffer else {
      throw DiagnosticError(
        .limit, "attention.option", "do_rotary and past_present_share_buffer are for GPUs' kernels only",
        hint: "export the model without them")
    }
    let (x, w) = (try inputs.tensor(0), try inputs.tensor(1))
    guard x.rank == 3, w.rank == 2 else {
      throw DiagnosticError(
        .user, "attention.rank", "the input must have 3 axes and the weights 2, but they are \(x) and \(w)")
    }
    let product = IntegerProduct(op: Self.name, inputs: inputs)
    let weights = try inputs.value(1)
    _ = try builder.byteType(inputs, 1)
    let zero = try builder.number(Self.name, inputs, 6, "the zero point of the input", try builder.byteType(inputs, 0))
    let scale = try builder.number(Self.name, inputs, 3, "the scale of the input", .f32)
    let sums = try product.sums(try inputs.value(0), weights, zeroA: zero, zeroB: 7, into: &builder)
    _ = try inputs.tensor(2)
    let projected = try product.real(sums, scaleA: scale, scaleB: 4, of: weights, bias: 2, into: &builder)
    let heads = PackedHeads(op: Self.name, heads: heads, isCausal: isCausal, scale: self.scale, filter: filter)
    return try heads.attend(
      projected, mask: inputs.id(5), past: inputs.id(8), returnsPresent: inputs.outputCount > 1, into: &builder)
  }

  public static var examples: [OperatorExample] {
    func inputs(_ mask: OperatorExample.Input, _ past: OperatorExample.Input) -> [OperatorExample.Input] {
      [
        .random(TensorType(.u8, ["b", "s", 6]), 0...255), .random(TensorType(.i8, [6, 24]), -128...127),
        .random(TensorType(.f32, [24]), -1...1), .constant(.f32([], [0.0123])), .constant(.f32([], [0.0117])), mask,
        .constant(HostTensor(.u8, [], values: [UInt8(120)])), .constant(HostTensor(.i8, [], values: [Int8(3)])), past,
      ]
    }
    var causal = QAttention()
    (causal.heads, causal.isCausal) = (2, true)
    var plain = QAttention()
    plain.heads = 4
    let sizes = [Symbol("b"): 2, Symbol("s"): 3]
    return [
      OperatorExample(
        plain, inputs(.random(TensorType(.i32, ["b", "s"]), 0...1.9), .absent), outputs: 2, sizes: sizes),
      OperatorExample(
        causal,
        inputs(.random(TensorType(.i32, ["b"]), 1...5), .random(TensorType(.f32, [2, "b", 2, "p", 4]), -1...1)),
        outputs: 2, sizes: [Symbol("b"): 2, Symbol("s"): 3, Symbol("p"): 2]),
    ]
  }
}
