internal import CLLVM
import SinterCore

/// Turns modules into machine code for one target. One thread uses one at a time.
final class CodeGenerator {
  private let machine: LLVMTargetMachineRef

  /// What is done to kernels before instructions are selected. They are vectorized and unrolled already, so that a
  /// short list does: it removes what emission writes twice, moves what does not change out of loops, and makes indices
  /// plain.
  static let passes =
    "function(early-cse,simplifycfg,loop-mssa(licm),instcombine<no-verify-fixpoint>,early-cse,simplifycfg)"

  /// Made once, before LLVM is asked for a target, be it to write code or to link it in memory.
  static let targetsAreReady: Void = sinter_initialize_targets()

  /// - Parameter isHasty: whether LLVM takes no time for better code: what it selects and moves then takes time in proportion to a
  ///   block's length, and not to its square.
  init(target: Target, isHasty: Bool = false) throws {
    _ = Self.targetsAreReady
    if target.architecture != .x86_64, sinter_has_other_targets() == 0 {
      throw DiagnosticError(
        .limit, "llvm.target",
        "this sinter was built to write code for x86-64 alone, not for \(target.architecture.name)",
        hint: "use the compiler of a source tree, which make build makes")
    }
    var llvmTarget: LLVMTargetRef?
    var message: UnsafeMutablePointer<CChar>?
    guard LLVMGetTargetFromTriple(target.triple, &llvmTarget, &message) == 0 else {
      throw DiagnosticError(.limit, "llvm.target", "LLVM has no target \(target.triple): \(Self.taken(message))")
    }
    let options = LLVMCreateTargetMachineOptions()
    defer { LLVMDisposeTargetMachineOptions(options) }
    LLVMTargetMachineOptionsSetCPU(options, target.instructionSet)
    LLVMTargetMachineOptionsSetFeatures(options, target.featureString)
    LLVMTargetMachineOptionsSetABI(options, target.architecture.callingConvention)
    LLVMTargetMachineOptionsSetCodeGenOptLevel(
      options, isHasty ? LLVMCodeGenLevelNone : LLVMCodeGenLevelDefault)
    LLVMTargetMachineOptionsSetRelocMode(options, LLVMRelocPIC)
    guard let machine = LLVMCreateTargetMachineWithOptions(llvmTarget, target.triple, options) else {
      throw DiagnosticError(.limit, "llvm.target", "LLVM cannot write code for \(target.name)")
    }
    self.machine = machine
  }

  deinit { LLVMDisposeTargetMachine(machine) }

  private static func taken(_ message: UnsafeMutablePointer<CChar>?) -> String {
    guard let message else { return "" }
    defer { LLVMDisposeMessage(message) }
    return String(cString: message)
  }

  /// Asks LLVM's verifier, since its passes and code generation may end the process on what is not valid.
  ///
  /// - Throws: of kind `bug`, located at the functions that are wrong.
  func verify(_ ir: IRModule) throws {
    var message: UnsafeMutablePointer<CChar>?
    let isBroken = LLVMVerifyModule(ir.module, LLVMReturnStatusAction, &message) != 0
    let text = Self.taken(message)
    guard isBroken else { return }
    throw DiagnosticError(
      .bug, "llvm.verify", "the generated LLVM module is not valid",
      at: ir.functionNames { LLVMVerifyFunction($0, LLVMReturnStatusAction) != 0 }.map { "function \($0)" },
      output: text)
  }

  func optimize(_ ir: IRModule, passes: String = CodeGenerator.passes) throws {
    LLVMSetTarget(ir.module, LLVMGetTargetMachineTriple(machine))
    let layout = LLVMCreateTargetDataLayout(machine)
    LLVMSetModuleDataLayout(ir.module, layout)
    LLVMDisposeTargetData(layout)
    let options = LLVMCreatePassBuilderOptions()
    defer { LLVMDisposePassBuilderOptions(options) }
    if let error = LLVMRunPasses(ir.module, passes, machine, options) {
      let message = LLVMGetErrorMessage(error)
      defer { LLVMDisposeErrorMessage(message) }
      throw DiagnosticError(.bug, "llvm.passes", message.map { String(cString: $0) } ?? "LLVM's passes failed")
    }
  }

  /// The module as a relocatable object.
  func object(_ ir: IRModule) throws -> [UInt8] { try emitted(ir, LLVMObjectFile) }

  func assembly(_ ir: IRModule) throws -> String { String(decoding: try emitted(ir, LLVMAssemblyFile), as: UTF8.self) }

  private func emitted(_ ir: IRModule, _ kind: LLVMCodeGenFileType) throws -> [UInt8] {
    var buffer: LLVMMemoryBufferRef?
    var message: UnsafeMutablePointer<CChar>?
    guard LLVMTargetMachineEmitToMemoryBuffer(machine, ir.module, kind, &message, &buffer) == 0, let buffer else {
      throw DiagnosticError(.bug, "llvm.emit", "LLVM could not write code: \(Self.taken(message))")
    }
    defer { LLVMDisposeMemoryBuffer(buffer) }
    if !ir.complaints.isEmpty {
      throw DiagnosticError(.bug, "llvm.emit", "LLVM could not write code: \(ir.complaints.joined(separator: "; "))")
    }
    return Array(UnsafeRawBufferPointer(start: LLVMGetBufferStart(buffer), count: LLVMGetBufferSize(buffer)))
  }
}
