import Sinter

/// A convolution, a batch norm and a rectifier that ends at 6.
private func convNormReLU6(_ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, groups: Int = 1) -> Sequential {
  Sequential(
    startedConv(inputs, outputs, kernel: kernel, stride: stride, padding: (kernel - 1) / 2, groups: groups),
    BatchNorm2d(outputs), ReLU6())
}

/// More channels, a convolution of each alone, and fewer again, beside a shortcut where sizes allow it.
public struct InvertedResidual: UnaryLayer {
  public var conv: Sequential
  private let hasShortcut: Bool

  public init(_ inputs: Int, _ outputs: Int, stride: Int, expansion: Int) {
    let hidden = inputs * expansion
    var layers: [any UnaryLayer] = expansion == 1 ? [] : [convNormReLU6(inputs, hidden, kernel: 1)]
    layers += [
      convNormReLU6(hidden, hidden, kernel: 3, stride: stride, groups: hidden), startedConv(hidden, outputs, kernel: 1),
      BatchNorm2d(outputs),
    ]
    conv = Sequential(layers)
    hasShortcut = stride == 1 && inputs == outputs
  }

  public func forward(_ x: Tensor) -> Tensor { hasShortcut ? x + conv(x) : conv(x) }
}

/// Small networks for small devices (Sandler et al., 2018) with torchvision's names.
public struct MobileNetV2: UnaryLayer {
  public var features: Sequential
  public var classifier: Sequential

  public init(classes: Int = 1000, dropout: Double = 0.2) {
    var layers: [any UnaryLayer] = [convNormReLU6(3, 32, kernel: 3, stride: 2)]
    var inputs = 32
    let stages = [
      (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ]
    for (expansion, width, count, stride) in stages {
      for index in 0..<count {
        layers.append(InvertedResidual(inputs, width, stride: index == 0 ? stride : 1, expansion: expansion))
        inputs = width
      }
    }
    layers.append(convNormReLU6(inputs, 1280, kernel: 1))
    features = Sequential(layers)
    classifier = Sequential(Dropout(dropout), startedLinear(1280, classes))
  }

  public func forward(_ x: Tensor) -> Tensor {
    classifier(AdaptiveAvgPool2d([1, 1]).forward(features(x)).flatten(from: 1))
  }
}
