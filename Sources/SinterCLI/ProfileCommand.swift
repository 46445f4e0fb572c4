import ArgumentParser
import Sinter
import SinterModel

/// `sinter profile`: where the time of a run goes.
struct ProfileCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "profile",
    abstract:
      "Show where the time of a run goes: each kernel's time, speed, share of the machine's peak, and source.",
    discussion: """
      Example: sinter profile resnet50.onnx --bind batch=1 --threads 1 --trace trace.json

      A library must have been compiled with --profile; an ONNX file is compiled that way into a temporary folder. Inputs without a \
      file are random. Equal kernels share a row. The machine's peaks are measured on the same number of threads; a kernel that shows \
      more than the full bandwidth reads from caches.
      """)

  @OptionGroup var model: ModelArgument
  @OptionGroup var inputs: InputArguments
  @OptionGroup var math: MathArgument

  @Option(help: ArgumentHelp("A symbolic size of random inputs, 1 by default.", valueName: "symbol=size"))
  var size: [String] = []

  @Option(parsing: .unconditional, help: "Threads; 0 for all.")
  var threads = 0

  @Option(parsing: .unconditional, help: "How many runs to measure; their medians are shown.")
  var runs = 20

  @Option(help: "Write a trace of one run for chrome://tracing or ui.perfetto.dev.", completion: .file())
  var trace: String?

  @Option(help: "Write folded stacks, layer by layer, for flame graphs.", completion: .file())
  var folded: String?

  @Option(help: "Write all figures in JSON; - for standard output, in place of the table.", completion: .file())
  var json: String?

  @Flag(help: "Do not measure the machine's peaks.")
  var noPeaks = false

  func validate() throws {
    try OutputFile.check([("--trace", trace), ("--folded", folded), ("--json", json)])
    if runs < 1 { throw ValidationError("--runs must be at least 1") }
    if threads < 0 { throw ValidationError("--threads must be at least 0") }
  }

  func run() throws {
    try OutputFile.requireWritable(trace, folded, json)
    let profile = try model.withLibrary(profiles: true, math: math) { library in
      guard library.isProfiled else {
        throw DiagnosticError(
          .user, "profile.library", "\(library.path) was not compiled to be profiled",
          hint: "compile the model with sinter compile --profile, or give the ONNX file")
      }
      let session = try library.session(threads: threads)
      let values = try inputs.values(for: library.inputs, sizes: ModelArgument.sizes(size), makingUp: true)
      return try RunProfile(of: session, on: values, runs: runs)
    }
    let peaks = noPeaks ? nil : try MachinePeaks.measure(threads: threads)
    if json != "-", trace != "-", folded != "-" { StandardOutput.print(ProfileTable(profile, peaks).text) }
    if let trace { try OutputFile.write(ProfileFiles.trace(profile), to: trace) }
    if let folded { try OutputFile.write(ProfileFiles.folded(profile), to: folded) }
    if let json { try OutputFile.write(ProfileFiles.json(profile, peaks), to: json) }
  }
}
