import Foundation

/// The learning rate as a function of the first one and of how often it was changed, once per epoch or once per step; PyTorch's `lr_scheduler`.
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
  /// Times a straight line from one factor to another over `epochs` epochs: `LinearLR`.
  case linear(epochs: Int = 5, from: Double = 1.0 / 3, to: Double = 1)
  /// Times `factor` for the first `epochs` epochs: `ConstantLR`.
  case constantFactor(epochs: Int = 5, factor: Double = 1.0 / 3)
  /// Times (1 − epoch / epochs) to a power: `PolynomialLR`.
  case polynomial(epochs: Int = 5, power: Double = 1)
  /// Half cosines, the first over `epochs` epochs and each of the next `factor` times as long: `CosineAnnealingWarmRestarts`.
  case warmRestarts(epochs: Int, factor: Int = 1, least: Double = 0)
  /// Up to `greatest` over a part of all steps and down again, by half cosines or straight lines: `OneCycleLR`. It starts at greatest / start and
  /// ends at greatest / start / end.
  case oneCycle(
    greatest: Double, steps: Int, warmup: Double = 0.3, start: Double = 25, end: Double = 1e4, isLinear: Bool = false)
  /// Up and down again between the first rate and `greatest`, by straight lines: `CyclicLR` in its triangular mode.
  case cyclic(greatest: Double, up: Int = 2000, down: Int? = nil)
  /// Times what a function gives: `LambdaLR`.
  case lambda(@Sendable (Int) -> Double)
  /// One schedule up to an epoch, the next from there on, counted from 0 again: `SequentialLR`.
  indirect case sequence([LearningRateSchedule], at: [Int])

  /// The rate of an epoch, or of a step, counted from 0.
  public func rate(_ first: Double, epoch: Int) -> Double {
    switch self {
    case .constant: return first
    case .step(let epochs, let factor): return first * pow(factor, Double(epoch / max(1, epochs)))
    case .steps(let places, let factor): return first * pow(factor, Double(places.count { $0 <= epoch }))
    case .exponential(let factor): return first * pow(factor, Double(epoch))
    case .cosine(let epochs, let least, let warmup):
      if epoch < warmup { return first * Double(epoch + 1) / Double(warmup + 1) }
      let part = min(1, Double(epoch - warmup) / Double(max(1, epochs - warmup)))
      return Self.cosine(from: first, to: least, part)
    case .linear(let epochs, let from, let to):
      let part = min(1, Double(epoch) / Double(max(1, epochs)))
      return first * (from + (to - from) * part)
    case .constantFactor(let epochs, let factor): return epoch < epochs ? first * factor : first
    case .polynomial(let epochs, let power):
      return first * pow(max(0, 1 - Double(min(epoch, epochs)) / Double(max(1, epochs))), power)
    case .warmRestarts(let epochs, let factor, let least):
      var (length, place) = (max(1, epochs), epoch)
      // Lengths of equal periods divide; growing ones are few.
      if factor <= 1 { place %= length }
      while place >= length {
        place -= length
        length *= factor
      }
      return Self.cosine(from: first, to: least, Double(place) / Double(length))
    case .oneCycle(let greatest, let steps, let warmup, let start, let end, let isLinear):
      let low = greatest / start
      let top = warmup * Double(steps) - 1, last = Double(steps - 1)
      let place = min(Double(epoch), last)
      func between(_ a: Double, _ b: Double, _ part: Double) -> Double {
        isLinear ? a + (b - a) * part : Self.cosine(from: a, to: b, part)
      }
      if place <= top { return between(low, greatest, top > 0 ? place / top : 1) }
      return between(greatest, low / end, last > top ? (place - top) / (last - top) : 1)
    case .cyclic(let greatest, let up, let down):
      let (up, down) = (max(1, up), max(1, down ?? up))
      let place = epoch % (up + down)
      let part = place <= up ? Double(place) / Double(up) : Double(up + down - place) / Double(down)
      return first + (greatest - first) * part
    case .lambda(let factor): return first * factor(epoch)
    case .sequence(let schedules, let places):
      let index = min(places.count { $0 <= epoch }, schedules.count - 1)
      guard index >= 0 else { return first }
      return schedules[index].rate(first, epoch: index == 0 ? epoch : epoch - places[index - 1])
    }
  }

  private static func cosine(from: Double, to: Double, _ part: Double) -> Double {
    to + (from - to) * (1 + cos(.pi * part)) / 2
  }
}

/// Lowers the learning rate where a measure no longer falls (or rises): PyTorch's `ReduceLROnPlateau`.
///
///     var plateau = ReduceOnPlateau(learningRate: 0.1, patience: 5)
///     … step(&state, x, y, learningRate: plateau.learningRate)
///     plateau.step(validationLoss)
public struct ReduceOnPlateau: Sendable {
  /// The learning rate now.
  public private(set) var learningRate: Double
  /// What the learning rate is multiplied by.
  public let factor: Double
  /// How many epochs without progress are waited for.
  public let patience: Int
  /// What counts as progress: a part of the best so far, or an amount.
  public let threshold: Double
  /// Whether a change counts by its share of the best value.
  public let isRelative: Bool
  /// How many epochs after a change do not count.
  public let cooldown: Int
  /// The learning rate goes no lower.
  public let least: Double
  /// Whether a greater measure is better.
  public let rises: Bool

  private var best: Double
  private var badEpochs = 0, cooling = 0

  /// Multiplies the learning rate by `factor` once the measure has not improved by `threshold` for more than `patience` epochs.
  public init(
    learningRate: Double, factor: Double = 0.1, patience: Int = 10, threshold: Double = 1e-4, isRelative: Bool = true,
    cooldown: Int = 0, least: Double = 0, rises: Bool = false
  ) {
    self.learningRate = learningRate
    self.factor = factor
    self.patience = patience
    self.threshold = threshold
    self.isRelative = isRelative
    self.cooldown = cooldown
    self.least = least
    self.rises = rises
    best = rises ? -.infinity : .infinity
  }

  /// Notes an epoch's measure and gives the rate for the next one.
  @discardableResult
  public mutating func step(_ measure: Double) -> Double {
    let needed =
      isRelative ? best * (rises ? 1 + threshold : 1 - threshold) : best + (rises ? threshold : -threshold)
    if rises ? measure > needed : measure < needed {
      best = measure
      badEpochs = 0
    } else {
      badEpochs += 1
    }
    if cooling > 0 {
      cooling -= 1
      badEpochs = 0
    }
    if badEpochs > patience {
      let lower = max(learningRate * factor, least)
      // Changes too small to matter are none, as in PyTorch.
      if learningRate - lower > 1e-8 { learningRate = lower }
      cooling = cooldown
      badEpochs = 0
    }
    return learningRate
  }
}
