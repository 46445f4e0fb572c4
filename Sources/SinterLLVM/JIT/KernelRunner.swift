import Glibc
import SinterCore
import SinterKernel

/// Runs a kernel program in this process, without a linker: for tests, for tuning, for folding constants.
///
/// Calls run on the caller's thread, each kernel with all its tasks at once.
package final class KernelRunner {
  private typealias Function =
    @convention(c) (UnsafePointer<UnsafeMutableRawPointer?>, UnsafePointer<Int64>, Int64, Int64) -> Int32

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
    self.program = program
    jit = try JIT(objects: KernelCompiler(target: target, threads: threads).objects(program))
    for id in program.kernels.indices {
      let address = try jit.address(of: KernelCompiler.symbol(id, program.kernels[id]))
      functions.append(unsafeBitCast(address, to: Function.self))
    }
  }

  /// The outputs for given inputs. Symbols are bound from the inputs' sizes; `sizes` gives others.
  package func run(_ inputs: [HostTensor], sizes: [Symbol: Int] = [:]) throws -> [HostTensor] {
    let symbols = bound(inputs, sizes)
    for obligation in program.obligations { try obligation.check(symbols) }
    let memory = try Memory(program: program, inputs: inputs, symbols: symbols)
    var known = symbols
    try run(program.steps, memory, &known) { _ in }
    return try program.outputs.indices.map { port in
      let type = program.outputs[port].type
      let shape = try type.shape.map { try size($0, known) }
      let bytes = type.element.byteCount(shape.reduce(1, *))
      let source = memory.outputs[port]
      return HostTensor(
        type.element, shape,
        bytes: TensorBytes(count: bytes) { target in
          if let source { target.copyMemory(from: UnsafeRawBufferPointer(start: source, count: bytes)) }
        })
    }
  }

  /// How long each call takes, in order, the best of `turns` runs on one thread.
  package func profile(_ inputs: [HostTensor], sizes: [Symbol: Int] = [:], turns: Int = 5) throws -> [CallTime] {
    let symbols = bound(inputs, sizes)
    let memory = try Memory(program: program, inputs: inputs, symbols: symbols)
    var best: [CallTime] = []
    for turn in 0..<max(1, turns) {
      var times: [CallTime] = []
      var known = symbols
      try run(program.steps, memory, &known) { times.append($0) }
      if turn == 0 { best = times }
      for index in times.indices { best[index].seconds = min(best[index].seconds, times[index].seconds) }
    }
    return best
  }

  private func bound(_ inputs: [HostTensor], _ sizes: [Symbol: Int]) -> [Symbol: Int] {
    var symbols = sizes
    for (port, tensor) in zip(program.inputs, inputs) {
      for (dim, size) in zip(port.type.shape, tensor.shape) {
        if let symbol = dim.symbol { symbols[symbol] = size }
      }
    }
    return symbols
  }

  private func run(
    _ steps: [KernelProgram.Step], _ memory: Memory, _ symbols: inout [Symbol: Int], _ note: (CallTime) -> Void
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
        let start = Self.threadSeconds
        let status = functions[call.kernel.position](pointers, sizes, 0, Int64(tasks))
        note(
          CallTime(
            kernel: call.kernel, seconds: Self.threadSeconds - start, tasks: tasks,
            flops: call.flops.evaluated { known[$0] }, bytes: call.bytes.evaluated { known[$0] },
            origin: call.origin))
        if status != 0 {
          let text =
            program.errors.indices.contains(Int(status) - 1) ? program.errors[Int(status) - 1] : "error \(status)"
          throw DiagnosticError(.user, "run.check", text, at: call.origin)
        }
      case .loop(let turn, let count, let condition, let body):
        for number in 0..<max(0, try size(count, symbols)) {
          symbols[turn] = number
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
        for id in program.buffers.indices {
          guard case .output(port) = program.buffers[id].storage else { continue }
          memory.reserve(id, try size(program.buffers[id].count, symbols))
          memory.outputs[port] = memory.base(id)
        }
      }
    }
  }

  private static var threadSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private func size(_ dim: Dim, _ symbols: [Symbol: Int]) throws -> Int { try KernelRunner.size(dim, symbols) }

  private static func size(_ dim: Dim, _ symbols: [Symbol: Int]) throws -> Int {
    guard let value = dim.evaluated({ symbols[$0] }) else {
      throw DiagnosticError(.bug, "run.size", "size \(dim) cannot be computed")
    }
    return value
  }

  /// One block a buffer; inputs and constants are copied, so that kernels may expect alignment.
  private final class Memory {
    private var bases: [UnsafeMutableRawPointer] = []
    var outputs: [Int: UnsafeMutableRawPointer] = [:]

    private var capacities: [Int] = []
    private let elements: [ElementType]

    init(program: KernelProgram, inputs: [HostTensor], symbols: [Symbol: Int]) throws {
      elements = program.buffers.elements.map(\.element)
      for buffer in program.buffers.elements {
        let count = buffer.count.isFromData ? 0 : try KernelRunner.size(buffer.count, symbols)
        let bytes = buffer.element.byteCount(count)
        capacities.append(max(bytes, 64))
        let base = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: max(bytes, 64))
        bases.append(base)
        switch buffer.storage {
        case .input(let port): Self.copy(inputs[port], to: base, bytes)
        case .constant(let tensor): Self.copy(tensor, to: base, bytes)
        case .output(let port): outputs[port] = base
        case .arena, .dynamic: break
        }
      }
    }

    deinit { for base in bases { base.deallocate() } }

    func base(_ buffer: BufferID) -> UnsafeMutableRawPointer { bases[buffer.position] }

    /// Room for at least so many elements; what was there stays.
    func reserve(_ buffer: BufferID, _ count: Int) {
      let (place, bytes) = (buffer.position, elements[buffer.position].byteCount(max(count, 0)))
      if bytes <= capacities[place] { return }
      let base = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
      base.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
      base.copyMemory(from: bases[place], byteCount: capacities[place])
      bases[place].deallocate()
      bases[place] = base
      capacities[place] = bytes
    }

    func isTrue(_ buffer: BufferID, at offset: Int) -> Bool {
      bases[buffer.position].load(fromByteOffset: offset, as: UInt8.self) != 0
    }

    func integer(_ buffer: BufferID, at offset: Int) -> Int {
      bases[buffer.position].load(fromByteOffset: offset * 8, as: Int.self)
    }

    private static func copy(_ tensor: HostTensor, to base: UnsafeMutableRawPointer, _ bytes: Int) {
      tensor.bytes.withBytes { source in
        if let start = source.baseAddress { base.copyMemory(from: start, byteCount: min(bytes, source.count)) }
      }
    }
  }
}
