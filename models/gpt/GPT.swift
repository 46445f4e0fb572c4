import Sinter

/// A decoder-only transformer as GPT-2 has it, with the norms before what they are of. By default 4 layers of 4 heads and width 128, for 64 characters.
struct GPT: UnaryLayer {
  struct Block: UnaryLayer {
    var norm1: LayerNorm, attention: MultiheadAttention
    var norm2: LayerNorm, fc1: Linear, fc2: Linear

    init(_ width: Int, heads: Int) {
      norm1 = LayerNorm(width)
      attention = MultiheadAttention(width, heads: heads, batchFirst: true)
      norm2 = LayerNorm(width)
      fc1 = Linear(width, 4 * width)
      fc2 = Linear(4 * width, width)
    }

    func forward(_ x: Tensor) -> Tensor {
      let h = norm1(x)
      let y = x + attention(h, h, h, isCausal: true)
      return y + fc2(fc1(norm2(y)).gelu())
    }
  }

  let length: Int
  var tokens: Embedding, places: Parameter
  var blocks: [Block]
  var norm: LayerNorm, head: Linear

  init(characters: Int, length: Int = 64, layers: Int = 4, heads: Int = 4, width: Int = 128) {
    self.length = length
    tokens = Embedding(characters, width)
    places = Parameter([length, width])
    blocks = (0..<layers).map { _ in Block(width, heads: heads) }
    norm = LayerNorm(width)
    head = Linear(width, characters, bias: false)
  }

  /// Scores [n, length, characters] of what follows each of [n, length].
  func forward(_ x: Tensor) -> Tensor {
    var h = tokens(x) + x.trace.tensor(places)
    for block in blocks { h = block(h) }
    return head(norm(h))
  }

  /// How its parameters start: weights normal with deviation 0.02, all else as layers have it.
  static func start(_ name: String, _ shape: [Int]) -> Initializer? {
    shape.count == 2 ? .normal(mean: 0, deviation: 0.02) : nil
  }
}
