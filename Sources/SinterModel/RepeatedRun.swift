import SinterCore
internal import SinterABI

/// The same inputs run again and again, always into the same memory: what a loop that measures wants, since an iteration of it neither
/// allocates nor converts anything.
public final class RepeatedRun {
  private let session: Session
  private let arguments: ValueArguments
  private let inputCount: Int
  private var outputs: [SinterValue]
  /// Keep what the first run allocated, into which the others write; of sequences, optionals and maps what the last run allocated.
  private var memory: [OutputMemory?]
  /// Which outputs the library makes anew each time.
  private let madeAnew: [Int]

  /// Runs once, which tells the outputs' sizes.
  init(_ session: Session, _ inputs: [HostValue]) throws(DiagnosticError) {
    self.session = session
    arguments = ValueArguments(inputs)
    inputCount = inputs.count
    outputs = try session.rawOutputs(arguments, count: inputs.count)
    let ports = session.library.outputs
    madeAnew = ports.indices.filter { ports[$0].kind != .tensor || ports[$0].isOptional }
    memory = outputs.map { OutputMemory($0, session.library) }
    // From now on they are memory that the caller brings.
    for index in outputs.indices {
      outputs[index].release = nil
      outputs[index].owner = nil
    }
  }

  /// Runs once more.
  public func run() throws(DiagnosticError) {
    for index in madeAnew {
      memory[index] = nil
      outputs[index] = SinterValue()
    }
    try session.run(arguments, count: inputCount, into: &outputs)
    for index in madeAnew { memory[index] = OutputMemory(outputs[index], session.library) }
  }

  /// What the last run gave.
  public var results: [HostTensor] { memory.compactMap { $0?.value.tensor } }
}

extension Session {
  /// Runs the model, and makes the run repeatable. Sizes that depend on data, and text, must not change between runs.
  public func repeating(_ inputs: [HostTensor]) throws(DiagnosticError) -> RepeatedRun {
    try RepeatedRun(self, inputs.map { .tensor($0) })
  }

  /// The same for values of any kind.
  public func repeating(values: [HostValue]) throws(DiagnosticError) -> RepeatedRun { try RepeatedRun(self, values) }
}
