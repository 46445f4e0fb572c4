/// An input that a compiled library keeps for its callers: what one run makes of it is what the next run starts with.
///
/// A graph lists its states in the order of their inputs, which are its last ones; those of its outputs that are a state's next value are its last
/// ones as well, in the same order. Their types are equal, without symbols and without text. Passes and interpreters see inputs and outputs like
/// any others; only a library hides them from `run` and offers them by functions of their own.
public struct StatePort: Sendable {
  /// The position among the inputs.
  public var input: Int
  /// The position among the outputs of what a run makes of it; nil where runs leave it as it is.
  public var output: Int?
  /// What a session starts with.
  public var initial: HostTensor

  /// A state that begins as `initial`, whose type must be that of both ports.
  public init(input: Int, output: Int?, initial: HostTensor) {
    self.input = input
    self.output = output
    self.initial = initial
  }
}

extension StatePort {
  /// What is wrong with a list of states; nil stands for the type of a port that is no tensor.
  package static func problems(_ states: [StatePort], inputs: [TensorType?], outputs: [TensorType?]) -> [String] {
    var problems: [String] = []
    if states.map(\.input) != Array((inputs.count - min(states.count, inputs.count))..<inputs.count) {
      problems.append("the states are inputs \(states.map(\.input)), which are not the last ones of \(inputs.count)")
    }
    let changed = states.compactMap(\.output)
    if changed != Array((outputs.count - min(changed.count, outputs.count))..<outputs.count) {
      problems.append("the states' next values are outputs \(changed), which are not the last ones of \(outputs.count)")
    }
    if !problems.isEmpty { return problems }
    for state in states {
      let type = TensorType(state.initial.element, state.initial.shape.map { Dim($0) })
      if inputs[state.input] != type || type.element == .string {
        problems.append("state \(state.input) starts with \(type), but its input is \(name(inputs[state.input]))")
      }
      if let output = state.output, outputs[output] != type {
        problems.append("state \(state.input) is \(type), but becomes \(name(outputs[output]))")
      }
    }
    return problems
  }

  private static func name(_ type: TensorType?) -> String { type.map { "\($0)" } ?? "no tensor" }
}
