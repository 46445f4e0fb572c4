import SinterCore
import SinterIR

/// The attention of onnxruntime's domain: of an input to itself, whose queries, keys and values are one projection.
///
/// Inputs: the input [batch, length, inner], the weights [inner, sizes of queries, keys and values], a bias of the latter (0), a mask, keys and values
/// of the past [2, batch, heads, past length, head], numbers that are added to scores [batch or 1, heads or 1, length, total length]. Results:
/// [batch, length, size of values], and keys and values for the next step. See `PackedHeads` for the mask.
public struct PackedAttention: Composite {
  public static let name = "PackedAttention"
  public static let summary = "Self-attention of an input whose queries, keys and values are one projection."

  /// Whether a query sees no key behind its own position.
  public var isCausal = false
  /// The number of heads; at least 1.
  public var heads = 0
  /// What scores are multiplied by; nil: 1 / √(size of a head).
  public var scale: Double?
  /// What is added to the score of a key that the mask leaves out.
  public var filter = -10_000.0
  /// The columns of queries, keys and values; thirds where there are none.
  public var sizes: [Int] = []
  /// Whether queries and keys are rotated by the angles of their positions; refused.
  public var rotates = false
  /// How many elements of each head are rotated, where any are; 0 for all.
  public var rotaryDimensions = 0
  /// Whether keys and values of the past lie in a buffer that also has room for new ones; refused.
  public var sharesBuffer = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("do_rotary", &rotates, default: false)
    list.float("mask_filter_value", &filter, default: -10_000)
    list.int("num_heads", &heads, default: 0)
    list.bool("past_present_share_buffer", &sharesBuffer, default: false)
    list.ints("qkv_hidden_sizes", &sizes, default: [])
    list.int("rotary_embedding_dim", &rotaryDimensions, default: 0)
    list.optionalFloat("scale", &scale)
    list.bool("unidirectional", &isCausal, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(PackedAttention.self, as: "Attention", domain: .microsoft)] }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    guard !rotates, !sharesBuffer, !inputs.has(6) else {
      throw DiagnosticError(
        .limit, "attention.option", "do_rotary and past_present_share_buffer are for GPUs' kernels only",
        hint: "export the model without them")
    }
    let (x, w) = (try inputs.tensor(0), try inputs.tensor(1))
    guard x.rank == 3, w.rank == 2 else {
      throw DiagnosticError(
        .user, "attention.rank", "the input must have 3 axes and the weights 2, but they are \(x) and \(w)")
    }
    var projected = try builder.add1(MatMul(), [try inputs.value(0), try inputs.value(1)])
    if let bias = inputs.id(2) {
      let own = try inputs.tensor(2)
      guard own.rank == 1 else {
        throw DiagnosticError(.user, "attention.bias", "the bias must be a list, but is \(own)")
      }
      try builder.require(by: Self.name) {
        try $0.equal(
          own.shape[0], w.shape[1], "number of entries of the bias \(own) and of columns of the weights \(w)")
      }
      projected = try builder.add1(Binary(.add), [projected, bias])
    }
    var packed = PackedHeads(op: Self.name, heads: heads, isCausal: isCausal, scale: scale, filter: filter)
    packed.sizes = sizes
    return try packed.attend(
      projected, mask: inputs.id(3), past: inputs.id(4), shift: inputs.id(5), returnsPresent: inputs.outputCount > 1,
      into: &builder)
  }

  public static var examples: [OperatorExample] {
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    var causal = PackedAttention()
    (causal.heads, causal.isCausal) = (2, true)
    var uneven = PackedAttention()
    (uneven.heads, uneven.sizes) = (2, [4, 4, 8])
    return [
      OperatorExample(
        causal,
        [
          floats(["b", "s", 6]), floats([6, 24]), floats([24]), .random(TensorType(.i32, ["b"]), 1...5),
          floats([2, "b", 2, "p", 4]),
        ], outputs: 2, sizes: [Symbol("b"): 2, Symbol("s"): 3, Symbol("p"): 2]),
      OperatorExample(
        uneven,
        [
          floats(["b", "s", 6]), floats([6, 16]), .absent, .random(TensorType(.i32, ["b", "s"]), 0...1.9), .absent,
          floats([1, 2, "s", "s"]),
        ], sizes: [Symbol("b"): 2, Symbol("s"): 3]),
      OperatorExample(
        causal,
        [
          floats([3, "s", 6]), floats([6, 24]), floats([24]),
          .given(HostTensor(.i32, [6], values: [Int32](arrayLiteral: 3, 4, 2, 0, 1, 1))),
        ],
        outputs: 2, sizes: [Symbol("s"): 4]),
    ]
  }
}
