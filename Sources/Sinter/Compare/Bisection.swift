import SinterCore
import SinterForms
import SinterIR
import SinterLLVM
import SinterPasses

/// Finds the step between a graph as it was read and its library that changes what it computes: a rewrite of a pass, fusion, or what comes behind.
///
/// Rewrites are counted through all passes, and the least number after which results differ is searched by halves. A pass that makes several changes
/// at once is one step. Moves of fusion are counted and searched alike; behind fusion, the first step whose stored result differs is found.
package struct Bisection {
  package enum Culprit: Sendable {
    /// A rewrite by its number from 1, its pass and its rule; lines of the text form that it took away and put in their place.
    case rewrite(number: Int, of: Int, pass: String, rule: String, removed: [String], added: [String])
    /// What fusion did at some point; steps of the fused program that it took away and put in their place.
    case fusion(FusionStep, removed: [String], added: [String])
    /// The forms as the back end wants them stored.
    case preparation
    /// Schedules, kernels or machine code of a step; nil where each step computes what it should once all values are stored.
    case code(KernelCulprit?)
  }

  /// A point between forms as they were lowered and as they are scheduled.
  package enum FusionStep: Sendable {
    /// Bodies were simplified, ahead of the first move.
    case simplification
    /// A move by its number from 1.
    case move(number: Int, of: Int, FusionReport.Move)
    /// Forms of constants alone were computed ahead of time.
    case constants
  }

  /// What fuses a program within limits; tests plant mistakes in it.
  package typealias Fuse = (FormProgram, FusionLimits) -> (program: FormProgram, report: FusionReport)

  package private(set) var culprit: Culprit?
  /// The output that differs most behind the culprit.
  package private(set) var output = ""
  package private(set) var difference: TensorDifference?
  /// How many graphs were run.
  package private(set) var runs = 0

  private let graph: Graph
  private let passes: [Pass]
  private let inputs: [HostTensor]
  private let tolerance: Double?
  private let expected: [HostTensor]

  /// - Parameters:
  ///   - engine: what runs the graphs between passes.
  ///   - backEnd: what the optimized graph is compiled by at last; nil to stop before.
  package init(
    _ graph: Graph, passes: [Pass] = Pipelines.optimize, inputs: [HostTensor], engine: GraphEngine = .interpreted,
    backEnd: (any BackEnd)? = CPUBackEnd(for: .host), tolerance: Double? = nil,
    fuse: @escaping Fuse = { Fusion.fuse($0, limits: $1) }
  ) throws {
    self.graph = graph
    self.passes = passes
    self.inputs = inputs
    self.tolerance = tolerance
    expected = try engine.run(graph, inputs)
    let (optimized, manager) = try optimized(stoppingAfter: nil)
    if try differs(engine.run(optimized, inputs)) {
      culprit = try firstRewrite(upTo: manager.log.count, engine)
      return
    }
    guard let backEnd else { return }
    // From here on beside what the graph means, whatever ran it so far.
    let meant = try GraphEngine.interpreted.run(optimized, inputs)
    var plain = optimized
    // Ports are tensors here, one by one, and nothing is kept from run to run.
    (plain.inputStructures, plain.outputStructures, plain.states) = ([], [], [])
    let lowered = try plain.lowered()
    let (moved, report) = fuse(lowered, backEnd.fusionLimits)
    let fused = ConstantForms.folded(moved)
    if try differs(FormInterpreter(fused).run(inputs), from: meant) {
      culprit = try fusionStep(lowered, fused, upTo: report.moves.count, backEnd.fusionLimits, fuse, meant)
    } else if try differs(FormInterpreter(backEnd.prepared(fused)).run(inputs), from: meant) {
      culprit = .preparation
    } else if try differs(KernelCulprit.compiled(fused, by: backEnd).run(inputs), from: meant) {
      let found = try KernelCulprit(in: fused, by: backEnd, inputs: inputs, tolerance: tolerance)
      runs += found == nil ? 1 : 2
      culprit = .code(found)
    }
  }

  /// The graph after so many rewrites.
  private func optimized(stoppingAfter count: Int?) throws -> (Graph, PassManager) {
    var flags = Flags()
    flags.stopAfter = count
    var manager = PassManager(flags: flags)
    var result = graph
    if count != 0 { try manager.run(passes, on: &result) }
    return (result, manager)
  }

  private mutating func differs(_ results: [HostTensor], from reference: [HostTensor]? = nil) throws -> Bool {
    runs += 1
    let rows = zip(reference ?? expected, results).map { ($0.element, TensorDifference($0, $1)) }
    var worst: Int?
    for (index, (element, found)) in rows.enumerated()
    where found.exceeds(tolerance ?? TensorDifference.tolerance(of: element)) {
      if let other = worst, rows[other].1.relative >= found.relative { continue }
      worst = index
    }
    guard let worst else { return false }
    (output, difference) = (graph.outputs[worst].name, rows[worst].1)
    return true
  }

  private mutating func firstRewrite(upTo count: Int, _ engine: GraphEngine) throws -> Culprit {
    var (good, bad) = (0, count)
    while bad - good > 1 {
      let middle = (good + bad) / 2
      if try differs(engine.run(optimized(stoppingAfter: middle).0, inputs)) { bad = middle } else { good = middle }
    }
    let (before, first) = try optimized(stoppingAfter: good)
    let (after, second) = try optimized(stoppingAfter: bad)
    _ = try differs(engine.run(after, inputs))
    let rules = second.log.countByRule.filter { $0.value > (good == 0 ? 0 : first.log.countByRule[$0.key] ?? 0) }
    let (was, now) = (Self.lines(of: before), Self.lines(of: after))
    let (had, has) = (Set(was), Set(now))
    return .rewrite(
      number: bad, of: count, pass: second.times.last?.name ?? "", rule: rules.keys.sorted().joined(separator: ", "),
      removed: was.filter { !has.contains($0) }, added: now.filter { !had.contains($0) })
  }

  /// The least number of moves of fusion after which results differ, by halves.
  private mutating func fusionStep(
    _ lowered: FormProgram, _ fused: FormProgram, upTo count: Int, _ limits: FusionLimits, _ fuse: Fuse,
    _ meant: [HostTensor]
  ) throws -> Culprit {
    func after(_ moves: Int) -> (program: FormProgram, report: FusionReport) {
      var limits = limits
      limits.moves = moves
      return fuse(lowered, limits)
    }
    func changes(_ before: FormProgram, _ after: FormProgram) -> (removed: [String], added: [String]) {
      let (was, now) = (before.steps.map { before.text(of: $0) }, after.steps.map { after.text(of: $0) })
      let (had, has) = (Set(was), Set(now))
      return (was.filter { !has.contains($0) }, now.filter { !had.contains($0) })
    }
    if try differs(FormInterpreter(after(0).program).run(inputs), from: meant) {
      let (removed, added) = changes(lowered, after(0).program)
      return .fusion(.simplification, removed: removed, added: added)
    }
    let whole = after(count).program
    guard try differs(FormInterpreter(whole).run(inputs), from: meant) else {
      _ = try differs(FormInterpreter(fused).run(inputs), from: meant)
      let (removed, added) = changes(whole, fused)
      return .fusion(.constants, removed: removed, added: added)
    }
    var (good, bad) = (0, count)
    while bad - good > 1 {
      let middle = (good + bad) / 2
      if try differs(FormInterpreter(after(middle).program).run(inputs), from: meant) {
        bad = middle
      } else {
        good = middle
      }
    }
    let (before, now) = (after(good), after(bad))
    _ = try differs(FormInterpreter(now.program).run(inputs), from: meant)
    let (removed, added) = changes(before.program, now.program)
    guard let move = now.report.moves.last else { return .fusion(.simplification, removed: removed, added: added) }
    return .fusion(.move(number: bad, of: count, move), removed: removed, added: added)
  }

  private static func lines(of graph: Graph) -> [String] { graph.order.map { graph.describe($0) } }
}

extension Bisection.Culprit: CustomStringConvertible {
  /// The step in one line, and the lines of text that changed: a dozen of each of a rewrite, forty of forms.
  package var description: String {
    func text(_ title: String, _ removed: [String], _ added: [String], lines limit: Int) -> String {
      func marked(_ texts: [String], _ mark: String) -> [String] {
        texts.flatMap { $0.split(separator: "\n") }.prefix(limit).map { "  \(mark) \($0)" }
      }
      return ([title] + marked(removed, "-") + marked(added, "+")).joined(separator: "\n")
    }
    switch self {
    case .rewrite(let number, let count, let pass, let rule, let removed, let added):
      let title = "rewrite \(number) of \(count) computes something else: pass \(pass), rule \"\(rule)\""
      return text(title, removed, added, lines: 12)
    case .fusion(let step, let removed, let added):
      return text("all passes compute the same; \(step) computes something else", removed, added, lines: 40)
    case .preparation:
      return "all passes and fused forms compute the same; the forms as the back end has them stored do not"
    case .code(let found?):
      return "all passes and fused forms compute the same; the compiled code does not\n\(found)"
    case .code(nil):
      return "all passes and fused forms compute the same; the compiled code does not, unless all values between "
        + "are stored: memory that kernels share, or where they leave their results, is to blame"
    }
  }
}

extension Bisection.FusionStep: CustomStringConvertible {
  package var description: String {
    switch self {
    case .simplification: "the simplification of bodies ahead of fusion"
    case .move(let number, let count, let move): "move \(number) of \(count) of fusion (\(move))"
    case .constants: "what is computed ahead of time of constants alone"
    }
  }
}
