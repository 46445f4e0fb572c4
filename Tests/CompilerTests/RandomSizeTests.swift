import Glibc
import Sinter
import SinterCore
import SinterForms
import SinterIR
import SinterLLVM
import Synchronization
import TestSupport
import Testing

/// Random graphs at random sizes: what is compiled gives what the graph means, or both refuse. `make fuzz-sizes` runs it for long.
@Suite struct RandomSizeTests {
  @Test func randomGraphsComputeOrRefuseAnySizes() async {
    let run = SizeFuzz(Flags.fromEnvironment(), usual: 24)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) {
        group.addTask {
          while let seed = run.nextSeed() {
            let mine = SizeTally.check(seed: seed)
            for finding in mine.findings { Issue.record("\(finding)") }
            run.add(mine)
          }
        }
      }
    }
    print(run.closingLine)
  }
}

/// Graphs until a number of them, or a time, is reached.
private final class SizeFuzz: Sendable {
  private let start = ContinuousClock.now
  private let seconds: Int?
  private let seeds: Range<Int>
  private let state: Mutex<(next: Int, tally: SizeTally)>

  init(_ flags: Flags, usual: Int) {
    seconds = flags.fuzzSeconds
    let first = flags.fuzzSeed ?? 1
    seeds = first..<(first + (flags.fuzz ?? (seconds == nil ? usual : 1 << 40)))
    state = Mutex((first, SizeTally()))
  }

  private var elapsed: Double { (ContinuousClock.now - start) / .seconds(1) }

  func nextSeed() -> Int? {
    if let seconds, elapsed > Double(seconds) { return nil }
    return state.withLock { state in
      defer { state.next += 1 }
      return seeds.contains(state.next) ? state.next : nil
    }
  }

  func add(_ tally: SizeTally) { state.withLock { $0.tally.add(tally) } }

  var closingLine: String {
    let all = state.withLock { $0.tally }
    return
      "fuzz-sizes: \(all.graphs) graphs, \(all.runs) runs, \(all.answers) agreed answers, \(all.refusals) agreed errors, "
      + "\(all.unneeded) errors of unneeded values, \(all.unsupported) graphs unsupported, \(Int(elapsed.rounded())) seconds, \(all.findings.count) findings"
  }
}

/// What came of some graphs.
struct SizeTally: Sendable {
  var graphs = 0, unsupported = 0, runs = 0, answers = 0, refusals = 0, unneeded = 0
  var findings: [String] = []

  mutating func add(_ other: SizeTally) {
    graphs += other.graphs
    unsupported += other.unsupported
    runs += other.runs
    answers += other.answers
    refusals += other.refusals
    unneeded += other.unneeded
    findings += other.findings
  }

  private static let runsPerGraph = 10
  /// More elements than this in one value are not waited for.
  private static let largest = 1 << 14

  static func check(seed: Int) -> SizeTally {
    var tally = SizeTally()
    tally.graphs = 1
    do {
      let graph = try RandomSizeGraph.make(seed: UInt64(seed), steps: 14)
      do {
        try CrashNote.during("random sizes, seed \(seed):\n\(graph)") { try tally.run(graph, seed) }
      } catch {
        tally.findings.append("seed \(seed): \(error)\n\(graph)")
      }
    } catch {
      tally.findings.append("seed \(seed): no graph: \(error)")
    }
    return tally
  }

  private mutating func run(_ graph: Graph, _ seed: Int) throws {
    let forms: FormProgram
    do {
      forms = try graph.lowered()
    } catch {
      if SizeCheck.kind(of: error) == .bug { throw error }
      // Also what is refused at once, since it fits no sizes.
      return unsupported = 1
    }
    let compiled: Result<KernelRunner, any Error>
    do {
      compiled = .success(try KernelRunner(SizeCheck.kernels(of: graph)))
    } catch {
      // What cannot fit any sizes may be refused at once.
      compiled = .failure(error)
      if SizeCheck.kind(of: error) == .bug { throw error }
      if SizeCheck.kind(of: error) == .limit { return unsupported = 1 }
    }
    var generator = SeededGenerator(seed: UInt64(seed))
    for run in 0..<Self.runsPerGraph {
      let inputs = graph.inputsOfRandomSizes(&generator)
      let meant = Outcome { try FormInterpreter(forms, largest: Self.largest).run(inputs) }
      if case .error(.limit, _) = meant { continue }
      let given = Outcome { try compiled.get().run(inputs, guarding: MemoryGuard.allCases[run % 2]) }
      runs += 1
      // What no output needs is not computed, and so does not fail.
      if meant.isDataError, case .values = given {
        unneeded += 1
        continue
      }
      if let problem = given.problem(against: meant, tolerance: 1e-3) {
        findings.append("seed \(seed), inputs \(inputs.map(\.shape)): \(problem)\n\(graph)")
        return
      }
      if case .values = meant { answers += 1 } else { refusals += 1 }
    }
  }
}
