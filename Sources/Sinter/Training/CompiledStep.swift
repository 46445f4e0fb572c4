import SinterIR
import SinterModel

/// A training step, compiled and loaded. It holds no state: that is handed in and comes back.
public final class CompiledStep {
  /// The step that was compiled.
  public let step: TrainingStep
  private let session: Session

  init(_ step: TrainingStep, _ session: Session) {
    self.step = step
    self.session = session
  }

  /// The state before the first step: parameters by their initializers, random ones from the seed, and empty slots.
  ///
  /// - Parameter initializer: by a parameter's name and shape, in place of its own; nil leaves that.
  public func initialState(
    seed: UInt64 = 0, initializer: (_ name: String, _ shape: [Int]) -> Initializer? = { _, _ in nil }
  ) -> TrainingState {
    TrainingState(
      entries: step.state,
      values: step.state.map { entry in
        var parameter = entry.parameter
        guard entry.slot == nil else { return HostTensor(zeros: parameter.element, parameter.shape) }
        if let other = initializer(entry.name, parameter.shape) { parameter = parameter.initialized(other) }
        return parameter.initialValue(named: entry.name, seed: seed)
      }, seed: seed)
  }

  /// One step. Changes the state, and gives the loss and the metrics by name.
  ///
  /// - Parameter learningRate: for this step; the optimizer's own by default.
  @discardableResult
  public func callAsFunction(
    _ state: inout TrainingState, _ inputs: HostTensor..., learningRate: Double? = nil
  ) throws -> [String: Double] {
    try run(&state, inputs, learningRate: learningRate)
  }

  /// The same with the inputs as a list.
  @discardableResult
  public func run(
    _ state: inout TrainingState, _ inputs: [HostTensor], learningRate: Double? = nil
  ) throws -> [String: Double] {
    try step.arrange(&state)
    let results = try session.run(arguments(state, inputs, learningRate))
    let changed = step.state.indices.filter { step.state[$0].changes }
    for (place, value) in zip(changed, results[step.measures.count...]) { state.values[place] = value }
    state.steps += 1
    return Dictionary(
      uniqueKeysWithValues: zip(step.measures, results).map { ($0, $1.doubles?.first ?? .nan) })
  }
}

extension CompiledStep {
  /// All inputs of the step's library.
  func arguments(_ state: TrainingState, _ inputs: [HostTensor], _ learningRate: Double?) -> [HostTensor] {
    let rate = HostTensor.f32([], [Float(learningRate ?? step.learningRate)])
    let number = HostTensor.f32([], [Float(state.steps + 1)])
    let key = step.isRandom ? [HostTensor.i64([2], [Int(truncatingIfNeeded: state.seed), state.steps])] : []
    return inputs + [rate, number] + key + state.values
  }
}

/// What a training run carries from step to step: parameters, running statistics, and the optimizer's slots.
public struct TrainingState: Sendable {
  var entries: [TrainingStep.StateEntry]
  var values: [HostTensor]
  /// Parameters that were given and do not fit: an error of the next step.
  var misfits: [Diagnostic] = []
  /// What random numbers of the run follow from.
  public let seed: UInt64
  /// How many steps have been done.
  public internal(set) var steps = 0
  /// How far `fit` has come; nil where it had nothing to do with the state yet.
  var progress: FitProgress?

  init(entries: [TrainingStep.StateEntry], values: [HostTensor], seed: UInt64) {
    self.entries = entries
    self.values = values
    self.seed = seed
  }

  /// Parameters and running statistics by name, shared ones under each of theirs: to be saved, or to be bound to a model for use.
  ///
  /// Parameters that are set take the place of those of the same names; others stay. Names that the state does not have, and tensors of other
  /// shapes or types than it has, are errors of the next step, all at once.
  public var parameters: ParameterStore {
    get {
      var store = ParameterStore()
      for (entry, value) in zip(entries, values) where entry.slot == nil {
        for name in [entry.name] + entry.aliases { store[name] = value }
      }
      return store
    }
    set {
      misfits = Self.unknown(newValue, among: parameters) + take(newValue)
    }
  }

  /// What parameters have and a state does not.
  static func unknown(_ store: ParameterStore, among known: ParameterStore) -> [Diagnostic] {
    store.names.filter { known[$0] == nil }.map {
      Diagnostic(.user, "training.state", "parameters were set that have \($0), which the state does not have")
    }
  }

  /// Takes over the parameters that it has a place for; the result tells those that do not fit it.
  mutating func take(_ store: ParameterStore) -> [Diagnostic] {
    var problems: [Diagnostic] = []
    for (index, entry) in entries.enumerated() where entry.slot == nil {
      guard
        let (name, value) = ([entry.name] + entry.aliases).lazy.compactMap({ name in store[name].map { (name, $0) } })
          .first
      else { continue }
      if value.shape != entry.parameter.shape || value.element != entry.parameter.element || value.problem != nil {
        problems.append(
          Diagnostic(
            .user, "training.state",
            "parameters were set whose \(name) is \(value.problem ?? "\(value.type)"), expected \(entry.parameter.element)\(entry.parameter.shape)"
          ))
      } else {
        values[index] = value
      }
    }
    return problems
  }

  /// How many epochs of `fit` are complete.
  public var epochs: Int { progress?.epoch ?? 0 }

  /// Everything by name, the optimizer's slots as `fc.weight.exp_avg`.
  public subscript(name: String) -> HostTensor? {
    entries.firstIndex { $0.name == name }.map { values[$0] }
  }
}

extension TrainingStep {
  /// Compiles the step into a library and loads it.
  ///
  /// - Parameters:
  ///   - path: the library; nil for one that goes with the object.
  ///   - threads: 0 for as many as this process may run on.
  public func compile(to path: String? = nil, threads: Int = 0) throws -> CompiledStep {
    if let path {
      try BoundModel(graph: graph).compile(to: path)
      return CompiledStep(self, try CompiledLibrary(path).session(threads: threads))
    }
    return CompiledStep(self, try TemporaryLibrary.session(graph, threads: threads))
  }
}

extension HostTensor {
  fileprivate init(zeros element: ElementType, _ shape: [Int]) {
    self.init(element, shape, bytes: TensorBytes(count: element.byteCount(shape.reduce(1, *))) { _ in })
  }
}
