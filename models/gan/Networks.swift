import Sinter

/// What makes pictures out of noise, and what tells them from others: both in one model, so that a step of either can read the other.
struct GAN {
  var generator: any UnaryLayer
  var discriminator: any UnaryLayer

  /// How many random numbers a picture is made of.
  static let noise = 64

  /// Fully connected layers (Goodfellow et al., 2014).
  static var dense: GAN {
    GAN(
      generator: Sequential(
        Linear(noise, 256), LeakyReLU(0.2), Linear(256, 512), LeakyReLU(0.2), Linear(512, 784), Tanh(),
        Unflatten(1, [1, 28, 28])),
      discriminator: Sequential(
        Flatten(), Linear(784, 512), LeakyReLU(0.2), Dropout(0.3), Linear(512, 256), LeakyReLU(0.2), Dropout(0.3),
        Linear(256, 1)))
  }

  /// Convolutions with stride in place of pools, transposed ones on the way up, batch norm between (Radford et al., 2016).
  static var convolutional: GAN {
    GAN(
      generator: Sequential(
        Linear(noise, 64 * 7 * 7), Unflatten(1, [64, 7, 7]), BatchNorm2d(64), ReLU(),
        ConvTranspose2d(64, 32, kernel: 4, stride: 2, padding: 1, bias: false), BatchNorm2d(32), ReLU(),
        ConvTranspose2d(32, 1, kernel: 4, stride: 2, padding: 1), Tanh()),
      discriminator: Sequential(
        Conv2d(1, 32, kernel: 4, stride: 2, padding: 1), LeakyReLU(0.2),
        Conv2d(32, 64, kernel: 4, stride: 2, padding: 1, bias: false), BatchNorm2d(64), LeakyReLU(0.2),
        Flatten(), Linear(64 * 7 * 7, 1)))
  }

  /// DCGAN's first values: weights normal with deviation 0.02.
  static func start(_ name: String, _ shape: [Int]) -> Initializer? {
    shape.count > 1 ? .normal(mean: 0, deviation: 0.02) : nil
  }
}
