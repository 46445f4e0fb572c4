import Sinter

/// Adds channels to what it gets: norm, rectifier, convolution of 1, norm, rectifier, convolution of 3.
public struct DenseLayer: UnaryLayer {
  public var norm1: BatchNorm2d, relu1 = ReLU(), conv1: Conv2d
  public var norm2: BatchNorm2d, relu2 = ReLU(), conv2: Conv2d
  public var drop: Dropout

  public init(_ inputs: Int, growth: Int, width: Int, dropout: Double) {
    norm1 = BatchNorm2d(inputs)
    conv1 = startedDense(inputs, width * growth, kernel: 1)
    norm2 = BatchNorm2d(width * growth)
    conv2 = startedDense(width * growth, growth, kernel: 3, padding: 1)
    drop = Dropout(dropout)
  }

  public func forward(_ x: Tensor) -> Tensor { cat([x, drop(conv2(relu2(norm2(conv1(relu1(norm1(x)))))))], axis: 1) }
}

/// A convolution as DenseNet starts it: normal by the fan of its inputs.
private func startedDense(_ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0) -> Conv2d {
  var conv = Conv2d(inputs, outputs, kernel: kernel, stride: stride, padding: padding, bias: false)
  conv.weight = conv.weight.initialized(.kaimingNormal())
  return conv
}

/// Blocks in which each layer sees all before it (Huang et al., 2017) with torchvision's names: `DenseNet.densenet121()` and so on.
public struct DenseNet: UnaryLayer {
  public var features: Sequential
  public var classifier: any UnaryLayer

  public init(
    blocks: [Int] = [6, 12, 24, 16], growth: Int = 32, first: Int = 64, width: Int = 4, dropout: Double = 0,
    classes: Int = 1000
  ) {
    features = Sequential(named: [
      "conv0": startedDense(3, first, kernel: 7, stride: 2, padding: 3), "norm0": BatchNorm2d(first), "relu0": ReLU(),
      "pool0": MaxPool2d(3, stride: 2, padding: 1),
    ])
    var channels = first
    for (index, count) in blocks.enumerated() {
      var block = Sequential(named: [:])
      for layer in 0..<count {
        block["denselayer\(layer + 1)"] = DenseLayer(channels, growth: growth, width: width, dropout: dropout)
        channels += growth
      }
      features["denseblock\(index + 1)"] = block
      guard index < blocks.count - 1 else { continue }
      features["transition\(index + 1)"] = Sequential(named: [
        "norm": BatchNorm2d(channels), "relu": ReLU(), "conv": startedDense(channels, channels / 2, kernel: 1),
        "pool": AvgPool2d(2),
      ])
      channels /= 2
    }
    features["norm5"] = BatchNorm2d(channels)
    var linear = Linear(channels, classes)
    linear.bias = linear.bias?.initialized(.zeros)
    classifier = linear
  }

  public static func densenet121(classes: Int = 1000) -> DenseNet { DenseNet(classes: classes) }
  public static func densenet169(classes: Int = 1000) -> DenseNet {
    DenseNet(blocks: [6, 12, 32, 32], classes: classes)
  }
  public static func densenet201(classes: Int = 1000) -> DenseNet {
    DenseNet(blocks: [6, 12, 48, 32], classes: classes)
  }

  public func forward(_ x: Tensor) -> Tensor {
    let pooled = AdaptiveAvgPool2d([1, 1]).forward(features(x).relu())
    return classifier(pooled.flatten(from: 1))
  }
}
