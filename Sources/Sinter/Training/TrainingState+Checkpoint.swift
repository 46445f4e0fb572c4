extension TrainingState {
  /// The name under which a checkpoint keeps the number of steps.
  static let stepsName = "training.steps"
  static let seedName = "training.seed"

  /// Writes everything that a run needs to go on bit by bit as if it had not stopped, as safetensors: parameters and running statistics under
  /// their own names, the optimizer's slots as `fc.weight.exp_avg`, and under names that begin with `training.` the number of steps, the seed, and how far
  /// `fit` has come: the epoch, its batches and what was measured in them. What was there is replaced only when all went well, so that neither a full
  /// disk nor a process that is killed loses it.
  public func save(_ path: String) throws {
    var store = ParameterStore()
    for (entry, value) in zip(entries, values) { store[entry.name] = value }
    store[Self.stepsName] = HostTensor.i64([], [steps])
    store[Self.seedName] = HostTensor(.u64, [], values: [seed])
    progress?.write(into: &store)
    try store.save(path)
  }

  /// The state that `save` wrote, for a step of the same model and optimizer.
  ///
  /// - Throws: every name that is missing, is too many, or is of another shape or type.
  init(_ entries: [TrainingStep.StateEntry], reading path: String) throws {
    try self.init(entries, from: ParameterStore(reading: path), path)
  }

  /// The same from what the file holds.
  init(_ entries: [TrainingStep.StateEntry], from store: ParameterStore, _ path: String) throws {
    var problems: [Diagnostic] = []
    var values: [HostTensor] = []
    for entry in entries {
      let wanted = "\(entry.parameter.element)\(entry.parameter.shape)"
      guard let value = store[entry.name] else {
        problems.append(
          Diagnostic(.user, "checkpoint.missing", "\(entry.name) is missing, which must be \(wanted)", at: [path]))
        continue
      }
      if value.shape != entry.parameter.shape || value.element != entry.parameter.element {
        problems.append(
          Diagnostic(
            .user, "checkpoint.shape", "\(entry.name) must be \(wanted), but is \(value.element)\(value.shape)",
            at: [path]))
      }
      values.append(value)
    }
    let known = Set(entries.map(\.name))
    for name in store.names where !known.contains(name) && !name.hasPrefix("training.") {
      problems.append(
        Diagnostic(.user, "checkpoint.unknown", "\(name) belongs to no parameter of this step", at: [path]))
    }
    guard let steps = store[Self.stepsName]?.integers?.first, steps >= 0 else {
      problems.append(
        Diagnostic(
          .user, "checkpoint.steps", "the number of steps is missing", at: [path],
          hint: "is it a file of parameters alone? assign them to a new state's `parameters`"))
      throw DiagnosticError(problems)
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    self.init(entries: entries, values: values, seed: store[Self.seedName]?.array(of: UInt64.self).first ?? 0)
    self.steps = steps
    progress = FitProgress(from: store)
  }
}

extension CompiledStep {
  /// A state that `TrainingState.save` wrote, to go on from.
  ///
  /// - Throws: all that does not fit this step, by name.
  public func state(reading path: String) throws -> TrainingState { try TrainingState(step.state, reading: path) }
}
