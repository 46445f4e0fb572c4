import SinterCore
import SinterKernel

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
  private(set) var errors: [String]
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
    for port in program.outputs {
      outputSlots.append(port.type.shape.map { slot($0) })
      for dim in port.type.shape { require(dim, "the size \(dim) of output \(port.name)") }
    }
    layOutBuffers(program, &weights)
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
      case .input, .output: break
      }
    }
  }

  private func bytes(of buffer: KernelProgram.Buffer) -> Dim {
    if let count = buffer.count.value { return Dim(buffer.element.byteCount(count)) }
    let bits = buffer.element.bits
    return bits >= 8 ? buffer.count * Dim(bits / 8) : (buffer.count * Dim(bits)).ceilDivided(by: Dim(8))
  }

  // MARK: Steps

  private mutating func layOutSteps(_ program: KernelProgram) {
    var number = 0
    visit(program.steps, turns: [], number: &number)
    for index in buffers.indices where buffers[index].last < 0 {
      buffers[index].first = 0
      buffers[index].last = 0
    }
  }

  private mutating func visit(_ steps: [KernelProgram.Step], turns: Set<Symbol>, number: inout Int) {
    for step in steps {
      let start = number
      switch step {
      case .call(let call):
        number += 1
        for dim in call.sizes + call.buffers.map(\.offset) + [call.tasks] { keep(dim, turns) }
      case .loop(let turn, let count, let body):
        keep(count, turns)
        visit(body, turns: turns.union([turn]), number: &number)
      }
      // What a loop touches stays for all its turns.
      for buffer in step.buffers {
        buffers[buffer.position].first = min(buffers[buffer.position].first, start)
        buffers[buffer.position].last = max(buffers[buffer.position].last, max(start, number - 1))
      }
    }
  }

  /// Sizes that depend on no turn are computed ahead, once for each shape.
  private mutating func keep(_ dim: Dim, _ turns: Set<Symbol>) {
    if !dim.isConstant, turns.isDisjoint(with: dim.symbols) { slot(dim) }
  }

  // MARK: Symbols

  private func checkSymbols(_ program: KernelProgram) throws {
    let known = Set(symbols)
    var unknown: [Symbol: Dim] = [:]
    for dim in slots {
      for symbol in dim.symbols where !known.contains(symbol) && unknown[symbol] == nil { unknown[symbol] = dim }
    }
    if unknown.isEmpty { return }
    throw DiagnosticError(
      unknown.sorted { $0.key < $1.key }.map { symbol, dim in
        Diagnostic(
          .limit, "library.symbol", "the size \(dim) depends on \(symbol.name), which is no dimension of an input",
          at: program.origin(of: symbol), hint: "make \(symbol.name) a dimension of some input by itself, or give it a number")
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

extension KernelProgram.Step {
  /// The buffers that it touches.
  var buffers: [BufferID] {
    switch self {
    case .call(let call): call.buffers.map(\.buffer)
    case .loop(_, _, let body): body.flatMap(\.buffers)
    }
  }
}
