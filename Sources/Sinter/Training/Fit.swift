import Foundation

extension CompiledStep {
  /// Trains for some epochs on a loader's batches. A state that was saved inside of an epoch goes on there, bit by bit as if it had not stopped.
  ///
  /// - Parameters:
  ///   - epochs: how many more; one that had begun counts as the first.
  ///   - schedule: of the learning rate.
  ///   - stopping: when to end earlier; the best epoch's state is then what is left.
  ///   - checkpoints: where the run is saved.
  ///   - display: how it shows how far it is; by default nothing is printed.
  ///   - keepsOnInterrupt: whether Ctrl-C ends the run with the state of the last complete epoch, instead of the process; pressed again it does that.
  ///     With early stopping what is left is the state of the best epoch, as at any other end; the last one's is in the checkpoint.
  ///   - validate: called after each epoch with the state; gives numbers by name.
  ///   - report: called with each epoch.
  /// - Throws: where a loss is not a number, telling the step and the first node whose result was none; the state is then that of the last
  ///   complete epoch. The same holds for any other error, of the data or of a full disk.
  @discardableResult
  public func fit(
    _ state: inout TrainingState, _ loader: DataLoader, epochs: Int, schedule: LearningRateSchedule = .constant,
    stopping: EarlyStopping? = nil, checkpoints: Checkpoints? = nil, display: ProgressDisplay = .none,
    keepsOnInterrupt: Bool = true, validate: ((TrainingState) throws -> [String: Double])? = nil,
    report: (TrainingHistory.Epoch) throws -> Void = { _ in }
  ) throws -> TrainingHistory {
    let batches = loader.count
    guard batches > 0 else {
      throw DiagnosticError(
        .user, "fit.batch",
        "there are \(loader.order.count(of: loader.dataset.count)) samples, fewer than a batch of \(loader.batch)",
        hint: "take smaller batches")
    }
    if stopping != nil, validate == nil {
      throw DiagnosticError(
        .user, "fit.stopping", "early stopping needs something to go by", hint: "give fit a function as validate")
    }
    var progress = state.progress ?? FitProgress(epoch: state.steps / batches)
    let order = LoaderOrder(loader)
    guard progress.batch == 0 || progress.loader == order && progress.batch < batches else {
      throw DiagnosticError(
        .user, "fit.loader",
        "the state was saved after batch \(progress.batch) of epoch \(progress.epoch + 1), with \(progress.loader?.description ?? "another loader"), but the loader has \(order)",
        hint: "go on with the same data, batch, order and seeds, or from a state that was saved after an epoch")
    }
    progress.loader = order
    let interruption = keepsOnInterrupt ? Interruption() : nil
    let clock = ContinuousClock()
    var history = TrainingHistory()
    var best = stopping == nil ? nil : checkpoints.flatMap { bestState(of: progress, at: $0.bestPath) }
    if best == nil { progress.best = nil }
    var line = ProgressLine(display, last: progress.epoch + max(0, epochs), batches: batches)
    defer { line.abandon() }

    for _ in 0..<max(0, epochs) {
      let begin = clock.now
      let number = progress.epoch
      let rate = schedule.rate(step.learningRate, epoch: number)
      var current = state
      let samplesBefore = progress.samples
      line.start(done: progress.batch)
      let loaded = try loader.batches(epoch: number, from: progress.batch)
      while let samples = try loaded.next() {
        let before = current
        let measured = try run(&current, samples, learningRate: rate)
        guard let loss = measured["loss"], loss.isFinite else {
          let cause = LossDoctor(step: step).firstCause(arguments(before, samples, rate))
          throw DiagnosticError(
            .user, "fit.loss",
            "the loss of step \(current.steps) (epoch \(number + 1)) is \(measured["loss"] ?? .nan)"
              + (cause.map { ": \($0)" } ?? ""),
            hint: "take a smaller learning rate, or clip gradients")
        }
        progress.add(measured, samples: samples.first?.shape.first ?? 1)
        line.update(epoch: number + 1, progress, samplesBefore: samplesBefore)
        if interruption?.wasAskedFor ?? false {
          history.isInterrupted = true
          break
        }
        if let checkpoints, let every = checkpoints.steps, current.steps % every == 0, progress.batch < batches {
          current.progress = progress
          try current.save(checkpoints.path)
        }
      }
      if history.isInterrupted { break }
      let (means, samples) = (progress.means, progress.samples)
      progress.endEpoch()
      let validation = try validate?(current) ?? [:]
      let done = TrainingHistory.Epoch(
        number: number + 1, learningRate: rate, training: means, validation: validation,
        seconds: (clock.now - begin) / .seconds(1))
      var hasImproved = false
      if let stopping {
        guard let value = validation[stopping.measure] else {
          throw DiagnosticError(
            .user, "fit.stopping", "the validation gives no \(stopping.measure)",
            hint: "it gives \(validation.keys.sorted().joined(separator: ", "))")
        }
        hasImproved = progress.best.map { stopping.isBetter(value, than: $0) } ?? true
        if hasImproved { (progress.best, progress.bestEpoch) = (value, progress.epoch) }
      }
      current.progress = progress
      state = current
      if hasImproved {
        best = state
        if let checkpoints { try state.save(checkpoints.bestPath) }
      }
      if let checkpoints, progress.epoch % checkpoints.epochs == 0 { try state.save(checkpoints.path) }
      history.epochs.append(done)
      line.end(done, samples: samples - samplesBefore)
      try report(done)
      if let stopping, progress.epoch - progress.bestEpoch >= stopping.patience { break }
    }
    if stopping != nil, let best { state = best }
    return history
  }

  /// The best epoch's state of the run that has come so far, from the file beside its checkpoint; nil where the run has none, or the file is
  /// another run's.
  private func bestState(of progress: FitProgress, at path: String) -> TrainingState? {
    guard progress.best != nil, let found = try? state(reading: path),
      found.progress?.best == progress.best, found.progress?.bestEpoch == progress.bestEpoch
    else { return nil }
    return found
  }

  /// The same on a data set, whose samples come in an order that follows from a seed; a last batch that is not full is left out. A thread prepares
  /// batches of what is no tensor.
  @discardableResult
  public func fit(
    _ state: inout TrainingState, _ data: some Dataset, epochs: Int, batch: Int, seed: UInt64 = 0,
    schedule: LearningRateSchedule = .constant, stopping: EarlyStopping? = nil, checkpoints: Checkpoints? = nil,
    display: ProgressDisplay = .none, keepsOnInterrupt: Bool = true,
    validate: ((TrainingState) throws -> [String: Double])? = nil,
    report: (TrainingHistory.Epoch) throws -> Void = { _ in }
  ) throws -> TrainingHistory {
    guard batch > 0 else {
      throw DiagnosticError(.user, "fit.batch", "a batch of \(batch) samples is none", hint: "take one or more")
    }
    let loader = DataLoader(
      data, batch: batch, order: .shuffled(seed: seed), dropLast: true, seed: seed,
      workers: data is TensorDataset ? 0 : 1)
    return try fit(
      &state, loader, epochs: epochs, schedule: schedule, stopping: stopping, checkpoints: checkpoints,
      display: display,
      keepsOnInterrupt: keepsOnInterrupt, validate: validate, report: report)
  }
}
