import Sinter

/// 784-400-20-400-784 (Kingma and Welling, 2014): pictures as points that are drawn around a mean.
struct VAE: Layer {
  struct Encoder: Layer {
    var hidden = Linear(784, 400), mean = Linear(400, 20), logVariance = Linear(400, 20)

    /// The mean and the logarithm of the variance of each picture's point.
    func callAsFunction(_ x: Tensor, file: StaticString = #fileID, line: UInt = #line) -> (Tensor, Tensor) {
      run(x, file: file, line: line) {
        let h = hidden(x).relu()
        return (mean(h), logVariance(h))
      }
    }
  }

  struct Decoder: UnaryLayer {
    var hidden = Linear(20, 400), out = Linear(400, 784)

    /// The scores of pixels, before the sigmoid.
    func forward(_ z: Tensor) -> Tensor { out(hidden(z).relu()) }
  }

  /// The decoder with its sigmoid: points in, pictures out. It is what remains of the network when pictures are made.
  struct Sampler: UnaryLayer {
    var decoder: Decoder
    func forward(_ z: Tensor) -> Tensor { decoder(z).sigmoid().unflatten(1, [1, 28, 28]) }
  }

  var encoder = Encoder(), decoder = Decoder()

  /// The bound on the logarithm of a picture's probability, with its sign changed, a mean over pictures, in nats: cross entropy of
  /// pixels and the divergence of points from the normal distribution.
  ///
  /// - Parameter noise: normal, [n, 20]: what makes a point out of a mean and a variance, so that gradients go through both.
  func bound(_ x: Tensor, noise: (Tensor) -> Tensor) -> (total: Tensor, pixels: Tensor, divergence: Tensor) {
    let flat = x.flatten(from: 1)
    let (mean, logVariance) = encoder(flat)
    let z = mean + noise(mean) * (logVariance * 0.5).exp()
    let pixels = binaryCrossEntropyWithLogits(decoder(z), flat, reduction: .none).sum(1).mean()
    let divergence = (mean.square() + logVariance.exp() - logVariance - 1).sum(1).mean() * 0.5
    return (pixels + divergence, pixels, divergence)
  }
}
