public import SinterCore
internal import SinterABI

/// One model, ready to run. Sessions of a library are independent of each other; one session runs one call at a time, and
/// throws `run.busy` where another thread is inside it.
public final class Session: @unchecked Sendable {
  // The C session guards itself against concurrent runs.
  let session: OpaquePointer
  /// The library that it runs.
  public let library: CompiledLibrary

  /// - Parameter limitsMemory: its memory counts as that of tensors does, and is held to `MemoryLimit`.
  init(
    _ library: CompiledLibrary, threads: Int, weights: String?, limitsMemory: Bool = false
  ) throws(DiagnosticError) {
    var options = SinterOptions()
    options.size = MemoryLayout<SinterOptions>.size
    options.threads = Int32(clamping: threads)
    if limitsMemory { SessionMemory.use(in: &options) }
    var session: OpaquePointer?
    let status: Int32
    if let weights {
      status = weights.withCString { path in
        options.weights = path
        return library.table.pointee.open(&options, &session)
      }
    } else {
      status = library.table.pointee.open(&options, &session)
    }
    guard status == 0, let session else {
      throw DiagnosticError(status: status, library.table.pointee.message(nil), library)
    }
    self.session = session
    self.library = library
  }

  deinit { library.table.pointee.close(session) }

  /// Runs the model on one tensor per port, in port order, and gives one per output.
  public func run(_ inputs: [HostTensor]) throws(DiagnosticError) -> [HostTensor] {
    let outputs = try run(values: inputs.map { .tensor($0) })
    var tensors: [HostTensor] = []
    for (output, port) in zip(outputs, library.outputs) {
      guard let tensor = output.tensor else {
        throw DiagnosticError(
          .user, "run.kind", "output '\(port.name)' of \(library.path) is no tensor", hint: "call run(values:)")
      }
      tensors.append(tensor)
    }
    return tensors
  }

  /// Runs the model on one value per port, in port order, and gives one per output. Outputs are not copied: they hold the library's memory.
  ///
  /// - Throws: where a tensor has not as many elements as its shape says, among what the library refuses.
  public func run(values: [HostValue]) throws(DiagnosticError) -> [HostValue] {
    for (value, port) in zip(values, library.inputs) {
      if let problem = value.tensor?.problem {
        throw DiagnosticError(.user, "run.contents", "input '\(port.name)': \(problem)", at: [library.path])
      }
    }
    return try rawOutputs(ValueArguments(values), count: values.count).map { OutputMemory($0, library).value }
  }

  /// Outputs that the library allocates.
  func rawOutputs(_ arguments: ValueArguments, count: Int) throws(DiagnosticError) -> [SinterValue] {
    var outputs = [SinterValue](repeating: SinterValue(), count: library.outputs.count)
    try run(arguments, count: count, into: &outputs)
    return outputs
  }

  /// Runs once; outputs that are not zero are memory of the caller's.
  func run(_ arguments: ValueArguments, count: Int, into outputs: inout [SinterValue]) throws(DiagnosticError) {
    let table = library.table.pointee
    guard count == library.inputs.count else {
      let names = library.inputs.map(\.description).joined(separator: ", ")
      throw DiagnosticError(
        .user, "run.count", "\(library.name) takes \(library.inputs.count) inputs, given \(count)",
        hint: "it takes \(names)")
    }
    let status = withExtendedLifetime(arguments) { table.run(session, arguments.values, &outputs) }
    guard status == 0 else { throw DiagnosticError(status: status, table.message(session), library) }
  }
}

extension DiagnosticError {
  /// A SinterStatus with the sentence that came with it.
  init(status: Int32, _ message: UnsafePointer<CChar>?, _ library: CompiledLibrary) {
    let (kind, id): (Diagnostic.Kind, String) =
      switch SinterStatus(UInt32(bitPattern: status)) {
      case SINTER_INVALID_ARGUMENT: (.user, "run.argument")
      case SINTER_SHAPE_MISMATCH: (.user, "run.shape")
      case SINTER_OUT_OF_MEMORY: (.limit, "run.memory")
      case SINTER_BUSY: (.user, "run.busy")
      case SINTER_UNSUPPORTED_CPU: (.limit, "run.processor")
      case SINTER_RUNTIME_ERROR: (.user, "run.data")
      default: (.bug, "run.status")
      }
    let text = message.map { String(cString: $0) } ?? "status \(status)"
    let isOverLimit = id == "run.memory" && MemoryLimit.bytes < .max
    self.init(
      kind, id, isOverLimit ? "\(text): \(MemoryLimit.state)" : text, at: [library.path],
      hint: isOverLimit ? "give a larger --memory-limit, or smaller sizes" : nil)
  }
}
