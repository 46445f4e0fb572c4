import SinterIR
import SinterOps

extension TrainingStep {
  /// The step as a library that keeps its state: whoever calls it passes samples and the learning rate and gets the loss and the metrics. Parameters,
  /// statistics, the optimizer's slots, the number of the step and the key of its random numbers are states of the library's sessions, which
  /// read, write, save and restore them by the functions of `sinter.h`.
  ///
  ///     try step.keepingState(run.initialState(seed: 1)).compile(to: "libtrain.so", header: true)
  ///
  /// - Parameter state: what sessions start with.
  /// - Throws: an error that names the parameters where the state is not this step's.
  public func keepingState(_ state: TrainingState) throws -> BoundModel {
    try checkEntries(of: state)
    var builder = GraphBuilder(graph)
    var graphStates: [(name: String, next: ValueID?, initial: HostTensor)] = []
    let nexts = Dictionary(graph.outputs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    for (entry, value) in zip(self.state, state.values) {
      graphStates.append((entry.name, entry.changes ? nexts["\(entry.name).next"] : nil, value))
    }

    // The two numbers that a caller of the function counts.
    let nodeCount = builder.graph.order.count
    var replaced: [ValueID: ValueID] = [:]
    if let port = graph.inputs.first(where: { $0.name == "step" }) {
      let count = builder.input(Fact(.i64, []), named: "step")
      let next = try builder.add1(Binary(.add), [count, builder.constant(.i64([], [1]))])
      replaced[port.value] = try builder.add1(Cast(to: .f32), [next])
      graphStates.append(("step", next, .i64([], [state.steps])))
    }
    if let port = graph.inputs.first(where: { $0.name == Trace.keyName }) {
      let key = builder.input(Fact(.i64, [2]), named: Trace.keyName)
      let next = try builder.add1(Binary(.add), [key, builder.constant(.i64([2], [0, 1]))])
      replaced[port.value] = key
      graphStates.append((Trace.keyName, next, .i64([2], [Int(truncatingIfNeeded: state.seed), state.steps])))
    }
    var result = builder.graph
    let added = result.order[nodeCount...]
    result.order = Array(added) + result.order[..<nodeCount]
    result.replaceUses { replaced[$0] ?? $0 }
    result.inputs.removeAll { replaced[$0.value] != nil }
    result.sortInputs(last: graphStates.map(\.name))
    result.outputs.removeSubrange(measures.count...)
    let firstState = result.inputs.count - graphStates.count
    for (index, state) in graphStates.enumerated() {
      if let next = state.next { result.outputs.append(.init(name: "\(state.name).next", value: next)) }
      result.states.append(
        StatePort(
          input: firstState + index, output: state.next == nil ? nil : result.outputs.count - 1, initial: state.initial)
      )
    }
    result.compact()
    return BoundModel(graph: result)
  }

  /// Brings what a state holds into the order in which this step takes it.
  ///
  /// - Throws: where the state has parameters that do not fit, or is one of another step.
  func arrange(_ state: inout TrainingState) throws {
    if !state.misfits.isEmpty { throw DiagnosticError(state.misfits) }
    if state.entries.elementsEqual(self.state, by: { $0.name == $1.name }) { return }
    try checkEntries(of: state)
    let values = Dictionary(zip(state.entries.map(\.name), state.values), uniquingKeysWith: { first, _ in first })
    state.values = self.state.compactMap { values[$0.name] }
    state.entries = self.state
  }

  private func checkEntries(of state: TrainingState) throws {
    let given = Dictionary(
      zip(state.entries.map(\.name), state.values), uniquingKeysWith: { first, _ in first })
    var problems: [Diagnostic] = []
    for entry in self.state {
      let expected = "\(entry.parameter.element)\(entry.parameter.shape)"
      guard let value = given[entry.name] else {
        problems.append(Diagnostic(.user, "training.state", "the state has no \(entry.name), which is \(expected)"))
        continue
      }
      if value.shape != entry.parameter.shape || value.element != entry.parameter.element {
        problems.append(
          Diagnostic(
            .user, "training.state",
            "\(entry.name) is \(value.element)\(value.shape) in the state, expected \(expected)"))
      }
    }
    let known = Set(self.state.map(\.name))
    for name in state.entries.map(\.name) where !known.contains(name) {
      problems.append(Diagnostic(.user, "training.state", "the state has \(name), which is not of this step"))
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
  }
}

extension Graph {
  /// Puts the inputs with these names last, in their order.
  fileprivate mutating func sortInputs(last names: [String]) {
    let wanted = Set(names)
    let named = Dictionary(inputs.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    inputs = inputs.filter { !wanted.contains($0.name) } + names.compactMap { named[$0] }
    for index in inputs.indices { values[inputs[index].value].definition = .input(index) }
  }
}
