import SinterCore
import SinterForms
import SinterIR
import SinterLLVM
import SinterPasses

/// Finds the step between a graph as it was read and its library that changes what it computes: a rewrite of a pass, fusion, or what comes behind.
///
/// Rewrites are counted through all passes, and the least number after which results differ is searched by halves. A pass that makes several changes
/// at once is one step.
package struct Bisection {
  package enum Culprit: Sendable {
    /// A rewrite by its number from 1, its pass and its rule; lines of the text form that it took away and put in their place.
    case rewrite(number: Int, of: Int, pass: String, rule: String, removed: [String], added: [String])
    case fusion
    /// Schedules, kernels or machine code.
    case code
  }

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
  ///   - target: what the optimized graph is compiled for at last; nil to stop before.
  package init(
    _ graph: Graph, passes: [Pass] = Pipelines.optimize, inputs: [HostTensor], engine: GraphEngine = .interpreted,
    target: Target? = .host, tolerance: Double? = nil
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
    guard let target else { return }
    // From here on beside what the graph means, whatever ran it so far.
    let meant = try GraphEngine.interpreted.run(optimized, inputs)
    if try differs(GraphEngine.fused.run(optimized, inputs), from: meant) {
      culprit = .fusion
    } else if try differs(GraphEngine.compiled(target).run(optimized, inputs), from: meant) {
      culprit = .code
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

  private static func lines(of graph: Graph) -> [String] { graph.order.map { graph.describe($0) } }
}

extension Bisection.Culprit: CustomStringConvertible {
  /// The step in one line, and of a rewrite the lines of text that changed, a dozen of each at most.
  package var description: String {
    switch self {
    case .rewrite(let number, let count, let pass, let rule, let removed, let added):
      let title = "rewrite \(number) of \(count) computes something else: pass \(pass), rule \"\(rule)\""
      let lines = removed.prefix(12).map { "  - \($0)" } + added.prefix(12).map { "  + \($0)" }
      return ([title] + lines).joined(separator: "\n")
    case .fusion: return "all passes compute the same; fused forms do not"
    case .code: return "all passes and fused forms compute the same; the compiled code does not"
    }
  }
}
