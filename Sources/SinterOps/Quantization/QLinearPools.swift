import SinterCore
import SinterForms
import SinterIR

/// The mean of each window of bytes that stand for real numbers. Inputs: x, its scale and zero point (0), the result's scale and zero
/// point (0), which is added before rounding. A window that is known to be the whole image is a `QLinearGlobalAveragePool`, as in onnxruntime.
public struct QLinearAveragePool: Composite {
  public static let name = "QLinearAveragePool"
  public static let summary = "Mean over windows of a quantized tensor, quantized again."

  var pool = AveragePool()

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { pool.attributes(&list) }
  public static var onnx: [OnnxRule] { [.direct(QLinearAveragePool.self, domain: .microsoft)] }

  /// Whether the only window is the image.
  private func coversImage(_ x: TensorType) -> Bool {
    let spatial = x.rank < 3 ? [] : ImageLayout(channelsLast: pool.channelsLast).spatial(x.shape)
    return pool.window.kernel.map { Dim($0) } == spatial && pool.window.pads.allSatisfy { $0 == 0 }
      && pool.window.dilations.allSatisfy { $0 == 1 }
      && (pool.window.autoPad == .notSet || pool.window.autoPad == .valid)
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    if coversImage(try inputs.tensor(0)) {
      var whole = QLinearGlobalAveragePool()
      whole.channelsLast = pool.channelsLast
      return try builder.add(whole, inputs.ids)
    }
    let x = try builder.dequantized(Self.name, inputs, 0, scale: 1, zero: 2, "x")
    let mean = try builder.add1(pool, [x])
    return [
      try builder.quantizedAtOnce(
        mean, Self.name, inputs, scale: 3, zero: 4, as: try builder.byteType(inputs, 0))
    ]
  }

  public static var examples: [OperatorExample] {
    var padded = QLinearAveragePool()
    padded.pool.window.kernel = [3, 3]
    padded.pool.window.pads = [1, 1, 1, 1]
    padded.pool.window.strides = [2, 2]
    return [
      OperatorExample(
        padded,
        [
          .random(TensorType(.u8, ["n", 3, "h", 8]), 0...255), .constant(.f32([], [0.0123])),
          .constant(HostTensor(.u8, [], values: [UInt8(101)])), .constant(.f32([], [0.0171])),
          .constant(HostTensor(.u8, [], values: [UInt8(99)])),
        ], sizes: [Symbol("n"): 2, Symbol("h"): 6])
    ]
  }
}

/// The mean of all places of each channel, of bytes that stand for real numbers. Inputs: x, its scale and zero point, the result's scale and
/// zero point. Sums are exact.
public struct QLinearGlobalAveragePool: Primitive {
  public static let name = "QLinearGlobalAveragePool"
  public static let summary = "Mean over all spatial axes of a quantized tensor, quantized again."

  /// Whether channels are the last axis, else the second.
  public var channelsLast = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("channels_last", &channelsLast, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(QLinearGlobalAveragePool.self, domain: .microsoft)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, domain: .microsoft) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0 == .u8 || $0 == .i8 }
    let layout = ImageLayout(channelsLast: channelsLast)
    try layout.requireElements(x, &obligations)
    for (index, name, element) in [
      (1, "the scale of x", ElementType.f32), (2, "the zero point of x", x.element), (3, "the result's scale", .f32),
      (4, "the result's zero point", x.element),
    ] { try inputs.requireNumber(index, name, element, requiring: &obligations) }
    for index in [1, 3] { _ = try inputs.tensor(index) }
    let ones = [Dim](repeating: 1, count: x.rank - 2)
    return [Fact(x.element, layout.shape(x.shape[0], x.shape[layout.channelAxis(rank: x.rank)], ones))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    let layout = ImageLayout(channelsLast: channelsLast)
    let spatial = layout.spatial(x.shape)
    let sum = try lowering.reduce(.sum, shape, over: spatial) { builder, index, inner in
      let (batch, channel, _) = layout.parts(index)
      let value = builder.load(x.id, layout.index(batch, channel, inner)).cast(to: .i32)
      return try builder.number(node, 2).map { value - $0.cast(to: .i32) } ?? value
    }
    return [
      try lowering.element(shape) { builder, index in
        let count = builder.size(spatial.reduce(1, *)).cast(to: .f32)
        guard let own = try builder.number(node, 1), let result = try builder.number(node, 3) else {
          return builder.constant(0, x.element)
        }
        let mean = builder.load(sum.id, index).cast(to: .f32) * (own / (result * count))
        return Quantization.rounded(mean, plus: try builder.number(node, 4), to: x.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var last = QLinearGlobalAveragePool()
    last.channelsLast = true
    func inputs(_ shape: [Dim]) -> [OperatorExample.Input] {
      [
        .random(TensorType(.u8, shape), 0...255), .constant(.f32([], [0.0123])),
        .constant(HostTensor(.u8, [], values: [UInt8(101)])), .constant(.f32([], [0.0031])),
        .constant(HostTensor(.u8, [], values: [UInt8(99)])),
      ]
    }
    return [
      OperatorExample(
        QLinearGlobalAveragePool(), inputs(["n", "c", "h", 7]),
        sizes: [Symbol("n"): 2, Symbol("c"): 5, Symbol("h"): 6]),
      OperatorExample(last, inputs([2, 3, 4, 5])),
    ]
  }
}
