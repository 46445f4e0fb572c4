import SinterIR
import SinterOps

/// The activations of `torch.nn.functional`, with PyTorch's defaults.
extension Tensor {
  /// max(0, x).
  public func relu() -> Tensor { applying(Unary(.relu)) }
  /// min(max(0, x), 6).
  public func relu6() -> Tensor { clamp(min: 0, max: 6) }
  /// x · tanh(softplus(x)).
  public func mish() -> Tensor { applying(Unary(.mish)) }
  /// x · sigmoid(x), also called swish.
  public func silu() -> Tensor { self * sigmoid() }
  /// x / (1 + |x|).
  public func softsign() -> Tensor { applying(Unary(.softsign)) }
  /// x · hardsigmoid(x).
  public func hardswish() -> Tensor { applying(Unary(.hardSwish)) }
  /// x / 6 + 1/2, held between 0 and 1.
  public func hardsigmoid() -> Tensor { (self / 6 + 0.5).clamp(min: 0, max: 1) }
  /// Elements held between two bounds.
  public func hardtanh(min: Double = -1, max: Double = 1) -> Tensor { clamp(min: min, max: max) }
  /// x − tanh(x).
  public func tanhshrink() -> Tensor { self - tanh() }
  /// The logarithm of the sigmoid, without overflow.
  public func logsigmoid() -> Tensor { -((-self).softplus()) }

  /// log(1 + exp(beta · x)) / beta, and x itself where beta · x is above the threshold.
  public func softplus(beta: Double = 1, threshold: Double = 20) -> Tensor {
    if beta == 1, threshold >= 20 { return applying(Unary(.softplus)) }
    let scaled = self * beta
    return (scaled > threshold).where(self, scaled.applying(Unary(.softplus)) / beta)
  }

  /// x where positive, elsewhere x times a slope.
  public func leakyRelu(_ slope: Double = 0.01) -> Tensor {
    var op = LeakyRelu()
    op.alpha = slope
    return applying(op)
  }

  /// x where positive, slope · x elsewhere, with a slope per channel (axis 1), or one for all.
  public func prelu(_ slope: Tensor) -> Tensor {
    guard slope.rank == 1 else {
      return trace.fail(
        "prelu", "the slopes must be a list, one number or one per channel, but are \(slope.type)", like: self)
    }
    guard rank > 2, slope.size(0) != 1 else { return applying(PRelu(), slope) }
    return applying(PRelu(), slope.reshape([slope.size(0)] + [Dim](repeating: 1, count: rank - 2)))
  }

  /// x where positive, elsewhere alpha · (exp(x) − 1).
  public func elu(alpha: Double = 1) -> Tensor {
    var op = Elu()
    op.alpha = alpha
    return applying(op)
  }

  /// max(0, x) + min(0, alpha · (exp(x / alpha) − 1)).
  public func celu(alpha: Double = 1) -> Tensor {
    var op = Celu()
    op.alpha = alpha
    return applying(op)
  }

  /// ELU with the scale and the slope that keep means and variances.
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

  /// Exponentials along an axis, divided by their sum.
  public func softmax(_ axis: Int = -1) -> Tensor { applying(SinterOps.Softmax(.soft, axis: axis)) }
  /// The logarithm of softmax, without overflow.
  public func logSoftmax(_ axis: Int = -1) -> Tensor { applying(SinterOps.Softmax(.logarithmic, axis: axis)) }
  /// Softmax of −x.
  public func softmin(_ axis: Int = -1) -> Tensor { (-self).softmax(axis) }
}
