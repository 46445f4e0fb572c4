import SinterCPU
import SinterCore
import SinterForms
import SinterIR
import SinterKernelIR
import SinterLLVM
import SinterPasses

/// From a graph to kernels, one stage after another.
///
/// Each stage takes a value and gives a value; `kernels(of:)` is all of them in order. The flags say what is checked, written down and
/// timed on the way.
package struct Compiler {
  /// What one stage took.
  package struct Stage: Sendable {
    package var name: String
    package var milliseconds: Double
  }

  package var backEnd: any BackEnd
  package var flags: Flags
  /// Measures products and convolutions on this machine in several schedules, and takes the fastest of each. Sizes that are symbols are
  /// measured at `Tuner.typicalSize`. Two compilations may then differ.
  package var tunes = false
  /// Hears how far tuning is.
  package var tuningProgress: ProgressListener?
  /// What tuning gained, once it was done.
  package private(set) var tuning: Tuner.Summary?
  package private(set) var stages: [Stage] = []
  /// What the passes changed, by rule.
  package private(set) var rewrites = RewriteLog()
  /// What fusion decided.
  package private(set) var fusion = FusionReport()
  private var dumps: StageDumps

  package init(
    for target: Target = .host, flags: Flags = .fromEnvironment(), scheduling: ScheduleOptions = ScheduleOptions()
  ) {
    backEnd = CPUBackEnd(for: target, options: scheduling)
    self.flags = flags
    dumps = StageDumps(directory: flags.dumpDirectory)
  }

  /// All stages.
  package mutating func kernels(of graph: Graph) throws -> KernelProgram {
    let optimized = try optimize(graph)
    let forms = try lower(optimized)
    var program = try schedule(try fuse(forms))
    let notes = Dictionary(graph.outputs.map { ($0.name, $0.note) }) { first, _ in first }
    for index in program.outputs.indices { program.outputs[index].note = notes[program.outputs[index].name] ?? "" }
    program.inputStructures = graph.inputStructures
    program.outputStructures = graph.outputStructures
    program.states = graph.states
    program.flushesSubnormals = graph.flushesSubnormals
    program.findStatesInPlace()
    return program
  }

  /// The graph after all passes, or after given ones.
  package mutating func optimize(_ graph: Graph, with passes: [Pass] = Pipelines.optimize) throws -> Graph {
    if flags.verify { try GraphVerifier.verify(graph) }
    try dumps.write(graph.description, as: "input", suffix: "sinter")
    var manager = PassManager(flags: flags, dumps: dumps)
    var result = graph
    try manager.run(passes, on: &result)
    for (name, milliseconds) in manager.times { note(name, milliseconds) }
    rewrites = manager.log
    dumps = manager.dumps
    return result
  }

  /// The graph's loop forms, not fused.
  package mutating func lower(_ graph: Graph) throws -> FormProgram {
    let program = try stage("lower") { try graph.lowered() }
    try check(program, after: "lower")
    return program
  }

  /// The same computation with fewer stored values and nothing left that constants determine; the report says what was decided about each.
  package mutating func fuse(_ program: FormProgram) throws -> FormProgram {
    let limits = backEnd.fusionLimits
    let (moved, report) = try stage("fuse") { Fusion.fuse(program, limits: limits) }
    let fused = try stage("fold") { ConstantForms.folded(moved) }
    fusion = report
    try dumps.write(report.description + "\n", as: "fuse", suffix: "report")
    try check(fused, after: "fuse")
    return fused
  }

  /// Kernels for the target's machine.
  package mutating func schedule(_ program: FormProgram) throws -> KernelProgram {
    var backEnd = backEnd
    let program = try stage("prepare") { backEnd.prepared(program) }
    try check(program, after: "prepare")
    if tunes {
      let listener = tuningProgress
      let (tuned, summary) = try stage("tune") { try backEnd.tuned(for: program, progress: listener) }
      (backEnd, tuning) = (tuned, summary)
    }
    var kernels = try stage("schedule") { try backEnd.schedule(program) }
    if flags.verify { try KernelVerifier.verify(kernels) }
    try stage("plan") { MemoryPlanner.plan(&kernels) }
    return kernels
  }

  /// Writes and verifies forms where the flags ask for it.
  private mutating func check(_ program: FormProgram, after stage: String) throws {
    try dumps.write(program.description, as: stage, suffix: "forms")
    guard flags.verify else { return }
    let problems = FormVerifier.check(program)
    if !problems.isEmpty { throw DiagnosticError(problems).located(at: "after stage \(stage)") }
  }

  /// Runs and times a stage.
  private mutating func stage<R>(_ name: String, _ run: () throws -> R) throws -> R {
    let clock = ContinuousClock()
    let start = clock.now
    defer { note(name, (clock.now - start).milliseconds) }
    do {
      return try run()
    } catch let error as DiagnosticError {
      throw error.diagnostics.contains { $0.kind == .bug } ? error.located(at: "stage \(name)") : error
    }
  }

  private mutating func note(_ name: String, _ milliseconds: Double) {
    stages.append(Stage(name: name, milliseconds: milliseconds))
    guard flags.time else { return }
    let tenths = Int((milliseconds * 10).rounded())
    StandardError.write("\(tenths / 10).\(tenths % 10) ms  \(name)\n")
  }
}
