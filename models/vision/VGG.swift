import Sinter

/// Stacks of convolutions of 3 by 3 (Simonyan and Zisserman, 2015) with torchvision's names: `VGG.vgg16()`, `.vgg19(batchNorm: true)` and so on.
/// Images [n, 3, h, w] give scores [n, classes].
public struct VGG: UnaryLayer {
  public var features: Sequential
  public var avgpool: any UnaryLayer = AdaptiveAvgPool2d([7, 7])
  public var classifier: Sequential

  /// - Parameter stages: how many convolutions come before each pool.
  private init(_ stages: [Int], batchNorm: Bool, classes: Int, dropout: Double) {
    var layers: [any UnaryLayer] = []
    var inputs = 3
    for (width, count) in zip([64, 128, 256, 512, 512], stages) {
      for _ in 0..<count {
        layers.append(startedConv(inputs, width, kernel: 3, padding: 1, bias: true))
        if batchNorm { layers.append(BatchNorm2d(width)) }
        layers.append(ReLU())
        inputs = width
      }
      layers.append(MaxPool2d(2))
    }
    features = Sequential(layers)
    classifier = Sequential(
      startedLinear(512 * 7 * 7, 4096), ReLU(), Dropout(dropout), startedLinear(4096, 4096), ReLU(), Dropout(dropout),
      startedLinear(4096, classes))
  }

  public static func vgg11(batchNorm: Bool = false, classes: Int = 1000, dropout: Double = 0.5) -> VGG {
    VGG([1, 1, 2, 2, 2], batchNorm: batchNorm, classes: classes, dropout: dropout)
  }
  public static func vgg13(batchNorm: Bool = false, classes: Int = 1000, dropout: Double = 0.5) -> VGG {
    VGG([2, 2, 2, 2, 2], batchNorm: batchNorm, classes: classes, dropout: dropout)
  }
  public static func vgg16(batchNorm: Bool = false, classes: Int = 1000, dropout: Double = 0.5) -> VGG {
    VGG([2, 2, 3, 3, 3], batchNorm: batchNorm, classes: classes, dropout: dropout)
  }
  public static func vgg19(batchNorm: Bool = false, classes: Int = 1000, dropout: Double = 0.5) -> VGG {
    VGG([2, 2, 4, 4, 4], batchNorm: batchNorm, classes: classes, dropout: dropout)
  }

  public func forward(_ x: Tensor) -> Tensor {
    classifier(avgpool(features(x)).flatten(from: 1))
  }
}
