import Sinter

/// A convolution, a batch norm and a rectifier.
public struct BasicConv2d: UnaryLayer {
  public var conv: Conv2d
  public var bn: BatchNorm2d

  public init(_ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0) {
    conv = Conv2d(inputs, outputs, kernel: kernel, stride: stride, padding: padding, bias: false)
    conv.weight = conv.weight.initialized(.truncatedNormal(mean: 0, deviation: 0.01, from: -2, to: 2))
    bn = BatchNorm2d(outputs, epsilon: 0.001)
  }

  public func forward(_ x: Tensor) -> Tensor { bn(conv(x)).relu() }
}

/// Four branches side by side: windows of 1, of 3, of 3 once more, and a pool (Szegedy et al., 2015, in torchvision's form).
public struct Inception: UnaryLayer {
  public var branch1: BasicConv2d
  public var branch2: Sequential, branch3: Sequential, branch4: Sequential

  public init(_ inputs: Int, _ one: Int, _ three: (Int, Int), _ five: (Int, Int), _ pool: Int) {
    branch1 = BasicConv2d(inputs, one, kernel: 1)
    branch2 = Sequential(
      BasicConv2d(inputs, three.0, kernel: 1), BasicConv2d(three.0, three.1, kernel: 3, padding: 1))
    branch3 = Sequential(BasicConv2d(inputs, five.0, kernel: 1), BasicConv2d(five.0, five.1, kernel: 3, padding: 1))
    branch4 = Sequential(
      MaxPool2d(3, stride: 1, padding: 1, ceilMode: true), BasicConv2d(inputs, pool, kernel: 1))
  }

  public func forward(_ x: Tensor) -> Tensor { cat([branch1(x), branch2(x), branch3(x), branch4(x)], axis: 1) }
}

/// A classifier in the middle of the network that helps it to train.
public struct InceptionAux: UnaryLayer {
  public var conv: BasicConv2d
  public var fc1 = Linear(2048, 1024), fc2: Linear
  public var dropout = Dropout(0.7)

  public init(_ inputs: Int, _ classes: Int) {
    conv = BasicConv2d(inputs, 128, kernel: 1)
    fc2 = Linear(1024, classes)
  }

  public func forward(_ x: Tensor) -> Tensor {
    let pooled = AdaptiveAvgPool2d([4, 4]).forward(x)
    return fc2(dropout(fc1(conv(pooled).flatten(from: 1)).relu()))
  }
}

/// Nine inceptions (Szegedy et al., 2015) with torchvision's names. Images [n, 3, h, w] give scores [n, classes].
public struct GoogLeNet: UnaryLayer {
  public var conv1 = BasicConv2d(3, 64, kernel: 7, stride: 2, padding: 3)
  public var maxpool1 = MaxPool2d(3, stride: 2, ceilMode: true)
  public var conv2 = BasicConv2d(64, 64, kernel: 1), conv3 = BasicConv2d(64, 192, kernel: 3, padding: 1)
  public var maxpool2 = MaxPool2d(3, stride: 2, ceilMode: true)
  public var inception3a = Inception(192, 64, (96, 128), (16, 32), 32)
  public var inception3b = Inception(256, 128, (128, 192), (32, 96), 64)
  public var maxpool3 = MaxPool2d(3, stride: 2, ceilMode: true)
  public var inception4a = Inception(480, 192, (96, 208), (16, 48), 64)
  public var inception4b = Inception(512, 160, (112, 224), (24, 64), 64)
  public var inception4c = Inception(512, 128, (128, 256), (24, 64), 64)
  public var inception4d = Inception(512, 112, (144, 288), (32, 64), 64)
  public var inception4e = Inception(528, 256, (160, 320), (32, 128), 128)
  public var maxpool4 = MaxPool2d(2, stride: 2, ceilMode: true)
  public var inception5a = Inception(832, 256, (160, 320), (32, 128), 128)
  public var inception5b = Inception(832, 384, (192, 384), (48, 128), 128)
  public var aux1: InceptionAux?, aux2: InceptionAux?
  public var avgpool = AdaptiveAvgPool2d([1, 1])
  public var dropout: Dropout
  public var fc: any UnaryLayer
  /// Whether images are normalized as ImageNet's are, and are to be turned into what the first weights were trained on: mean 0.5, deviation 0.5.
  public var transformInput: Bool

  /// - Parameters:
  ///   - auxLogits: whether there are two further classifiers, for `withAux`.
  ///   - transformInput: torchvision sets it where it loads weights.
  public init(
    classes: Int = 1000, auxLogits: Bool = false, dropout: Double = 0.2, transformInput: Bool = false
  ) {
    self.transformInput = transformInput
    aux1 = auxLogits ? InceptionAux(512, classes) : nil
    aux2 = auxLogits ? InceptionAux(528, classes) : nil
    self.dropout = Dropout(dropout)
    fc = Linear(1024, classes)
  }

  public func forward(_ x: Tensor) -> Tensor { scores(x).main }

  /// The scores, and those of the two classifiers in the middle: a loss for training adds these, times 0.3.
  public func withAux(_ x: Tensor, file: StaticString = #fileID, line: UInt = #line) -> [Tensor] {
    run(x, file: file, line: line) {
      let scores = scores(x)
      return [scores.main, aux2?(scores.late), aux1?(scores.early)].compactMap { $0 }
    }
  }

  /// Images [n, 3, h, w] from ImageNet's means and deviations of each channel to 0.5 and 0.5: what `transformInput` does.
  public func transformed(_ x: Tensor) -> Tensor {
    let means = [0.485, 0.456, 0.406], deviations = [0.229, 0.224, 0.225]
    let scale = tensor(deviations.map { $0 / 0.5 }).reshape(3, 1, 1)
    let shift = tensor(means.map { ($0 - 0.5) / 0.5 }).reshape(3, 1, 1)
    return x * scale + shift
  }

  private func scores(_ x: Tensor) -> (main: Tensor, early: Tensor, late: Tensor) {
    let stem = maxpool2(conv3(conv2(maxpool1(conv1(transformInput ? transformed(x) : x)))))
    let early = inception4a(maxpool3(inception3b(inception3a(stem))))
    let late = inception4d(inception4c(inception4b(early)))
    let features = inception5b(inception5a(maxpool4(inception4e(late))))
    return (fc(dropout(avgpool(features).flatten(from: 1))), early, late)
  }
}
