import SinterCPU
import SinterCore
import SinterForms
import SinterKernelIR
import SinterLLVM

/// A kind of machine that models are compiled for: all that the compiler asks of it, in the order in which it asks.
///
/// The processor is the one there is. Another kind is another type here; neither forms nor fusion nor `Compiler` know which it is.
package protocol BackEnd: Sendable {
  /// What a library says it was built for.
  var description: String { get }
  /// How far fusion goes.
  var fusionLimits: FusionLimits { get }
  /// The fused forms as this kind of machine wants them stored: the same results, bit by bit, unless its options allow operands to be rounded.
  func prepared(_ program: FormProgram) -> FormProgram
  /// The same back end with what measuring the forms of a program has taught it; throws where this machine cannot run what it makes.
  /// The listener hears how many forms are measured.
  func tuned(
    for program: FormProgram, progress: ProgressListener?
  ) throws -> (backEnd: any BackEnd, summary: Tuner.Summary)
  /// Kernels and the order of their calls. Throws all that no schedule serves.
  func schedule(_ program: FormProgram) throws -> KernelProgram
  /// Writes a program as the options ask: a library, an object file, a listing.
  func emit(_ program: KernelProgram, to path: String, options: LibraryOptions) throws -> LibraryArtifacts
}

/// Processors, through LLVM.
package struct CPUBackEnd: BackEnd {
  package var target: Target
  package var options: ScheduleOptions

  package init(for target: Target, options: ScheduleOptions = ScheduleOptions()) {
    self.target = target
    self.options = options
  }

  package var description: String { target.description }

  package var fusionLimits: FusionLimits { FusionLimits() }

  package func prepared(_ program: FormProgram) -> FormProgram {
    BfloatOperands.applied(
      to: WideStorage.applied(to: ByteTables.applied(to: program.numberingTexts()), machine: target.machine),
      machine: target.machine, options: options)
  }

  package func tuned(
    for program: FormProgram, progress: ProgressListener?
  ) throws -> (backEnd: any BackEnd, summary: Tuner.Summary) {
    var tuner = try Tuner(for: target, options: options, progress: progress)
    var tuned = self
    tuned.options.choices = try tuner.choices(for: program)
    return (tuned, tuner.summary)
  }

  package func schedule(_ program: FormProgram) throws -> KernelProgram {
    try Scheduler.schedule(program, for: target.machine, options: options)
  }

  package func emit(_ program: KernelProgram, to path: String, options: LibraryOptions) throws -> LibraryArtifacts {
    try LibraryCompiler.compile([LibraryVariant(target: target, program: program)], to: path, options: options)
  }
}
