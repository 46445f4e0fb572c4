import SinterCore

/// States that are written over.
///
/// A state has memory for its current and its next value, so that a run that fails changes none. One block is enough where
///
/// - nothing reads the current value once the next one is being written. The call that writes it may itself read it, element by element
///   (`Call.overwritable`);
/// - nothing can fail from that call on.
///
/// Steps of training end with the updates of all parameters, so that this holds for nearly all of them.
extension KernelProgram {
  /// Sets `statesInPlace`.
  package mutating func findStatesInPlace() {
    statesInPlace = []
    // What callers see as lists, maps or texts is made from tensors after all steps, which takes memory.
    if hasStructures || outputs.contains(where: { $0.type.element == .string }) { return }
    let first = steps.indices.last { canFail(steps[$0]) }.map { $0 + 1 } ?? steps.startIndex
    var uses: [BufferID: (first: Int, last: Int)] = [:]
    for (index, step) in steps.enumerated() {
      for buffer in step.buffers { uses[buffer] = (uses[buffer]?.first ?? index, index) }
    }
    for (number, state) in states.enumerated() {
      guard let output = state.output, let current = onlyBuffer(ofInput: state.input),
        let next = onlyBuffer(ofOutput: output),
        buffers[current].element == buffers[next].element, buffers[current].count == buffers[next].count
      else { continue }
      guard let begin = uses[next]?.first, begin >= first else { continue }
      let end = uses[current]?.last ?? -1
      if end < begin || end == begin && isWritten(next, over: current, in: steps[begin]) {
        statesInPlace.insert(number)
      }
    }
  }

  /// For the buffer of each next value that is written over a current one, the buffer of that.
  package var bufferPairsInPlace: [BufferID: BufferID] {
    var pairs: [BufferID: BufferID] = [:]
    for number in statesInPlace {
      let state = states[number]
      if let output = state.output, let current = onlyBuffer(ofInput: state.input),
        let next = onlyBuffer(ofOutput: output)
      {
        pairs[next] = current
      }
    }
    return pairs
  }

  /// Whether the two are the current and the next value of a state that is written over.
  package func isStateInPlace(_ current: BufferID, _ next: BufferID) -> Bool {
    guard case .input(let input) = buffers[current].storage, case .output(let output) = buffers[next].storage else {
      return false
    }
    return statesInPlace.contains { states[$0].input == input && states[$0].output == output }
  }

  /// Whether a step may write one buffer over the other, which it reads.
  private func isWritten(_ next: BufferID, over current: BufferID, in step: Step) -> Bool {
    guard case .call(let call) = step else { return false }
    let parameters = kernels[call.kernel].parameters
    return zip(call.buffers, parameters).enumerated().allSatisfy { index, pair in
      let (argument, parameter) = pair
      if argument.buffer == current { return call.overwritable.contains(index) && argument.offset == 0 }
      return argument.buffer != next || parameter.access == .write && argument.offset == 0
    }
  }

  /// Whether a run may end with an error in a step.
  private func canFail(_ step: Step) -> Bool {
    switch step {
    case .call(let call): kernels[call.kernel].body.canFail
    case .invoke, .require, .reserve, .grow, .output: true
    case .define(let definitions): definitions.contains { if case .element = $0.source { true } else { false } }
    case .loop, .branch: step.parts.contains { $0.contains(where: canFail) }
    }
  }

  private func onlyBuffer(ofInput number: Int) -> BufferID? {
    only { if case .input(number) = $0 { true } else { false } }
  }

  private func onlyBuffer(ofOutput number: Int) -> BufferID? {
    only { if case .output(number) = $0 { true } else { false } }
  }

  private func only(_ matches: (Buffer.Storage) -> Bool) -> BufferID? {
    let found = buffers.indices.filter { matches(buffers[$0].storage) }
    return found.count == 1 ? found.first : nil
  }
}

extension Block {
  /// Whether a check in it may end the kernel with an error.
  fileprivate var canFail: Bool {
    statements.contains { statement in
      switch statement {
      case .check: true
      case .loop(let loop): loop.body.canFail
      case .branch(let branch): branch.then.canFail || branch.otherwise.canFail
      default: false
      }
    }
  }
}
