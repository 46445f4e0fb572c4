import SinterCore
import SinterForms
import SinterIR
import SinterKernelIR
import SinterLLVM

/// Holds what compiled code computes at sizes that an operator's examples do not have against what the operator means.
///
/// All sizes of an example's inputs become symbols, as far as the operator takes symbols there, and the whole compiler runs once. Then sizes
/// are drawn: zero, one, equal ones, unequal ones. For each draw the compiled code must give what the operator means where these very
/// numbers are known ahead of time, or refuse them where it refuses the numbers; and touch no memory but its own.
public struct SizeCheck: Sendable {
  /// Sizes drawn for each example, its own ones included.
  public var draws = 16
  /// Other seeds draw other sizes.
  public var seed: UInt64 = 1

  /// Draws `draws` combinations of sizes for each example, the same ones for the same seed.
  public init(draws: Int = 16, seed: UInt64 = 1) {
    self.draws = draws
    self.seed = seed
  }

  /// What came of it.
  public struct Report: Sendable, CustomStringConvertible {
    /// How many examples were tried.
    public var examples = 0
    /// Draws that both sides computed.
    public var answers = 0
    /// Draws that both sides refused.
    public var refusals = 0
    /// Draws of which the operator says that it does not support them.
    public var undecided = 0
    /// Examples that the compiler does not support, with what it says.
    public var unsupported: [String] = []
    /// Sizes that an operator takes as numbers only, with what it says.
    public var kept: [String] = []
    /// What is wrong.
    public var findings: [String] = []

    public init() {}

    /// Adds what another report counts.
    public mutating func add(_ other: Report) {
      examples += other.examples
      answers += other.answers
      refusals += other.refusals
      undecided += other.undecided
      unsupported += other.unsupported
      kept += other.kept
      findings += other.findings
    }

    public var description: String {
      "\(examples) examples, \(answers) answers, \(refusals) refusals, \(undecided) undecided, \(kept.count) sizes kept, "
        + "\(unsupported.count) examples unsupported, \(findings.count) findings"
    }
  }

  /// Checks all examples of an operator.
  public func report(of type: any Operator.Type) -> Report {
    var report = Report()
    for (number, example) in type.examples.enumerated() {
      report.add(self.report(of: example, name: "\(type.name), example \(number)"))
    }
    return report
  }

  /// Checks one example.
  public func report(of example: OperatorExample, name: String) -> Report {
    var report = Report()
    report.examples = 1
    let sizes: SizeExample
    do {
      sizes = try SizeExample(example) { graph in _ = try Self.kernels(of: graph) }
      report.kept = sizes.kept.map { "\(name): \($0)" }
      report.findings = report.kept.filter { $0.contains(Diagnostic.Kind.bug.rawValue) }
    } catch {
      if Self.kind(of: error) == .limit {
        report.unsupported = ["\(name): \(error)"]
      } else {
        report.findings = ["\(name): \(error)"]
      }
      return report
    }
    do {
      try run(sizes, name, &report)
    } catch {
      report.findings.append("\(name): \(error)\n\(sizes.graph)")
    }
    return report
  }

  private func run(_ sizes: SizeExample, _ name: String, _ report: inout Report) throws {
    var generator = CheckGenerator(seed: seed)
    let forms = try sizes.graph.lowered()
    let runner = try KernelRunner(try Self.kernels(of: sizes.graph))
    for (number, shapes) in sizes.shapes(draws, &generator).enumerated() {
      let inputs = sizes.inputs(shapes, &generator)
      let meant = Outcome { try FormInterpreter(try sizes.graph(shapes: shapes).lowered()).run(inputs) }
      if case .error(.limit, _) = meant {
        report.undecided += 1
        continue
      }
      let interpreted = Outcome { try FormInterpreter(forms).run(inputs) }
      let compiled = Outcome { try runner.run(inputs, guarding: MemoryGuard.allCases[number % 2]) }
      let tolerance = sizes.example.op.isDeterministic ? sizes.example.tolerance : .infinity
      for (given, how) in [(interpreted, "with symbols"), (compiled, "compiled")] {
        if let problem = given.problem(against: meant, tolerance: tolerance) {
          report.findings.append("\(name), \(how), inputs \(shapes.compactMap { $0 }): \(problem)")
        }
      }
      if case .values = meant { report.answers += 1 } else { report.refusals += 1 }
    }
  }

  package static func kernels(of graph: Graph) throws -> KernelProgram {
    var flags = Flags.fromEnvironment()
    flags.verify = true
    var compiler = Compiler(flags: flags)
    return try compiler.kernels(of: graph)
  }

  package static func kind(of error: any Error) -> Diagnostic.Kind {
    let kinds = (error as? DiagnosticError)?.diagnostics.map(\.kind) ?? [.bug]
    return kinds.contains(.bug) ? .bug : kinds.contains(.limit) ? .limit : .user
  }
}

/// What a run gave.
package enum Outcome {
  case values([HostTensor])
  case error(Diagnostic.Kind, DiagnosticError)

  package init(_ run: () throws -> [HostTensor]) {
    do {
      self = .values(try run())
    } catch {
      let known = error as? DiagnosticError ?? DiagnosticError(.bug, "check.error", "\(error)")
      self = .error(SizeCheck.kind(of: known), known)
    }
  }

  /// Whether it is an error that data make, such as an index outside of an axis, rather than the sizes of inputs.
  package var isDataError: Bool {
    guard case .error(.user, let error) = self else { return false }
    return error.diagnostics.allSatisfy { ["run.check", "run.sizes.data"].contains($0.id) }
  }

  /// What tells it apart from what it should be; nil where both are answers that agree, or both are errors.
  package func problem(against expected: Outcome, tolerance: Double) -> String? {
    switch (self, expected) {
    case (.error(.bug, let error), _): return "\(error)"
    case (_, .error(.bug, let text)): return "its meaning fails: \(text)"
    case (.error, .error): return nil
    case (.values(let values), .error(_, let text)):
      return "gives \(values.map { "\($0.type)" }) instead of refusing with \"\(text)\""
    case (.error(_, let text), .values): return "refuses what it should compute: \(text)"
    case (.values(let values), .values(let expected)):
      for (index, (a, b)) in zip(values, expected).enumerated() {
        if a.type != b.type { return "output \(index) is \(a.type) instead of \(b.type)" }
        if tolerance == .infinity { continue }
        let difference = a.difference(from: b)
        if difference > tolerance { return "output \(index) differs by \(difference)\(Self.texts(a, b))" }
      }
      return nil
    }
  }

  private static func texts(_ a: HostTensor, _ b: HostTensor) -> String {
    guard a.count <= 12, let x = a.doubles ?? a.integers?.map({ Double($0) }),
      let y = b.doubles ?? b.integers?.map({ Double($0) })
    else { return "" }
    return ": \(x) instead of \(y)"
  }
}

/// Throws what `SizeCheck` finds. For users' tests of their own operators:
///
///     @Test func anySizes() throws { try checkSizes(of: MyOperator.self) }
public func checkSizes(of type: any Operator.Type, draws: Int = 64, seed: UInt64 = 1) throws {
  let report = SizeCheck(draws: draws, seed: seed).report(of: type)
  if report.findings.isEmpty { return }
  throw DiagnosticError(report.findings.map { Diagnostic(.bug, "check.sizes", $0) })
}
