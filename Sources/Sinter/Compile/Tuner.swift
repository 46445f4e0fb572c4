import SinterCPU
import SinterCore
import SinterForms
import SinterKernelIR
import SinterLLVM

/// Finds the fastest schedule of each product and convolution of a program by running it.
///
/// Each form is compiled alone, once for each of its candidates, and timed on one thread on numbers made up for it. Forms that come to the same
/// kernels are measured once. What the cost model would have taken stays unless another is clearly faster.
package struct Tuner {
  /// What tuning did.
  package struct Summary: Sendable {
    /// Different products and convolutions; those for which another schedule than the model's was taken.
    package var measured = 0, changed = 0
    /// Seconds that one run of all of them takes, as the model schedules them and as tuned.
    package var before = 0.0, after = 0.0
  }

  /// What a size counts for that is known only at run time.
  package static let typicalSize = 64

  private static let secondsEach = 0.02
  /// Another schedule has to be so much faster than the model's: measurements are not exact.
  private static let advantage = 0.97

  private let target: Target
  private let options: ScheduleOptions
  /// Hears how many products and convolutions are measured.
  private let progress: ProgressListener?
  package private(set) var summary = Summary()
  /// What was found, by the kernels that the model schedules.
  private var found: [[Kernel]: ScheduleChoice?] = [:]

  /// Throws where this machine cannot run what the target's kernels are made of.
  package init(for target: Target, options: ScheduleOptions = ScheduleOptions(), progress: ProgressListener? = nil)
    throws
  {
    guard target.architecture == .host else {
      throw DiagnosticError(
        .user, "tune.target", "tuning measures on this machine, which runs nothing for \(target.architecture.name)",
        hint: "compile without --tune")
    }
    let missing = Set(target.requiredFeatures).subtracting(Target.host.requiredFeatures)
    guard missing.isEmpty else {
      throw DiagnosticError(
        .user, "tune.target",
        "tuning measures on this machine, which lacks \(missing.sorted().joined(separator: ", ")) of \(target.name)",
        hint: "compile without --tune, or on a machine that has them")
    }
    self.target = target
    self.options = options
    self.progress = progress
  }

  /// The choices for all values whose schedules should not be the model's.
  package mutating func choices(for program: FormProgram) throws -> [FormValueID: ScheduleChoice] {
    var result: [FormValueID: ScheduleChoice] = [:]
    var (seen, total) = (0, 0)
    func count(_ steps: [FormProgram.Step]) {
      for step in steps {
        switch step {
        case .compute: total += 1
        case .repetition(let repetition): count(repetition.body)
        case .branch(let branch): count(branch.then + branch.otherwise)
        case .rows, .define, .require: break
        }
      }
    }
    count(program.steps)
    func visit(_ steps: [FormProgram.Step], _ tuner: inout Tuner) throws {
      for step in steps {
        switch step {
        case .compute(let value, let form):
          result[value] = try tuner.choice(for: form, computing: value, in: program)
          seen += 1
          tuner.progress?(seen, total)
        case .repetition(let repetition): try visit(repetition.body, &tuner)
        case .branch(let branch): try visit(branch.then + branch.otherwise, &tuner)
        case .rows, .define, .require: break
        }
      }
    }
    try visit(program.steps, &self)
    return result
  }

  private mutating func choice(
    for form: Form, computing value: FormValueID, in program: FormProgram
  ) throws -> ScheduleChoice? {
    let candidates = ScheduleChoice.candidates(
      for: form, result: program.values[value].type, type: { program.values[$0].type }, machine: target.machine
    ).filter { self.options.usesWinograd || !$0.isWinograd }
    guard candidates.count > 1 else { return nil }
    let alone = program.alone(form, computing: value)
    var options = self.options
    options.choices = [:]
    let model = try Scheduler.schedule(alone, for: target.machine, options: options)
    let key = model.kernels.elements
    if let known = found[key] { return known }
    let inputs = alone.inputs.map { input in
      let type = alone.values[input.value].type
      return HostTensor(
        type.element, type.shape.map { $0.evaluated { _ in Self.typicalSize } ?? Self.typicalSize }, seed: 1)
    }
    let before = try seconds(model, inputs)
    var best: (seconds: Double, choice: ScheduleChoice?) = (before, nil)
    var tried: Set<[Kernel]> = [key]
    for candidate in candidates {
      options.choices = [value: candidate]
      let program = try Scheduler.schedule(alone, for: target.machine, options: options)
      guard tried.insert(program.kernels.elements).inserted else { continue }
      let time = try seconds(program, inputs)
      if time < best.seconds, time < before * Self.advantage { best = (time, candidate) }
    }
    summary.measured += 1
    summary.changed += best.choice == nil ? 0 : 1
    summary.before += before
    summary.after += best.seconds
    found[key] = best.choice
    return best.choice
  }

  /// The fastest of several runs.
  private func seconds(_ program: KernelProgram, _ inputs: [HostTensor]) throws -> Double {
    var program = program
    MemoryPlanner.plan(&program)
    let runner = try KernelRunner(program, target: target)
    func best(of iterations: Int) throws -> Double {
      try runner.profile(inputs, iterations: iterations).reduce(0) { $0 + $1.seconds }
    }
    let first = try best(of: 2)
    return try best(of: Swift.min(200, Swift.max(3, Int(Self.secondsEach / Swift.max(first, 1e-7)))))
  }
}

extension FormProgram {
  /// A program of one form: what it reads comes in, and what it computes goes out.
  fileprivate func alone(_ form: Form, computing value: FormValueID) -> FormProgram {
    var program = FormProgram(name: "tune")
    program.values = values
    program.errors = errors
    program.ranges = ranges
    program.inputs = form.operands.filter { values[$0].constant == nil }.map {
      .init(value: $0, name: "x\($0.rawValue)")
    }
    program.outputs = [.init(value: value, name: "y")]
    program.steps = [.compute(value, form)]
    return program
  }
}

extension HostTensor {
  /// Numbers made up from a seed: floats between -1 and 1, zeros of other types.
  fileprivate init(_ element: ElementType, _ shape: [Int], seed: UInt64) {
    let count = shape.reduce(1, *)
    guard element.isFloat else {
      self.init(element, shape, integers: [Int64](repeating: 0, count: count))
      return
    }
    var state = seed
    self.init(
      element, shape,
      doubles: (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(Int64(bitPattern: state) >> 40) / Double(1 << 23)
      })
  }
}
