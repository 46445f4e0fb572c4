internal import CLLVM
import SinterCore
import SinterKernelIR

/// Writes one kernel as two LLVM functions: the entry point that the runtime calls, and the tasks themselves.
///
/// The entry point has the signature of `SinterKernel` in sinter_runtime.h. It loads buffer addresses and sizes and
/// passes them to a function of its own, where they are parameters, so that LLVM may know of each address whether
/// anything else points there.
final class KernelEmitter {
  let ir: IRModule
  let kernel: Kernel
  /// What each register holds at the place that is being written.
  var values: [IRValue?]
  var parameters: [IRValue] = []
  var sizes: [IRValue] = []
  var locals: [IRValue] = []
  var multiples: KnownMultiples
  /// Floats that are whole: what was rounded, and the whole number that was added afterwards.
  var whole: [Register: (number: IRValue, offset: Int)] = [:]
  /// Bytes that such floats became.
  var held: [Register: (number: IRValue, offset: Int)] = [:]
  /// Floats that such bytes became: whole numbers, and what was added to them.
  var moved: [Register: (words: IRValue, offset: Int)] = [:]

  private init(ir: IRModule, kernel: Kernel) {
    self.ir = ir
    self.kernel = kernel
    values = Array(repeating: nil, count: kernel.registers.count)
    multiples = KnownMultiples(kernel: kernel)
  }

  /// Writes `kernel` under the name `symbol`. `isAlone` says for each parameter that what the kernel writes and what it
  /// reaches through this parameter never overlap with what it reaches through another.
  static func emit(_ kernel: Kernel, symbol: String, isAlone: [Bool], into ir: IRModule) throws {
    let emitter = KernelEmitter(ir: ir, kernel: kernel)
    do {
      try emitter.emitFunctions(symbol: symbol, isAlone: isAlone)
    } catch let error as DiagnosticError {
      throw error.located(at: "kernel \(kernel.name)")
    }
  }

  private func emitFunctions(symbol: String, isAlone: [Bool]) throws {
    for parameter in kernel.parameters { try checkMemory(parameter.element) }
    for local in kernel.locals { try checkMemory(local.element) }
    let pointerCount = kernel.parameters.count
    let tasksType = ir.functionType(
      ir.i32,
      kernel.parameters.map { _ in ir.pointer } + Array(repeating: ir.i64, count: kernel.sizeCount) + [ir.i64, ir.i64])
    let tasks = ir.function(symbol + ".tasks", tasksType, linkage: LLVMInternalLinkage)
    for (index, parameter) in kernel.parameters.enumerated() {
      if isAlone[index] { ir.addAttribute("noalias", to: tasks, parameter: index) }
      ir.addAttribute("nocapture", to: tasks, parameter: index)
      if parameter.access == .read { ir.addAttribute("readonly", to: tasks, parameter: index) }
    }
    emitEntry(symbol: symbol, tasks: tasks)

    parameters = (0..<pointerCount).map { ir.parameter(tasks, $0) }
    sizes = (0..<kernel.sizeCount).map { ir.parameter(tasks, pointerCount + $0) }
    ir.position(at: ir.block("entry", in: tasks))
    locals = kernel.locals.map { local in
      let count = local.element.bits < 8 ? local.element.byteCount(local.count) : local.count
      return ir.stackArray(memoryType(local.element), count, alignment: 64)
    }
    if usesTiles { configureTiles() }
    let begin = ir.parameter(tasks, pointerCount + kernel.sizeCount)
    let end = ir.parameter(tasks, pointerCount + kernel.sizeCount + 1)
    try iterations(from: begin, to: end, step: 1, copies: 1, initial: []) { task, _ in
      values[kernel.task.position] = task
      try emit(kernel.body)
      return []
    }
    if usesTiles { releaseTiles() }
    ir.giveBack(ir.int(ir.i32, 0))
  }

  private func emitEntry(symbol: String, tasks: IRValue) {
    let entry = ir.function(symbol, ir.functionType(ir.i32, [ir.pointer, ir.pointer, ir.i64, ir.i64]))
    ir.position(at: ir.block("entry", in: entry))
    var arguments: [IRValue] = []
    for index in kernel.parameters.indices {
      arguments.append(
        ir.load(ir.pointer, ir.address(ir.pointer, ir.parameter(entry, 0), ir.index(index)), alignment: 8))
    }
    for index in 0..<kernel.sizeCount {
      arguments.append(ir.load(ir.i64, ir.address(ir.i64, ir.parameter(entry, 1), ir.index(index)), alignment: 8))
    }
    arguments += [ir.parameter(entry, 2), ir.parameter(entry, 3)]
    ir.giveBack(ir.call(tasks, arguments))
  }

  // MARK: Statements

  func emit(_ block: Block) throws {
    for statement in block.statements { try emit(statement) }
  }

  subscript(register: Register) -> IRValue {
    get throws {
      guard let value = values[register.position] else {
        throw bug("register \(register) is used before it is defined")
      }
      return value
    }
  }

  func type(_ register: Register) -> RegisterType { kernel.registers[register] }

  func bug(_ message: String) -> DiagnosticError { DiagnosticError(.bug, "llvm.kernel", message) }

  private func emit(_ statement: Statement) throws {
    switch statement {
    case .constant(let r, let scalar): values[r.position] = constant(scalar, type(r))
    case .size(let r, let index): values[r.position] = sizes[index]
    case .unary(let r, let function, let a):
      values[r.position] = try unary(function, self[a], type(a))
      if function == .round, type(a).element == .f32 { whole[r] = (try self[a], 0) }
    case .binary(let r, let function, let a, let b):
      values[r.position] = try binary(function, self[a], self[b], type(a))
      if function == .add, let rounded = whole[a], rounded.offset == 0, let offset = wholeNumber(try self[b]) {
        whole[r] = (rounded.number, offset)
      }
      if function == .subtract, let moved = moved[a], wholeNumber(try self[b]) == moved.offset {
        values[r.position] = ir.sitofp(moved.words, ir.type(try self[a]))
      }
    case .scale(let r, let a, let exponent): values[r.position] = try scale(self[a], exponent: self[exponent])
    case .multiplyAdd(let r, let a, let b, let c):
      values[r.position] = try multiplyAdd(self[a], self[b], self[c], type(r))
    case .dot(let r, let a, let b, let c):
      values[r.position] = try dot(self[a], self[b], self[c], isSigned: type(a).element == .i8)
    case .compare(let r, let comparison, let a, let b):
      values[r.position] = try compare(comparison, self[a], self[b], type(a).element)
    case .select(let r, let condition, let a, let b):
      values[r.position] = try ir.select(self[condition], self[a], self[b])
    case .cast(let r, let a):
      let byte = type(r).element
      if type(a).element == .f32, byte == .u8 || byte == .i8, let rounded = whole[a],
        let bytes = bytes(rounded.number, plus: rounded.offset, isSigned: byte == .i8)
      {
        values[r.position] = bytes
        held[r] = rounded
      } else if byte == .f32, let floats = floats(of: a) {
        values[r.position] = floats.value
        moved[r] = floats.moved
      } else {
        values[r.position] = try cast(self[a], from: type(a).element, to: type(r).element)
      }
    case .bitcast(let r, let a): values[r.position] = try bitcast(self[a], from: type(a).element, to: type(r))
    case .broadcast(let r, let a): values[r.position] = try ir.broadcast(self[a], type(r).lanes)
    case .lanes(let r):
      let element = scalarType(type(r).element)
      let numbers = (0..<type(r).lanes).map { ir.int(element, Int64($0)) }
      values[r.position] = numbers.count == 1 ? numbers[0] : ir.vectorConstant(numbers)
    case .extract(let r, let a, let lane): values[r.position] = try ir.extract(self[a], lane)
    case .combineLanes(let r, let combine, let a): values[r.position] = try combineLanes(combine, self[a], type(a))
    case .shuffle(let r, let a, let b, let positions):
      values[r.position] = try shuffle(self[a], self[b], positions)
      if let first = whole[a], let second = whole[b], first.offset == second.offset {
        whole[r] = (shuffle(first.number, second.number, positions), first.offset)
      }
    case .load(let r, let memory, let at, let mask):
      values[r.position] = try load(memory, at: at, mask: mask.map { try self[$0] }, lanes: type(r).lanes)
    case .store(let value, let memory, let at, let mask):
      try store(self[value], memory, at: at, mask: mask.map { try self[$0] })
    case .gather(let r, let memory, let at, let mask):
      values[r.position] = try gather(memory, at: self[at], mask: mask.map { try self[$0] })
    case .scatter(let value, let memory, let at, let mask):
      try scatter(self[value], memory, at: self[at], mask: mask.map { try self[$0] })
    case .lookup(let r, let memory, let byte): values[r.position] = try lookup(self[byte], in: memory)
    case .loop(let loop): try emit(loop)
    case .branch(let branch): try emit(branch)
    case .check(let condition, let error, let value, let bound):
      try check(
        self[condition], error: error, value: wide(self[value], type(value)), bound: wide(self[bound], type(bound)))
    case .prefetch(let memory, let at): try prefetch(memory, at: self[at])
    case .tileDot(let block): try tileDot(block)
    }
  }

  // MARK: Types

  /// What one lane of a register is. Narrow floats are their bits; packed integers lie in a byte, extended by their
  /// sign.
  func scalarType(_ element: ElementType) -> IRType {
    switch element {
    case .f32: ir.f32
    case .f64: ir.f64
    case .bool: ir.i1
    case .i8, .u8, .i4, .u4, .i2, .u2, .f4e2m1, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0: ir.i8
    case .i16, .u16, .f16, .bf16: ir.i16
    case .i32, .u32: ir.i32
    case .i64, .u64, .string, .c64, .c128: ir.i64
    }
  }

  func registerType(_ type: RegisterType) -> IRType { ir.vector(scalarType(type.element), type.lanes) }

  /// What one element of memory is; a byte for truth values and the packed types.
  func memoryType(_ element: ElementType) -> IRType { element == .bool ? ir.i8 : scalarType(element) }

  private func checkMemory(_ element: ElementType) throws {
    // A complex number of 64 bits moves as a word.
    if element == .string || element == .c128 { throw bug("kernels hold no \(element)") }
  }
}
