internal import CLLVM
import SinterCore

/// Machine code in the memory of this process.
final class JIT: @unchecked Sendable {
  // Immutable after init, which is the only place that adds code; LLJIT itself may be used from any thread.
  private let jit: LLVMOrcLLJITRef

  /// Loads objects that the host can run. What they do not define is looked for in this process.
  init(objects: [[UInt8]]) throws {
    // A program may have no kernels, so that nobody has written code yet.
    _ = CodeGenerator.targetsAreReady
    var jit: LLVMOrcLLJITRef?
    try Self.check(LLVMOrcCreateLLJIT(&jit, LLVMOrcCreateLLJITBuilder()))
    guard let jit else { throw DiagnosticError(.bug, "llvm.jit", "LLVM made no JIT") }
    self.jit = jit
    let library = LLVMOrcLLJITGetMainJITDylib(jit)
    var generator: LLVMOrcDefinitionGeneratorRef?
    try Self.check(
      LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&generator, LLVMOrcLLJITGetGlobalPrefix(jit), nil, nil))
    LLVMOrcJITDylibAddGenerator(library, generator)
    try defineRuntime(in: library)
    for object in objects {
      let buffer = object.withUnsafeBytes { bytes in
        LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes.baseAddress, bytes.count, "kernels")
      }
      try Self.check(LLVMOrcLLJITAddObjectFile(jit, library, buffer))
    }
  }

  deinit { LLVMConsumeError(LLVMOrcDisposeLLJIT(jit)) }

  func address(of symbol: String) throws -> UInt {
    var address: LLVMOrcExecutorAddress = 0
    try Self.check(LLVMOrcLLJITLookup(jit, &address, symbol))
    return UInt(address)
  }

  /// The one function of the runtime that kernels call: it notes value and bound of an error, which are not kept here.
  private func defineRuntime(in library: LLVMOrcJITDylibRef?) throws {
    let report: @convention(c) (Int32, Int64, Int64) -> Int32 = { error, _, _ in error }
    let name = LLVMOrcLLJITMangleAndIntern(jit, "sinter_report")
    let address = LLVMOrcExecutorAddress(UInt(bitPattern: unsafeBitCast(report, to: UnsafeRawPointer.self)))
    let flags = LLVMJITSymbolFlags(GenericFlags: 0, TargetFlags: 0)
    var pair = LLVMOrcCSymbolMapPair(Name: name, Sym: LLVMJITEvaluatedSymbol(Address: address, Flags: flags))
    try Self.check(LLVMOrcJITDylibDefine(library, LLVMOrcAbsoluteSymbols(&pair, 1)))
  }

  private static func check(_ error: LLVMErrorRef?) throws {
    guard let error else { return }
    let message = LLVMGetErrorMessage(error)
    defer { LLVMDisposeErrorMessage(message) }
    throw DiagnosticError(.bug, "llvm.jit", message.map { String(cString: $0) } ?? "LLVM's JIT failed")
  }
}
