import SinterIR
import SinterOps

/// The loss of sequences whose steps are not told apart: PyTorch's `CTCLoss` (Graves et al., 2006).
///
/// - Parameters:
///   - logProbabilities: [steps, n, classes], or [steps, classes] of one sequence: what `logSoftmax` gives.
///   - targets: labels without blanks [n, most], or [labels] of one sequence; those behind a sequence's number of labels may be anything.
///   - inputLengths: how many steps of each sequence count, [n], or one number.
///   - targetLengths: how many labels each has, likewise.
///   - blank: the class of steps without a label.
///   - reduction: with `.mean` each loss is divided by its number of labels first, as PyTorch has it.
///   - zeroInfinity: whether sequences that are too short for their labels count as 0; else their loss is infinite. Either way they have no gradient.
public func ctcLoss(
  _ logProbabilities: Tensor, _ targets: Tensor, inputLengths: Tensor, targetLengths: Tensor, blank: Int = 0,
  reduction: LossReduction = .mean, zeroInfinity: Bool = false
) -> Tensor {
  if logProbabilities.rank == 2 {
    func one(_ lengths: Tensor) -> Tensor { lengths.rank == 0 ? lengths.unsqueeze(0) : lengths }
    let loss = ctcLoss(
      logProbabilities.unsqueeze(1), targets.rank == 1 ? targets.unsqueeze(0) : targets,
      inputLengths: one(inputLengths), targetLengths: one(targetLengths), blank: blank, reduction: reduction,
      zeroInfinity: zeroInfinity)
    return reduction == .none ? loss.squeeze(0) : loss
  }
  var losses = logProbabilities.applying(CTCLoss(blank: blank), targets, inputLengths, targetLengths)
  if zeroInfinity { losses = losses.isInf().where(losses.zerosLike(), losses) }
  switch reduction {
  case .none: return losses
  case .sum: return losses.sum()
  case .mean: return (losses / targetLengths.cast(to: losses.element).clamp(min: 1)).mean()
  }
}
