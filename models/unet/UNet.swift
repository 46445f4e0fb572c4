import Sinter

/// A U-Net of depth 3 (Ronneberger et al., 2015): stages of two convolutions with batch norm, halved on the way down and doubled by transposed
/// convolutions on the way up, where each stage sees what its like on the way down gave.
struct UNet: UnaryLayer {
  struct Stage: UnaryLayer {
    var conv1: Conv2d, norm1: BatchNorm2d, conv2: Conv2d, norm2: BatchNorm2d

    init(_ inputs: Int, _ outputs: Int) {
      conv1 = Conv2d(inputs, outputs, kernel: 3, padding: 1, bias: false)
      norm1 = BatchNorm2d(outputs)
      conv2 = Conv2d(outputs, outputs, kernel: 3, padding: 1, bias: false)
      norm2 = BatchNorm2d(outputs)
    }

    func forward(_ x: Tensor) -> Tensor { norm2(conv2(norm1(conv1(x)).relu())).relu() }
  }

  var down: [Stage], up: [ConvTranspose2d], after: [Stage]
  var pool = MaxPool2d(2), head: Conv2d

  init(inputs: Int = 1, width: Int = 8, depth: Int = 3) {
    let widths = (0..<depth).map { width << $0 }
    down = zip([inputs] + widths, widths).map { Stage($0, $1) }
    up = widths.dropFirst().reversed().map { ConvTranspose2d($0, $0 / 2, kernel: 2, stride: 2) }
    after = widths.dropFirst().reversed().map { Stage($0, $0 / 2) }
    head = Conv2d(width, 1, kernel: 1)
  }

  /// Scores of pixels, before the sigmoid: [n, inputs, h, w] to [n, 1, h, w], where h and w are multiples of 2 to the depth less one.
  func forward(_ x: Tensor) -> Tensor {
    var seen: [Tensor] = []
    var h = x
    for (index, stage) in down.enumerated() {
      h = stage(index == 0 ? h : pool(h))
      seen.append(h)
    }
    for (index, stage) in after.enumerated() { h = stage(cat([seen[seen.count - 2 - index], up[index](h)], axis: 1)) }
    return head(h)
  }
}

/// 1 − 2·|A ∩ B| / (|A| + |B|), a mean over pictures, of probabilities and a mask.
func diceLoss(_ probability: Tensor, _ mask: Tensor) -> Tensor {
  let both = (probability * mask).sum(1, 2, 3), all = probability.sum(1, 2, 3) + mask.sum(1, 2, 3)
  return 1 - ((both * 2 + 1) / (all + 1)).mean()
}

/// |A ∩ B| / |A ∪ B| of all pixels whose score is positive and a mask.
func intersectionOverUnion(_ scores: Tensor, _ mask: Tensor) -> Tensor {
  let found = (scores > 0).float()
  let both = (found * mask).sum()
  return (both + 1e-6) / (found.sum() + mask.sum() - both + 1e-6)
}
