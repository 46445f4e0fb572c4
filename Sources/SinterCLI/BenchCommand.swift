import ArgumentParser
import Foundation
import Sinter
import SinterModel

/// `sinter bench`: how fast a model runs, and what it takes.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure a model's latency, throughput, time to the first result and memory.",
    discussion: """
      Example: sinter bench resnet50.onnx --threads 1,2 --bind batch=1,8
               sinter bench libbert.so --size batch=1 --size sequence=32,128 --json bench.json
               sinter bench resnet50.onnx --math bf16 --against resnet50.onnx

      Every combination of sizes and numbers of threads is measured in a process of its own, so that the memory shown is its own. \
      --bind compiles a library for each size; --size sets the sizes of the inputs of one library that takes any. Inputs without a \
      file are random.
      """)

  @Argument(
    help:
      "The model: an ONNX file, a graph in text form (.sinter), or a compiled library (.so); - for standard input.",
    completion: .file())
  var model: String

  @OptionGroup var inputs: InputArguments
  @OptionGroup var math: MathArgument

  @Option(
    help: """
      Another model or library, compiled without any options: also show how far the outputs are from its outputs on the same inputs.
      """, completion: .file())
  var against: String?

  @Option(
    help: ArgumentHelp(
      "Fix a symbolic size; several values are compiled one after another.", valueName: "symbol=size,…"))
  var bind: [String] = []

  @Option(
    help: ArgumentHelp("A symbolic size of random inputs, or several values; 1 by default.", valueName: "symbol=size,…")
  )
  var size: [String] = []

  @Option(help: "Numbers of threads, separated by commas; 0 for all.")
  var threads = "1"

  @Option(parsing: .unconditional, help: "Seconds to measure each combination for.")
  var seconds = 2.0

  @Option(parsing: .unconditional, help: "Seconds to run before that.")
  var warmUp = 0.5

  @Option(
    help: "Write all figures in JSON; - for standard output, in place of the text.", completion: .file())
  var json: String?

  @OptionGroup var memory: MemoryArgument
  @OptionGroup var talk: TalkOptions

  func validate() throws {
    guard seconds > 0, seconds.isFinite else {
      throw ValidationError("--seconds must be more than 0, but is \(seconds)")
    }
    guard warmUp >= 0, warmUp.isFinite else { throw ValidationError("--warm-up must be at least 0, but is \(warmUp)") }
    if !threads.contains(where: \.isNumber) { throw ValidationError("--threads takes numbers, as in 1,2") }
  }

  func run() throws {
    try OutputFile.requireWritable(json)
    let threads = try self.threads.listed.map { part in
      guard let count = Int(part), count >= 0 else {
        throw ValidationError("--threads takes numbers, as in 1,2; not \(part)")
      }
      return count
    }
    let (bindings, sizes) = (try SizeChoices(bind).combinations, try SizeChoices(size).combinations)
    var results: [BenchResult] = []
    for binding in bindings {
      try ModelFile(path: model).withLibrary(binding: ModelArgument.sizes(binding), math: math.math) { library in
        for size in sizes {
          let differences = try against.map {
            try self.differences(of: library, from: $0, binding: binding, sizes: size)
          }
          for count in threads {
            let measurement = try measured(library, sizes: size, threads: count)
            let result = BenchResult(
              model: CompileCommand.name(ofFile: model), sizes: binding + size, threads: count,
              measurement: measurement,
              differences: differences)
            if json != "-" { StandardOutput.print(results.isEmpty ? result.text : "\n" + result.text) }
            results.append(result)
          }
        }
      }
    }
    guard let json else { return }
    try OutputFile.write(JSONText.of(results) ?? "[]", to: json)
  }

  /// How far a library's outputs are from those of another model on the same inputs.
  private func differences(
    of library: String, from other: String, binding: [String], sizes: [String]
  ) throws -> [OutputDifference] {
    func outputs(_ path: String) throws -> [(name: String, value: HostValue)] {
      let library = try CompiledLibrary(path)
      let values = try inputs.values(for: library.inputs, sizes: ModelArgument.sizes(sizes), makingUp: true)
      return Array(zip(library.outputs.map(\.name), try library.session(threads: 0).run(values: values)))
    }
    let own = try outputs(library)
    let file = try ModelFile(path: other)
    let bound = file.isLibrary ? [:] : try ModelArgument.sizes(binding)
    return try file.withLibrary(binding: bound) { try OutputDifference.all(of: own, from: outputs($0)) }
  }

  /// What a process of its own measures.
  private func measured(_ library: String, sizes: [String], threads: Int) throws -> Measurement {
    let arguments =
      ["measure", library] + inputs.inputs + sizes.flatMap { ["--size", $0] }
      + ["--seed", "\(inputs.seed)", "--threads", "\(threads)", "--seconds", "\(seconds)", "--warm-up", "\(warmUp)"]
    let result = try Subprocess.run("/proc/self/exe", arguments)
    guard result.succeeded else {
      let lines = result.output.split(separator: "\n").map { $0.hasPrefix("sinter: ") ? $0.dropFirst(8) : $0 }
      throw DiagnosticError(.user, "bench.run", "the model does not run", output: lines.joined(separator: "\n"))
    }
    let outcome = try JSONDecoder().decode(MeasureCommand.Outcome.self, from: Data(result.output.utf8))
    switch outcome {
    case .measured(let measurement): return measurement
    case .failed(let problems): throw DiagnosticError(problems.map(\.diagnostic))
    }
  }
}

/// The work of `sinter bench` in a process that has done nothing else. Prints JSON.
struct MeasureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measure", abstract: "Measure a library in this process.",
    discussion: "Example: sinter measure libdigits.so --threads 1", shouldDisplay: false)

  @Argument(help: "A compiled library.", completion: .file())
  var library: String

  @OptionGroup var inputs: InputArguments

  @Option(help: ArgumentHelp("A symbolic size of random inputs; 1 by default.", valueName: "symbol=size"))
  var size: [String] = []

  @Option(help: "Threads; 0 for all.")
  var threads = 0

  @Option(help: "Seconds to measure for.")
  var seconds = 2.0

  @Option(help: "Seconds to run before that.")
  var warmUp = 0.5

  /// What is handed over to `sinter bench`.
  enum Outcome: Codable {
    case measured(Measurement)
    case failed([JSONProblem])
  }

  func run() throws {
    StandardOutput.print(String(decoding: try JSONEncoder().encode(outcome()), as: UTF8.self))
  }

  private func outcome() throws -> Outcome {
    do {
      return .measured(
        try Measurement(
          library: library, threads: threads, warmUp: warmUp, seconds: seconds,
          inputs: { ports in try inputs.values(for: ports, sizes: ModelArgument.sizes(size), makingUp: true) }))
    } catch let error as DiagnosticError {
      return .failed(error.diagnostics.map(JSONProblem.init))
    }
  }
}
