internal import CLLVM
import SinterCore
import SinterKernelIR

/// What `run` does besides in a library that is compiled to be profiled: it tells the runtime of each launch.
extension ProgramEmitter {
  func emitProfileStart(_ frame: IRValue) {
    let start = ir.external("sinter_profile_run", ir.functionType(ir.void, [ir.pointer]), isHidden: true)
    ir.call(start, [frame])
  }

  func emitProfileLaunch(_ call: KernelProgram.Call, _ part: Part) throws {
    emitProfileLaunch(
      program.kernels[call.kernel].name, call.origin, flops: try amount(call.flops, part),
      bytes: try amount(call.bytes, part), part)
  }

  /// - Parameters:
  ///   - name: of the kernel, or of the function of the runtime.
  ///   - origin: what it computes.
  func emitProfileLaunch(_ name: String, _ origin: [String], flops: IRValue, bytes: IRValue, _ part: Part) {
    let launch = ir.external(
      "sinter_profile_launch", ir.functionType(ir.i32, [ir.pointer, ir.pointer, ir.i64, ir.i64]), isHidden: true)
    let status = ir.call(
      launch,
      [part.frame, description(name, origin), flops, bytes])
    leaveUnlessOK(status, part.leave, part.status)
  }

  func emitProfileLaunched(_ part: Part) {
    let launched = ir.external("sinter_profile_launched", ir.functionType(ir.void, [ir.pointer]), isHidden: true)
    ir.call(launched, [part.frame])
  }

  /// A `SinterCall` of sinter_profile.h.
  private func description(_ name: String, _ origin: [String]) -> IRValue {
    let type = ir.structure([ir.pointer, ir.i64, ir.pointer])
    let fields = [
      string(name), count(origin.count), table(ir.pointer, origin.map { string($0) }),
    ]
    return define(type, structure(fields, type), name: "call")
  }

  /// What a call is known to do: schedules leave zero where they do not know.
  private func amount(_ dim: Dim, _ part: Part) throws -> IRValue {
    let isKnown = dim.symbols.allSatisfy { part.iterations[$0] != nil || layout.knownSlot(Dim($0)) != nil }
    return dim == 0 || !isKnown ? ir.index(-1) : try size(dim, part)
  }
}
