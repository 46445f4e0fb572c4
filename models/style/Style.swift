import Sinter

/// A picture as a parameter, and the network by whose features it is compared.
struct Stylized {
  var image: Parameter
  var features: Features

  /// The first stages of a network for pictures: convolutions, the last of each stage with a pool behind it.
  struct Features {
    var convolutions: [Conv2d]
    let pool = AvgPool2d(2)

    /// Weights are drawn at random, which tells textures apart well enough; a trained network's may be bound instead.
    init(_ widths: [Int] = [16, 32, 64, 64]) {
      convolutions = zip([3] + widths, widths).map {
        var convolution = Conv2d($0, $1, kernel: 3, padding: 1)
        convolution.weight = convolution.weight.initialized(.kaimingNormal())
        return convolution
      }
    }

    /// What each stage finds in a picture [1, 3, h, w].
    func callAsFunction(_ x: Tensor) -> [Tensor] {
      var h = x, found: [Tensor] = []
      for (index, convolution) in convolutions.enumerated() {
        h = convolution(index == 0 ? h : pool(h)).relu()
        found.append(h)
      }
      return found
    }
  }

  /// Which stage says what is to be seen; all of them say how it looks.
  static let contentStage = 2

  /// The products of all pairs of channels, means over places: what of a picture's features does not depend on where they are (Gatys et al., 2016).
  static func gram(_ features: Tensor) -> Tensor {
    let channels = features.flatten(from: 2).squeeze(0)
    let places = Double((features.size(2) * features.size(3)).value ?? 1)
    return channels.matmul(channels.t()) / places
  }

  /// - Parameters:
  ///   - weight: how much the look counts beside what is to be seen.
  ///   - content: the features of the stage that says what is to be seen.
  ///   - style: the products of each stage's channels.
  func loss(weight: Tensor, content: HostTensor, style: [HostTensor]) -> Tensor {
    let found = features(weight.trace.tensor(image))
    let seen = mseLoss(found[Self.contentStage], Tensor(content))
    let looks = zip(found, style).map { mseLoss(Self.gram($0), Tensor($1)) }
    return seen + weight * looks.dropFirst().reduce(looks[0], +)
  }
}
