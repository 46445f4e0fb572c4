import SinterCore

/// Runs a kernel program on host memory, slowly: each access is checked against its buffer, and so is the promise that tasks of one call
/// write different memory. Schedules and generated code are held against it.
package struct KernelInterpreter {
  package let program: KernelProgram

  package init(_ program: KernelProgram) { self.program = program }

  /// The outputs for some inputs.
  ///
  /// - Parameter symbols: sizes known besides those that the inputs' shapes tell.
  /// - Throws: `DiagnosticError`: of kind `user` where a check fails, of kind `bug` where a kernel is wrong.
  package func run(_ inputs: [HostTensor], symbols: [Symbol: Int] = [:]) throws -> [HostTensor] {
    var symbols = symbols
    for (port, tensor) in zip(program.inputs, inputs) {
      guard port.type.rank == tensor.rank, port.type.element == tensor.element else {
        throw DiagnosticError(.user, "run.input", "input \(port.name) must be \(port.type), but is \(tensor.type)")
      }
      for (dim, size) in zip(port.type.shape, tensor.shape) {
        if let symbol = dim.symbol, symbols[symbol] == nil { symbols[symbol] = size }
      }
    }
    let memory = try KernelMemory(program, inputs: inputs, symbols: symbols)
    try run(program.steps, memory)
    return try program.outputs.enumerated().map { number, port in
      let shape = try port.type.shape.map { try memory.size($0) }
      return try memory.output(number, port.type.element, shape)
    }
  }

  private func run(_ steps: [KernelProgram.Step], _ memory: KernelMemory) throws {
    for step in steps {
      switch step {
      case .call(let call): try run(call, memory)
      case .loop(let turn, let count, let body):
        for number in 0..<max(0, try memory.size(count)) {
          memory.symbols[turn] = number
          try run(body, memory)
        }
        memory.symbols[turn] = nil
      }
    }
  }

  private func run(_ call: KernelProgram.Call, _ memory: KernelMemory) throws {
    let kernel = program.kernels[call.kernel]
    do {
      guard call.buffers.count == kernel.parameters.count, call.sizes.count == kernel.sizeCount else {
        throw DiagnosticError(.bug, "kernel.arguments", "the call's arguments are not the kernel's parameters")
      }
      let spans = try call.buffers.map { try memory.span($0) }
      let sizes = try call.sizes.map { Int64(try memory.size($0)) }
      memory.callNumber += 1
      let machine = KernelMachine(kernel, spans: spans, sizes: sizes, memory: memory)
      for task in 0..<max(0, try memory.size(call.tasks)) { try machine.run(task: task) }
    } catch let error as DiagnosticError {
      throw error.located(at: kernel.name)
    }
  }
}

/// The buffers of a run.
final class KernelMemory {
  /// A buffer, seen from an element on.
  struct Span {
    var buffer: Int
    var base: UnsafeMutableRawPointer
    var element: ElementType
    /// Elements before and behind the span's own first one.
    var before, behind: Int
  }

  private struct Store {
    var base: UnsafeMutableRawPointer
    var count: Int
    var element: ElementType
    /// For each element the call and the task that wrote it last.
    var writers: [UInt64]
  }

  let program: KernelProgram
  var symbols: [Symbol: Int]
  var callNumber: UInt64 = 0
  private var stores: [Store] = []
  /// Where the program's memory is planned: all of it.
  private let arena: UnsafeMutableRawPointer?

  init(_ program: KernelProgram, inputs: [HostTensor], symbols: [Symbol: Int]) throws {
    self.program = program
    self.symbols = symbols
    arena = program.arenaBytes.map { .allocate(byteCount: Swift.max(1, $0), alignment: 64) }
    for buffer in program.buffers.elements {
      let count = try size(buffer.count)
      guard count >= 0, buffer.element != .string else {
        throw DiagnosticError(.bug, "kernel.buffer", "buffer \(buffer.name) has \(count) elements of \(buffer.element)")
      }
      let bytes = buffer.element.byteCount(count)
      let base: UnsafeMutableRawPointer
      if case .arena = buffer.storage, let arena, let offset = buffer.offset {
        base = arena + offset
      } else {
        base = .allocate(byteCount: Swift.max(1, bytes), alignment: 64)
      }
      // Memory that nobody wrote reads as NaN and as huge numbers.
      base.initializeMemory(as: UInt8.self, repeating: 0xFF, count: Swift.max(1, bytes))
      stores.append(Store(base: base, count: count, element: buffer.element, writers: []))
      switch buffer.storage {
      case .input(let number): try Self.fill(base, bytes, from: inputs[number], buffer.name)
      case .constant(let tensor): try Self.fill(base, bytes, from: tensor, buffer.name)
      case .output, .arena: stores[stores.count - 1].writers = Array(repeating: 0, count: count)
      }
    }
  }

  deinit {
    for (buffer, store) in zip(program.buffers.elements, stores) {
      if case .arena = buffer.storage, arena != nil, buffer.offset != nil { continue }
      store.base.deallocate()
    }
    arena?.deallocate()
  }

  private static func fill(
    _ base: UnsafeMutableRawPointer, _ bytes: Int, from tensor: HostTensor, _ name: String
  ) throws {
    try tensor.bytes.withBytes { source in
      guard source.count >= bytes else {
        throw DiagnosticError(.bug, "kernel.buffer", "buffer \(name) wants \(bytes) bytes, but is given \(source.count)")
      }
      if let start = source.baseAddress { base.copyMemory(from: start, byteCount: bytes) }
    }
  }

  func size(_ dim: Dim) throws -> Int {
    if let value = dim.evaluated({ symbols[$0] }) { return value }
    throw DiagnosticError(.bug, "kernel.size", "the size \(dim) is not known when it is needed")
  }

  func span(_ argument: KernelProgram.Call.Argument) throws -> Span {
    let store = stores[argument.buffer.position]
    let offset = try size(argument.offset)
    return Span(
      buffer: argument.buffer.position, base: store.base, element: store.element, before: offset,
      behind: store.count - offset)
  }

  func output(_ number: Int, _ element: ElementType, _ shape: [Int]) throws -> HostTensor {
    for (index, buffer) in program.buffers.elements.enumerated() {
      guard case .output(number) = buffer.storage else { continue }
      let count = element.byteCount(shape.reduce(1, *))
      return HostTensor(
        element, shape, bytes: TensorBytes(count: count) { $0.copyMemory(from: .init(start: stores[index].base, count: count)) })
    }
    throw DiagnosticError(.bug, "kernel.output", "output \(number) has no buffer")
  }

  /// Notes that a task writes an element; false where another task of the same call did.
  func write(_ buffer: Int, _ index: Int, task: Int) -> Bool {
    let mark = callNumber << 32 | UInt64(task + 1)
    let old = stores[buffer].writers[index]
    stores[buffer].writers[index] = mark
    return old >> 32 != callNumber || old == mark
  }

  func isWritable(_ buffer: Int) -> Bool {
    switch program.buffers.elements[buffer].storage {
    case .output, .arena: true
    case .input, .constant: false
    }
  }

  func error(_ number: Int, value: Int64, bound: Int64) -> DiagnosticError {
    let text = program.errors.indices.contains(number) ? program.errors[number] : "%0 lies outside 0 ..< %1"
    return DiagnosticError(.user, "run.check", ErrorText.filled(text, value: value, bound: bound))
  }
}
