internal import CLLVM
import SinterCore
import SinterForms
import SinterKernelIR

extension ProgramEmitter {
  /// Steps that share a function; one function of thousands would cost LLVM more than their sum.
  private static let stepsPerFunction = 64

  /// What the code of one part of `run` refers to.
  struct Part {
    var frame, buffers, sizes: IRValue
    /// Arrays for the arguments of calls.
    var bufferArguments, sizeArguments: IRValue
    /// Returns the status that comes into it.
    var leave: IRBlock
    var status: IRValue
    var iterations: [Symbol: IRValue] = [:]
  }

  /// `int32_t run(SinterFrame *frame)`: makes the outputs, then all steps in order.
  func emitRun() throws -> IRValue {
    let type = ir.functionType(ir.i32, [ir.pointer])
    var parts: [IRValue] = []
    for start in stride(from: 0, to: program.steps.count, by: Self.stepsPerFunction) {
      let steps = program.steps[start..<min(start + Self.stepsPerFunction, program.steps.count)]
      let function = ir.function("sinter_run.\(start)", type, linkage: LLVMInternalLinkage)
      try emitPart(Array(steps), function)
      parts.append(function)
    }
    let run = ir.function("sinter_run", type, linkage: LLVMInternalLinkage)
    ir.position(at: ir.block("entry", in: run))
    let frame = ir.parameter(run, 0)
    let (leave, status) = emitLeave(run)
    if place.profiles { emitProfileStart(frame) }
    let output = ir.external("sinter_output", ir.functionType(ir.i32, [ir.pointer, ir.i32]), isHidden: true)
    for port in program.outputs.indices where !program.outputs[port].isFromData {
      leaveUnlessOK(ir.call(output, [frame, ir.int(ir.i32, Int64(port))]), leave, status)
    }
    for part in parts { leaveUnlessOK(ir.call(part, [frame]), leave, status) }
    ir.giveBack(ir.int(ir.i32, 0))
    finishLeave(leave, status)
    return run
  }

  /// A block that returns a status, entered from many places.
  private func emitLeave(_ function: IRValue) -> (IRBlock, IRValue) {
    let here = ir.currentBlock
    let leave = ir.block("leave", in: function)
    ir.position(at: leave)
    let status = ir.phi(ir.i32)
    ir.giveBack(status)
    ir.position(at: here)
    return (leave, status)
  }

  func leaveUnlessOK(_ result: IRValue, _ leave: IRBlock, _ status: IRValue) {
    let next = ir.block("next", in: ir.currentFunction)
    ir.addIncoming(status, result, ir.currentBlock)
    ir.jump(if: ir.icmp(LLVMIntEQ, result, 0), next, else: leave)
    ir.position(at: next)
  }

  /// A block that nothing enters must not be there.
  private func finishLeave(_ leave: IRBlock, _ status: IRValue) {
    if LLVMCountIncoming(status) == 0 { LLVMDeleteBasicBlock(leave) }
  }

  private func emitPart(_ steps: [KernelProgram.Step], _ function: IRValue) throws {
    ir.position(at: ir.block("entry", in: function))
    let frame = ir.parameter(function, 0)
    let calls = steps.flatMap(\.calls)
    let invocations = steps.flatMap(\.invocations)
    let places = (calls.map(\.buffers) + invocations.map(\.buffers)).map(\.count).max() ?? 0
    let numbers = (calls.map(\.sizes.count) + invocations.map { $0.counts.count + $0.parameters.count }).max() ?? 0
    let bufferArguments = ir.stackArray(ir.pointer, max(1, places), alignment: 8)
    let sizeArguments = ir.stackArray(ir.i64, max(2, numbers), alignment: 8)
    let buffers = ir.load(ir.pointer, frame, alignment: 8)
    let sizes = ir.load(ir.pointer, ir.address(ir.pointer, frame, ir.index(1)), alignment: 8)
    let (leave, status) = emitLeave(function)
    let part = Part(
      frame: frame, buffers: buffers, sizes: sizes, bufferArguments: bufferArguments, sizeArguments: sizeArguments,
      leave: leave, status: status)
    for step in steps { try emit(step, part) }
    ir.giveBack(ir.int(ir.i32, 0))
    finishLeave(leave, status)
  }

  private func emit(_ step: KernelProgram.Step, _ part: Part) throws {
    switch step {
    case .call(let call): try emit(call, part)
    case .invoke(let invocation): try emit(invocation, part)
    case .loop(let iteration, let count, let condition, let body):
      let function = ir.currentFunction
      let end = try size(count, part)
      let before = ir.currentBlock
      let inner = ir.block("iteration", in: function)
      let after = ir.block("turned", in: function)
      ir.jump(if: ir.icmp(LLVMIntSGT, end, 0), inner, else: after)
      ir.position(at: inner)
      let number = ir.phi(ir.i64, [(ir.index(0), before)])
      var nested = part
      nested.iterations[iteration] = number
      if let condition {
        let goesOn = ir.block("goes_on", in: function)
        ir.jump(if: try isTrue(condition, nested), goesOn, else: after)
        ir.position(at: goesOn)
      }
      for step in body { try emit(step, nested) }
      let next = ir.add(number, 1)
      ir.addIncoming(number, next, ir.currentBlock)
      ir.jump(if: ir.icmp(LLVMIntSLT, next, end), inner, else: after)
      ir.position(at: after)
    case .branch(let condition, let then, let otherwise):
      let function = ir.currentFunction
      let (first, second, after) = (
        ir.block("then", in: function), ir.block("else", in: function), ir.block("after", in: function)
      )
      ir.jump(if: try isTrue(condition, part), first, else: second)
      for (block, steps) in [(first, then), (second, otherwise)] {
        ir.position(at: block)
        for step in steps { try emit(step, part) }
        ir.jump(after)
      }
      ir.position(at: after)
    case .define(let definitions): try emit(definitions, part)
    case .require(let obligation): try emit(obligation, part)
    case .reserve(let buffer): try emitMemory("sinter_reserve", buffer, program.buffers[buffer].count, part)
    case .grow(let buffer, let count): try emitMemory("sinter_grow", buffer, count, part)
    case .output(let port): try emitOutput(port, part)
    }
  }

  private func emit(_ call: KernelProgram.Call, _ part: Part) throws {
    let kernel = program.kernels[call.kernel]
    guard kernel.parameters.count == call.buffers.count, kernel.sizeCount == call.sizes.count else {
      throw DiagnosticError(
        .bug, "library.call",
        "kernel \(kernel.name) takes \(kernel.parameters.count) buffers and \(kernel.sizeCount) sizes, "
          + "not \(call.buffers.count) and \(call.sizes.count)",
        at: call.origin)
    }
    for (index, argument) in call.buffers.enumerated() {
      ir.store(
        try address(argument, part), ir.address(ir.pointer, part.bufferArguments, ir.index(index)), alignment: 8)
    }
    let sizes = try sizeArguments(call, part)
    let tasks = try size(call.tasks, part)
    let function = ir.external(
      KernelCompiler.symbol(call.kernel, kernel, variant: place.variant),
      ir.functionType(ir.i32, [ir.pointer, ir.pointer, ir.i64, ir.i64]),
      isHidden: true)
    if let count = call.tasks.value, count <= 0 { return }
    if place.profiles { try emitProfileLaunch(call, part) }
    if let count = call.tasks.value, count < 2 * max(1, call.grain) {
      let error = ir.call(function, [part.bufferArguments, sizes, ir.index(0), tasks])
      if place.profiles { emitProfileLaunched(part) }
      return report(error, part)
    }
    let launch = ir.external(
      "sinter_launch",
      ir.functionType(ir.i32, [ir.pointer, ir.pointer, ir.pointer, ir.pointer, ir.i64, ir.i64]), isHidden: true)
    let status = ir.call(
      launch, [part.frame, function, part.bufferArguments, sizes, tasks, ir.index(call.signedGrain)])
    if place.profiles { emitProfileLaunched(part) }
    leaveUnlessOK(status, part.leave, part.status)
  }

  /// Hands the places, the counts and then the parameters to a function of the runtime.
  private func emit(_ invocation: KernelProgram.Invocation, _ part: Part) throws {
    for (index, place) in invocation.buffers.enumerated() {
      ir.store(try address(place, part), ir.address(ir.pointer, part.bufferArguments, ir.index(index)), alignment: 8)
    }
    let numbers =
      try invocation.counts.map { try checkedSize($0, part) }
      + invocation.parameters.map { ir.int(ir.i64, $0) }
    for (index, number) in numbers.enumerated() {
      ir.store(number, ir.address(ir.i64, part.sizeArguments, ir.index(index)), alignment: 8)
    }
    let function = ir.external(
      invocation.function.symbol, ir.functionType(ir.i32, [ir.pointer, ir.pointer, ir.pointer]), isHidden: true)
    if place.profiles {
      let name = "text_\(invocation.function.rawValue)"
      emitProfileLaunch(name, invocation.origin, flops: ir.index(-1), bytes: ir.index(-1), part)
    }
    let status = ir.call(function, [part.frame, part.bufferArguments, part.sizeArguments])
    if place.profiles { emitProfileLaunched(part) }
    leaveUnlessOK(status, part.leave, part.status)
  }

  /// Leaves with the error that a kernel returned, unless it is zero.
  private func report(_ error: IRValue, _ part: Part) {
    let function = ir.currentFunction
    let fails = ir.block("fails", in: function)
    let next = ir.block("next", in: function)
    ir.jump(if: ir.icmp(LLVMIntEQ, error, 0), next, else: fails)
    ir.position(at: fails)
    let fail = ir.external("sinter_fail_kernel", ir.functionType(ir.i32, [ir.pointer, ir.i32]), isHidden: true)
    let status = ir.call(fail, [part.frame, error])
    ir.addIncoming(part.status, status, ir.currentBlock)
    ir.jump(part.leave)
    ir.position(at: next)
  }

  // MARK: Arguments

  func address(_ argument: KernelProgram.Call.Argument, _ part: Part) throws -> IRValue {
    let base = ir.load(
      ir.pointer, ir.address(ir.pointer, part.buffers, ir.index(argument.buffer.position)), alignment: 8)
    if argument.offset.value == 0 { return base }
    let bits = program.buffers[argument.buffer].element.bits
    let elements = try size(argument.offset, part)
    let bytes = bits >= 8 ? ir.mul(elements, ir.index(bits / 8)) : ir.lshr(elements, bits == 4 ? 1 : 2)
    return ir.address(ir.i8, base, bytes)
  }

  private func sizeArguments(_ call: KernelProgram.Call, _ part: Part) throws -> IRValue {
    let known = call.sizes.compactMap(\.value)
    if known.count == call.sizes.count { return table(ir.i64, known.map { ir.index($0) }) }
    for (index, dim) in call.sizes.enumerated() {
      ir.store(try size(dim, part), ir.address(ir.i64, part.sizeArguments, ir.index(index)), alignment: 8)
    }
    return part.sizeArguments
  }

  /// A size: a number, what `plan` computed, or what is computed here since it changes with the iteration of a loop.
  func size(_ dim: Dim, _ part: Part) throws -> IRValue {
    if let value = dim.value { return ir.index(value) }
    if let slot = layout.knownSlot(dim) { return loadSlot(slot, of: part.sizes) }
    var emitter = DimEmitter(ir: ir) { [layout, ir] symbol in
      part.iterations[symbol]
        ?? layout.knownSlot(Dim(symbol)).map { slot in
          ir.load(ir.i64, ir.address(ir.i64, part.sizes, ir.index(slot)), alignment: 8)
        }
    }
    return try emitter.emit(dim)
  }
}

extension KernelProgram.Call {
  /// Floating-point operations of a grain, some three microseconds.
  private static let grainFlops = 350_000
  /// What a size counts for that is known only at run time.
  private static let typicalSize = 64

  /// Tasks a grain; where one task is several grains, their number below zero.
  fileprivate var signedGrain: Int {
    guard grain <= 1 else { return grain }
    func typical(_ dim: Dim) -> Int { dim.evaluated { _ in Self.typicalSize } ?? 0 }
    let each = typical(flops) / max(1, typical(tasks)) / Self.grainFlops
    return each > 1 ? -each : 1
  }
}
