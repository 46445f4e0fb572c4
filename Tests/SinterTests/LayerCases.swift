import Sinter

extension LayerTests {
  static let cases: [Case] =
    linear + convolutions + pools + activations + norms + resampling + recurrent + attention
    + functions

  private static let linear: [Case] = [
    Case("Linear") { Linear(3, 4) },
    Case("Linear.noBias") { Linear(3, 4, bias: false) },
    Case("Bilinear", { Bilinear(3, 4, 2) }) { [$0($1[0], $1[1])] },
    Case("Embedding") { Embedding(7, 3) },
    Case("Embedding.padding", mode: .train) { Embedding(7, 3, paddingIndex: 2) },
    Case("CosineSimilarity", { CosineSimilarity() }) { [$0($1[0], $1[1])] },
  ]

  private static let convolutions: [Case] = [
    Case("Conv1d") { Conv1d(2, 4, kernel: 3, stride: 2, padding: 1, dilation: 2, groups: 2) },
    Case("Conv2d") { Conv2d(2, 3, kernel: [3, 5], stride: [2, 1], padding: [1, 2], dilation: [1, 2]) },
    Case("Conv2d.groups") { Conv2d(4, 8, kernel: 3, groups: 4, bias: false) },
    Case("Conv2d.same") { Conv2d(2, 3, kernel: [4, 3], padding: .same) },
    Case("Conv2d.valid") { Conv2d(2, 3, kernel: 2, padding: .valid) },
    Case("Conv2d.reflect") { Conv2d(2, 3, kernel: 3, padding: [1, 2], paddingMode: .reflect) },
    Case("Conv2d.replicate") { Conv2d(2, 3, kernel: 3, padding: 2, paddingMode: .replicate) },
    Case("Conv2d.circular") { Conv2d(2, 3, kernel: 3, padding: [2, 1], paddingMode: .circular) },
    Case("Conv2d.unbatched") { Conv2d(2, 3, kernel: 3) },
    Case("Conv3d") { Conv3d(2, 3, kernel: [2, 3, 3], stride: [1, 2, 1], padding: [0, 1, 1]) },
    Case("ConvTranspose1d") { ConvTranspose1d(3, 4, kernel: 3, stride: 2, padding: 1, outputPadding: 1) },
    Case("ConvTranspose2d") {
      ConvTranspose2d(4, 6, kernel: [3, 2], stride: [2, 3], padding: [1, 0], outputPadding: [1, 2], groups: 2)
    },
    Case("ConvTranspose2d.dilation") { ConvTranspose2d(2, 3, kernel: 3, bias: false, dilation: 2) },
    Case("ConvTranspose3d") { ConvTranspose3d(2, 3, kernel: 2, stride: 2) },
  ]

  private static let pools: [Case] = [
    Case("MaxPool1d") { MaxPool1d(3, stride: 2, padding: 1) },
    Case("MaxPool2d") { MaxPool2d([2, 3], stride: [2, 1], padding: [1, 1]) },
    Case("MaxPool2d.ceil") { MaxPool2d(3, stride: 2, ceilMode: true) },
    Case("MaxPool2d.dilation") { MaxPool2d(2, stride: 1, dilation: 2) },
    Case("MaxPool2d.indices", { MaxPool2d(2) }) {
      let (values, places) = $0.withIndices($1[0])
      return [values, places]
    },
    Case("MaxPool3d") { MaxPool3d(2) },
    Case("AvgPool1d") { AvgPool1d(3, stride: 2, padding: 1) },
    Case("AvgPool2d") { AvgPool2d(3, stride: 2, padding: 1, countIncludePad: false) },
    Case("AvgPool2d.ceil") { AvgPool2d(3, stride: 2, padding: 1, ceilMode: true) },
    Case("AvgPool2d.divisor") { AvgPool2d(2, divisorOverride: 3) },
    Case("AvgPool3d") { AvgPool3d([1, 2, 2]) },
    Case("LPPool2d") { LPPool2d(2, 2) },
    Case("AdaptiveAvgPool1d") { AdaptiveAvgPool1d(4) },
    Case("AdaptiveAvgPool2d") { AdaptiveAvgPool2d([3, 5]) },
    Case("AdaptiveAvgPool2d.none") { AdaptiveAvgPool2d([-1, 2]) },
    Case("AdaptiveAvgPool2d.one") { AdaptiveAvgPool2d(1) },
    Case("AdaptiveAvgPool3d") { AdaptiveAvgPool3d([2, 1, 2]) },
    Case("AdaptiveMaxPool2d") { AdaptiveMaxPool2d([3, 2]) },
    Case("AdaptiveMaxPool1d") { AdaptiveMaxPool1d(2) },
  ]

  private static let activations: [Case] = [
    Case("ReLU") { ReLU() }, Case("ReLU6") { ReLU6() }, Case("LeakyReLU") { LeakyReLU(0.2) },
    Case("Sigmoid") { Sigmoid() }, Case("LogSigmoid") { LogSigmoid() }, Case("Hardsigmoid") { Hardsigmoid() },
    Case("Tanh") { Tanh() }, Case("Hardtanh") { Hardtanh(min: -2, max: 1.5) }, Case("Tanhshrink") { Tanhshrink() },
    Case("Softsign") { Softsign() }, Case("Softplus") { Softplus() },
    Case("Softplus.beta") { Softplus(beta: 2, threshold: 3) }, Case("Softshrink") { Softshrink(0.7) },
    Case("Hardshrink") { Hardshrink() }, Case("Threshold") { Threshold(0.1, -3) }, Case("GELU") { GELU() },
    Case("GELU.tanh") { GELU(approximate: .tanh) }, Case("SiLU") { SiLU() }, Case("Mish") { Mish() },
    Case("Hardswish") { Hardswish() }, Case("ELU") { ELU(alpha: 0.7) }, Case("CELU") { CELU(alpha: 1.3) },
    Case("SELU") { SELU() }, Case("GLU") { GLU() }, Case("Softmax") { Softmax(1) },
    Case("LogSoftmax") { LogSoftmax(0) }, Case("Softmin") { Softmin(1) }, Case("PReLU") { PReLU() },
    Case("PReLU.channels") { PReLU(3) },
  ]

  private static let norms: [Case] = [
    Case("BatchNorm1d") { BatchNorm1d(3) }, Case("BatchNorm1d.length") { BatchNorm1d(3) },
    Case("BatchNorm2d") { BatchNorm2d(3, epsilon: 1e-3) }, Case("BatchNorm2d.train", mode: .train) { BatchNorm2d(3) },
    Case("BatchNorm2d.plain") { BatchNorm2d(3, affine: false, trackRunningStats: false) },
    Case("BatchNorm3d") { BatchNorm3d(2) }, Case("InstanceNorm1d") { InstanceNorm1d(3) },
    Case("InstanceNorm2d") { InstanceNorm2d(3, affine: true) }, Case("InstanceNorm3d") { InstanceNorm3d(2) },
    Case("LayerNorm") { LayerNorm(3, 4) }, Case("LayerNorm.noBias") { LayerNorm(4, bias: false) },
    Case("LayerNorm.plain") { LayerNorm(4, elementwiseAffine: false) }, Case("RMSNorm") { RMSNorm(4) },
    Case("RMSNorm.epsilon") { RMSNorm(3, 4, epsilon: 1e-2, elementwiseAffine: false) },
    Case("GroupNorm") { GroupNorm(2, 4) }, Case("GroupNorm.plain") { GroupNorm(2, 4, affine: false) },
    Case("LocalResponseNorm") { LocalResponseNorm(3, alpha: 0.1) },
    Case("LocalResponseNorm.train", mode: .train) { LocalResponseNorm(3, alpha: 0.1) },
    Case("LocalResponseNorm.even") { LocalResponseNorm(4, alpha: 0.1, beta: 0.5, k: 2) },
  ]

  private static let resampling: [Case] = [
    Case("ReflectionPad1d") { ReflectionPad1d([1, 2]) }, Case("ReflectionPad2d") { ReflectionPad2d([1, 2, 0, 1]) },
    Case("ReplicationPad2d") { ReplicationPad2d(2) },
    Case("ReplicationPad3d") { ReplicationPad3d([1, 0, 0, 1, 1, 1]) },
    Case("CircularPad2d") { CircularPad2d([1, 2, 2, 0]) }, Case("ZeroPad2d") { ZeroPad2d([1, 2, 0, 3]) },
    Case("ConstantPad1d") { ConstantPad1d([1, -2], 0.5) }, Case("Upsample.nearest") { Upsample(scale: 2) },
    Case("Upsample.size") { Upsample(size: [5, 3]) },
    Case("Upsample.bilinear") { Upsample(scale: 2.5, mode: .linear) },
    Case("Upsample.corners") { Upsample(size: [5, 7], mode: .linear, alignCorners: true) },
    Case("Upsample.linear") { Upsample(scale: 2, mode: .linear) },
    Case("Upsample.bicubic") { Upsample(scale: 2, mode: .bicubic) },
    Case("interpolate.exact") { [$0[0].interpolate(size: [5, 3], mode: .nearestExact)] },
    Case("interpolate.area") { [$0[0].interpolate(size: [2, 3], mode: .area)] },
    Case("interpolate.antialias") { [$0[0].interpolate(size: [3, 2], mode: .linear, antialias: true)] },
    Case("PixelShuffle") { PixelShuffle(2) }, Case("PixelUnshuffle") { PixelUnshuffle(2) },
    Case("grid_sample") { [$0[0].gridSample($0[1])] },
    Case("grid_sample.border") { [$0[0].gridSample($0[1], mode: .nearest, padding: .border, alignCorners: true)] },
    Case("Flatten") { Flatten(from: 2, to: 3) }, Case("Unflatten") { Unflatten(1, [2, 3]) },
  ]

  /// What `Lengths` of the fixture's script holds.
  struct Lengths<Recurrent> { var rnn: Recurrent }

  private static let recurrent: [Case] = [
    Case("RNN", { RNN(3, 4, layers: 2) }) {
      let (output, state) = $0($1[0])
      return [output, state]
    },
    Case("RNN.relu", { RNN(3, 4, nonlinearity: .relu, bias: false, batchFirst: true, bidirectional: true) }) {
      let (output, state) = $0($1[0])
      return [output, state]
    },
    Case("LSTM", { LSTM(3, 4) }) {
      let (output, (hidden, cell)) = $0($1[0])
      return [output, hidden, cell]
    },
    Case("LSTM.deep", { LSTM(3, 4, layers: 2, batchFirst: true, bidirectional: true) }) {
      let (output, (hidden, cell)) = $0($1[0])
      return [output, hidden, cell]
    },
    Case("LSTM.states", { LSTM(3, 4, layers: 2) }) {
      let (output, (hidden, cell)) = $0($1[0], ($1[1], $1[2]))
      return [output, hidden, cell]
    },
    Case("LSTM.unbatched", { LSTM(3, 4) }) {
      let (output, (hidden, cell)) = $0($1[0])
      return [output, hidden, cell]
    },
    Case("LSTM.lengths", { Lengths(rnn: LSTM(3, 4, batchFirst: true, bidirectional: true)) }) {
      let (output, (hidden, cell)) = $0.rnn($1[0], lengths: $1[1])
      return [output, hidden, cell]
    },
    Case("LSTM.projected", { LSTM(3, 5, layers: 2, bidirectional: true, projection: 2) }) {
      let (output, (hidden, cell)) = $0($1[0])
      return [output, hidden, cell]
    },
    Case("LSTM.projectedStates", { LSTM(3, 5, bias: false, batchFirst: true, projection: 3) }) {
      let (output, (hidden, cell)) = $0($1[0], ($1[1], $1[2]))
      return [output, hidden, cell]
    },
    Case("LSTM.projectedLengths", { Lengths(rnn: LSTM(3, 4, batchFirst: true, bidirectional: true, projection: 2)) }) {
      let (output, (hidden, cell)) = $0.rnn($1[0], lengths: $1[1])
      return [output, hidden, cell]
    },
    Case("GRU", { GRU(3, 4, layers: 2) }) {
      let (output, state) = $0($1[0], $1[1])
      return [output, state]
    },
    Case("GRU.bidirectional", { GRU(3, 4, bias: false, batchFirst: true, bidirectional: true) }) {
      let (output, state) = $0($1[0])
      return [output, state]
    },
    Case("GRU.lengths", { Lengths(rnn: GRU(3, 4, batchFirst: true)) }) {
      let (output, state) = $0.rnn($1[0], lengths: $1[1])
      return [output, state]
    },
    Case("RNNCell", { RNNCell(3, 4) }) { [$0($1[0], $1[1])] },
    Case("RNNCell.relu", { RNNCell(3, 4, bias: false, nonlinearity: .relu) }) { [$0($1[0])] },
    Case("LSTMCell", { LSTMCell(3, 4) }) {
      let (hidden, cell) = $0($1[0], ($1[1], $1[2]))
      return [hidden, cell]
    },
    Case("LSTMCell.first", { LSTMCell(3, 4) }) {
      let (hidden, cell) = $0($1[0])
      return [hidden, cell]
    },
    Case("GRUCell", { GRUCell(3, 4) }) { [$0($1[0], $1[1])] },
  ]

  private static let attention: [Case] = [
    Case("MultiheadAttention", { MultiheadAttention(8, heads: 2) }) {
      let (output, weights) = $0.withWeights($1[0], $1[1], $1[2])
      return [output, weights]
    },
    Case("MultiheadAttention.masks", { MultiheadAttention(8, heads: 2, bias: false, batchFirst: true) }) {
      let (output, weights) = $0.withWeights($1[0], $1[1], $1[2], mask: $1[3], paddingMask: $1[4])
      return [output, weights]
    },
    Case("MultiheadAttention.widths", { MultiheadAttention(8, heads: 4, keyWidth: 5, valueWidth: 6) }) {
      let (output, weights) = $0.withWeights($1[0], $1[1], $1[2])
      return [output, weights]
    },
    Case("attention.causal") { [scaledDotProductAttention($0[0], $0[1], $0[2], isCausal: true)] },
    Case("attention.mask") { [scaledDotProductAttention($0[0], $0[1], $0[2], mask: $0[3], scale: 0.5)] },
    Case("TransformerEncoderLayer", { TransformerEncoderLayer(8, heads: 2, feedforward: 16, dropout: 0) }) {
      [$0($1[0])]
    },
    Case(
      "TransformerEncoderLayer.normFirst",
      {
        TransformerEncoderLayer(
          8, heads: 2, feedforward: 16, dropout: 0, activation: .gelu, batchFirst: true, normFirst: true)
      }
    ) { [$0($1[0], mask: $1[1], paddingMask: $1[2])] },
    Case("TransformerDecoderLayer", { TransformerDecoderLayer(8, heads: 2, feedforward: 16, dropout: 0) }) {
      [$0($1[0], $1[1], mask: $1[2])]
    },
    Case(
      "TransformerEncoder",
      {
        TransformerEncoder(
          TransformerEncoderLayer(8, heads: 2, feedforward: 16, dropout: 0, batchFirst: true), layers: 2,
          norm: LayerNorm(8))
      }
    ) { [$0($1[0])] },
    Case(
      "TransformerDecoder",
      {
        TransformerDecoder(
          TransformerDecoderLayer(8, heads: 2, feedforward: 16, dropout: 0, normFirst: true), layers: 2)
      }
    ) { [$0($1[0], $1[1])] },
    Case(
      "Transformer",
      { Transformer(8, heads: 2, encoderLayers: 1, decoderLayers: 1, feedforward: 16, dropout: 0, batchFirst: true) }
    ) { [$0($1[0], $1[1], targetMask: $1[2])] },
  ]
}
