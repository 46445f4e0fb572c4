import Sinter

/// A vision transformer (Dosovitskiy et al., 2021) for pictures of 28×28: 49 patches of 4×4, four layers of width 64 with four heads each, and a class
/// token whose place tells the class.
struct ViT: UnaryLayer {
  var patches = Conv2d(1, 64, kernel: 4, stride: 4)
  var token = Parameter([1, 1, 64]), places = Parameter([50, 64], initializer: .normal(mean: 0, deviation: 0.02))
  var encoder = TransformerEncoder(
    TransformerEncoderLayer(
      64, heads: 4, feedforward: 128, dropout: 0, activation: .gelu, batchFirst: true, normFirst: true),
    layers: 4)
  var norm = LayerNorm(64), head = Linear(64, 10)

  func forward(_ x: Tensor) -> Tensor {
    let trace = x.trace
    let h = patches(x).flatten(from: 2).transpose(1, 2)
    let first = h.narrow(1, from: 0, count: 1) * 0 + trace.tensor(token)
    let encoded = encoder(cat([first, h], axis: 1) + trace.tensor(places))
    return head(norm(encoded.select(1, 0)))
  }
}
