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

  /// The mistake that targets are of another shape than what is held against them; nil where they are not.
  fileprivate func differs(from target: Tensor) -> Tensor? {
    let agree =
      rank == target.rank
      && zip(shape, target.shape).allSatisfy { a, b in a == b || a.value == nil || b.value == nil }
    return agree ? nil : shapeMistake(target)
  }

  /// The mistake that predictions and targets broadcast to more elements than either has, such as [n, 1] and [n]; nil where they do not.
  fileprivate func spreads(over target: Tensor) -> Tensor? {
    func covers(_ a: [Dim], _ b: [Dim]) -> Bool {
      a.count >= b.count && zip(a.reversed(), b.reversed()).allSatisfy { $0 == $1 || $1 == 1 || $0.value == nil }
    }
    return covers(shape, target.shape) || covers(target.shape, shape) ? nil : shapeMistake(target)
  }

  private func shapeMistake(_ target: Tensor) -> Tensor {
    trace.fail(
      "loss.shape", "the predictions are \(type), but the targets \(target.type)", like: self,
      hint: "bring both to one shape, by reshape, squeeze or unsqueeze")
  }
}

// MARK: Classes

/// The cross entropy of softmax scores [n, classes, …] and target classes [n, …] of type i64, or probabilities of each class, in the shape of the
/// scores.
///
/// - Parameters:
///   - weight: one number per class.
///   - ignoreIndex: a target that does not count; nil: all count.
///   - labelSmoothing: how much of the target is spread over all classes, from 0 to 1.
public func crossEntropy(
  _ scores: Tensor, _ target: Tensor, weight: Tensor? = nil, ignoreIndex: Int? = -100,
  reduction: LossReduction = .mean, labelSmoothing: Double = 0
) -> Tensor {
  let axis = scores.rank == 1 ? 0 : 1
  guard (0...1).contains(labelSmoothing) else {
    return scores.trace.fail("loss", "label smoothing lies between 0 and 1, but is \(labelSmoothing)", like: scores)
  }
  let logarithms = scores.logSoftmax(axis)
  if target.element.isFloat {
    return probabilityLoss(logarithms, target, weight, axis, reduction, labelSmoothing)
  }
  guard labelSmoothing > 0 else {
    return nllLoss(logarithms, target, weight: weight, ignoreIndex: ignoreIndex, reduction: reduction)
  }
  // One without an axis for the batch is a batch of one.
  if scores.rank == 1 {
    let loss = crossEntropy(
      scores.unsqueeze(0), target.unsqueeze(0), weight: weight, ignoreIndex: ignoreIndex, reduction: reduction,
      labelSmoothing: labelSmoothing)
    return reduction == .none ? loss.squeeze(0) : loss
  }
  let classes = scores.elementCount([axis])
  let along = weight.map { classWeights($0, axis, rank: scores.rank) }
  var spread = -(along.map { logarithms * $0 } ?? logarithms).sum(axis)
  let ignored = ignoreIndex.map { target .== Double($0) }
  func counted(_ x: Tensor) -> Tensor { ignored.map { x.maskedFill($0, 0) } ?? x }
  spread = counted(spread)
  let own = nllLoss(logarithms, target, weight: weight, ignoreIndex: ignoreIndex, reduction: reduction)
  let smooth: Tensor
  switch reduction {
  case .none: smooth = spread
  case .sum: smooth = spread.sum()
  case .mean:
    // As many as count, each as much as its class.
    let safe = counted(target)
    let each = counted(weight.map { $0.gather(safe) } ?? spread.onesLike())
    smooth = spread.sum() / each.sum()
  }
  return own * (1 - labelSmoothing) + smooth / classes * labelSmoothing
}

/// The same with its defaults, as a loss of a training step.
public func crossEntropy(_ scores: Tensor, _ target: Tensor) -> Tensor { crossEntropy(scores, target, weight: nil) }

/// A list with one number per class, along the axis of classes.
private func classWeights(_ weight: Tensor, _ axis: Int, rank: Int) -> Tensor {
  weight.reshape([weight.size(0)] + [Dim](repeating: 1, count: rank - 1 - axis))
}

private func probabilityLoss(
  _ logarithms: Tensor, _ target: Tensor, _ weight: Tensor?, _ axis: Int, _ reduction: LossReduction,
  _ smoothing: Double
) -> Tensor {
  var target = target
  if smoothing > 0 { target = target * (1 - smoothing) + smoothing / logarithms.elementCount([axis]) }
  var parts = logarithms * target
  if let weight { parts = parts * classWeights(weight, axis, rank: logarithms.rank) }
  let losses = -parts.sum(axis)
  guard reduction == .mean else { return losses.reduced(reduction) }
  return losses.sum() / losses.elementCount([])
}

/// The negative of each sample's logarithmic probability [n, classes, …] at its target class [n, …].
///
/// - Parameter ignoreIndex: a target that does not count; nil: all count.
public func nllLoss(
  _ logProbabilities: Tensor, _ target: Tensor, weight: Tensor? = nil, ignoreIndex: Int? = -100,
  reduction: LossReduction = .mean
) -> Tensor {
  if logProbabilities.rank == 1 {
    let loss = nllLoss(
      logProbabilities.unsqueeze(0), target.unsqueeze(0), weight: weight, ignoreIndex: ignoreIndex, reduction: reduction
    )
    return reduction == .none ? loss.squeeze(0) : loss
  }
  var op = NegativeLogLikelihoodLoss()
  op.reduction = reduction
  op.ignoreIndex = ignoreIndex
  return logProbabilities.applying(op, target, weight)
}

/// max(0, margin − x[target] + x[i])ᵖ over all other classes, over their number: PyTorch's `MultiMarginLoss`.
///
/// - Parameter p: 1 or 2.
public func multiMarginLoss(
  _ scores: Tensor, _ target: Tensor, p: Int = 1, margin: Double = 1, weight: Tensor? = nil,
  reduction: LossReduction = .mean
) -> Tensor {
  guard p == 1 || p == 2 else {
    return scores.trace.fail("loss", "the power of a margin loss is 1 or 2, but is \(p)", like: scores)
  }
  guard let classes = scores.size(-1).value, classes > 0 else {
    return scores.trace.fail("loss", "the number of classes of \(scores.type) must be a number", like: scores)
  }
  let own = scores.gatherElements(-1, target.unsqueeze(-1))
  var parts = (scores - own + margin).relu()
  if p == 2 { parts = parts * parts }
  if let weight { parts = parts * weight.gather(target).unsqueeze(-1) }
  let others = target.oneHot(classes) .== 0
  return (parts.maskedFill(!others, 0).sum(-1) / Double(classes)).reduced(reduction)
}

// MARK: Numbers

/// (a − b)².
public func mseLoss(_ prediction: Tensor, _ target: Tensor, reduction: LossReduction = .mean) -> Tensor {
  if let problem = prediction.spreads(over: target) { return problem }
  let difference = prediction - target
  return (difference * difference).reduced(reduction)
}

/// The same with its defaults, as a loss of a training step.
public func mseLoss(_ prediction: Tensor, _ target: Tensor) -> Tensor {
  mseLoss(prediction, target, reduction: .mean)
}

/// |a − b|.
public func l1Loss(_ prediction: Tensor, _ target: Tensor, reduction: LossReduction = .mean) -> Tensor {
  if let problem = prediction.spreads(over: target) { return problem }
  return (prediction - target).abs().reduced(reduction)
}

/// d² / (2·beta) where |d| is below beta, |d| − beta / 2 elsewhere.
public func smoothL1Loss(
  _ prediction: Tensor, _ target: Tensor, reduction: LossReduction = .mean, beta: Double = 1
) -> Tensor {
  if beta == 0 { return l1Loss(prediction, target, reduction: reduction) }
  if let problem = prediction.spreads(over: target) { return problem }
  let size = (prediction - target).abs()
  return (size < beta).where(size * size * (0.5 / beta), size - beta / 2).reduced(reduction)
}

/// d² / 2 where |d| is at most delta, delta·(|d| − delta / 2) elsewhere.
public func huberLoss(
  _ prediction: Tensor, _ target: Tensor, reduction: LossReduction = .mean, delta: Double = 1
) -> Tensor {
  if let problem = prediction.spreads(over: target) { return problem }
  let size = (prediction - target).abs()
  return (size <= delta).where(size * size * 0.5, (size - delta / 2) * delta).reduced(reduction)
}

/// log(1 + exp(−target · x)) for targets of 1 and −1.
public func softMarginLoss(_ scores: Tensor, _ target: Tensor, reduction: LossReduction = .mean) -> Tensor {
  (-(target * scores)).softplus().reduced(reduction)
}

/// exp(x) − target · x, or x − target · log(x + ε) where the input is no logarithm: PyTorch's `PoissonNLLLoss`.
public func poissonNLLLoss(
  _ input: Tensor, _ target: Tensor, isLogarithm: Bool = true, epsilon: Double = 1e-8, reduction: LossReduction = .mean
) -> Tensor {
  (isLogarithm ? input.exp() - target * input : input - target * (input + epsilon).log()).reduced(reduction)
}

/// (log v + (x − t)² / v) / 2 of a prediction with a variance, which is at least ε: PyTorch's `GaussianNLLLoss`.
public func gaussianNLLLoss(
  _ prediction: Tensor, _ target: Tensor, variance: Tensor, epsilon: Double = 1e-6, reduction: LossReduction = .mean
) -> Tensor {
  // What is held at ε has the gradient as if it were not.
  let missing = (variance < epsilon).where(epsilon - variance, variance.trace.scalar(0, like: variance))
  let kept = variance + missing.stopGradient()
  let difference = prediction - target
  return ((kept.log() + difference * difference / kept) * 0.5).reduced(reduction)
}

// MARK: Probabilities

/// −(t·log p + (1 − t)·log(1 − p)) of probabilities; logarithms are held above −100, as PyTorch has it.
///
/// - Parameter weight: of each element.
public func binaryCrossEntropy(
  _ probability: Tensor, _ target: Tensor, weight: Tensor? = nil, reduction: LossReduction = .mean
) -> Tensor {
  if let problem = probability.differs(from: target) { return problem }
  // What is near to 0 or 1 lies below the least 16-bit numbers.
  let isNarrow = probability.element.isFloat && probability.element.bits < 32
  let (p, t) = isNarrow ? (probability.cast(to: .f32), target.cast(to: .f32)) : (probability, target)
  // The gradient is (p − t) / max(p(1 − p), 1e-12). Where the bound counts, it is that of a line whose value is the loss as it is.
  let isInside = p * (1 - p) >= 1e-12
  let inner = isInside.where(p, p.trace.scalar(0.5, like: p))
  let smooth = -(t * inner.log() + (1 - t) * (1 - inner).log())
  func held(_ x: Tensor) -> Tensor { x.log().clamp(min: -100).stopGradient() }
  let line = (p - p.stopGradient()) * ((p - t) * 1e12).stopGradient()
  let edge = line - (t * held(p) + (1 - t) * held(1 - p))
  var losses = isInside.where(smooth, edge)
  if isNarrow { losses = losses.cast(to: probability.element) }
  return (weight.map { losses * $0 } ?? losses).reduced(reduction)
}

/// The same with its defaults, as a loss of a training step.
public func binaryCrossEntropy(_ probability: Tensor, _ target: Tensor) -> Tensor {
  binaryCrossEntropy(probability, target, weight: nil)
}

/// The binary cross entropy of scores before the sigmoid: (1 − t)·x + log(1 + exp(−x)).
///
/// - Parameters:
///   - weight: of each element.
///   - positiveWeight: how much more positive targets count: PyTorch's `pos_weight`.
public func binaryCrossEntropyWithLogits(
  _ scores: Tensor, _ target: Tensor, weight: Tensor? = nil, positiveWeight: Tensor? = nil,
  reduction: LossReduction = .mean
) -> Tensor {
  if let problem = scores.differs(from: target) { return problem }
  // No part has a corner at 0, where the gradient is that of the sum.
  var rest = (-scores).softplus()
  if let positiveWeight { rest = ((positiveWeight - 1) * target + 1) * rest }
  var losses = (1 - target) * scores + rest
  if let weight { losses = losses * weight }
  return losses.reduced(reduction)
}

/// The same with its defaults, as a loss of a training step.
public func binaryCrossEntropyWithLogits(_ scores: Tensor, _ target: Tensor) -> Tensor {
  binaryCrossEntropyWithLogits(scores, target, weight: nil)
}

/// t·(log t − log p) of a target distribution and logarithmic probabilities, summed and divided by the number of samples where the mean is
/// asked for (PyTorch's `batchmean`).
///
/// - Parameter isLogarithm: whether the target is one, too.
public func klDivergence(
  _ logProbabilities: Tensor, _ target: Tensor, reduction: LossReduction = .mean, isLogarithm: Bool = false
) -> Tensor {
  // Where a target is 0, its part is 0.
  let parts =
    isLogarithm
    ? target.exp() * (target - logProbabilities)
    : (target > 0).where(
      target * (target.clamp(min: 1e-30).log() - logProbabilities), target.trace.scalar(0, like: target))
  guard reduction == .mean else { return parts.reduced(reduction) }
  return parts.sum() / parts.elementCount([0])
}

/// The same with its defaults, as a loss of a training step.
public func klDivergence(_ logProbabilities: Tensor, _ target: Tensor) -> Tensor {
  klDivergence(logProbabilities, target, reduction: .mean)
}

// MARK: Distances

/// 1 − cos(a, b) for a target of 1, max(0, cos(a, b) − margin) for −1, along the last axis.
public func cosineEmbeddingLoss(
  _ a: Tensor, _ b: Tensor, _ target: Tensor, margin: Double = 0, reduction: LossReduction = .mean
) -> Tensor {
  let epsilon = 1e-12
  let cosine = (a * b).sum(-1) / (((a * a).sum(-1) + epsilon) * ((b * b).sum(-1) + epsilon)).sqrt()
  return (target > 0).where(1 - cosine, (cosine - margin).relu()).reduced(reduction)
}

/// max(0, |anchor − positive| − |anchor − negative| + margin), by p-norms along the last axis.
public func tripletMarginLoss(
  _ anchor: Tensor, _ positive: Tensor, _ negative: Tensor, margin: Double = 1, p: Double = 2, swap: Bool = false,
  reduction: LossReduction = .mean
) -> Tensor {
  func distance(_ a: Tensor, _ b: Tensor) -> Tensor { pairwiseDistance(a, b, p: p) }
  var far = distance(anchor, negative)
  if swap { far = far.minimum(distance(positive, negative)) }
  return (distance(anchor, positive) - far + margin).relu().reduced(reduction)
}

/// The p-norm of a − b + ε along the last axis.
public func pairwiseDistance(_ a: Tensor, _ b: Tensor, p: Double = 2, epsilon: Double = 1e-6) -> Tensor {
  (a - b + epsilon).norm(p, -1)
}

/// max(0, −target · (a − b) + margin).
public func marginRankingLoss(
  _ a: Tensor, _ b: Tensor, _ target: Tensor, margin: Double = 0, reduction: LossReduction = .mean
) -> Tensor {
  (-(target * (a - b)) + margin).relu().reduced(reduction)
}

/// x for a target of 1, max(0, margin − x) for −1.
public func hingeEmbeddingLoss(
  _ input: Tensor, _ target: Tensor, margin: Double = 1, reduction: LossReduction = .mean
) -> Tensor {
  (target > 0).where(input, (margin - input).relu()).reduced(reduction)
}

// MARK: Metrics

/// The part of samples whose greatest score [n, classes] is that of their target class [n]; f32.
public func accuracy(_ scores: Tensor, _ target: Tensor) -> Tensor {
  (scores.argmax(1) .== target).cast(to: .f32).mean()
}
