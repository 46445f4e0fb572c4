import Sinter
import SinterCore
import SinterForms
import SinterIR
import SinterKernelIR
import SinterLLVM
import Testing

/// What `sinter diff --bisect` finds behind the passes: in fusion, schedules and machine code, by mistakes that are planted there.
@Suite struct BisectionTests {
  private static let mistaken = "third"

  /// A program in which a product forgets what it does to its sums.
  private static func withoutEpilogue(_ program: FormProgram, of value: FormValueID) -> FormProgram {
    func changed(_ form: Form, _ id: FormValueID) -> Form {
      guard id == value else { return form }
      var form = form
      form.epilogue = nil
      return form
    }
    var result = program
    result.steps = program.steps.map { step in
      switch step {
      case .compute(let id, let form): return .compute(id, changed(form, id))
      case .rows(var group):
        group.members = group.members.map { .init(value: $0.value, form: changed($0.form, $0.value)) }
        return .rows(group)
      case .repetition, .branch, .define, .require: return step
      }
    }
    return result
  }

  /// The moves that fusion makes of the tests' network, as the search counts them.
  private static func moves() throws -> [FusionReport.Move] {
    var compiler = Compiler()
    let program = try compiler.lower(compiler.optimize(CompareTests.graph()))
    return Fusion.fuse(program).report.moves
  }

  @Test func findsTheMoveOfFusion() throws {
    let moves = try Self.moves()
    let epilogues = moves.filter { $0.kind == .epilogue }
    #expect(epilogues.count >= 2, "\(moves)")
    for planted in epilogues {
      let target = try #require(planted.values.last)
      func fuse(_ program: FormProgram, _ limits: FusionLimits) -> (program: FormProgram, report: FusionReport) {
        let (fused, report) = Fusion.fuse(program, limits: limits)
        let isMade = report.moves.contains { $0.kind == .epilogue && $0.values == planted.values }
        return (isMade ? Self.withoutEpilogue(fused, of: target) : fused, report)
      }
      let found = try Bisection(CompareTests.graph(), inputs: CompareTests.inputs, fuse: fuse)
      guard case .fusion(.move(let number, let count, let move), let removed, let added)? = found.culprit else {
        Issue.record("found \(String(describing: found.culprit))")
        continue
      }
      #expect(count == moves.count && moves[number - 1].values == planted.values)
      #expect(move.kind == .epilogue && move.values == planted.values)
      #expect(removed.contains { $0.contains("contract") } && added.contains { $0.contains("contract") })
      #expect((found.difference?.relative ?? 0) > 1e-3)
      #expect("\(try #require(found.culprit))".contains("move \(number) of \(count) of fusion"))
    }
  }

  @Test func findsWhatFusionDoesAheadOfItsMoves() throws {
    let target = try #require(Self.moves().last { $0.kind == .epilogue }?.values.last)
    // The work that is an epilogue later is an element form yet.
    func fuse(_ program: FormProgram, _ limits: FusionLimits) -> (program: FormProgram, report: FusionReport) {
      var wrong = program
      for (place, step) in program.steps.enumerated() {
        guard case .compute(target, .element(var form)) = step else { continue }
        let builder = BodyBuilder { program.values[$0].type.element }
        let axes = program.values[target].type.shape.indices.map { builder.axis($0) }
        let result = builder.inline(form.body, axes: axes)[0]
        form.body = builder.body([result + result])
        wrong.steps[place] = .compute(target, .element(form))
      }
      return Fusion.fuse(wrong, limits: limits)
    }
    let found = try Bisection(CompareTests.graph(), inputs: CompareTests.inputs, fuse: fuse)
    guard case .fusion(.simplification, _, let added)? = found.culprit else {
      Issue.record("found \(String(describing: found.culprit))")
      return
    }
    let told = "\(try #require(found.culprit))"
    #expect(!added.isEmpty && told.contains("simplification"))
  }

  /// Any number of moves leaves a program that is right, and the first of them are always the same.
  @Test func everyNumberOfMovesComputesTheSame() throws {
    var compiler = Compiler()
    let program = try compiler.lower(compiler.optimize(CompareTests.graph()))
    let all = Fusion.fuse(program).report.moves
    let expected = try FormInterpreter(program).run(CompareTests.inputs)
    for count in 0...all.count {
      var limits = FusionLimits()
      limits.moves = count
      let (fused, report) = Fusion.fuse(program, limits: limits)
      #expect(report.moves.map(\.description) == all.prefix(count).map(\.description))
      #expect(FormVerifier.check(fused).map(\.message) == [], "\(count) moves")
      for (a, b) in zip(expected, try FormInterpreter(fused).run(CompareTests.inputs)) {
        #expect(!TensorDifference(a, b).exceeds(1e-6), "\(count) moves")
      }
    }
  }

  // MARK: Behind fusion

  /// Processors, with mistakes.
  private struct WrongBackEnd: BackEnd {
    let inner = CPUBackEnd(for: .host)
    /// The value whose schedule forgets its epilogue.
    var forgotten: FormValueID?
    /// A part of the names of constants that code has as zeros.
    var zeroed: String?

    var description: String { inner.description }
    var fusionLimits: FusionLimits { inner.fusionLimits }
    func prepared(_ program: FormProgram) -> FormProgram { inner.prepared(program) }
    func tuned(
      for program: FormProgram, progress: ProgressListener?
    ) throws -> (backEnd: any BackEnd, summary: Tuner.Summary) { try inner.tuned(for: program, progress: progress) }
    func schedule(_ program: FormProgram) throws -> KernelProgram {
      try inner.schedule(forgotten.map { BisectionTests.withoutEpilogue(program, of: $0) } ?? program)
    }
    func emit(_ program: KernelProgram, to path: String, options: LibraryOptions) throws -> LibraryArtifacts {
      var program = program
      for id in program.buffers.indices {
        guard let zeroed, program.buffers[id].name.contains(zeroed),
          case .constant(let tensor) = program.buffers[id].storage
        else { continue }
        let zeros = [Double](repeating: 0, count: tensor.count)
        program.buffers[id].storage = .constant(HostTensor(tensor.element, tensor.shape, doubles: zeros))
      }
      return try inner.emit(program, to: path, options: options)
    }
  }

  @Test func findsTheStepAndItsSchedule() throws {
    let target = try #require(Self.moves().first { $0.kind == .epilogue }?.values.last)
    let found = try Bisection(
      CompareTests.graph(), inputs: CompareTests.inputs, backEnd: WrongBackEnd(forgotten: target))
    guard case .code(let culprit?)? = found.culprit else {
      Issue.record("found \(String(describing: found.culprit))")
      return
    }
    #expect(culprit.stage == .schedule && culprit.step.contains("\(target)") && !culprit.kernels.isEmpty)
    #expect(culprit.step.contains("epilogue") && culprit.difference.relative > 1e-3, "\(culprit)")
  }

  @Test func findsTheStepAndItsMachineCode() throws {
    let found = try Bisection(
      CompareTests.graph(), inputs: CompareTests.inputs, backEnd: WrongBackEnd(zeroed: Self.mistaken))
    guard case .code(let culprit?)? = found.culprit else {
      Issue.record("found \(String(describing: found.culprit))")
      return
    }
    #expect(culprit.stage == .machineCode && culprit.step.contains("contract"), "\(culprit)")
    #expect("\(try #require(found.culprit))".contains("machine code"))
  }

  @Test func aRightBackEndHasNoCulprit() throws {
    let found = try Bisection(CompareTests.graph(), inputs: CompareTests.inputs, backEnd: WrongBackEnd())
    #expect(found.culprit == nil)
    var compiler = Compiler()
    let fused = try compiler.fuse(compiler.lower(compiler.optimize(CompareTests.graph())))
    #expect(try KernelCulprit(in: fused, by: CPUBackEnd(for: .host), inputs: CompareTests.inputs) == nil)
  }
}
