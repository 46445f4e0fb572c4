import SinterCore
import SinterForms
import SinterIR

/// Normalizes each group of channels of each example to mean 0 and variance 1, with a scale and a bias per channel (per group before opset 21).
/// With as many groups as channels this is instance normalization.
public struct GroupNormalization: Primitive {
  public static let name = "GroupNormalization"
  public static let summary = "Normalizes groups of channels of each example; also InstanceNormalization."

  /// What is added to a group's variance before its root is taken.
  public var epsilon = 1e-5
  /// Zero: as many as there are channels.
  public var groups = 0
  /// Whether scale and bias are one per group, as before opset 21, where one for all may do.
  public var scalesGroups = false
  /// Input and result are [n, spatial…, c]. Set by the layout pass; ONNX has no such form.
  public var channelsLast = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("epsilon", &epsilon, default: 1e-5)
    list.int("num_groups", &groups, default: 0)
    list.bool("scales_groups", &scalesGroups, default: false)
    list.bool("channels_last", &channelsLast, default: false)
  }

  public static var onnx: [OnnxRule] {
    [
      OnnxRule.direct(GroupNormalization.self, since: 18) { op, _ in op.scalesGroups = true }.requiring(
        requireElements),
      OnnxRule.direct(GroupNormalization.self, since: 21).requiring(requireElements),
      .direct(GroupNormalization.self, as: "InstanceNormalization"),
    ]
  }

  /// ONNX defines groups by a reshape that cannot tell its sizes where there are no elements.
  @Sendable private static func requireElements(_ inputs: NodeInputs, _ obligations: inout Obligations) throws {
    let x = try inputs.tensor(0)
    try obligations.atLeast(x.count, 1, "number of elements of \(x)")
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    if channelsLast { return nil }
    if groups == 0 {
      return NodeSpecification("InstanceNormalization", since: 6, attributes: [("epsilon", .float(epsilon))])
    }
    var plain = self
    plain.scalesGroups = false
    return NodeSpecification(of: plain, since: scalesGroups ? 18 : 21)
  }

  private func channelAxis(_ x: TensorType) -> Int { ImageLayout(channelsLast: channelsLast).channelAxis(rank: x.rank) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard x.rank >= 2 else {
      throw DiagnosticError(.user, "groupnorm.rank", "the input must have a batch and a channel axis, but is \(x)")
    }
    guard groups >= 0 else {
      throw DiagnosticError(.user, "groupnorm.groups", "num_groups must be positive, but is \(groups)")
    }
    let channels = x.shape[channelAxis(x)]
    if groups > 0 {
      try obligations.divisible(channels, by: Dim(groups), "number of channels, which are in \(groups) groups,")
    }
    for index in 1..<3 {
      guard scalesGroups, groups > 0 else {
        try obligations.matchChannels(inputs, index, channels, "channels")
        continue
      }
      let type = try inputs.tensor(index)
      guard type.rank == 1 else {
        throw DiagnosticError(.user, "groupnorm.scale", "input \(index) must be [\(groups)], but is \(type)")
      }
      try obligations.broadcasts(
        type.shape[0], to: Dim(groups), "number of elements of input \(index), \(type), of which each is for a group,")
    }
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, scale, bias) = (try node.input(0), try node.input(1), try node.input(2))
    let compute = x.element == .f64 ? ElementType.f64 : .f32
    let layout = ImageLayout(channelsLast: channelsLast)
    let channelAxis = channelAxis(x.type)
    let channels = x.shape[channelAxis]
    let groups = self.groups == 0 ? channels : Dim(self.groups)
    let perGroup = self.groups == 0 ? 1 : channels / groups
    let spatial = layout.spatial(x.shape)
    let epsilon = epsilon
    func average(_ value: (BodyBuilder, [Expr], [Expr]) throws -> Expr) throws -> Operand {
      let inner = (perGroup == 1 ? [] : [perGroup]) + spatial
      let sum = try lowering.reduce(.sum, [x.shape[0], groups], over: inner) { builder, row, inner in
        let channel = perGroup == 1 ? row[1] : row[1] * builder.size(perGroup) + inner[0]
        return try value(builder, row, layout.index(row[0], channel, Array(inner.dropFirst(perGroup == 1 ? 0 : 1))))
      }
      return try lowering.element([x.shape[0], groups]) { builder, row in
        builder.load(sum.id, row) / builder.size(inner.reduce(1, *)).cast(to: compute)
      }
    }
    let mean = try average { builder, _, at in builder.load(x.id, at).cast(to: compute) }
    let variance = try average { builder, row, at in
      let d = builder.load(x.id, at).cast(to: compute) - builder.load(mean.id, row)
      return d * d
    }
    let inverse = try lowering.element([x.shape[0], groups]) { builder, row in
      1 / (builder.load(variance.id, row) + epsilon).unary(.sqrt)
    }
    let result = try lowering.element(x.shape) { builder, index in
      let channel = index[channelAxis]
      let group = perGroup == 1 ? channel : channel.floorDivided(by: builder.size(perGroup))
      let row = [index[0], group]
      func parameter(_ operand: Operand) -> Expr {
        let isGroup = scalesGroups && self.groups > 0
        let at = Broadcast.index(
          builder, [isGroup ? group : channel], of: [isGroup ? groups : channels], into: operand.shape)
        return builder.load(operand.id, at).cast(to: compute)
      }
      let value =
        (builder.load(x.id, index).cast(to: compute) - builder.load(mean.id, row)) * builder.load(inverse.id, row)
      return (value * parameter(scale) + parameter(bias)).cast(to: x.element)
    }
    return [result]
  }

  public static var examples: [OperatorExample] {
    var grouped = GroupNormalization()
    grouped.groups = 2
    var ofGroups = grouped
    ofGroups.scalesGroups = true
    func vector(_ symbol: String) -> OperatorExample.Input { .random(TensorType(.f32, [Dim(symbol: symbol)]), 0.5...2) }
    var last = grouped
    last.channelsLast = true
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 4, 3, 5]), -1...1)
    let channel = OperatorExample.Input.random(TensorType(.f32, [4]), 0.5...2)
    return [
      OperatorExample(GroupNormalization(), [x, channel, channel], sizes: [Symbol("n"): 2]),
      OperatorExample(grouped, [x, channel, channel], sizes: [Symbol("n"): 2]),
      OperatorExample(
        last, [.random(TensorType(.f32, ["n", 3, 5, 4]), -1...1), channel, channel], sizes: [Symbol("n"): 2]),
      OperatorExample(
        grouped, [.random(TensorType(.f32, ["n", "c", "h"]), -1...1)] + ["s", "b"].map(vector),
        sizes: [Symbol("n"): 2, Symbol("c"): 4, Symbol("h"): 3, Symbol("s"): 4, Symbol("b"): 4]),
      OperatorExample(
        ofGroups, [.random(TensorType(.f32, ["n", "c", "h"]), -1...1)] + ["s", "b"].map(vector),
        sizes: [Symbol("n"): 2, Symbol("c"): 4, Symbol("h"): 3, Symbol("s"): 2, Symbol("b"): 1]),
    ]
  }
}

extension GroupNormalization: Composite {
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    _ = try builder.require(by: Self.name) { _ = try infer(inputs, requiring: &$0) }
    let tape = GradientTape(builder)
    defer { builder = tape.builder }
    func input(_ index: Int) throws -> GradientTensor { GradientTensor(try inputs.value(index), tape) }
    let given = try input(0)
    let (rank, element) = (try given.rank, try given.element)
    let order = channelsLast ? [0, rank - 1] + Array(1..<(rank - 1)) : Array(0..<rank)
    let x = try given.transposed(order).cast(to: element == .f64 ? .f64 : .f32)
    let channels = try x.size(1)
    let count = groups == 0 ? channels : x.integers([groups])
    let each = try (2..<rank).reduce(channels.applying(Binary(.divide), count)) { try $0 * x.size($1) }
    let rows = try x.reshaped(to: [x.size(0), count, each])
    func mean(_ value: GradientTensor) throws -> GradientTensor {
      try value.applying(Reduce(.mean, keepsAxes: true), x.integers([2]))
    }
    let centered = try rows - mean(rows)
    var result = try centered / (mean(centered * centered) + epsilon).unary(.sqrt)
    // One per group, or one per channel.
    let isGroup = scalesGroups && groups > 0
    if !isGroup { result = try result.reshaped(like: x) }
    let axes = Array(1..<(isGroup ? 2 : rank - 1))
    let (scale, bias) = (try input(1).cast(to: x.element), try input(2).cast(to: x.element))
    result = try result * scale.unsqueezed(axes) + bias.unsqueezed(axes)
    return [try result.reshaped(like: x).cast(to: element).transposed(back: order).id]
  }
}
