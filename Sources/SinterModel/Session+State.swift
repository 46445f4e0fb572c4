public import SinterCore
internal import SinterABI

/// What a session keeps from run to run, where its library has state: the parameters that a training step changes, say. All functions throw
/// `run.busy` while another thread is inside the session, and `run.state` for a name that the library does not know.
extension Session {
  /// A copy of a state.
  public func state(_ name: String) throws(DiagnosticError) -> HostTensor {
    let index = try stateIndex(name)
    var value = SinterValue()
    try check(library.table.pointee.read_state(session, index, &value))
    guard let tensor = OutputMemory(value, library).value.tensor else {
      throw DiagnosticError(.bug, "run.state", "state '\(name)' of \(library.path) is no tensor")
    }
    return tensor
  }

  /// Replaces a state by a tensor of the same element type and shape.
  public func setState(_ name: String, to tensor: HostTensor) throws(DiagnosticError) {
    let index = try stateIndex(name)
    let arguments = ValueArguments([.tensor(tensor)])
    try check(withExtendedLifetime(arguments) { library.table.pointee.write_state(session, index, arguments.values) })
  }

  /// Writes all states as a safetensors file. What was there is replaced when all is written.
  public func saveState(to path: String) throws(DiagnosticError) {
    try needState()
    try check(path.withCString { library.table.pointee.save_state(session, $0) })
  }

  /// Reads back what `saveState` wrote. The state of another model is refused, with how many tensors differ and how the first of them do,
  /// and changes nothing.
  public func restoreState(from path: String) throws(DiagnosticError) {
    try needState()
    try check(path.withCString { library.table.pointee.restore_state(session, $0) })
  }

  private func stateIndex(_ name: String) throws(DiagnosticError) -> Int {
    try needState()
    guard let index = library.states.firstIndex(where: { $0.name == name }) else {
      throw DiagnosticError(
        .user, "run.state", "\(library.path) has no state named '\(name)'",
        hint: "its states are \(library.states.map(\.name).joined(separator: ", "))")
    }
    return index
  }

  private func needState() throws(DiagnosticError) {
    guard library.states.isEmpty else { return }
    throw DiagnosticError(.user, "run.state", "\(library.path) keeps no state")
  }

  private func check(_ status: Int32) throws(DiagnosticError) {
    guard status != 0 else { return }
    throw DiagnosticError(status: status, library.table.pointee.message(session), library)
  }
}
