import ArgumentParser
import Foundation
import Sinter
import SinterIR
import SinterLLVM
import SinterModel

/// `sinter diff`: where two ways to compute a model part.
struct DiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Run two models, or one in two ways, on the same inputs, and find the first node that differs.",
    discussion: """
      Example: sinter diff a.onnx b.onnx
               sinter diff model.onnx --stages imported,optimized
               sinter diff model.onnx --cpu x86-64-v2,x86-64-v3
               sinter diff model.onnx --against onnxruntime
               sinter diff model.onnx --bisect
               sinter diff liba.so libb.so

      Values are matched by their names in the file. Outputs are compared as they are normally computed; to compare the values between, every \
      named value becomes an output, so less is fused. Values that differ by no more than the tolerance, a share of the greatest magnitude, \
      count as equal. The exit status is 1 where something differs. See docs/debugging.md.
      """)

  enum Peer: String, CaseIterable, ExpressibleByArgument { case onnxruntime }

  @Argument(
    help: """
      One model or two: ONNX files, graphs in text form (.sinter), or two compiled libraries (.so); - for standard input.
      """,
    completion: .file())
  var models: [String]

  @Option(help: ArgumentHelp("Compare two stages of one model: imported, optimized, fused.", valueName: "stage,stage"))
  var stages: String?

  @Option(help: ArgumentHelp("Compare one model compiled for two processors.", valueName: "cpu,cpu"))
  var cpu: String?

  @Option(help: "Compare one model with what another runtime makes of it.")
  var against: Peer?

  @Flag(
    help: "Find the rewrite of a pass, the move of fusion, or the kernel that makes a model compute something else."
  )
  var bisect = false

  @Flag(help: "Compute graphs by what they mean instead of compiling them: slow, and right by definition.")
  var interpreted = false

  @Option(help: ArgumentHelp("An input.", valueName: "port=FILE.npy"))
  var input: [String] = []

  @Option(help: "The seed of inputs that are made up.")
  var seed: UInt64 = 0

  @Option(help: ArgumentHelp("A symbolic size of inputs that are made up; 1 by default.", valueName: "symbol=size"))
  var size: [String] = []

  @Option(help: ArgumentHelp("Fix a symbolic size.", valueName: "symbol=size"))
  var bind: [String] = []

  @Option(
    parsing: .unconditional,
    help:
      "What counts as equal, as a share of the greatest magnitude; by default what the type of a value allows: 1e-4 of f32."
  )
  var tolerance: Double?

  @Option(help: "The Python that has the other runtime.")
  var python = "python3"

  @Flag(help: "List all values that both sides have, not only the first that differs.")
  var all = false

  @OptionGroup var memory: MemoryArgument
  @OptionGroup var json: JSONOption
  @OptionGroup var talk: TalkOptions

  func validate() throws {
    if let tolerance, !(tolerance >= 0) { throw ValidationError("--tolerance must be at least 0, but is \(tolerance)") }
    let modes = [stages != nil, cpu != nil, against != nil, bisect].count { $0 }
    guard (1...2).contains(models.count) else { throw ValidationError("give one model or two") }
    if models.count == 2, modes > 0 {
      throw ValidationError("--stages, --cpu, --against and --bisect are for one model")
    }
    if models.count == 1, modes != 1 {
      throw ValidationError(
        modes == 0
          ? "give a second model, or one of --stages, --cpu, --against and --bisect"
          : "give only one of --stages, --cpu, --against and --bisect")
    }
    if against == nil, python != "python3" { throw ValidationError("--python is for --against") }
    if bisect, all { throw ValidationError("--all lists the values of two sides, which --bisect does not have") }
    if models == ["-", "-"] { throw ValidationError("standard input holds one model") }
  }

  func run() throws {
    if against != nil { try OnnxRuntimeSide.check(python: python) }
    let areLibraries = try models.map { try ModelFile(path: $0).isLibrary }
    if areLibraries.contains(true) {
      guard areLibraries.allSatisfy({ $0 }) else {
        throw ValidationError("a library is compared with a library: its values between are gone")
      }
      guard models.count == 2 else {
        throw ValidationError(
          "a library is compared with another library: give a second one, and no other way to compare")
      }
      if !bind.isEmpty || interpreted {
        throw ValidationError("--bind and --interpreted are for models, and not for libraries")
      }
      return try compareLibraries()
    }
    let first = try graph(models[0])
    let inputs = try DiffInputs(input, seed: seed, sizes: ModelArgument.sizes(size)).values(for: first)
    if bisect { return try showCulprit(first, inputs) }
    let engine = interpreted ? GraphEngine.interpreted : .compiled(.host)
    let sides: (ModelComparison.Side, ModelComparison.Side)
    if models.count == 2 {
      let second = try graph(models[1])
      let places = try PortMatching.places(of: second.inputs.map(\.name), among: first.inputs.map(\.name))
      sides = (
        side(models[0], try optimized(first), engine, inputs),
        side(models[1], try optimized(second), engine, places.map { inputs[$0] })
      )
    } else if let stages {
      let parts = try stages.listed.map { try stage($0, first, engine, inputs) }
      guard parts.count == 2 else { throw ValidationError("--stages takes two names with a comma between") }
      sides = (parts[0], parts[1])
    } else if let cpu {
      let targets = try cpu.listed.map { try Target.named($0) }
      guard targets.count == 2 else { throw ValidationError("--cpu takes two names with a comma between") }
      let graph = try optimized(first)
      sides = (
        side(targets[0].name, graph, .compiled(targets[0]), inputs),
        side(targets[1].name, graph, .compiled(targets[1]), inputs)
      )
    } else {
      guard !models[0].hasSuffix(".sinter") else {
        throw ValidationError("onnxruntime reads ONNX files: sinter export writes one")
      }
      sides = (
        side("sinter", first, engine, inputs),
        try OnnxRuntimeSide.side(ModelFile(path: models[0]).path, first, inputs, python: python)
      )
    }
    try show(ModelComparison(sides.0, sides.1, tolerance: tolerance), (sides.0.name, sides.1.name), first)
  }

  private func graph(_ path: String) throws -> Graph {
    try ModelFile(path: path).graph(binding: ModelArgument.sizes(bind))
  }

  private func optimized(_ graph: Graph) throws -> Graph {
    var compiler = Compiler()
    return interpreted ? graph : try compiler.optimize(graph)
  }

  private func side(_ name: String, _ graph: Graph, _ engine: GraphEngine, _ inputs: [HostTensor])
    -> ModelComparison.Side
  { ModelComparison.Side(name: name, graph, by: engine, on: inputs) }

  private func stage(_ name: String, _ graph: Graph, _ engine: GraphEngine, _ inputs: [HostTensor]) throws
    -> ModelComparison.Side
  {
    var compiler = Compiler()
    switch DrawingStage(rawValue: name) {
    case .imported: return side(name, graph, engine, inputs)
    case .optimized: return side(name, try compiler.optimize(graph), engine, inputs)
    case .fused: return side(name, try compiler.optimize(graph), .fused, inputs)
    case nil: throw ValidationError("there is no stage \"\(name)\"; known are imported, optimized, fused")
    }
  }

  // MARK: Results

  private func show(_ comparison: ModelComparison, _ names: (String, String), _ graph: Graph) throws {
    json.say("\(names.0) beside \(names.1)")
    let origins = Dictionary(
      graph.order.flatMap { id in graph.nodes[id].outputs.map { (graph.values[$0].name, id) } }
    ) { first, _ in first }
    func line(_ row: ModelComparison.Row) -> String {
      "\(comparison.differs(row) ? "≠" : "=") \(row.name): \(row.difference)"
    }
    for row in comparison.outputs { json.say("output \(line(row))") }
    for row in comparison.notCompared {
      json.say("output   \(row.name): not compared, since \(row.missing) does not give it")
    }
    if all { for row in comparison.values { json.say("value  \(line(row))") } }
    if comparison.values.isEmpty {
      json.say("no value between has a name on both sides")
    } else if let first = comparison.firstDifference {
      json.say("first value that differs, of \(comparison.values.count): \(first.name)")
      json.say("  \(first.difference)")
      if let id = origins[first.name] {
        let node = graph.nodes[id]
        json.say("  \(node.op.onnxNode(graph.inputs(of: id))?.opType ?? type(of: node.op).name): \(graph.describe(id))")
        for origin in node.origin { json.say("  \(origin)") }
      }
    } else {
      json.say("all \(comparison.values.count) values between agree")
      if !comparison.outputsAgree {
        json.say("so what fuses otherwise, or is scheduled otherwise, differs: try --bisect")
      }
    }
    if comparison.outputs.isEmpty { json.say("no output was compared") }
    let agrees = !comparison.outputs.isEmpty && comparison.outputsAgree && comparison.firstDifference == nil
    func row(_ row: ModelComparison.Row) -> DiffReport.Row {
      DiffReport.Row(row.name, row.element, row.difference, differs: comparison.differs(row))
    }
    try json.write(
      DiffReport(
        first: names.0, second: names.1, agrees: agrees, outputs: comparison.outputs.map(row),
        notCompared: comparison.notCompared.map { .init(name: $0.name, missing: $0.missing) },
        values: comparison.values.map(row),
        firstDifference: comparison.firstDifference.map { first in
          let id = origins[first.name]
          return DiffReport.Node(
            value: first.name, text: id.map { graph.describe($0) } ?? "",
            origins: id.map { graph.nodes[$0].origin.map { "\($0)" } } ?? [])
        }))
    if !agrees { throw ExitCode(1) }
  }

  private func compareLibraries() throws {
    let libraries = try models.map { try CompiledLibrary(ModelFile(path: $0).path) }
    var given = InputArguments()
    (given.inputs, given.seed, given.random) = (input, seed, true)
    let values = try given.values(for: libraries[0].inputs, sizes: ModelArgument.sizes(size), makingUp: true)
    let places = try PortMatching.places(of: libraries[1].inputs.map(\.name), among: libraries[0].inputs.map(\.name))
    let results = [
      try libraries[0].limitedSession(threads: 1).run(values: values),
      try libraries[1].limitedSession(threads: 1).run(values: places.map { values[$0] }),
    ]
    json.say("\(models[0]) beside \(models[1])")
    let names = libraries.map { $0.outputs.map(\.name) }
    let isByPosition = Set(names[0]).isDisjoint(with: names[1]) && names[0].count == names[1].count
    let extra = isByPosition ? [] : names[1].filter { !names[0].contains($0) }
    for name in extra { json.say("output ≠ \(name): \(models[0]) has no such output") }
    var differs = !extra.isEmpty
    var rows: [DiffReport.Row] = []
    var notCompared = extra.map { DiffReport.NotCompared(name: $0, missing: models[0]) }
    for (place, port) in libraries[0].outputs.enumerated() {
      guard let other = isByPosition ? place : names[1].firstIndex(of: port.name) else {
        json.say("output ≠ \(port.name): \(models[1]) has no such output")
        differs = true
        notCompared.append(.init(name: port.name, missing: models[1]))
        continue
      }
      guard let x = results[0][place].tensor, let y = results[1][other].tensor else {
        json.say("output   \(port.name): not compared, since it is no tensor")
        continue
      }
      let difference = TensorDifference(x, y)
      let isFar = difference.exceeds(tolerance ?? TensorDifference.tolerance(of: x.element))
      differs = differs || isFar
      rows.append(.init(port.name, x.element, difference, differs: isFar))
      json.say("output \(isFar ? "≠" : "=") \(port.name): \(difference)")
    }
    if rows.isEmpty { json.say("no output was compared") }
    let agrees = !differs && !rows.isEmpty
    try json.write(
      DiffReport(first: models[0], second: models[1], agrees: agrees, outputs: rows, notCompared: notCompared))
    if !agrees { throw ExitCode(1) }
  }

  private func showCulprit(_ graph: Graph, _ inputs: [HostTensor]) throws {
    let found = try Bisection(
      graph, inputs: inputs, engine: interpreted ? .interpreted : .compiled(.host), tolerance: tolerance)
    try json.write(BisectionReport(found, in: graph))
    guard let culprit = found.culprit else {
      json.say("all passes, fusion and code compute the same (\(found.runs) graphs run)")
      return
    }
    json.say("\(culprit)")
    if let difference = found.difference { json.say("output \(found.output): \(difference)") }
    json.say("found in \(found.runs) runs")
    throw ExitCode(1)
  }
}

/// Inputs of a graph, from files or made up as `sinter run --random` makes them.
struct DiffInputs {
  private var arguments = InputArguments()
  private let sizes: [Symbol: Int]

  init(_ files: [String], seed: UInt64, sizes: [Symbol: Int]) {
    (arguments.inputs, arguments.seed, arguments.random) = (files, seed, true)
    self.sizes = sizes
  }

  /// A tensor per port.
  func values(for graph: Graph) throws -> [HostTensor] {
    let given = try arguments.tensors()
    let unknown = given.keys.filter { name in !graph.inputs.contains { $0.name == name } }.sorted()
    if let name = unknown.first {
      throw DiagnosticError(
        .user, "run.port", "there is no input \"\(name)\"",
        hint: "inputs are " + graph.inputs.map(\.name).joined(separator: ", "))
    }
    let strange = InputArguments.unknown(sizes, among: graph.inputSymbols)
    if !strange.isEmpty { throw DiagnosticError(strange) }
    var generator = SplitMix64(seed: arguments.seed)
    return try graph.inputs.map { port in
      if let tensor = given[port.name] { return tensor }
      guard let type = graph.type(of: port).tensor else {
        throw DiagnosticError(.limit, "diff.input", "input \(port.name) is \(graph.type(of: port)), not a tensor")
      }
      let shape = try type.shape.map { size in
        guard let number = size.evaluated({ sizes[$0] ?? 1 }), number >= 0 else {
          throw DiagnosticError(
            .user, "diff.size", "size \(size) of input \(port.name) is unknown", hint: "give --size")
        }
        return number
      }
      if let problem = InputArguments.problem(ofMakingUp: port.name, type.element, shape) {
        throw DiagnosticError([problem])
      }
      return generator.tensor(type.element, shape)
    }
  }
}
