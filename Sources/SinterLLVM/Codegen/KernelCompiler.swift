import SinterCore
import SinterKernelIR

/// Compiles the kernels of a program, several modules at once.
package struct KernelCompiler {
  package let target: Target
  /// How many threads compile.
  package var threads: Int
  /// Kernels that share a module: enough to make up for what a module costs, few enough to keep all threads busy. It
  /// does not depend on the number of threads, since the bytes of a library must not.
  private static let kernelsPerModule = 4
  /// Tells programs for several processors in one library apart.
  package var variant = 0
  /// Hears how many modules are done.
  package var progress: ProgressListener?

  package init(target: Target, threads: Int) {
    self.target = target
    self.threads = max(1, threads)
  }

  /// The name of a kernel's function: unique in the program, and telling.
  package static func symbol(_ id: KernelID, _ kernel: Kernel, variant: Int = 0) -> String {
    let prefix = variant == 0 ? "sinter_k" : "sinter_v\(variant)_k"
    return "\(prefix)\(id.rawValue)_\(CIdentifier.make(kernel.name))"
  }

  /// The kernels as relocatable objects, in order.
  package func objects(_ program: KernelProgram) throws -> [[UInt8]] {
    try modules(program) { generator, ir in try generator.object(ir) }
  }

  /// The kernels as assembly, or as LLVM's text after its passes.
  package func listing(_ program: KernelProgram, asAssembly: Bool) throws -> [String] {
    try modules(program) { generator, ir in asAssembly ? try generator.assembly(ir) : ir.text }
  }

  private func modules<R: Sendable>(
    _ program: KernelProgram, _ finish: @Sendable @escaping (CodeGenerator, IRModule) throws -> R
  ) throws -> [R] {
    let alone = program.unsharedParameters()
    let groups = stride(from: 0, to: program.kernels.count, by: Self.kernelsPerModule).map {
      $0..<min($0 + Self.kernelsPerModule, program.kernels.count)
    }
    let (target, variant) = (target, variant)
    return try concurrentMap(groups, threads: threads, progress: progress) { group in
      let ir = IRModule(name: "kernels\(group.lowerBound)", target: target)
      for index in group {
        let id = KernelID(index)
        let kernel = program.kernels[id]
        try KernelEmitter.emit(
          kernel, symbol: Self.symbol(id, kernel, variant: variant), isAlone: alone[index], into: ir)
      }
      let generator = try CodeGenerator(target: target)
      try generator.verify(ir)
      try generator.optimize(ir)
      return try finish(generator, ir)
    }
  }
}

extension KernelProgram {
  /// For each kernel, whether each of its parameters overlaps no other in any call where one of the two is written.
  func unsharedParameters() -> [[Bool]] {
    var alone = kernels.elements.map { Array(repeating: true, count: $0.parameters.count) }
    func visit(_ steps: [Step]) {
      for step in steps {
        switch step {
        case .call(let call):
          let kernel = kernels[call.kernel]
          for a in call.buffers.indices {
            for b in call.buffers.indices where a < b {
              let isWritten = kernel.parameters[a].access != .read || kernel.parameters[b].access != .read
              if isWritten, mayOverlap(call.buffers[a].buffer, call.buffers[b].buffer) {
                alone[call.kernel.position][a] = false
                alone[call.kernel.position][b] = false
              }
            }
          }
        case .invoke, .loop, .branch, .define, .require, .reserve, .grow, .output: step.parts.forEach(visit)
        }
      }
    }
    visit(steps)
    return alone
  }

  /// Different buffers share memory only where the memory plan put them at overlapping places, or where a state is written over.
  private func mayOverlap(_ a: BufferID, _ b: BufferID) -> Bool {
    if a == b || isStateInPlace(a, b) || isStateInPlace(b, a) { return true }
    guard case .arena = buffers[a].storage, case .arena = buffers[b].storage else { return false }
    guard let x = buffers[a].offset, let y = buffers[b].offset, let xCount = buffers[a].count.value,
      let yCount = buffers[b].count.value
    else { return false }
    return x < y + buffers[b].element.byteCount(yCount) && y < x + buffers[a].element.byteCount(xCount)
  }
}
