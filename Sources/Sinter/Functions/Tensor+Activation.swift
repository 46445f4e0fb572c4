import SinterIR
import SinterOps

/// The activations of `torch.nn.functional`, with PyTorch's defaults.
extension Tensor {
  public func relu() -> Tensor { applying(Unary(.relu)) }
  public func relu6() -> Tensor { clamp(min: 0, max: 6) }
  public func mish() -> Tensor { applying(Unary(.mish)) }
  public func silu() -> Tensor { self * sigmoid() }
  public func softsign() -> Tensor { applying(Unary(.softsign)) }
  public func hardswish() -> Tensor { applying(Unary(.hardSwish)) }
  /// x / 6 + 1/2, held between 0 and 1.
  public func hardsigmoid() -> Tensor { (self / 6 + 0.5).clamp(min: 0, max: 1) }
  public func hardtanh(min: Double = -1, max: Double = 1) -> Tensor { clamp(min: min, max: max) }
  public func tanhshrink() -> Tensor { self - tanh() }
  public func logsigmoid() -> Tensor { -((-self).softplus()) }

  /// log(1 + exp(beta · x)) / beta, and x itself where beta · x is above the threshold.
  public func softplus(beta: Double = 1, threshold: Double = 20) -> Tensor {
    if beta == 1, threshold >= 20 { return applying(Unary(.softplus)) }
    let scaled = self * beta
    return (scaled > threshold).where(self, scaled.applying(Unary(.softplus)) / beta)
  }

  public func leakyRelu(_ slope: Double = 0.01) -> Tensor {
    var op = LeakyRelu()
    op.alpha = slope
    return applying(op)
  }

  /// x where positive, slope · x elsewhere, with a slope a channel (axis 1), or one for all.
  public func prelu(_ slope: Tensor) -> Tensor {
    guard slope.rank == 1 else {
      return trace.fail(
        "prelu", "the slopes must be a list, one number or one a channel, but are \(slope.type)", like: self)
    }
    guard rank > 2, slope.size(0) != 1 else { return applying(PRelu(), slope) }
    return applying(PRelu(), slope.reshape([slope.size(0)] + [Dim](repeating: 1, count: rank - 2)))
  }

  public func elu(alpha: Double = 1) -> Tensor {
    var op = Elu()
    op.alpha = alpha
    return applying(op)
  }

  public func celu(alpha: Double = 1) -> Tensor {
    var op = Celu()
    op.alpha = alpha
    return applying(op)
  }

  public func selu() -> Tensor { applying(Selu()) }

  /// x · Φ(x), exact by default, by tanh on request.
  public func gelu(approximate: Gelu.Approximation = .none) -> Tensor { applying(Gelu(approximate)) }

  /// x where its magnitude is above the bound, else 0.
  public func hardshrink(_ bound: Double = 0.5) -> Tensor { (abs() > bound).where(self, trace.scalar(0, like: self)) }

  /// x moved toward 0 by the bound, and 0 within it.
  public func softshrink(_ bound: Double = 0.5) -> Tensor { sign() * (abs() - bound).relu() }

  /// x where it is above the threshold, else a value.
  public func threshold(_ threshold: Double, _ value: Double) -> Tensor {
    (self > threshold).where(self, trace.scalar(value, like: self))
  }

  /// The first half along an axis times the sigmoid of the second.
  public func glu(_ axis: Int = -1) -> Tensor {
    let halves = chunk(2, axis: axis)
    return halves[0] * halves[1].sigmoid()
  }

  public func softmax(_ axis: Int = -1) -> Tensor { applying(SinterOps.Softmax(.soft, axis: axis)) }
  public func logSoftmax(_ axis: Int = -1) -> Tensor { applying(SinterOps.Softmax(.logarithmic, axis: axis)) }
  public func softmin(_ axis: Int = -1) -> Tensor { (-self).softmax(axis) }
}
