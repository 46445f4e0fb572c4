import SinterCore
import SinterForms
import SinterIR

/// (x - mean) / sqrt(variance + epsilon) · scale + bias, with given statistics, one per channel.
///
/// In training mode the statistics are the batch's own (the variance divided by n), and the results after the first are running statistics:
/// running · momentum + own · (1 - momentum).
public struct BatchNormalization: Primitive {
  public static let name = "BatchNormalization"
  public static let summary = "Normalizes each channel by given or by the batch's own statistics."

  /// What is added to variances before their root is taken, and how much of a running statistic stays in each
  /// training step.
  public var epsilon = 1e-5, momentum = 0.9
  /// Whether statistics are the batch's own, and running ones are results.
  public var trainingMode = false
  /// Whether channels are the last axis, else the second.
  public var channelsLast = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("epsilon", &epsilon, default: 1e-5)
    list.float("momentum", &momentum, default: 0.9)
    list.bool("training_mode", &trainingMode, default: false)
    list.bool("channels_last", &channelsLast, default: false)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(BatchNormalization.self, since: 14),
      OnnxRule(name, since: 7) { node, builder in
        // Versions 7 and 9 have further results for training only.
        if node.int("spatial") == 0 { return [try everyPlace(node, &builder)] }
        var op = BatchNormalization()
        op.epsilon = node.float("epsilon") ?? 1e-5
        return try builder.add(op, node.inputs, outputs: 1)
      },
      OnnxRule(name, since: 1) { node, builder in
        guard node.int("is_test") == 1 || node.outputCount == 1 else {
          throw DiagnosticError(.limit, "batchnorm.training", "training mode needs opset 14 or later")
        }
        if node.int("spatial") == 0 { return [try everyPlace(node, &builder)] }
        var op = BatchNormalization()
        op.epsilon = node.float("epsilon") ?? 1e-5
        return try builder.add(op, node.inputs, outputs: 1)
      },
    ]
  }

  /// Before opset 9 there may be statistics of each place of an example: `spatial = 0`.
  private static func everyPlace(_ node: OnnxNode, _ builder: inout GraphBuilder) throws -> ValueID {
    let inputs = builder.inputs(node.inputs, outputs: 1)
    let x = try inputs.tensor(0)
    try builder.require(by: name) { obligations in
      for index in 1..<5 {
        let type = try inputs.tensor(index)
        guard type.rank == x.rank - 1 else {
          throw DiagnosticError(
            .user, "batchnorm.places", "input \(index) must have the axes of \(x) but the first, but is \(type)")
        }
        _ = try obligations.equal(
          Array(x.shape.dropFirst()), type.shape, "sizes of \(x) and of input \(index), \(type)")
      }
    }
    let epsilon = try builder.scalar(node.float("epsilon") ?? 1e-5, x.element)
    func binary(_ function: Binary.Kind, _ a: ValueID?, _ b: ValueID?) throws -> ValueID {
      try builder.add1(Binary(function), [a, b])
    }
    let deviation = try builder.add1(Unary(.sqrt), [try binary(.add, node.input(4), epsilon)])
    let factor = try binary(.divide, node.input(1), deviation)
    let scaled = try binary(.multiply, try binary(.subtract, node.input(0), node.input(3)), factor)
    return try binary(.add, scaled, node.input(2))
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    channelsLast ? nil : NodeSpecification(of: self, since: 15)
  }

  private func channelAxis(_ x: TensorType) -> Int { channelsLast ? x.rank - 1 : Swift.min(1, x.rank - 1) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard x.rank >= 1 else {
      throw DiagnosticError(.user, "batchnorm.rank", "the input must have at least one axis, but is \(x)")
    }
    let channels = x.rank == 1 ? Dim(1) : x.shape[channelAxis(x)]
    for index in 1..<5 {
      try obligations.matchChannels(inputs, index, channels, "channels")
    }
    let (mean, variance) = (try inputs.tensor(3), try inputs.tensor(4))
    guard trainingMode || inputs.outputCount <= 1 else {
      throw DiagnosticError(
        .user, "batchnorm.results", "running statistics are results in training mode only",
        hint: "set training_mode, or leave them out")
    }
    if trainingMode {
      try requireElement(mean, { $0.isFloat }, name: "the mean")
      guard mean.element == variance.element else {
        throw DiagnosticError(
          .user, "operator.type", "mean and variance must have one element type, but are \(mean) and \(variance)",
          hint: "insert a Cast")
      }
    }
    let statistics = Fact(mean.element, [channels])
    return [Fact(.tensor(x)), statistics, statistics]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let (scale, bias) = (try node.input(1), try node.input(2))
    var (mean, variance) = (try node.input(3), try node.input(4))
    let compute = x.element.computeType
    let axis = channelAxis(x.type)
    let isVector = x.rank == 1
    var running: [Operand] = []
    if trainingMode {
      // A vector is of examples, of one channel.
      let channels = isVector ? Dim(1) : x.shape[axis]
      let inner = isVector ? x.shape : x.shape.indices.filter { $0 != axis }.map { x.shape[$0] }
      func place(_ channel: Expr, _ rest: [Expr]) -> [Expr] {
        if isVector { return rest }
        var index = rest
        index.insert(channel, at: axis)
        return index
      }
      func average(_ value: (BodyBuilder, Expr, [Expr]) throws -> Expr) throws -> Operand {
        let sum = try lowering.reduce(.sum, [channels], over: inner) { try value($0, $1[0], $2) }
        return try lowering.element([channels]) { builder, index in
          builder.load(sum.id, index) / builder.size(inner.reduce(1, *)).cast(to: compute)
        }
      }
      let ownMean = try average { builder, channel, rest in
        builder.load(x.id, place(channel, rest)).cast(to: compute)
      }
      let ownVariance = try average { builder, channel, rest in
        let d = builder.load(x.id, place(channel, rest)).cast(to: compute) - builder.load(ownMean.id, [channel])
        return d * d
      }
      let momentum = momentum
      for (old, own) in [(mean, ownMean), (variance, ownVariance)] {
        running.append(
          try lowering.element([channels]) { builder, index in
            let before = builder.load(old.id, index).cast(to: compute)
            return (before * momentum + builder.load(own.id, index) * (1 - momentum)).cast(to: old.element)
          })
      }
      (mean, variance) = (ownMean, ownVariance)
    }
    let epsilon = epsilon
    let (m, v) = (mean, variance)
    let result = try lowering.element(x.shape) { builder, index in
      let channel = isVector ? [builder.constant(0, .i64)] : [index[axis]]
      func load(_ operand: Operand, _ at: [Expr]) -> Expr { builder.load(operand.id, at).cast(to: compute) }
      let factor = load(scale, channel) / (load(v, channel) + epsilon).unary(.sqrt)
      return ((load(x, index) - load(m, channel)) * factor + load(bias, channel)).cast(to: x.element)
    }
    return [result] + running
  }

  public static var examples: [OperatorExample] {
    let channel = OperatorExample.Input.random(TensorType(.f32, [5]), 0.5...2)
    var training = BatchNormalization()
    training.trainingMode = true
    return [
      OperatorExample(
        BatchNormalization(), [.random(TensorType(.f32, ["n", 5, 3, 4]), -1...1), channel, channel, channel, channel],
        sizes: [Symbol("n"): 2]),
      OperatorExample(
        BatchNormalization(),
        [.random(TensorType(.f32, ["n", "c", "h"]), -1...1)]
          + ["s", "b", "m", "v"].map { .random(TensorType(.f32, [Dim(symbol: $0)]), 0.5...2) },
        sizes: [
          Symbol("n"): 2, Symbol("c"): 3, Symbol("h"): 2, Symbol("s"): 3, Symbol("b"): 3, Symbol("m"): 3,
          Symbol("v"): 3,
        ]),
      OperatorExample(
        training, [.random(TensorType(.f32, [4, 5, 3]), -1...1), channel, channel, channel, channel], outputs: 3),
    ]
  }
}

extension BatchNormalization: Differentiable {
  /// In training mode mean and variance are functions of the input; with given statistics they are inputs of their own. No gradient flows
  /// through the running statistics.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, scale, g) = (try node.input(0), try node.input(1), try node.gradient())
    let rank = try x.rank
    let axis = channelAxis(try x.type)
    let others = rank == 1 ? [0] : (0..<rank).filter { $0 != axis }
    // A number per channel, along the channels' axis.
    func channel(_ value: GradientTensor) throws -> GradientTensor {
      if rank == 1 { return value }
      return try value.cast(to: try x.element).applying(
        Reshape(), x.integers((0..<rank).map { $0 == axis ? -1 : 1 }))
    }
    func mean(_ value: GradientTensor) throws -> GradientTensor {
      try value.applying(Reduce(.mean), x.integers(others))
    }
    let center = trainingMode ? try mean(x) : try channel(try node.input(3))
    let shifted = try x - center
    let variance = trainingMode ? try mean(shifted * shifted) : try channel(try node.input(4))
    let inverse = try 1 / (variance + epsilon).unary(.sqrt)
    let normalized = try shifted * inverse
    let sumOfG = try g.sum(others)
    let sumOfProducts = try (g * normalized).sum(others)
    let factor = try channel(scale) * inverse
    func own(_ value: GradientTensor, like index: Int) throws -> GradientTensor? {
      guard node.wants(index) else { return nil }
      let parameter = try node.input(index)
      return try value.cast(to: try parameter.element).reshaped(like: parameter)
    }
    var ofX: GradientTensor?
    if node.wants(0) {
      if trainingMode {
        let count = try x.count() / sumOfG.count()
        ofX = try factor * (g - sumOfG / count - normalized * (sumOfProducts / count))
      } else {
        ofX = try g * factor
      }
    }
    return [
      ofX, try own(sumOfProducts, like: 1), try own(sumOfG, like: 2),
      trainingMode ? nil : try own(-(sumOfG * factor), like: 3),
      trainingMode ? nil : try own(sumOfProducts * channel(scale) * inverse * inverse * -0.5, like: 4),
    ]
  }
}
