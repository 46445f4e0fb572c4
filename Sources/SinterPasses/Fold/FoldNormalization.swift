import SinterCore
import SinterIR
import SinterOps

extension Pass {
  /// The one change to a model's layers that is made before their weights are quantized.
  public static let foldNormalization = Pass(
    "fold-norms", "Moves batch normalization into the convolution before it, and leaves all others as they are."
  ) { graph, log in
    try graph.rewrite([.normalizedConvolution], log: &log)
  }
}

extension RewriteRule {
  static let normalizedConvolution = RewriteRule(
    "batchnorm(conv(x, w, b)) = conv(x, w · s, (b - mean) · s + shift)", at: [BatchNormalization.self],
    keepsOrigin: true
  ) { site in
    guard let op = site.op as? BatchNormalization, !op.trainingMode, !op.channelsLast, let x = site.input(0),
      site.outputs.dropFirst().allSatisfy({ site.useCount($0) == 0 }), site.isUsedOnce(x),
      let (conv, id, inputs) = site.producer(of: x, as: Conv.self), !conv.channelsLast,
      let weights = site.constant(inputs[1]), let numbers = weights.doubles, let channels = weights.shape.first
    else { return nil }
    let bias = inputs.count > 2 ? inputs[2] : nil
    let constants = [site.input(1), site.input(2), site.input(3), site.input(4)].map { site.constant($0) }
    guard bias == nil || site.constant(bias) != nil, constants.allSatisfy({ $0?.shape == [channels] }) else {
      return nil
    }
    let parts = constants.compactMap { $0?.doubles }
    guard parts.count == 4, channels > 0 else { return nil }
    let own = site.constant(bias)?.doubles ?? [Double](repeating: 0, count: channels)
    let factors = (0..<channels).map { parts[0][$0] / (parts[3][$0] + op.epsilon).squareRoot() }
    let inner = numbers.count / channels
    let scaled = numbers.enumerated().map { $1 * factors[$0 / inner] }
    let shifted = (0..<channels).map { (own[$0] - parts[2][$0]) * factors[$0] + parts[1][$0] }
    let origins = site.graph.nodes[id].origin + site.graph.nodes[site.id].origin
    site.build { $0.origin = origins }
    func name(_ value: ValueID?) -> String { value.map { site.graph.values[$0].name } ?? "" }
    let result = try site.add1(
      conv,
      [
        inputs[0], site.constant(HostTensor(weights.element, weights.shape, doubles: scaled), named: name(inputs[1])),
        site.constant(HostTensor(weights.element, [channels], doubles: shifted), named: name(bias)),
      ])
    return [result] + site.outputs.dropFirst()
  }
}
