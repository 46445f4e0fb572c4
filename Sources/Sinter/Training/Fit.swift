import Foundation

/// What was measured in each epoch of a run.
public struct TrainingHistory: Sendable {
  public struct Epoch: Sendable {
    /// From 1.
    public let number: Int
    public let learningRate: Double
    /// The means over the epoch's steps: the loss and the metrics.
    public let training: [String: Double]
    /// What the caller measured after the epoch; empty where nothing was asked for.
    public let validation: [String: Double]
    public let seconds: Double
  }

  public internal(set) var epochs: [Epoch] = []

  /// One line an epoch, with a header: `epoch,learning_rate,loss,…,validation_loss,…,seconds`.
  public var csv: String {
    guard let first = epochs.first else { return "epoch,learning_rate,seconds\n" }
    let training = first.training.keys.sorted(), validation = first.validation.keys.sorted()
    let header = ["epoch", "learning_rate"] + training + validation.map { "validation_\($0)" } + ["seconds"]
    let lines = epochs.map { epoch in
      let numbers =
        [epoch.learningRate] + training.map { epoch.training[$0] ?? .nan }
        + validation.map { epoch.validation[$0] ?? .nan }
        + [epoch.seconds]
      return ([String(epoch.number)] + numbers.map { "\($0)" }).joined(separator: ",")
    }
    return ([header.joined(separator: ",")] + lines).joined(separator: "\n") + "\n"
  }
}

extension CompiledStep {
  /// When a run ends before its last epoch.
  public struct EarlyStopping: Sendable {
    /// A number of the validation's that should fall.
    public var measure: String
    /// How many epochs it may fail to.
    public var patience: Int

    public init(_ measure: String = "loss", patience: Int = 10) {
      self.measure = measure
      self.patience = patience
    }
  }

  /// Trains for some epochs.
  ///
  /// - Parameters:
  ///   - batch: samples a step; a last batch that is not full is left out.
  ///   - seed: of the order in which samples come.
  ///   - validate: called after each epoch with the state; gives numbers by name.
  ///   - stopping: with it the best epoch's state is what is left at the end.
  ///   - report: called with each epoch's line; by default nothing is printed.
  /// - Throws: where a loss is not a number, telling the step; the state is then that of the last complete epoch.
  @discardableResult
  public func fit(
    _ state: inout TrainingState, _ data: Dataset, epochs: Int, batch: Int, seed: UInt64 = 0,
    schedule: LearningRateSchedule = .constant, stopping: EarlyStopping? = nil,
    validate: ((TrainingState) throws -> [String: Double])? = nil, report: (TrainingHistory.Epoch) -> Void = { _ in }
  ) throws -> TrainingHistory {
    guard data.count >= batch, batch > 0 else {
      throw DiagnosticError(
        .user, "fit.batch", "there are \(data.count) samples, fewer than a batch of \(batch)",
        hint: "take smaller batches")
    }
    let clock = ContinuousClock()
    var history = TrainingHistory()
    var best: (value: Double, state: TrainingState, epoch: Int)?
    let first = state.steps / (data.count / batch)
    for number in 0..<max(0, epochs) {
      let begin = clock.now
      let epoch = first + number
      let rate = schedule.rate(step.learningRate, epoch: epoch)
      var sums: [String: Double] = [:]
      var count = 0
      var current = state
      for samples in data.batches(batch, order: .shuffled(seed: seed), epoch: epoch, dropLast: true) {
        let measured = try run(&current, samples, learningRate: rate)
        guard let loss = measured["loss"], loss.isFinite else {
          throw DiagnosticError(
            .user, "fit.loss", "the loss of step \(current.steps) (epoch \(epoch + 1)) is \(measured["loss"] ?? .nan)",
            hint: "take a smaller learning rate, or clip gradients")
        }
        for (name, value) in measured { sums[name, default: 0] += value }
        count += 1
      }
      state = current
      let done = TrainingHistory.Epoch(
        number: epoch + 1, learningRate: rate, training: sums.mapValues { $0 / Double(count) },
        validation: try validate?(state) ?? [:], seconds: (clock.now - begin) / .seconds(1))
      history.epochs.append(done)
      report(done)
      guard let stopping else { continue }
      guard let value = done.validation[stopping.measure] else {
        throw DiagnosticError(
          .user, "fit.stopping", "the validation gives no \(stopping.measure)",
          hint: "it gives \(done.validation.keys.sorted().joined(separator: ", "))")
      }
      if best.map({ value < $0.value }) ?? true { best = (value, state, number) }
      if let best, number - best.epoch >= stopping.patience { break }
    }
    if let best { state = best.state }
    return history
  }
}
