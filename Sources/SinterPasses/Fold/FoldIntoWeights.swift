import SinterCore
import SinterIR
import SinterOps

extension Pass {
  /// Scales and shifts a channel move into the weights and the bias before them.
  public static let foldIntoWeights = Pass(
    "fold-weights",
    "Moves batch normalization and constant scales and shifts into the weights of convolutions and products."
  ) { graph, log in
    try graph.rewrite([.constantNode] + RewriteRule.foldIntoWeights, log: &log)
  }
}

extension RewriteRule {
  /// The new weights are written as nodes over constants, which `constantNode` computes.
  static let foldIntoWeights: [RewriteRule] = [
    RewriteRule("batchnorm(x) = x · scale + shift", at: [BatchNormalization.self]) { site in
      guard let op = site.op as? BatchNormalization, !op.trainingMode, let x = site.input(0), let type = site.type(x),
        site.outputs.dropFirst().allSatisfy({ site.useCount($0) == 0 }), type.rank >= 2,
        let scale = site.input(1), let bias = site.input(2), let mean = site.input(3), let variance = site.input(4),
        [scale, bias, mean, variance].allSatisfy({ site.constant($0) != nil && site.type($0)?.element == type.element })
      else { return nil }
      let epsilon = site.constant(try HostTensor(scalar: op.epsilon, type.element))
      let deviation = try site.add1(Unary(.sqrt), [try site.add1(Binary(.add), [variance, epsilon])])
      let factor = try site.add1(Binary(.divide), [scale, deviation])
      let shift = try site.add1(Binary(.subtract), [bias, try site.add1(Binary(.multiply), [mean, factor])])
      let behind = op.channelsLast ? 0 : type.rank - 2
      let scaled = try site.add1(Binary(.multiply), [x, try site.appendingAxes(behind, to: factor)])
      return [try site.add1(Binary(.add), [scaled, try site.appendingAxes(behind, to: shift)])]
        + site.outputs.dropFirst()
    },

    RewriteRule("conv(x, w, b) · c = conv(x, w·c, b·c)", at: Binary.self) { op, site in
      guard op.kind == .multiply || op.kind == .divide, let (conv, factor) = try site.convAndChannels(),
        let w = conv.inputs[1], let rank = site.type(w)?.rank
      else { return nil }
      guard op.kind == .multiply || site.input(0) == conv.value else { return nil }
      let weights = try site.add1(op, [w, try site.appendingAxes(rank - 1 - conv.weightAxis, to: factor)])
      var inputs: [ValueID?] = [conv.inputs[0], weights]
      if let bias = conv.bias { inputs.append(try site.add1(op, [bias, factor])) }
      return try site.add1(conv.op, inputs)
    },

    RewriteRule("conv(x, w, b) + c = conv(x, w, b + c)", at: Binary.self) { op, site in
      guard op.kind == .add || op.kind == .subtract, let (conv, shift) = try site.convAndChannels(),
        op.kind == .add || site.input(0) == conv.value, let w = conv.inputs[1], let type = site.type(w),
        let channels = type.shape[conv.weightAxis].value
      else { return nil }
      let bias = conv.bias ?? site.constant(HostTensor(zeros: [channels], type.element))
      return try site.add1(conv.op, [conv.inputs[0], w, try site.add1(op, [bias, shift])])
    },

    RewriteRule("matmul(x, w) · c = matmul(x, w·c)", at: Binary.self) { op, site in
      guard op.kind == .multiply, let a = site.input(0), let b = site.input(1) else { return nil }
      for (product, factor) in [(a, b), (b, a)] {
        guard let (matmul, _, inputs) = site.producer(of: product, as: MatMul.self), site.isUsedOnce(product),
          let w = inputs[1], site.constant(w) != nil, site.constant(factor) != nil, let type = site.type(factor),
          let weights = site.type(w), weights.rank == 2, type.rank <= 1 || type.count.value == 1,
          type.rank <= (site.type(product)?.rank ?? 0)
        else { continue }
        guard let scaled = try? site.add1(op, [w, factor]), site.type(scaled) == weights else { return nil }
        return try site.add1(matmul, [inputs[0], scaled])
      }
      return nil
    },
  ]
}

extension RewriteSite {
  /// A convolution, or a transposed one, with constant weights that only this node uses.
  struct Convolution {
    var op: any Operator
    /// The axis of the weights that the result's channels are.
    var weightAxis: Int
    var value: ValueID
    var inputs: [ValueID?]
    var bias: ValueID?
  }

  /// For a binary node: the convolution that is one of its operands, and the other, a constant with one number per result channel, as a
  /// tensor of one axis or none.
  func convAndChannels() throws -> (Convolution, ValueID)? {
    guard let a = input(0), let b = input(1) else { return nil }
    for (value, other) in [(a, b), (b, a)] {
      guard let (op, weightAxis, channelsLast, inputs) = convolution(value), isUsedOnce(value),
        constant(inputs[1]) != nil,
        inputs.count < 3 || inputs[2] == nil || constant(inputs[2]) != nil, let factor = constant(other),
        let result = type(value), let weights = type(inputs[1])
      else { continue }
      let channelAxis = channelsLast ? result.rank - 1 : 1
      guard factor.rank <= result.rank, let channels = weights.shape[weightAxis].value,
        factor.count == 1 || factor.count == channels
      else { continue }
      let places = factor.shape.indices.filter { factor.shape[$0] != 1 }
      guard places.allSatisfy({ $0 + result.rank - factor.rank == channelAxis }) else { continue }
      let flat = constant(factor.reshaped(factor.count == 1 ? [] : [factor.count]))
      // A bias must stay one number per channel.
      let perChannel = factor.count == 1 ? try spread(flat, over: channels) : flat
      let bias = inputs.count > 2 ? inputs[2] : nil
      return (Convolution(op: op, weightAxis: weightAxis, value: value, inputs: inputs, bias: bias), perChannel)
    }
    return nil
  }

  private func convolution(
    _ value: ValueID
  ) -> (op: any Operator, weightAxis: Int, channelsLast: Bool, inputs: [ValueID?])? {
    if let (op, _, inputs) = producer(of: value, as: Conv.self) { return (op, 0, op.channelsLast, inputs) }
    if let (op, _, inputs) = producer(of: value, as: ConvTranspose.self), op.group == 1 {
      return (op, 1, op.channelsLast, inputs)
    }
    return nil
  }

  /// A number repeated for each channel.
  private func spread(_ value: ValueID, over channels: Int) throws -> ValueID {
    guard let element = type(value)?.element else { return value }
    return try add1(Binary(.add), [constant(HostTensor(zeros: [channels], element)), value])
  }

  /// The value with axes of size 1 behind its own.
  func appendingAxes(_ count: Int, to value: ValueID) throws -> ValueID {
    guard count > 0, let rank = type(value)?.rank else { return value }
    return try add1(Unsqueeze(), [value, constant(.i64([count], Array(rank..<(rank + count))))])
  }
}

extension HostTensor {
  init(zeros shape: [Int], _ element: ElementType) {
    self.init(element, shape, bytes: TensorBytes(count: element.byteCount(shape.reduce(1, *))) { _ in })
  }
}
