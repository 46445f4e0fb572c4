import SinterCore

/// Runs a form program on host tensors. This defines what forms mean: schedules, fusion and generated code are held against it, and
/// constants are folded with it.
///
/// Sums and products of floats are accumulated in Double and rounded once; contractions of floats are OpenBLAS's.
package struct FormInterpreter {
  package let program: FormProgram
  /// A value with more elements is not supported, even where there is room for it.
  package let largest: Int

  package init(_ program: FormProgram, largest: Int = .max) {
    self.program = program
    self.largest = largest
  }

  /// The values of the program's outputs for those of its inputs, in order.
  ///
  /// - Parameter symbols: sizes known besides those that the inputs' shapes tell.
  /// - Throws: `DiagnosticError`: of kind `user` where the inputs do not fit the program or a check fails at run time, of kind `bug`
  ///   where the program is wrong.
  package func run(_ inputs: [HostTensor], symbols: [Symbol: Int] = [:]) throws -> [HostTensor] {
    let memory = FormMemory(program, largest: largest)
    memory.symbols = try SymbolBinding.bind(program, to: inputs.map { ($0.element, $0.shape) }, symbols: symbols)
    for (input, tensor) in zip(program.inputs, inputs) {
      memory[input.value] = memory.number(tensor, as: program.values[input.value].type.element)
    }
    try run(program.steps, memory, isOuter: true)
    return try program.outputs.map { output in
      let stored = try memory.value(output.value)
      return memory.tensor(stored, as: output.declared?.element ?? stored.element)
    }
  }

  private func run(_ steps: [FormProgram.Step], _ memory: FormMemory, isOuter: Bool) throws {
    var lastUses: [Int: [FormValueID]] = [:]
    if isOuter {
      var kept = Set(program.outputs.map(\.value))
      for index in steps.indices.reversed() {
        for operand in steps[index].operands where kept.insert(operand).inserted {
          lastUses[index, default: []].append(operand)
        }
      }
    }
    for (index, step) in steps.enumerated() {
      switch step {
      case .compute(let value, let form): try compute(value, form, memory)
      case .rows(let group):
        for member in group.members { try compute(member.value, member.form, memory) }
        for member in group.members where !group.stored.contains(member.value) { memory.release(member.value) }
      case .repetition(let repetition): try run(repetition, memory)
      case .branch(let branch): try run(branch, memory)
      case .define(let symbol, let source): try define(symbol, source, memory)
      case .require(let obligation): try obligation.check(memory.symbols, dependsOnData: !isOuter)
      }
      for value in lastUses[index] ?? [] { memory.release(value) }
    }
  }

  private func compute(_ value: FormValueID, _ form: Form, _ memory: FormMemory) throws {
    let declared = program.values[value]
    let shape = try memory.sizes(declared.type.shape)
    do {
      let raw: FormMemory.Stored
      switch form {
      case .element(let form): raw = try materialize(form.body, shape, memory)
      case .reduce(let form): raw = try reduce(form, shape, memory)
      case .contract(let form): raw = try contract(form, shape, memory)
      case .attend(let form): raw = try attend(form, shape, memory)
      case .convolve(let form): raw = try convolve(form, shape, memory)
      case .scan(let form): raw = try scan(form, shape, memory)
      case .scatter(let form): raw = try scatter(form, declared.type.element, shape, memory)
      case .sort(let form): raw = try sort(form, shape, memory)
      case .call(let form): raw = try call(form, declared.type.element, shape, memory)
      }
      let result = try form.epilogue.map { try materialize($0, shape, memory, accumulators: [raw]) } ?? raw
      guard result.element == declared.type.element else {
        throw DiagnosticError(
          .bug, "form.type", "\(value) is declared as \(declared.type.element), but its form gives \(result.element)")
      }
      try memory.set(value, result, of: shape)
    } catch let error as DiagnosticError {
      throw declared.origin.first.map { error.located(at: $0) } ?? error
    }
  }

  /// All elements of the first result of a body.
  func materialize(
    _ body: Body, _ extents: [Int], _ memory: FormMemory, accumulators: [FormMemory.Stored] = []
  ) throws -> FormMemory.Stored {
    try memory.requireRoom(extents)
    let evaluator = try BodyEvaluator(body, extents: extents, memory: memory, accumulators: accumulators)
    let count = extents.reduce(1, *)
    let type = evaluator.type(ofResult: 0)
    let bytes = try TensorBytes(limited: (type == .string ? .i64 : type).byteCount(count)) { out in
      guard let base = out.baseAddress else { return }
      try evaluator.forEachChunk(in: 0..<count) { start, count in
        try evaluator.encode(0, count: count, to: base, at: start)
      }
    }
    return FormMemory.Stored(element: type, shape: extents, bytes: bytes)
  }

  // MARK: Sizes

  private func define(_ symbol: Symbol, _ source: FormProgram.SizeSource, _ memory: FormMemory) throws {
    switch source {
    case .size(let dim): memory.symbols[symbol] = try memory.size(dim)
    case .element(let value, let error):
      let size = try memory.element(value)
      guard size >= 0 else { throw memory.error(error, value: size, bound: 0) }
      memory.symbols[symbol] = Int(size)
    }
  }

  private func run(_ branch: FormProgram.Branch, _ memory: FormMemory) throws {
    let isTaken = try memory.element(branch.condition) != 0
    try run(isTaken ? branch.then : branch.otherwise, memory, isOuter: false)
    for size in branch.sizes { memory.symbols[size.symbol] = try memory.size(isTaken ? size.then : size.otherwise) }
    for item in branch.results { try memory.set(item.result, try memory.value(isTaken ? item.then : item.otherwise)) }
  }

  // MARK: Repetition

  private func run(_ repetition: FormProgram.Repetition, _ memory: FormMemory) throws {
    let count = try memory.size(repetition.count)
    for size in repetition.sizes { memory.symbols[size.current] = try memory.size(size.initial) }
    var carried = try repetition.carried.map { try memory.value($0.initial) }
    let wholes = try repetition.inputs.map { try memory.value($0.whole) }
    for (whole, input) in zip(wholes, repetition.inputs) where whole.shape.first != count {
      throw DiagnosticError(.bug, "form.repetition", "\(input.whole) has \(whole.shape) for \(count) iterations")
    }
    var collected: [RowStore] = try repetition.outputs.map { output in
      let type = program.values[output.whole].type
      // How many there will be may not be known yet.
      let rows = repetition.iterations == nil ? try memory.size(type.shape[0]) : nil
      return RowStore(type.element, rows: rows)
    }
    var iterations = 0
    for iteration in 0..<Swift.max(count, 0) {
      func place(_ isReversed: Bool) -> Int { isReversed ? count - 1 - iteration : iteration }
      for (value, variable) in zip(carried, repetition.carried) { try memory.set(variable.current, value) }
      if let condition = repetition.condition, try memory.element(condition) == 0 { break }
      for (whole, input) in zip(wholes, repetition.inputs) {
        try memory.set(input.slice, RowStore.row(place(input.isReversed), of: whole))
      }
      try run(repetition.body, memory, isOuter: false)
      carried = try repetition.carried.map { try memory.value($0.next) }
      for (index, output) in repetition.outputs.enumerated() {
        collected[index].set(place(output.isReversed), try memory.value(output.slice))
      }
      let next = try repetition.sizes.map { try memory.size($0.next) }
      for (size, value) in zip(repetition.sizes, next) { memory.symbols[size.current] = value }
      iterations += 1
    }
    if let symbol = repetition.iterations { memory.symbols[symbol] = iterations }
    for size in repetition.sizes { memory.symbols[size.final] = memory.symbols[size.current] }
    for (value, variable) in zip(carried, repetition.carried) { try memory.set(variable.final, value) }
    for (rows, output) in zip(collected, repetition.outputs) {
      memory[output.whole] = try rows.finished(try memory.sizes(program.values[output.whole].type.shape))
    }
  }
}

/// Values of equal shape gathered along a new first axis.
private struct RowStore {
  private let element: ElementType
  private var rows: [FormMemory.Stored?]

  /// - Parameter rows: how many there will be; nil where they come one after another until no more come.
  init(_ element: ElementType, rows: Int?) {
    self.element = element
    self.rows = Array(repeating: nil, count: rows ?? 0)
  }

  mutating func set(_ index: Int, _ row: FormMemory.Stored) {
    if index == rows.count { rows.append(row) } else { rows[index] = row }
  }

  static func row(_ index: Int, of whole: FormMemory.Stored) -> FormMemory.Stored {
    let shape = Array(whole.shape.dropFirst())
    let count = shape.reduce(1, *)
    return FormMemory.Stored(
      element: whole.element, shape: shape,
      bytes: TensorBytes(count: whole.codec.byteCount(count)) { out in
        copy(whole.codec, count, from: whole.base, at: index * count, to: out, at: 0)
      })
  }

  func finished(_ shape: [Int]) throws -> FormMemory.Stored {
    let codec = element == .string ? .i64 : element
    let count = shape.dropFirst().reduce(1, *)
    guard shape[0] == rows.count, rows.allSatisfy({ $0.map { $0.count == count } ?? false }) else {
      throw DiagnosticError(
        .user, "form.repetition", "slices of \(rows.map { $0?.shape ?? [] }) are collected into the shape \(shape)")
    }
    return FormMemory.Stored(
      element: element, shape: shape,
      bytes: try TensorBytes(limited: codec.byteCount(count * rows.count)) { out in
        for (index, row) in rows.enumerated() {
          if let row { Self.copy(codec, count, from: row.base, at: 0, to: out, at: index * count) }
        }
      })
  }

  private static func copy(
    _ type: ElementType, _ count: Int, from source: UnsafeRawPointer, at first: Int,
    to target: UnsafeMutableRawBufferPointer, at place: Int
  ) {
    guard let base = target.baseAddress, count > 0 else { return }
    if type.bits >= 8 {
      let size = type.bits / 8
      (base + place * size).copyMemory(from: source + first * size, byteCount: count * size)
    } else {
      // Packed elements move as the bits of integers of their width.
      let carrier: ElementType = type.bits == 4 ? .u4 : .u2
      withUnsafeTemporaryAllocation(of: Int64.self, capacity: count) { values in
        guard let values = values.baseAddress else { return }
        ElementCodec.decode(carrier, source, count: count, into: values) { $0 &+ first }
        ElementCodec.encode(carrier, values, count: count, to: base) { $0 &+ place }
      }
    }
  }
}
