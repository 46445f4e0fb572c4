import Foundation

/// The learning rate of each epoch as a function of the first one; PyTorch's `lr_scheduler`.
public enum LearningRateSchedule: Sendable {
  case constant
  /// Times `factor` after every `epochs` epochs.
  case step(epochs: Int, factor: Double = 0.1)
  /// Times `factor` after each of the given epochs.
  case steps(at: [Int], factor: Double = 0.1)
  /// Times `factor` after every epoch.
  case exponential(factor: Double)
  /// Half a cosine from the first rate to `least` over `epochs` epochs, after a straight line up from 0 over `warmup` ones.
  case cosine(epochs: Int, least: Double = 0, warmup: Int = 0)

  /// The rate of an epoch, counted from 0.
  public func rate(_ first: Double, epoch: Int) -> Double {
    switch self {
    case .constant: return first
    case .step(let epochs, let factor): return first * pow(factor, Double(epoch / max(1, epochs)))
    case .steps(let places, let factor): return first * pow(factor, Double(places.count { $0 <= epoch }))
    case .exponential(let factor): return first * pow(factor, Double(epoch))
    case .cosine(let epochs, let least, let warmup):
      if epoch < warmup { return first * Double(epoch + 1) / Double(warmup + 1) }
      let part = min(1, Double(epoch - warmup) / Double(max(1, epochs - warmup)))
      return least + (first - least) * (1 + cos(.pi * part)) / 2
    }
  }
}
