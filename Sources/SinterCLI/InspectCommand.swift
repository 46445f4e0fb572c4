import ArgumentParser
import Foundation
import Sinter
import SinterIR
import SinterKernelIR
import SinterLLVM
import SinterModel

/// `sinter inspect`: what a model or a library holds.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show ports, opset, operators, parameters, operations and memory of a model or a library.",
    discussion: "Example: sinter inspect model.onnx --bind batch=1")

  @Argument(
    help: "The model: an ONNX file, a graph in text form (.sinter), or a compiled library (.so).", completion: .file())
  var model: String?

  @Option(help: ArgumentHelp("Fix a symbolic size.", valueName: "symbol=size"))
  var bind: [String] = []

  @Flag(help: "Show the numbers of a processor that schedules go by, instead of a model.")
  var machine = false

  @Option(help: "The processor of --machine.")
  var cpu = "host"

  func validate() throws {
    if machine == (model != nil) { throw ValidationError("give either a model or --machine") }
  }

  func run() throws {
    guard let model else {
      print(MachineFile.table(of: try Target.named(cpu).machine), terminator: "")
      return
    }
    if model.hasSuffix(".so") { return try library(model) }
    let graph = try ModelFile(path: model).graph(binding: ModelArgument.sizes(bind))
    print("model       \(graph.name)")
    if !graph.opsets.isEmpty {
      let opsets = graph.opsets.sorted { $0.key < $1.key }.map { "\($0.key.isEmpty ? "ai.onnx" : $0.key) \($0.value)" }
      print("opset       " + opsets.joined(separator: ", "))
    }
    for port in graph.callerInputs { print("input       \(describe(port, graph.inputs.map { graph.type(of: $0) }))") }
    for port in graph.callerOutputs {
      print("output      \(describe(port, graph.outputs.map { graph.type(of: $0.value) }))")
    }
    for state in graph.states {
      let port = graph.inputs[state.input]
      print("state       \(port.name): \(graph.type(of: port))\(state.output == nil ? ", which runs leave as it is" : "")")
    }
    for obligation in graph.obligations { print("requires    \(obligation.explained)") }
    var counts: [String: Int] = [:]
    var used: Set<ValueID> = []
    for id in graph.order {
      let node = graph.nodes[id]
      counts[node.op.onnxNode(graph.inputs(of: id))?.opType ?? type(of: node.op).name, default: 0] += 1
      for case let input? in node.inputs where graph.constant(input) != nil { used.insert(input) }
    }
    let operators = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) × \($0.value)" }
    print("operators   \(graph.order.count): " + operators.joined(separator: ", "))
    let constants = used.compactMap { graph.constant($0) }
    print(
      "constants   \(constants.reduce(0) { $0 + $1.count }) elements, "
        + Terminal.bytes(constants.reduce(0) { $0 + $1.bytes.count }))
    var compiler = Compiler()
    let program: KernelProgram
    do {
      program = try compiler.kernels(of: graph)
    } catch let error as DiagnosticError {
      print("compiles    no, for \(error.diagnostics.count) reasons: sinter check tells them")
      return
    }
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
    print("operations  \(flops.value.map { String(format: "%.3g GFLOP", Double($0) / 1e9) } ?? "\(flops) FLOP")")
    print("kernels     \(program.kernels.count) in \(calls) calls")
    print(
      "memory      " + (program.arenaBytes.map { "\(Terminal.bytes($0)) between kernels" } ?? "depends on the sizes"))
    print("target      \(compiler.backEnd.description)")
  }

  private func describe(_ port: CallerPort, _ types: [ValueType]) -> String {
    let type = port.structure?.description(types.compactMap(\.tensor)) ?? "\(types[port.positions.lowerBound])"
    return "\(port.name): \(type)"
  }

  private func library(_ path: String) throws {
    let library = try CompiledLibrary(path)
    print("library     \(library.name), by \(library.producer)")
    print("target      \(library.target)")
    for port in library.inputs { print("input       \(port)") }
    for port in library.outputs { print("output      \(port)") }
    for port in library.states { print("state       \(port)") }
    if let size = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int {
      print("size        \(Terminal.bytes(size))")
    }
  }
}
