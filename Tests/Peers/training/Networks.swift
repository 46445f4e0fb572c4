import Sinter
import SinterModels

/// The networks whose steps are timed, each as the module of the same name in `networks.py`.
struct MLP: UnaryLayer {
  var fc1 = Linear(784, 128), fc2 = Linear(128, 10)
  func forward(_ x: Tensor) -> Tensor { fc2(fc1(x).relu()) }
}

/// 814,378 parameters on images of 32 by 32.
struct SmallCNN: UnaryLayer {
  var conv1 = Conv2d(3, 32, kernel: 3), conv2 = Conv2d(32, 32, kernel: 3)
  var pool = MaxPool2d(2)
  var fc1 = Linear(32 * 14 * 14, 128), fc2 = Linear(128, 10)

  func forward(_ x: Tensor) -> Tensor {
    let h = pool(conv2(conv1(x).relu()).relu())
    return fc2(fc1(h.flatten(from: 1)).relu())
  }
}

/// Six convolutions with batch norm and dropout.
struct DeepCNN: UnaryLayer {
  struct Block: UnaryLayer {
    var conv1: Conv2d, norm1: BatchNorm2d, conv2: Conv2d, norm2: BatchNorm2d
    var pool = MaxPool2d(2), drop: Dropout

    init(_ inputs: Int, _ outputs: Int, dropout: Double) {
      conv1 = Conv2d(inputs, outputs, kernel: 3, padding: 1)
      norm1 = BatchNorm2d(outputs)
      conv2 = Conv2d(outputs, outputs, kernel: 3, padding: 1)
      norm2 = BatchNorm2d(outputs)
      drop = Dropout(dropout)
    }

    func forward(_ x: Tensor) -> Tensor {
      drop(pool(norm2(conv2(norm1(conv1(x)).relu())).relu()))
    }
  }

  var block1 = Block(3, 32, dropout: 0.2), block2 = Block(32, 64, dropout: 0.3), block3 = Block(64, 128, dropout: 0.4)
  var fc1 = Linear(128 * 4 * 4, 128), fc2 = Linear(128, 10)

  func forward(_ x: Tensor) -> Tensor { fc2(fc1(block3(block2(block1(x))).flatten(from: 1)).relu()) }
}

/// Rows of an image as a sequence.
struct RowLSTM: UnaryLayer {
  var lstm = LSTM(28, 64, batchFirst: true)
  var fc = Linear(64, 10)

  func forward(_ x: Tensor) -> Tensor { fc(lstm(x).0.select(1, -1)) }
}

struct Sentiment: UnaryLayer {
  var embedding = Embedding(10000, 400)
  var lstm = LSTM(400, 256, layers: 2, batchFirst: true)
  var fc = Linear(256, 1)

  func forward(_ x: Tensor) -> Tensor { fc(lstm(embedding(x)).0.select(1, -1)).reshape([x.size(0)]) }
}

/// Four layers of width 128 over 65 characters.
struct GPT: UnaryLayer {
  struct Block: UnaryLayer {
    var norm1 = LayerNorm(128), attention = MultiheadAttention(128, heads: 4, batchFirst: true)
    var norm2 = LayerNorm(128), fc1 = Linear(128, 512), fc2 = Linear(512, 128)

    func forward(_ x: Tensor) -> Tensor {
      let h = norm1(x)
      let y = x + attention(h, h, h, isCausal: true)
      return y + fc2(fc1(norm2(y)).gelu())
    }
  }

  var tokens = Embedding(65, 128)
  var places = Parameter([64, 128], initializer: .normal(mean: 0, deviation: 0.02))
  var blocks = (0..<4).map { _ in Block() }
  var norm = LayerNorm(128), head = Linear(128, 65, bias: false)
  /// Whether what is inside of the layers is computed again for the backward pass.
  var recomputes = false

  func forward(_ x: Tensor) -> Tensor {
    var h = tokens(x) + x.trace.tensor(places)
    for block in blocks { h = recomputes ? recompute(block, h) : block(h) }
    return head(norm(h))
  }
}

/// Patches of 4 by 4 of an image of 28 by 28.
struct ViT: UnaryLayer {
  var patches = Conv2d(1, 64, kernel: 4, stride: 4)
  var places = Parameter([49, 64], initializer: .normal(mean: 0, deviation: 0.02))
  var encoder = TransformerEncoder(
    TransformerEncoderLayer(
      64, heads: 4, feedforward: 128, dropout: 0, activation: .gelu, batchFirst: true, normFirst: true),
    layers: 4)
  var norm = LayerNorm(64), head = Linear(64, 10)

  func forward(_ x: Tensor) -> Tensor {
    let h = patches(x).flatten(from: 2).transpose(1, 2) + x.trace.tensor(places)
    return head(norm(encoder(h)).mean(1))
  }
}
