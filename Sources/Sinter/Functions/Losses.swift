import SinterIR
import SinterOps

/// How the losses of all samples become one, as PyTorch's `reduction`.
public typealias LossReduction = SinterOps.LossReduction

extension Tensor {
  fileprivate func reduced(_ reduction: LossReduction) -> Tensor {
    switch reduction {
    case .none: self
    case .sum: sum()
    case .mean: mean()
    }
  }
}

/// The cross entropy of softmax scores [n, classes, …] and target classes [n, …] of type i64.
///
/// - Parameters:
///   - weight: one number a class.
///   - ignoreIndex: a target that does not count.
public func crossEntropy(
  _ scores: Tensor, _ target: Tensor, weight: Tensor? = nil, ignoreIndex: Int? = nil, reduction: LossReduction = .mean
) -> Tensor {
  nllLoss(scores.logSoftmax(1), target, weight: weight, ignoreIndex: ignoreIndex, reduction: reduction)
}

/// The same with its defaults, as a loss of a training step.
public func crossEntropy(_ scores: Tensor, _ target: Tensor) -> Tensor { crossEntropy(scores, target, weight: nil) }

/// The negative of each sample's logarithmic probability [n, classes, …] at its target class [n, …].
public func nllLoss(
  _ logProbabilities: Tensor, _ target: Tensor, weight: Tensor? = nil, ignoreIndex: Int? = nil,
  reduction: LossReduction = .mean
) -> Tensor {
  var op = NegativeLogLikelihoodLoss()
  op.reduction = reduction
  op.ignoreIndex = ignoreIndex
  return logProbabilities.applying(op, target, weight)
}

/// (a − b)².
public func mseLoss(_ prediction: Tensor, _ target: Tensor, reduction: LossReduction = .mean) -> Tensor {
  let difference = prediction - target
  return (difference * difference).reduced(reduction)
}

/// The same with its defaults, as a loss of a training step.
public func mseLoss(_ prediction: Tensor, _ target: Tensor) -> Tensor {
  mseLoss(prediction, target, reduction: .mean)
}

/// |a − b|.
public func l1Loss(_ prediction: Tensor, _ target: Tensor, reduction: LossReduction = .mean) -> Tensor {
  (prediction - target).abs().reduced(reduction)
}

/// −(t·log p + (1 − t)·log(1 − p)) of probabilities; logarithms are held above −100, as PyTorch has it.
public func binaryCrossEntropy(_ probability: Tensor, _ target: Tensor, reduction: LossReduction = .mean) -> Tensor {
  func log(_ x: Tensor) -> Tensor { x.log().clamp(min: -100) }
  return (-(target * log(probability) + (1 - target) * log(1 - probability))).reduced(reduction)
}

/// The binary cross entropy of scores before the sigmoid: max(x, 0) − x·t + log(1 + exp(−|x|)).
public func binaryCrossEntropyWithLogits(
  _ scores: Tensor, _ target: Tensor, reduction: LossReduction = .mean
) -> Tensor {
  (scores.relu() - scores * target + (-scores.abs()).softplus()).reduced(reduction)
}

/// t·(log t − log p) of a target distribution and logarithmic probabilities, summed and divided by the number of samples where the mean is
/// asked for (PyTorch's `batchmean`).
public func klDivergence(_ logProbabilities: Tensor, _ target: Tensor, reduction: LossReduction = .mean) -> Tensor {
  // Where a target is 0, its part is 0.
  let parts = target.applying(Compare(.greater), target.trace.scalar(0, like: target))
    .applying(
      Where(), target * (target.clamp(min: 1e-30).log() - logProbabilities), target.trace.scalar(0, like: target))
  guard reduction == .mean else { return parts.reduced(reduction) }
  let samples = parts.applying(Shape()).select(0, 0).cast(to: parts.element)
  return parts.sum() / samples
}

/// The part of samples whose greatest score [n, classes] is that of their target class [n]; f32.
public func accuracy(_ scores: Tensor, _ target: Tensor) -> Tensor {
  scores.argmax(1).applying(Compare(.equal), target).cast(to: .f32).mean()
}
