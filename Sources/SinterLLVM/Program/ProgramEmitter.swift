internal import CLLVM
import SinterCore
import SinterKernelIR

/// Writes the generated part of a library but for its kernels: the `sinter_program` of sinter_runtime.h, its tables,
/// `plan` and `run`.
final class ProgramEmitter {
  let ir: IRModule
  let program: KernelProgram
  let layout: ProgramLayout
  let place: Place
  let types: ProgramTypes

  /// What a program must know of the library around it.
  struct Place: Sendable {
    /// The number among the programs for several processors; the first is the one that is tried first.
    var variant = 0
    var isLast = true
    /// What the library says it was built for.
    var target: String
    /// Of the weights of all programs.
    var weightBytes: Int
    /// The weights are in a file beside the library.
    var weightsBeside: Bool
    /// What the library knows that file by; 0 where there is none.
    var weightHash: UInt64 = 0
    /// `run` notes when each kernel runs.
    var profiles = false
  }

  /// The name under which the weights object defines the first byte of all constants.
  static let weightsSymbol = "sinter_weights"
  /// The name of a program's table; the runtime knows the first one's.
  static func programSymbol(_ variant: Int) -> String { variant == 0 ? "sinter_program" : "sinter_program_\(variant)" }

  private init(ir: IRModule, program: KernelProgram, layout: ProgramLayout, place: Place) {
    self.ir = ir
    self.program = program
    self.layout = layout
    self.place = place
    types = ProgramTypes(ir: ir)
  }

  static func emit(_ program: KernelProgram, layout: ProgramLayout, place: Place, into ir: IRModule) throws {
    let emitter = ProgramEmitter(ir: ir, program: program, layout: layout, place: place)
    let plan = try emitter.emitPlan()
    let run = try emitter.emitRun()
    emitter.emitTables(plan: plan, run: run)
  }

  // MARK: plan

  /// `int32_t plan(int64_t *sizes)`: fills all slots behind the symbols'. One straight line; the first thing that does
  /// not hold is reported.
  private func emitPlan() throws -> IRValue {
    let function = ir.function("sinter_plan", ir.functionType(ir.i32, [ir.pointer]), linkage: LLVMInternalLinkage)
    ir.position(at: ir.block("entry", in: function))
    let sizes = ir.parameter(function, 0)
    var values: [Symbol: IRValue] = [:]
    for (index, symbol) in layout.symbols.enumerated() { values[symbol] = loadSlot(index, of: sizes) }
    var emitter = DimEmitter(ir: ir) { values[$0] }
    var result = ir.int(ir.i32, 0)
    for (index, dim) in layout.slots.enumerated().dropFirst(layout.symbols.count)
    where !layout.dataSlots.contains(index) {
      ir.store(try emitter.emit(dim), ir.address(ir.i64, sizes, ir.index(index)), alignment: 8)
    }
    for requirement in layout.requirements.reversed() {
      let holds = ir.icmp(LLVMIntSGE, try emitter.emit(requirement.size), 0)
      result = ir.select(holds, result, ir.int(ir.i32, Int64(requirement.error + 1)))
    }
    if let failed = emitter.failed {
      result = ir.select(failed, ir.int(ir.i32, Int64(layout.overflowError + 1)), result)
    }
    ir.giveBack(result)
    return function
  }

  func loadSlot(_ slot: Int, of sizes: IRValue) -> IRValue {
    ir.load(ir.i64, ir.address(ir.i64, sizes, ir.index(slot)), alignment: 8)
  }
}

/// The structures of sinter.h and sinter_runtime.h.
struct ProgramTypes {
  let dataType, port, dimension, symbol, buffer, obligation, parts, interface, state, program: IRType

  init(ir: IRModule) {
    dataType = ir.structure([ir.i8, ir.i8, ir.i16])
    port = ir.structure([ir.pointer, ir.i32, ir.i32, dataType, ir.i32, ir.pointer, ir.pointer, ir.pointer])
    dimension = ir.structure([ir.i32, ir.i64, ir.pointer])
    symbol = ir.structure([ir.pointer, ir.i64, ir.i64])
    obligation = ir.structure([ir.i32, ir.i32, ir.i32, ir.i32])
    parts = ir.structure([ir.i32, ir.i32, ir.i32, ir.i32])
    interface = ir.structure([ir.i64, ir.i64, ir.pointer, ir.pointer, ir.pointer, ir.pointer])
    state = ir.structure([ir.i32, ir.i32, ir.i32, ir.i64])
    buffer = ir.structure([ir.i32, ir.i32, ir.i32, ir.i32, ir.i64, ir.i32])
    program = ir.structure([
      ir.i32, ir.pointer, ir.pointer, ir.pointer,  // ABI version, name, producer, target
      ir.pointer,  // features
      ir.i64, ir.i64, ir.pointer, ir.pointer, ir.pointer, ir.pointer,  // inputs, outputs, and their dimensions
      ir.i64, ir.pointer, ir.i64,  // symbols, slots
      ir.i64, ir.pointer, ir.i64,  // buffers, bytes of the arena
      ir.pointer, ir.i64,  // weights
      ir.pointer, ir.i64,  // errors
      ir.pointer, ir.pointer, ir.pointer,  // plan, run, fallback
      ir.pointer, ir.i64,  // obligations
      ir.pointer,  // interface
      ir.i64, ir.i64, ir.i64,  // texts
      ir.i64, ir.pointer,  // states
      ir.i64,  // the weights' hash
      ir.i32,  // whether subnormal numbers are flushed to zero
    ])
  }
}
