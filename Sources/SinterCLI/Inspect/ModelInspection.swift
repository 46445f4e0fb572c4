import Foundation
import Sinter
import SinterCPU
import SinterIR
import SinterKernelIR

/// What a model holds, and what its kernels will do.
struct ModelInspection: Encodable {
  struct Operator: Encodable {
    var name: String
    var count: Int
  }
  struct Constants: Encodable {
    var elements = 0
    var bytes = 0
  }
  /// What is known of a model that compiles.
  struct Program: Encodable {
    /// Of one run: a number, or an expression of sizes.
    var flops: PortInspection.Size
    var kernels: Int
    var calls: Int
    /// Between kernels; nil where sizes decide.
    var arenaBytes: Int?
    var target: String
  }

  var model: String
  /// Versions by domain; that of ONNX itself is `ai.onnx`.
  var opsets: [String: Int]
  var inputs: [PortInspection]
  var outputs: [PortInspection]
  /// What a library of it keeps from run to run.
  var states: [PortInspection]
  /// What must hold of sizes, as sentences.
  var obligations: [String]
  var nodes: Int
  /// The most frequent first.
  var operators: [Operator]
  var constants = Constants()
  var program: Program?
  /// For how many reasons the model does not compile.
  var problems: Int?

  /// - Parameter importProblems: how many there were when the graph was read.
  init(_ graph: Graph, importProblems: Int = 0) throws {
    model = graph.name
    opsets = Dictionary(graph.opsets.map { ($0.key.isEmpty ? "ai.onnx" : $0.key, $0.value) }) { first, _ in first }
    let (inputTypes, outputTypes) = (
      graph.inputs.map { graph.type(of: $0) }, graph.outputs.map { graph.type(of: $0.value) }
    )
    inputs = graph.callerInputs.map { PortInspection($0, inputTypes) }
    outputs = graph.callerOutputs.map { PortInspection($0, outputTypes) }
    states = graph.states.map { state in
      PortInspection(.tensor(graph.inputs[state.input].name, at: state.input), inputTypes)
    }
    obligations = graph.obligations.map(\.explained)
    nodes = graph.order.count
    var counts: [String: Int] = [:]
    var used: Set<ValueID> = []
    for id in graph.order {
      let node = graph.nodes[id]
      counts[node.op.onnxNode(graph.inputs(of: id))?.opType ?? type(of: node.op).name, default: 0] += 1
      for case let input? in node.inputs where graph.constant(input) != nil { used.insert(input) }
    }
    operators = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map {
      Operator(name: $0.key, count: $0.value)
    }
    for constant in used.compactMap({ graph.constant($0) }) {
      constants.elements += constant.count
      constants.bytes += constant.bytes.count
    }
    if importProblems > 0 {
      problems = importProblems
      return
    }
    var compiler = Compiler()
    do {
      program = Self.program(try compiler.kernels(of: graph), target: compiler.backEnd.description)
      // What the model asks for, not what a transform makes of it.
      var plain = Compiler(scheduling: ScheduleOptions(usesWinograd: false))
      program?.flops = Self.program(try plain.kernels(of: graph), target: "").flops
    } catch let error as DiagnosticError {
      problems = error.diagnostics.count
    }
  }

  private static func program(_ program: KernelProgram, target: String) -> Program {
    var flops = Dim(0)
    var calls = 0
    func add(_ steps: [KernelProgram.Step], times: Dim) {
      for step in steps {
        switch step {
        case .call(let call):
          flops = flops + call.flops * times
          calls += 1
        case .loop(_, let count, _, let body): add(body, times: times * count)
        case .branch(_, let then, let otherwise): add(then + otherwise, times: times)
        case .invoke: calls += 1
        case .define, .require, .reserve, .grow, .output: break
        }
      }
    }
    add(program.steps, times: 1)
    return Program(
      flops: flops.value.map { .number($0) } ?? .expression("\(flops)"), kernels: program.kernels.count, calls: calls,
      arenaBytes: program.arenaBytes, target: target)
  }

  var text: String {
    var lines = ["model       \(model)"]
    if !opsets.isEmpty {
      // ONNX's own operators come first.
      let sorted = opsets.sorted { ($0.key == "ai.onnx" ? "" : $0.key) < ($1.key == "ai.onnx" ? "" : $1.key) }
      lines.append("opset       " + sorted.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
    }
    lines += inputs.map { "input       \($0.name): \($0.type)" } + outputs.map { "output      \($0.name): \($0.type)" }
    lines += states.map { "state       \($0.name): \($0.type)" }
    lines += obligations.map { "requires    \($0)" }
    lines.append("operators   \(nodes): " + operators.map { "\($0.name) × \($0.count)" }.joined(separator: ", "))
    lines.append("constants   \(constants.elements) elements, \(Terminal.bytes(constants.bytes))")
    if let problems {
      lines.append("compiles    no, for \(problems) reason\(problems == 1 ? "" : "s"): sinter check tells more")
    }
    guard let program else { return Self.joined(lines) }
    let flops =
      switch program.flops {
      case .number(let count): String(format: "%.3g GFLOP", Double(count) / 1e9)
      case .expression(let text): text + " FLOP"
      case .unknown: "unknown"
      }
    lines += [
      "operations  \(flops)", "kernels     \(program.kernels) in \(program.calls) calls",
      "memory      " + (program.arenaBytes.map { "\(Terminal.bytes($0)) between kernels" } ?? "depends on the sizes"),
      "target      \(program.target)",
    ]
    return Self.joined(lines)
  }

  private static func joined(_ lines: [String]) -> String {
    lines.map { Terminal.wrapped($0, indent: 12) }.joined(separator: "\n")
  }
}
