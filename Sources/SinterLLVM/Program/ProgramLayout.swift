import SinterCore
import SinterKernelIR

/// Where everything of a program lies: sizes in slots, constants in the weights, buffers between steps.
struct ProgramLayout {
  struct Buffer {
    /// Steps, counted over the whole program, between which an arena buffer keeps its contents.
    var first = 0, last = 0
    /// The slot that holds its bytes; arena buffers only.
    var bytesSlot = 0
    /// Of a constant, in the weights.
    var weightOffset = 0
  }

  /// A size that must not be negative, and the error that tells so.
  struct Requirement {
    var size: Dim
    var error: Int
  }

  /// Bound by the shapes of inputs; they fill the first slots.
  private(set) var symbols: [Symbol] = []
  private(set) var slots: [Dim] = []
  private var slotNumbers: [Dim: Int] = [:]
  private(set) var buffers: [Buffer] = []
  private(set) var outputSlots: [[Int]] = []
  private(set) var requirements: [Requirement] = []
  /// What callers' sizes must fulfil, with the slots of both sides and the error that tells otherwise.
  private(set) var obligations: [(relation: Obligation.Relation, left: Int, right: Int, error: Int)] = []
  /// The errors of what sizes must fulfil that data determine.
  private(set) var obligationErrors: [Obligation: Int] = [:]
  /// The slots of sizes that become known during a run.
  private(set) var dataSlots: Set<Int> = []
  private(set) var errors: [String]
  /// Where the weights hold what each state starts with; nil for zeros.
  private(set) var initialStates: [Int?] = []
  /// Where the weights hold the texts that the program knows by number; nil where it knows none but the empty one.
  private(set) var texts: TextLayout?
  /// The error for sizes beyond 64 bits.
  let overflowError: Int

  /// Lays out a program whose constants are added to `weights`.
  init(_ program: KernelProgram, weights: inout WeightLayout) throws {
    errors = program.errors
    overflowError = errors.count
    errors.append("sizes are too large for this processor")
    bindSymbols(program)
    for index in symbols.indices { slotNumbers[Dim(symbols[index])] = index }
    slots = symbols.map { Dim($0) }

    for port in program.inputs {
      for dim in port.type.shape where !dim.isConstant { slot(dim) }
    }
    for symbol in program.steps.flatMap(\.definitions) { dataSlots.insert(slot(Dim(symbol))) }
    for port in program.outputs {
      outputSlots.append(
        port.type.shape.map { dim in
          guard dim.isFromData, dim.symbol == nil else { return slot(dim) }
          // Computed when the output is made: nothing else may read it before.
          slots.append(dim)
          dataSlots.insert(slots.count - 1)
          return slots.count - 1
        })
      for dim in port.type.shape where !dim.isFromData { require(dim, "the size \(dim) of output \(port.name)") }
    }
    layOutObligations(program)
    layOutBuffers(program, &weights)
    initialStates = program.states.map { state in
      let bytes = state.initial.bytes
      return bytes.withBytes { $0.allSatisfy { $0 == 0 } } ? nil : weights.add(bytes, count: bytes.count)
    }
    texts = TextLayout(program.texts, &weights)
    layOutSteps(program)
    try checkSymbols(program)
  }

  /// The slot of a size, made where there is none.
  @discardableResult
  mutating func slot(_ dim: Dim) -> Int {
    if let number = slotNumbers[dim] { return number }
    slots.append(dim)
    slotNumbers[dim] = slots.count - 1
    return slots.count - 1
  }

  func knownSlot(_ dim: Dim) -> Int? { slotNumbers[dim] }

  private mutating func require(_ dim: Dim, _ what: String) {
    if let value = dim.value, value >= 0 { return }
    if dim.symbol != nil || requirements.contains(where: { $0.size == dim }) { return }
    requirements.append(Requirement(size: dim, error: errors.count))
    errors.append("\(what) would be negative")
  }

  private mutating func layOutObligations(_ program: KernelProgram) {
    let origins = SizeOrigins(program)
    func text(_ obligation: Obligation) -> String {
      let message = obligation.message(
        left: origins.value(obligation.left, "%0"), right: origins.value(obligation.right, "%1"))
      return obligation.origin.isEmpty ? message : message + " (" + obligation.origin.joined(separator: ", ") + ")"
    }
    for obligation in program.obligations {
      obligations.append((obligation.relation, slot(obligation.left), slot(obligation.right), errors.count))
      errors.append(text(obligation))
    }
    func visit(_ steps: [KernelProgram.Step]) {
      for step in steps {
        if case .require(let obligation) = step, obligationErrors[obligation] == nil {
          obligationErrors[obligation] = errors.count
          errors.append(text(obligation))
        }
        step.parts.forEach(visit)
      }
    }
    visit(program.steps)
  }

  private mutating func bindSymbols(_ program: KernelProgram) {
    var seen: Set<Symbol> = []
    for port in program.inputs {
      for dim in port.type.shape {
        if let symbol = dim.symbol, seen.insert(symbol).inserted { symbols.append(symbol) }
      }
    }
  }

  // MARK: Buffers

  private mutating func layOutBuffers(_ program: KernelProgram, _ weights: inout WeightLayout) {
    buffers = program.buffers.elements.map { _ in Buffer(first: Int.max, last: -1) }
    for (index, buffer) in program.buffers.elements.enumerated() {
      switch buffer.storage {
      case .constant(let tensor):
        let bytes = max(buffer.element.byteCount(buffer.count.value ?? 0), tensor.bytes.count)
        buffers[index].weightOffset = weights.add(tensor.bytes, count: bytes)
      case .arena:
        if buffer.count.value == nil {
          require(buffer.count, "the size \(buffer.count) of a value inside (\(buffer.name))")
        }
        buffers[index].bytesSlot = slot(bytes(of: buffer))
      case .input, .output, .dynamic: break
      }
    }
  }

  private func bytes(of buffer: KernelProgram.Buffer) -> Dim { Self.bytes(of: buffer.count, buffer.element) }

  static func bytes(of count: Dim, _ element: ElementType) -> Dim {
    if let count = count.value { return Dim(element.byteCount(count)) }
    return element.bits >= 8 ? count * Dim(element.bits / 8) : (count * Dim(element.bits)).ceilDivided(by: Dim(8))
  }

  // MARK: Steps

  private mutating func layOutSteps(_ program: KernelProgram) {
    var number = 0
    visit(program.steps, iterations: [], number: &number)
    for index in buffers.indices where buffers[index].last < 0 {
      buffers[index].first = 0
      buffers[index].last = 0
    }
  }

  private mutating func visit(_ steps: [KernelProgram.Step], iterations: Set<Symbol>, number: inout Int) {
    for step in steps {
      let start = number
      switch step {
      case .call(let call):
        number += 1
        for dim in call.sizes + call.buffers.map(\.offset) + [call.tasks] { keep(dim, iterations) }
      case .loop(let iteration, let count, let condition, let body):
        keep(count, iterations)
        if let condition { keep(condition.offset, iterations.union([iteration])) }
        visit(body, iterations: iterations.union([iteration]), number: &number)
      case .invoke(let invocation):
        number += 1
        for dim in invocation.counts + invocation.buffers.map(\.offset) { keep(dim, iterations) }
      case .branch, .define, .require, .reserve, .grow, .output:
        number += 1
        for argument in step.ownArguments { keep(argument.offset, iterations) }
        for part in step.parts { visit(part, iterations: iterations, number: &number) }
      }
      // What a loop touches stays for all its iterations.
      for buffer in step.buffers {
        buffers[buffer.position].first = min(buffers[buffer.position].first, start)
        buffers[buffer.position].last = max(buffers[buffer.position].last, max(start, number - 1))
      }
    }
  }

  /// Sizes that depend on no iteration are computed ahead, once for each shape.
  private mutating func keep(_ dim: Dim, _ iterations: Set<Symbol>) {
    if !dim.isConstant, !dim.isFromData, iterations.isDisjoint(with: dim.symbols) { slot(dim) }
  }

  // MARK: Symbols

  private func checkSymbols(_ program: KernelProgram) throws {
    let known = Set(symbols).union(program.steps.flatMap(\.definitions))
    var unknown: [Symbol: Dim] = [:]
    for dim in slots {
      for symbol in dim.symbols where !known.contains(symbol) && unknown[symbol] == nil { unknown[symbol] = dim }
    }
    if unknown.isEmpty { return }
    throw DiagnosticError(
      unknown.sorted { $0.key < $1.key }.map { symbol, dim in
        Diagnostic(
          .limit, "library.symbol", "the size \(dim) depends on \(symbol.name), which is no dimension of an input",
          at: program.origin(of: symbol),
          hint: "make \(symbol.name) a dimension of some input by itself, or give it a number")
      })
  }
}

extension KernelProgram {
  /// Where a size comes from, as far as that can be told: what the first buffer with that size belongs to.
  fileprivate func origin(of symbol: Symbol) -> [String] {
    let first = buffers.elements.first { $0.count.symbols.contains(symbol) && !$0.origin.isEmpty }
    return first.map { Array($0.origin.prefix(1)) } ?? [name]
  }
}
