import SinterCore
import SinterKernelIR

extension KernelProgram {
  /// Relations between sizes that callers choose are checked once for each choice, before anything runs: they leave the steps.
  mutating func takeObligationsOut() {
    var rest: [Step] = []
    for step in steps {
      if case .require(let obligation) = step, !obligation.symbols.contains(where: \.isFromData) {
        if !obligations.contains(where: { $0.isSameRelation(as: obligation) }) { obligations.append(obligation) }
      } else {
        rest.append(step)
      }
    }
    steps = rest
  }

  /// Gives each buffer that data size memory before the first step that touches it, in the list of steps in which its sizes become known, and
  /// has outputs made there.
  mutating func placeReservations() {
    var placement = ReservationPlacement(program: self)
    let known = Set(buffers.elements.flatMap { $0.count.symbols }.filter { !$0.isFromData })
    steps = placement.placed(steps, known: known)
    // Outputs that nothing writes, since they never have elements.
    for port in outputs.indices where outputs[port].isFromData && !placement.made.contains(port) {
      steps.append(.output(port))
    }
  }

  /// Lets lists of steps that may not run have buffers that would be less than empty: what only such lists touch is empty there, and a list that
  /// does run requires its sizes first.
  mutating func requireSizesInside() {
    let outside = Set(steps.flatMap { $0.ownArguments.map(\.buffer) })
    var open: Set<BufferID> = []
    for id in buffers.indices where !outside.contains(id) && !buffers[id].count.isNonNegative() {
      switch buffers[id].storage {
      case .arena, .dynamic: open.insert(id)
      case .input, .output, .constant: break
      }
    }
    if open.isEmpty { return }
    steps = steps.map { requiring(open, in: $0) }
    for id in open { buffers[id].count = Dim.max(buffers[id].count, 0) }
  }

  private func requiring(_ open: Set<BufferID>, in step: Step) -> Step {
    func inside(_ steps: [Step]) -> [Step] {
      var required: Set<BufferID> = []
      return steps.flatMap { step -> [Step] in
        let touched = step.ownArguments.map(\.buffer).filter { open.contains($0) && required.insert($0).inserted }
        let requirements = touched.map { id in
          Step.require(
            Obligation(
              .atLeast, buffers[id].count, 0, subject: "number of elements of \(buffers[id].name)",
              origin: buffers[id].origin))
        }
        return requirements + [requiring(open, in: step)]
      }
    }
    switch step {
    case .loop(let iteration, let count, let condition, let body):
      return .loop(iteration: iteration, count: count, condition: condition, body: inside(body))
    case .branch(let condition, let then, let otherwise):
      return .branch(condition: condition, then: inside(then), otherwise: inside(otherwise))
    case .call, .invoke, .define, .require, .reserve, .grow, .output: return step
    }
  }
}

extension KernelProgram.Port {
  /// Whether data determine a size of it.
  package var isFromData: Bool { type.shape.contains(where: \.isFromData) }
}

private struct ReservationPlacement {
  let program: KernelProgram
  /// Buffers that have memory where the walk is.
  private var reserved: Set<BufferID> = []
  private(set) var made: Set<Int> = []

  init(program: KernelProgram) { self.program = program }

  mutating func placed(_ steps: [KernelProgram.Step], known outer: Set<Symbol>) -> [KernelProgram.Step] {
    var known = outer
    var result: [KernelProgram.Step] = []
    for step in steps {
      if case .reserve(let buffer) = step { reserved.insert(buffer) }
      if case .grow(let buffer, _) = step { reserved.insert(buffer) }
      // Sizes that change inside a step are given memory inside of it.
      let changing = Set(step.parts.flatMap { $0.flatMap(\.definitions) })
      for buffer in step.buffers where !reserved.contains(buffer) {
        let item = program.buffers[buffer]
        guard item.count.isFromData || isOutputFromData(item),
          sizes(of: item).allSatisfy({ known.contains($0) && !changing.contains($0) })
        else { continue }
        switch item.storage {
        case .dynamic: result.append(.reserve(buffer))
        case .output(let port):
          if made.insert(port).inserted { result.append(.output(port)) }
        case .input, .constant, .arena: continue
        }
        reserved.insert(buffer)
      }
      switch step {
      case .loop(let iteration, let count, let condition, let body):
        // What the body makes known at its end, its next iteration knows from the start.
        let inner = placed(body, known: known.union([iteration]))
        result.append(.loop(iteration: iteration, count: count, condition: condition, body: inner))
      case .branch(let condition, let then, let otherwise):
        let (before, madeBefore) = (reserved, made)
        var first = placed(then, known: known)
        let (afterFirst, madeFirst) = (reserved, made)
        (reserved, made) = (before, madeBefore)
        var second = placed(otherwise, known: known)
        reserved.formUnion(afterFirst)
        // A list that writes no element of an output knows its size all the same.
        first += made.subtracting(madeFirst).sorted().map { .output($0) }
        second += madeFirst.subtracting(made).sorted().map { .output($0) }
        made.formUnion(madeFirst)
        result.append(.branch(condition: condition, then: first, otherwise: second))
      case .call, .invoke, .define, .require, .reserve, .grow, .output: result.append(step)
      }
      known.formUnion(step.definitions)
    }
    return result
  }

  private func isOutputFromData(_ buffer: KernelProgram.Buffer) -> Bool {
    if case .output(let port) = buffer.storage { program.outputs[port].isFromData } else { false }
  }

  private func sizes(of buffer: KernelProgram.Buffer) -> [Symbol] {
    if case .output(let port) = buffer.storage {
      return program.outputs[port].type.shape.flatMap(\.symbols).filter(\.isFromData)
    }
    return buffer.count.symbols.filter(\.isFromData)
  }
}
