import ArgumentParser
import Sinter
import SinterLLVM
import SinterModel

/// `sinter inspect`: what a model or a library holds.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show ports, opset, operators, parameters, operations and memory of a model or a library.",
    discussion: "Example: sinter inspect model.onnx --bind batch=1")

  @Argument(
    help: "The model: an ONNX file, a graph in text form (.sinter), or a compiled library (.so); - for standard input.",
    completion: .file())
  var model: String?

  @Option(help: ArgumentHelp("Fix a symbolic size.", valueName: "symbol=size"))
  var bind: [String] = []

  @Flag(help: "Show, instead of a model, the numbers of a processor that schedules are based on.")
  var machine = false

  @Option(help: "The processor that --machine shows; by default this one.")
  var cpu: String?

  @Option(help: "The architecture that --machine shows, such as aarch64-linux-gnu.")
  var target: String?

  @Option(help: "Write what is shown in JSON; - for standard output, in place of the text.", completion: .file())
  var json: String?

  @OptionGroup var memory: MemoryArgument
  @OptionGroup var talk: TalkOptions

  func validate() throws {
    if machine == (model != nil) { throw ValidationError("give either a model or --machine") }
    if !machine, cpu != nil || target != nil { throw ValidationError("--cpu and --target are for --machine") }
    if machine, !bind.isEmpty { throw ValidationError("--bind is for a model, and not for --machine") }
  }

  func run() throws {
    guard let model else {
      let shown = try Target.named(cpu, for: target).machine
      if let json { try OutputFile.write(try MachineFile.text(of: shown), to: json) }
      if json != "-" { StandardOutput.print(MachineFile.table(of: shown), terminator: "") }
      return
    }
    let file = try ModelFile(path: model)
    if file.isLibrary {
      guard bind.isEmpty else {
        throw ValidationError("the sizes of a library are fixed when it is compiled: leave out --bind")
      }
      let found = LibraryInspection(try CompiledLibrary(file.path))
      return try show(found, found.text)
    }
    let (graph, problems) = try file.partialGraph(
      binding: ModelArgument.sizes(bind), showsUnknown: true)
    if graph.order.isEmpty, !problems.isEmpty { throw DiagnosticError(problems) }
    for problem in problems { Terminal.note("\(problem)") }
    let found = try ModelInspection(graph, importProblems: problems.count)
    try show(found, found.text)
  }

  private func show(_ found: some Encodable, _ text: String) throws {
    if let json { try OutputFile.write(JSONText.of(found) ?? "{}", to: json) }
    if json != "-" { StandardOutput.print(text) }
  }
}
