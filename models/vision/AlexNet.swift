import Sinter

/// Five convolutions and three linear layers (Krizhevsky, 2014) with torchvision's names.
public struct AlexNet: UnaryLayer {
  public var features = Sequential(
    Conv2d(3, 64, kernel: 11, stride: 4, padding: 2), ReLU(), MaxPool2d(3, stride: 2),
    Conv2d(64, 192, kernel: 5, padding: 2), ReLU(), MaxPool2d(3, stride: 2),
    Conv2d(192, 384, kernel: 3, padding: 1), ReLU(), Conv2d(384, 256, kernel: 3, padding: 1), ReLU(),
    Conv2d(256, 256, kernel: 3, padding: 1), ReLU(), MaxPool2d(3, stride: 2))
  public var avgpool = AdaptiveAvgPool2d([6, 6])
  public var classifier: Sequential

  public init(classes: Int = 1000, dropout: Double = 0.5) {
    classifier = Sequential(
      Dropout(dropout), Linear(256 * 6 * 6, 4096), ReLU(), Dropout(dropout), Linear(4096, 4096), ReLU(),
      Linear(4096, classes))
  }

  public func forward(_ x: Tensor) -> Tensor { classifier(avgpool(features(x)).flatten(from: 1)) }
}
