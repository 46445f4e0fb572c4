internal import CLLVM
import SinterCore
import SinterKernelIR

/// Steps of `run` that deal with sizes that data determine.
extension ProgramEmitter {
  func isTrue(_ place: KernelProgram.Call.Argument, _ part: Part) throws -> IRValue {
    ir.icmp(LLVMIntNE, ir.load(ir.i8, try address(place, part), alignment: 1), ir.int(ir.i8, 0))
  }

  /// Sets the slots of sizes, all of them computed before.
  func emit(_ definitions: [KernelProgram.Definition], _ part: Part) throws {
    let values = try definitions.map { definition -> IRValue in
      switch definition.source {
      case .size(let size): return try checkedSize(size, part)
      case .element(let place, let error):
        let value = ir.load(ir.i64, try address(place, part), alignment: 8)
        try leave(unless: ir.icmp(LLVMIntSGE, value, 0), Status.runtimeError, error: error, [value], part)
        return value
      }
    }
    for (definition, value) in zip(definitions, values) {
      guard let slot = layout.knownSlot(Dim(definition.symbol)) else { continue }
      ir.store(value, slotAddress(slot, part), alignment: 8)
    }
  }

  func emit(_ obligation: Obligation, _ part: Part) throws {
    let (left, right) = (try checkedSize(obligation.left, part), try checkedSize(obligation.right, part))
    let areEqual = ir.icmp(LLVMIntEQ, left, right)
    let holds: IRValue
    switch obligation.relation {
    case .equal: holds = areEqual
    case .equalOrOne: holds = ir.or(areEqual, ir.icmp(LLVMIntEQ, left, 1))
    case .broadcastable: holds = ir.or(areEqual, ir.or(ir.icmp(LLVMIntEQ, left, 1), ir.icmp(LLVMIntEQ, right, 1)))
    case .atLeast: holds = ir.icmp(LLVMIntSGE, left, right)
    case .divisible:
      // A divisor of zero divides nothing; sizes are no negative numbers.
      let isPositive = ir.icmp(LLVMIntSGT, right, 0)
      let divisor = ir.select(isPositive, right, ir.index(1))
      let rest = ir.sub(left, ir.mul(ir.sdiv(left, divisor), divisor))
      holds = ir.and(isPositive, ir.icmp(LLVMIntEQ, rest, 0))
    }
    try leave(
      unless: holds, Status.shapeMismatch, error: layout.obligationErrors[obligation] ?? layout.overflowError,
      [left, right],
      part)
  }

  /// Memory for a buffer, by a function of the runtime.
  func emitMemory(_ function: String, _ buffer: BufferID, _ count: Dim, _ part: Part) throws {
    let bytes = try checkedSize(ProgramLayout.bytes(of: count, program.buffers[buffer].element), part)
    let reserve = ir.external(function, ir.functionType(ir.i32, [ir.pointer, ir.i32, ir.i64]), isHidden: true)
    let status = ir.call(reserve, [part.frame, ir.int(ir.i32, Int64(buffer.position)), bytes])
    leaveUnlessOK(status, part.leave, part.status)
  }

  /// An output of which some sizes have become known.
  func emitOutput(_ port: Int, _ part: Part) throws {
    for (dim, slot) in zip(program.outputs[port].type.shape, layout.outputSlots[port]) where dim.isFromData {
      let size = try checkedSize(dim, part)
      try leave(unless: ir.icmp(LLVMIntSGE, size, 0), Status.runtimeError, error: layout.overflowError, [], part)
      ir.store(size, slotAddress(slot, part), alignment: 8)
    }
    let output = ir.external("sinter_output", ir.functionType(ir.i32, [ir.pointer, ir.i32]), isHidden: true)
    leaveUnlessOK(ir.call(output, [part.frame, ir.int(ir.i32, Int64(port))]), part.leave, part.status)
  }

  /// Of sinter.h.
  private enum Status {
    static let shapeMismatch: Int64 = 2
    static let runtimeError: Int64 = 6
  }

  private func slotAddress(_ slot: Int, _ part: Part) -> IRValue { ir.address(ir.i64, part.sizes, ir.index(slot)) }

  /// A size in 64 bits; the run ends where it does not fit into them.
  func checkedSize(_ dim: Dim, _ part: Part) throws -> IRValue {
    if let value = dim.value { return ir.index(value) }
    if !dim.isFromData, part.iterations.keys.allSatisfy({ !dim.symbols.contains($0) }) { return try size(dim, part) }
    var emitter = DimEmitter(ir: ir) { [layout, ir] symbol in
      part.iterations[symbol]
        ?? layout.knownSlot(Dim(symbol)).map {
          ir.load(ir.i64, ir.address(ir.i64, part.sizes, ir.index($0)), alignment: 8)
        }
    }
    let value = try emitter.emit(dim)
    if let failed = emitter.failed {
      try leave(unless: ir.xor(failed, ir.int(ir.i1, 1)), Status.runtimeError, error: layout.overflowError, [], part)
    }
    return value
  }

  /// Ends the run with an error of the program, told with up to two values, unless a condition holds.
  private func leave(unless holds: IRValue, _ status: Int64, error: Int, _ values: [IRValue], _ part: Part) throws {
    let function = ir.currentFunction
    let fails = ir.block("fails", in: function)
    let next = ir.block("next", in: function)
    ir.jump(if: holds, next, else: fails)
    ir.position(at: fails)
    for (index, value) in values.enumerated() {
      ir.store(value, ir.address(ir.i64, part.sizeArguments, ir.index(index)), alignment: 8)
    }
    let fail = ir.external(
      "sinter_fail", ir.functionType(ir.i32, [ir.pointer, ir.i32, ir.i32, ir.pointer, ir.i32]), isHidden: true)
    let result = ir.call(
      fail,
      [
        part.frame, ir.int(ir.i32, status), ir.int(ir.i32, Int64(error)), part.sizeArguments,
        ir.int(ir.i32, Int64(values.count)),
      ])
    ir.addIncoming(part.status, result, ir.currentBlock)
    ir.jump(part.leave)
    ir.position(at: next)
  }
}
