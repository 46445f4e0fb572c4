import SinterCore
import SinterIR
import SinterKernel

/// Normalizes each group of channels of each example to mean 0 and variance 1, with a scale and a bias a channel (a group, before opset 21).
/// With as many groups as channels this is instance normalization.
public struct GroupNormalization: Primitive {
  public static let name = "GroupNormalization"
  public static let summary = "Normalizes groups of channels of each example; also InstanceNormalization."

  public var epsilon = 1e-5
  /// Zero: as many as there are channels.
  public var groups = 0
  /// Input and result are [n, spatial…, c]. Set by the layout pass; ONNX has no such form.
  public var channelsLast = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("epsilon", &epsilon, default: 1e-5)
    list.int("num_groups", &groups, default: 0)
    list.bool("channels_last", &channelsLast, default: false)
  }

  public static var onnx: [OnnxRule] {
    [.direct(GroupNormalization.self, since: 18), .direct(GroupNormalization.self, as: "InstanceNormalization")]
  }

  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? {
    if channelsLast { return nil }
    if groups == 0 { return OnnxForm("InstanceNormalization", since: 6, attributes: [("epsilon", .float(epsilon))]) }
    guard let x = try? inputs.tensor(0), let scale = try? inputs.tensor(1), scale.shape == [x.shape[1]] else {
      return OnnxForm(of: self, since: 18)
    }
    return OnnxForm(of: self, since: 21)
  }

  private func channelAxis(_ x: TensorType) -> Int { ImageLayout(channelsLast: channelsLast).channelAxis(rank: x.rank) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard x.rank >= 2 else {
      throw DiagnosticError(.user, "groupnorm.rank", "the input must have a batch and a channel axis, but is \(x)")
    }
    if let channels = x.shape[channelAxis(x)].value, groups < 0 || (groups > 0 && channels % groups != 0) {
      throw DiagnosticError(.user, "groupnorm.groups", "\(channels) channels do not divide into \(groups) groups")
    }
    for index in 1..<3 { _ = try inputs.tensor(index) }
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, scale, bias) = (try node.input(0), try node.input(1), try node.input(2))
    let compute = x.element == .f64 ? ElementType.f64 : .f32
    let layout = ImageLayout(channelsLast: channelsLast)
    let channelAxis = channelAxis(x.type)
    let channels = x.shape[channelAxis]
    let groups = self.groups == 0 ? channels : Dim(self.groups)
    let perGroup = channels / groups
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
        builder.load(operand.id, [operand.shape[0] == channels ? channel : group]).cast(to: compute)
      }
      let value = (builder.load(x.id, index).cast(to: compute) - builder.load(mean.id, row)) * builder.load(inverse.id, row)
      return (value * parameter(scale) + parameter(bias)).cast(to: x.element)
    }
    return [result]
  }

  public static var examples: [OperatorExample] {
    var grouped = GroupNormalization()
    grouped.groups = 2
    var last = grouped
    last.channelsLast = true
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 4, 3, 5]), -1...1)
    let channel = OperatorExample.Input.random(TensorType(.f32, [4]), 0.5...2)
    return [
      OperatorExample(GroupNormalization(), [x, channel, channel], sizes: [Symbol("n"): 2]),
      OperatorExample(grouped, [x, channel, channel], sizes: [Symbol("n"): 2]),
      OperatorExample(
        last, [.random(TensorType(.f32, ["n", 3, 5, 4]), -1...1), channel, channel], sizes: [Symbol("n"): 2]),
    ]
  }
}
