/// When a run ends before its last epoch. The best epoch's state is what is left at the end.
public struct EarlyStopping: Sendable {
  /// Whether small or large values of a measure are good.
  public enum Goal: Sendable { case smallest, largest }

  /// A number of the validation's.
  public var measure: String
  /// How many epochs it may fail to get better.
  public var patience: Int
  /// Which values of the measure are good.
  public var goal: Goal
  /// How much better counts as better.
  public var least: Double

  /// Ends a run after `patience` epochs whose measure is not better by more than `least` than the best so far.
  public init(_ measure: String = "loss", patience: Int = 10, goal: Goal = .smallest, least: Double = 0) {
    self.measure = measure
    self.patience = patience
    self.goal = goal
    self.least = least
  }

  /// Any number is better than none (NaN), and none is better than no other.
  func isBetter(_ value: Double, than best: Double) -> Bool {
    if best.isNaN { return !value.isNaN }
    return switch goal {
    case .smallest: value < best - least
    case .largest: value > best + least
    }
  }
}

/// Where and how often a run is saved, so that it can be resumed.
public struct Checkpoints: Sendable {
  /// The file, `run.safetensors` say. With early stopping the best epoch's state is kept beside it, in `run.best.safetensors`.
  public var path: String
  /// After so many epochs.
  public var epochs: Int
  /// After so many steps besides, inside of epochs.
  public var steps: Int?

  /// Saves to a file after every so many epochs, one at least, and steps.
  public init(_ path: String, epochs: Int = 1, steps: Int? = nil) {
    self.path = path
    self.epochs = max(1, epochs)
    self.steps = steps.map { max(1, $0) }
  }

  /// Where the best epoch's state is kept.
  public var bestPath: String {
    guard let dot = path.lastIndex(of: "."), path[dot...].allSatisfy({ $0 != "/" }) else { return path + ".best" }
    return path[..<dot] + ".best" + path[dot...]
  }
}
