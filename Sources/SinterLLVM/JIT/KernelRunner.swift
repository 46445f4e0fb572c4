internal import CLLVM
import Glibc
import SinterCore
import SinterForms
import SinterKernelIR

/// Runs a kernel program in this process, without a linker: for tests, for tuning, for folding constants.
///
/// Calls run on the caller's thread, each kernel with all its tasks at once.
package final class KernelRunner {
  private typealias Function =
    @convention(c) (UnsafePointer<UnsafeMutableRawPointer?>?, UnsafePointer<Int64>?, Int64, Int64) -> Int32

  /// What one call took when it ran last, and its share of the work.
  package struct CallTime: Sendable {
    package var kernel: KernelID
    package var seconds: Double
    package var tasks: Int
    package var flops: Int?
    package var bytes: Int?
    package var origin: [String]
  }

  private let program: KernelProgram
  private let jit: JIT
  private var functions: [Function] = []

  package init(_ program: KernelProgram, target: Target = .host, threads: Int = 1) throws {
    guard target.architecture == .host else {
      throw DiagnosticError(
        .user, "run.target", "kernels for \(target.architecture.name) do not run in this process",
        hint: "compile a library, and run it on such a machine")
    }
    self.program = program
    jit = try JIT(objects: KernelCompiler(target: target, threads: threads).objects(program))
    for id in program.kernels.indices {
      let address = try jit.address(of: KernelCompiler.symbol(id, program.kernels[id]))
      functions.append(unsafeBitCast(address, to: Function.self))
    }
  }

  /// The outputs for given inputs. Symbols are bound from the inputs' sizes; `sizes` gives others.
  ///
  /// - Parameter guarding: finds what touches memory beside its buffers, and what is read before it is written: all memory is NaN at first.
  /// - Throws: `DiagnosticError`: of kind `user` where the inputs do not fit or a check fails, of kind `bug` where a kernel is wrong.
  package func run(
    _ inputs: [HostTensor], sizes: [Symbol: Int] = [:], guarding: MemoryGuard? = nil
  ) throws -> [HostTensor] {
    let symbols = try bound(inputs, sizes)
    for obligation in program.obligations { try obligation.check(symbols) }
    let memory = try RunnerMemory(program: program, inputs: inputs, symbols: symbols, guarding: guarding)
    var known = symbols
    try run(program.steps, memory, &known) { _ in }
    try memory.check("the run")
    return try program.outputs.indices.map { port in
      let type = program.outputs[port].type
      let shape = try type.shape.map { try size($0, known) }
      guard shape.allSatisfy({ $0 >= 0 }) else {
        throw DiagnosticError(.user, "run.size", "output \(program.outputs[port].name) would have the shape \(shape)")
      }
      let stored: ElementType = type.element == .string ? .i64 : type.element
      let bytes = stored.byteCount(shape.reduce(1, *))
      let source = memory.outputs[port]
      let tensor = HostTensor(
        stored, shape,
        bytes: TensorBytes(count: bytes) { target in
          if let source { target.copyMemory(from: UnsafeRawBufferPointer(start: source, count: bytes)) }
        })
      return type.element == .string ? memory.texts.texts(of: tensor) : tensor
    }
  }

  /// How long each call takes, in order, the best of `iterations` runs on one thread.
  package func profile(_ inputs: [HostTensor], sizes: [Symbol: Int] = [:], iterations: Int = 5) throws -> [CallTime] {
    let symbols = try bound(inputs, sizes)
    let memory = try RunnerMemory(program: program, inputs: inputs, symbols: symbols, guarding: nil)
    var best: [CallTime] = []
    for iteration in 0..<max(1, iterations) {
      var times: [CallTime] = []
      var known = symbols
      try run(program.steps, memory, &known) { times.append($0) }
      if iteration == 0 { best = times }
      for index in times.indices { best[index].seconds = min(best[index].seconds, times[index].seconds) }
    }
    return best
  }

  private func bound(_ inputs: [HostTensor], _ sizes: [Symbol: Int]) throws -> [Symbol: Int] {
    try SymbolBinding.bind(
      program.inputs.map { ($0.name, $0.type) }, ranges: program.ranges, to: inputs.map { ($0.element, $0.shape) },
      symbols: sizes)
  }

  private func run(
    _ steps: [KernelProgram.Step], _ memory: RunnerMemory, _ symbols: inout [Symbol: Int], _ note: (CallTime) -> Void
  ) throws {
    for step in steps {
      switch step {
      case .call(let call):
        var pointers: [UnsafeMutableRawPointer?] = try call.buffers.map { argument in
          let offset = try size(argument.offset, symbols)
          return memory.base(argument.buffer) + program.buffers[argument.buffer].element.byteCount(offset)
        }
        var sizes = try call.sizes.map { Int64(try size($0, symbols)) }
        pointers.append(nil)
        sizes.append(0)
        let (tasks, known) = (try size(call.tasks, symbols), symbols)
        let (start, faults) = (Self.threadSeconds, GuardedSpace.faults)
        let function = functions[call.kernel.position]
        var fault: Int32 = 0
        let status =
          memory.isGuarded
          ? sinter_guarded_call(function, pointers, sizes, 0, Int64(tasks), &fault)
          : function(pointers, sizes, 0, Int64(tasks))
        note(
          CallTime(
            kernel: call.kernel, seconds: Self.threadSeconds - start, tasks: tasks,
            flops: call.flops.evaluated { known[$0] }, bytes: call.bytes.evaluated { known[$0] },
            origin: call.origin))
        if GuardedSpace.faults != faults { try memory.check("kernel \(program.kernels[call.kernel].name)") }
        if fault != 0 {
          throw DiagnosticError(
            .bug, "run.fault", "kernel \(program.kernels[call.kernel].name) ends with signal \(fault)", at: call.origin)
        }
        if status != 0 {
          let text =
            program.errors.indices.contains(Int(status) - 1) ? program.errors[Int(status) - 1] : "error \(status)"
          throw DiagnosticError(.user, "run.check", text, at: call.origin)
        }
      case .invoke(let invocation):
        let places = try invocation.buffers.map { place in
          let offset = try size(place.offset, symbols)
          return memory.base(place.buffer) + program.buffers[place.buffer].element.byteCount(offset)
        }
        let counts = try invocation.counts.map { try size($0, symbols) }
        let arguments = RuntimeArguments(
          result: places[0], resultCount: counts[0],
          operands: zip(places, counts).dropFirst().map { (UnsafeRawPointer($0), $1) },
          parameters: invocation.parameters)
        try arguments.run(invocation.function, &memory.texts) { number, value in
          DiagnosticError(
            .user, "run.check", ErrorText.filled(program.errors[number], value: value, bound: 0), at: invocation.origin)
        }
        try memory.check("\(invocation.function.rawValue)")
      case .loop(let iteration, let count, let condition, let body):
        for number in 0..<max(0, try size(count, symbols)) {
          symbols[iteration] = number
          if let condition, !memory.isTrue(condition.buffer, at: try size(condition.offset, symbols)) { break }
          try run(body, memory, &symbols, note)
        }
      case .branch(let condition, let then, let otherwise):
        let isTaken = memory.isTrue(condition.buffer, at: try size(condition.offset, symbols))
        try run(isTaken ? then : otherwise, memory, &symbols, note)
      case .define(let definitions):
        let values = try definitions.map { definition in
          switch definition.source {
          case .size(let dim): return try size(dim, symbols)
          case .element(let place, let error):
            let value = memory.integer(place.buffer, at: try size(place.offset, symbols))
            guard value >= 0 else {
              throw DiagnosticError(.user, "run.check", program.errors[error] + " (\(value))")
            }
            return value
          }
        }
        for (definition, value) in zip(definitions, values) { symbols[definition.symbol] = value }
      case .require(let obligation): try obligation.check(symbols)
      case .reserve(let buffer): memory.reserve(buffer, try size(program.buffers[buffer].count, symbols))
      case .grow(let buffer, let count): memory.reserve(buffer, try size(count, symbols))
      case .output(let port):
        try memory.makeOutput(port) { try size(program.buffers[$0].count, symbols) }
      }
    }
  }

  private static var threadSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private func size(_ dim: Dim, _ symbols: [Symbol: Int]) throws -> Int { try Self.size(dim, symbols) }

  static func size(_ dim: Dim, _ symbols: [Symbol: Int]) throws -> Int {
    if let value = dim.evaluated({ symbols[$0] }) { return value }
    let isKnown = dim.symbols.allSatisfy { symbols[$0] != nil }
    throw DiagnosticError(isKnown ? .user : .bug, "run.size", "the size \(dim) cannot be computed")
  }
}
