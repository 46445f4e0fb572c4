import SinterCore
import SinterForms
import SinterIR

/// One number per channel: the mean, the maximum or the p-norm over all spatial axes, which stay with size 1.
public struct GlobalPool: Primitive {
  public static let name = "GlobalPool"
  public static let summary = "Mean, maximum or p-norm over all spatial axes."

  /// What becomes of a channel's elements.
  public enum Kind: String, CaseIterable, Sendable {
    case average, maximum, lp
    var onnxName: String {
      switch self {
      case .average: "GlobalAveragePool"
      case .maximum: "GlobalMaxPool"
      case .lp: "GlobalLpPool"
      }
    }
  }

  /// What becomes of a channel's elements.
  public var kind = Kind.average
  /// The exponent of the p-norm, at least 1; for `lp` only.
  public var p = 2
  /// Whether channels are the last axis, else the second.
  public var channelsLast = false

  public init() {}
  /// A pool over all spatial axes, channels second.
  public init(_ kind: Kind) { self.kind = kind }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .average)
    list.int("p", &p, default: 2)
    list.bool("channels_last", &channelsLast, default: false)
  }

  public static var onnx: [OnnxRule] {
    Kind.allCases.map { kind in
      .direct(GlobalPool.self, as: kind.onnxName, since: kind == .lp ? 2 : 1) { op, _ in op.kind = kind }
    } + [
      OnnxRule(values: Kind.lp.onnxName) { node, builder in
        try OnnxRule.direct(GlobalPool.self, as: Kind.lp.onnxName) { op, _ in op.kind = .lp }
          .build(node.withWholeNorm(), &builder)
      }
    ]
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    if channelsLast { return nil }
    return NodeSpecification(kind.onnxName, attributes: kind == .lp ? [("p", .int(p))] : [])
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let layout = ImageLayout(channelsLast: channelsLast)
    try layout.requireElements(x, &obligations)
    let ones = [Dim](repeating: 1, count: x.rank - 2)
    return [Fact(x.element, layout.shape(x.shape[0], x.shape[layout.channelAxis(rank: x.rank)], ones))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    let compute = x.element.computeType
    let layout = ImageLayout(channelsLast: channelsLast)
    let spatial = layout.spatial(x.shape)
    let (kind, p) = (kind, Double(p))
    let combined = try lowering.reduce(kind == .maximum ? .maximum : .sum, shape, over: spatial) {
      builder, index, inner in
      let (batch, channel, _) = layout.parts(index)
      let value = builder.load(x.id, layout.index(batch, channel, inner)).cast(to: compute)
      return kind == .lp ? value.unary(.abs).power(builder.constant(p, compute)) : value
    }
    let result = try lowering.element(shape) { builder, index in
      let value = builder.load(combined.id, index)
      switch kind {
      case .average: return value / builder.size(spatial.reduce(1, *)).cast(to: compute)
      case .maximum: return value
      case .lp: return value.power(builder.constant(1 / p, compute))
      }
    }
    return [try lowering.cast(result, to: x.element)]
  }

  public static var examples: [OperatorExample] {
    Kind.allCases.map { kind in
      OperatorExample(
        GlobalPool(kind), [.random(TensorType(.f32, ["n", "c", "h", 7]), -1...1)],
        sizes: [Symbol("n"): 2, Symbol("c"): 5, Symbol("h"): 6])
    }
  }
}

extension GlobalPool: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, y, g) = (try node.input(0), node.output, try node.gradient())
    let axes = Array((channelsLast ? 1 : 2)..<(try x.rank - (channelsLast ? 1 : 0)))
    switch kind {
    case .average: return [try (g * y.count() / x.count()).expanded(like: x)]
    case .maximum:
      let hits = try x.compare(.equal, y).cast(to: try x.element)
      return [try g * hits / hits.sum(axes)]
    case .lp:
      // d‖x‖ₚ/dx = sign(x)·(|x|/‖x‖ₚ)^(p-1).
      let ratio = try (x.unary(.abs) / y).power(x.number(Double(p - 1)))
      return [try (g * x.unary(.sign) * ratio).dropped(where: y.compare(.equal, 0))]
    }
  }
}
