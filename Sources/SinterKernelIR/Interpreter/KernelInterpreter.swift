import SinterCore
import SinterForms

/// Runs a kernel program on host memory, slowly: each access is checked against its buffer, and so is the promise that
/// tasks of one call write different memory. Schedules and generated code are held against it.
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
    for obligation in program.obligations { try obligation.check(symbols) }
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
      case .invoke(let invocation): try run(invocation, memory)
      case .loop(let iteration, let count, let condition, let body):
        for number in 0..<max(0, try memory.size(count)) {
          memory.symbols[iteration] = number
          if let condition, try memory.element(condition) == 0 { break }
          try run(body, memory)
        }
        memory.symbols[iteration] = nil
      case .branch(let condition, let then, let otherwise):
        try run(try memory.element(condition) != 0 ? then : otherwise, memory)
      case .define(let definitions):
        let values = try definitions.map { definition in
          switch definition.source {
          case .size(let size): return try memory.size(size)
          case .element(let place, let error):
            let value = try memory.element(place)
            guard value >= 0 else {
              throw DiagnosticError(.user, "run.check", ErrorText.filled(program.errors[error], value: value, bound: 0))
            }
            return Int(value)
          }
        }
        for (definition, value) in zip(definitions, values) { memory.symbols[definition.symbol] = value }
      case .require(let obligation): try obligation.check(memory.symbols)
      case .reserve(let buffer):
        try memory.reserve(buffer, try memory.size(program.buffers[buffer].count), keeping: false)
      case .grow(let buffer, let count): try memory.reserve(buffer, try memory.size(count), keeping: true)
      case .output(let port): try memory.makeOutput(port)
      }
    }
  }

  private func run(_ invocation: KernelProgram.Invocation, _ memory: KernelMemory) throws {
    let spans = try invocation.buffers.map { try memory.span($0) }
    let counts = try invocation.counts.map { try memory.size($0) }
    for (span, count) in zip(spans, counts) where count > span.behind {
      throw DiagnosticError(.bug, "kernel.invoke", "\(count) elements are handed over, of which \(span.behind) exist")
    }
    let places = spans.map { $0.base + $0.element.byteCount($0.before) }
    let arguments = RuntimeArguments(
      result: places[0], resultCount: counts[0],
      operands: zip(places, counts).dropFirst().map { (UnsafeRawPointer($0), $1) }, parameters: invocation.parameters)
    try arguments.run(invocation.function, &memory.texts) { memory.error($0, value: $1, bound: 0) }
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
