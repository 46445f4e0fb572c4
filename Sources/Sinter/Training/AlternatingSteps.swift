import SinterIR

/// Several steps that train parts of one model in turns, each by its own loss and optimizer: the two sides of a GAN, say.
///
/// Steps share the parameters that their models share: those of the same handles, whatever their names. What one step changes the others read from
/// then on; an optimizer's slots belong to their step.
///
///     let steps = try AlternatingSteps([
///       "discriminator": trainingStep(gan, …, trainable: { $0.hasPrefix("discriminator.") }) { … }.compile(),
///       "generator": trainingStep(gan, …, trainable: { $0.hasPrefix("generator.") }) { … }.compile(),
///     ])
///     var state = steps.initialState(seed: 1)
///     try steps("discriminator", &state, images)
///     try steps("generator", &state, images)
public final class AlternatingSteps {
  /// In order; the first that holds a parameter names it.
  public let names: [String]
  private let steps: [CompiledStep]
  let links: StateLinks

  /// - Throws: where two different parameters have one name, or nothing is shared: all of them.
  public init(_ steps: KeyValuePairs<String, CompiledStep>) throws {
    names = steps.map(\.key)
    self.steps = steps.map(\.value)
    links = try StateLinks(names, self.steps.map(\.step.state))
  }

  /// The state before the first step, as `CompiledStep.initialState` makes it; what is shared starts as the first step that holds it has it.
  public func initialState(
    seed: UInt64 = 0, initializer: (_ name: String, _ shape: [Int]) -> Initializer? = { _, _ in nil }
  ) -> AlternatingState {
    AlternatingState(links, steps.map { $0.initialState(seed: seed, initializer: initializer) })
  }

  /// One step of those of a name. Changes the state, and gives the loss and the metrics by name.
  ///
  /// - Parameter learningRate: for this step; its optimizer's own by default.
  /// - Throws: where there is no step of that name.
  @discardableResult
  public func callAsFunction(
    _ name: String, _ state: inout AlternatingState, _ inputs: HostTensor..., learningRate: Double? = nil
  ) throws -> [String: Double] {
    guard let place = names.firstIndex(of: name) else {
      throw DiagnosticError(
        .user, "alternating.step", "there is no step \(name)", hint: "the steps are \(names.joined(separator: ", "))")
    }
    defer { state.handOn(from: place) }
    return try steps[place].run(&state.states[place], inputs, learningRate: learningRate)
  }

  /// A state that `AlternatingState.save` wrote, to go on from.
  ///
  /// - Throws: all that does not fit the steps, by name.
  public func state(reading path: String) throws -> AlternatingState {
    try AlternatingState(links, steps.map(\.step.state), reading: path)
  }
}

/// Which entries of several steps' states are one parameter.
struct StateLinks: Sendable {
  let steps: [String]
  /// For each step and entry the name that a checkpoint has for it.
  private(set) var keys: [[String]] = []
  /// For each step the entries that it changes and others hold, too.
  private(set) var shared: [[(place: Int, others: [(step: Int, place: Int)])]] = []
  /// For each step and entry, the first that holds the same.
  private(set) var first: [[(step: Int, place: Int)]] = []

  init(_ steps: [String], _ states: [[TrainingStep.StateEntry]]) throws {
    self.steps = steps
    var problems: [Diagnostic] = []
    if let twice = steps.indices.first(where: { steps[..<$0].contains(steps[$0]) }) {
      problems.append(Diagnostic(.user, "alternating.name", "two steps are named \(steps[twice])"))
    }
    var places: [ObjectIdentifier: [(step: Int, place: Int)]] = [:]
    var owners: [String: Parameter] = [:]
    for (step, entries) in states.enumerated() {
      var keys: [String] = [], first: [(step: Int, place: Int)] = []
      for (place, entry) in entries.enumerated() {
        guard entry.slot == nil else {
          keys.append("\(steps[step]):\(entry.name)")
          first.append((step, place))
          continue
        }
        let id = ObjectIdentifier(entry.parameter)
        let before = places[id]?.first ?? (step, place)
        places[id, default: []].append((step, place))
        let name = states[before.step][before.place].name
        if owners[name, default: entry.parameter] !== entry.parameter {
          problems.append(
            Diagnostic(
              .user, "alternating.parameter", "step \(steps[step]) has another parameter \(name) than the steps before",
              hint: "trace all steps with one model, or with parts of it whose parameters have different names"))
        }
        owners[name] = entry.parameter
        keys.append(name)
        first.append(before)
      }
      self.keys.append(keys)
      self.first.append(first)
    }
    if problems.isEmpty, steps.count > 1, places.values.allSatisfy({ $0.count < 2 }) {
      problems.append(
        Diagnostic(
          .user, "alternating.shared", "steps \(steps.joined(separator: ", ")) have no parameter in common",
          hint: "trace all steps with one model"))
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    shared = states.indices.map { step in
      states[step].enumerated().compactMap { place, entry in
        guard entry.slot == nil, entry.changes else { return nil }
        let others = (places[ObjectIdentifier(entry.parameter)] ?? []).filter { $0.step != step }
        return others.isEmpty ? nil : (place, others)
      }
    }
  }
}

/// What a run of alternating steps carries on.
public struct AlternatingState: Sendable {
  private let links: StateLinks
  var states: [TrainingState]

  init(_ links: StateLinks, _ states: [TrainingState]) {
    self.links = links
    self.states = states
    for step in states.indices {
      for place in states[step].values.indices {
        let first = links.first[step][place]
        self.states[step].values[place] = self.states[first.step].values[first.place]
      }
    }
  }

  /// Gives the others what a step has changed.
  mutating func handOn(from step: Int) {
    for (place, others) in links.shared[step] {
      for other in others { states[other.step].values[other.place] = states[step].values[place] }
    }
  }

  /// Parameters and running statistics by name, those of all steps: to be saved, or to be bound to a model for use.
  public var parameters: ParameterStore {
    get {
      var store = ParameterStore()
      for state in states {
        let own = state.parameters
        for name in own.names where store[name] == nil { store[name] = own[name] }
      }
      return store
    }
    set {
      // Each step has its own part of them.
      let unknown = TrainingState.unknown(newValue, among: parameters)
      for step in states.indices { states[step].misfits = unknown + states[step].take(newValue) }
    }
  }

  /// How many steps of a name have been done; 0 where there is none of that name.
  public func steps(of name: String) -> Int { links.steps.firstIndex(of: name).map { states[$0].steps } ?? 0 }

  /// Everything by name, an optimizer's slots as `generator:fc.weight.exp_avg`.
  public subscript(name: String) -> HostTensor? {
    for (step, keys) in links.keys.enumerated() {
      if let place = keys.firstIndex(of: name) { return states[step].values[place] }
    }
    return nil
  }

  /// Writes everything that the run needs to go on bit by bit as if it had not stopped, as safetensors. What was there is replaced only when all
  /// went well.
  public func save(_ path: String) throws {
    var store = ParameterStore()
    for (step, state) in states.enumerated() {
      for (key, value) in zip(links.keys[step], state.values) { store[key] = value }
      store["\(TrainingState.stepsName).\(links.steps[step])"] = .i64([], [state.steps])
      store[TrainingState.seedName] = HostTensor(.u64, [], values: [state.seed])
    }
    try store.save(path)
  }

  fileprivate init(_ links: StateLinks, _ entries: [[TrainingStep.StateEntry]], reading path: String) throws {
    let store = try ParameterStore(reading: path)
    var problems: [Diagnostic] = []
    let known = Set(links.keys.joined())
    for name in store.names where !known.contains(name) && !name.hasPrefix("training.") {
      problems.append(
        Diagnostic(.user, "checkpoint.unknown", "\(name) belongs to no parameter of these steps", at: [path]))
    }
    var states: [TrainingState] = []
    for (step, entries) in entries.enumerated() {
      var part = ParameterStore()
      for (key, entry) in zip(links.keys[step], entries) { part[entry.name] = store[key] }
      part[TrainingState.stepsName] = store["\(TrainingState.stepsName).\(links.steps[step])"]
      part[TrainingState.seedName] = store[TrainingState.seedName]
      do {
        states.append(try TrainingState(entries, from: part, path))
      } catch let error as DiagnosticError { problems += error.located(at: "step \(links.steps[step])").diagnostics }
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    self.init(links, states)
  }
}
