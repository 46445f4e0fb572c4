import ArgumentParser
import Foundation
import Sinter
import SinterCPU
import SinterIR
import SinterLLVM

/// `sinter compile`: a model becomes a library.
struct CompileCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compile",
    abstract: "Compile a model into a library with a C interface.",
    discussion: """
      Example: sinter compile resnet50.onnx -o libresnet50.so --header
               sinter compile bert.onnx -o libbert.so --cpu x86-64-v3,x86-64-v4 --bind batch=1
               sinter compile bert.onnx --package bert --cpu x86-64-v2,x86-64-v3,x86-64-v4
               sinter compile bert.onnx -o libbert.so --target aarch64-linux-gnu --cpu neoverse-n1,generic
      """)

  enum Emission: String, CaseIterable, ExpressibleByArgument {
    case so, obj, archive, asm, llvm, kernels, forms, graph
  }

  @OptionGroup var model: ModelArgument

  @Option(name: [.customShort("o"), .customLong("output")], help: "The file to write.", completion: .file())
  var output: String?

  @Option(
    help: """
      Write a folder to build programs with: the library, headers for C and C++, a file each for Python and Rust, pkg-config and CMake \
      files, and a page with ports, sizes and provenance.
      """, completion: .directory)
  var package: String?

  @Flag(help: "Write the library's own C header, and sinter.h, beside it.")
  var header = false

  @Option(
    help:
      "The name in the header and in the library's table; by default that of the output, without \"lib\" and ending.")
  var name: String?

  @Option(
    help: """
      Processors, from best to worst or from worst to best: host, x86-64-v2, x86-64-v3, x86-64-v4, or a name such as znver4; with --target \
      aarch64-linux-gnu: generic, neoverse-n1, neoverse-v1, neoverse-v2; with riscv64-linux-gnu: generic. By default host, or generic \
      where that is none of the target's.
      """)
  var cpu: String?

  @Option(
    help: ArgumentHelp(
      """
      What the library is for, where that is not this machine: x86_64-linux-gnu, aarch64-linux-gnu or riscv64-linux-gnu. Takes the C \
      compiler and binutils of that name, as Debian's gcc-aarch64-linux-gnu brings them.
      """, valueName: "triple"))
  var target: String?

  @Option(
    help: "Use the processor's figures from a file that sinter tune-machine wrote, in place of the built-in table.",
    completion: .file())
  var machine: String?

  @Option(
    help: """
      What to write: a library, an object, an archive, assembly, LLVM's text, kernels, fused forms, or the optimized graph; by default \
      what the output's ending says (.so, .o, .a, .s, .ll).
      """)
  var emit: Emission?

  @Option(parsing: .unconditional, help: "Threads that compile.")
  var threads = 2

  @Flag(help: "Keep the weights in a file NAME.weights beside the library.")
  var weightsBeside = false

  @Flag(help: "Measure products and convolutions on this machine in several schedules, and take the fastest of each.")
  var tune = false

  @Flag(
    name: .customLong("no-winograd"),
    help:
      "Compute convolutions by direct sums only: slower, but closer by 2e-6 to 6e-6 of the largest result, and with smaller weights."
  )
  var noWinograd = false

  @OptionGroup var math: MathArgument

  @Flag(
    inversion: .prefixedNo, exclusivity: .chooseLast,
    help: """
      Compute with zeros in place of subnormal numbers, on which some processors are slow. By default where the model computes gradients, and in no \
      other.
      """)
  var flushSubnormals: Bool?

  @Flag(help: "Have the library record when each kernel runs, for sinter profile and sinter_profile.h.")
  var profile = false

  @Option(
    name: [.long, .customLong("json")],
    help: "Write a report in JSON: kernels, what fused and what did not, buffers, bytes, operations.",
    completion: .file())
  var report: String?

  func validate() throws {
    if threads < 0 { throw ValidationError("--threads must be at least 0, but is \(threads)") }
    if (output == nil) == (package == nil) { throw ValidationError("give either -o or --package") }
    if package == "" || package == "-" {
      throw ValidationError("a package is a folder: give --package the path of one")
    }
    if output == "" { throw ValidationError("-o is empty: give the path of a file") }
    if let name, name.isEmpty || name.contains(where: { $0 == "/" || $0.isNewline }) {
      throw ValidationError("--name \"\(name)\" becomes the name of a header: give one that a file can have")
    }
    if let output, output == "-" || output.hasPrefix("/dev/") {
      for (option, isGiven) in [("--header", header), ("--weights-beside", weightsBeside)] where isGiven {
        throw ValidationError("\(option) writes files beside the output, which \(output) has no place for: give a file")
      }
    }
    try OutputFile.check(report, of: "--report", beside: output)
    if package != nil, emit != nil, emit != .so { throw ValidationError("--package holds a library: leave out --emit") }
    if let output, emit == nil {
      try OutputFile.check(
        output, hasEnding: [".so", ".o", ".a", ".s", ".ll"], or: "--emit says what to write to other names")
    }
    let emission = emit ?? Self.emission(ofFile: output ?? "")
    try refuse("--header", header, with: emission, unless: [.so, .obj, .archive], "which has no interface")
    try refuse(
      "--weights-beside", weightsBeside, with: emission, unless: [.so, .obj, .archive], "which holds no weights")
    try refuse(
      "--report", report != nil, with: emission, unless: [.so, .obj, .archive, .asm, .llvm], "before code is made")
    try refuse(
      "--tune", tune, with: emission, unless: [.so, .obj, .archive, .asm, .llvm, .kernels],
      "before schedules are chosen")
    try refuse(
      "--math", math.math != .f32, with: emission, unless: [.so, .obj, .archive, .asm, .llvm, .kernels],
      "before schedules are chosen")
    try refuse("--profile", profile, with: emission, unless: [.so, .obj, .archive], "which is not run")
    try refuse(
      "--cpu with several processors", cpu?.contains(",") ?? false, with: emission,
      unless: [.so, .obj, .archive, .asm, .llvm], "which is made for one")
  }

  /// Refuses an option that what is written cannot honour.
  private func refuse(
    _ option: String, _ isGiven: Bool, with emission: Emission, unless allowed: [Emission], _ reason: String
  ) throws {
    guard isGiven, !allowed.contains(emission) else { return }
    throw ValidationError("\(option) does nothing for --emit \(emission.rawValue), \(reason): leave it out")
  }

  func run() throws {
    try OutputFile.requireWritable(output, report)
    var graph = try model.graph()
    graph.name = name ?? Self.name(ofFile: output ?? model.model)
    if let flushSubnormals { graph.flushesSubnormals = flushSubnormals }
    var targets = try Target.list(cpu?.listed.joined(separator: ","), for: target)
    if let machine {
      guard targets.count == 1 else {
        throw ValidationError("--machine speaks of one processor, but --cpu names \(targets.count)")
      }
      targets[0].machine = try MachineFile.read(machine, over: targets[0].machine)
    }
    if let package { return try write(graph, targets, package) }
    let output = try OutputFile.path(output ?? "")
    switch emit ?? Self.emission(ofFile: output) {
    case .graph:
      var compiler = Compiler(for: targets[0])
      let optimized = try compiler.optimize(graph)
      if output == "-" { return try OutputFile.write(optimized.description, to: output) }
      try GraphTextFile.write(optimized, to: output)
    case .forms:
      var compiler = Compiler(for: targets[0])
      try OutputFile.write(try compiler.fuse(compiler.lower(compiler.optimize(graph))).description, to: output)
    case .kernels:
      var compiler = compiler(for: targets[0])
      try OutputFile.write(try compiler.kernels(of: graph).description, to: output)
    case .so: try library(graph, targets, .library, to: output)
    case .obj: try library(graph, targets, .object, to: output)
    case .archive: try library(graph, targets, .archive, to: output)
    case .asm: try library(graph, targets, .assembly, to: output)
    case .llvm: try library(graph, targets, .llvm, to: output)
    }
  }

  private func compiler(for target: Target) -> Compiler {
    var compiler = Compiler(for: target, scheduling: ScheduleOptions(usesWinograd: !noWinograd, math: math.math))
    compiler.tunes = tune
    compiler.tuningProgress = tune ? ProgressBar.listener("measure schedules") : nil
    return compiler
  }

  /// A package in a folder that exists as a whole or, where something fails, not at all, unless it was there before.
  private func write(_ graph: Graph, _ targets: [Target], _ folder: String) throws {
    var graph = graph
    graph.name = PackageName.make(graph.name)
    let contents = ModelPackage(
      graph: graph, targets: targets, modelFile: model.model,
      arguments: Array(CommandLine.arguments.dropFirst()), weightsBeside: weightsBeside)
    try contents.write(to: folder) { path in
      try library(graph, targets, .library, to: path, writesHeaders: true)
    }
  }

  private func library(
    _ graph: Graph, _ targets: [Target], _ emission: LibraryOptions.Emission, to output: String,
    writesHeaders: Bool = false
  ) throws {
    var options = LibraryOptions(target: targets[0])
    options.writesHeaders = header || writesHeaders
    options.threads = max(1, threads)
    options.weightsBeside = weightsBeside
    options.profiles = profile
    options.emission = emission
    options.progress = ProgressBar.listener("compile kernels")
    var variants: [LibraryVariant] = []
    var compilers: [Compiler] = []
    for target in targets {
      var compiler = compiler(for: target)
      variants.append(LibraryVariant(target: target, program: try compiler.kernels(of: graph)))
      compilers.append(compiler)
    }
    let made = try LibraryCompiler.compile(variants, to: output, options: options)
    if let report, let first = compilers.first {
      try OutputFile.write(CompileReport.json(variants[0].program, first, made), to: report)
    }
    if let tuning = compilers[0].tuning {
      Terminal.progress(
        String(
          format: "tuned %d of %d products and convolutions: %.2f ms instead of %.2f", tuning.changed, tuning.measured,
          tuning.after * 1e3, tuning.before * 1e3))
    }
    Terminal.detail(compilers[0], made)
    Terminal.progress("\(output): \(made.kernelCount) kernels, weights \(Terminal.bytes(made.weightBytes))")
    if targets[0].name == "host" {
      Terminal.progress(
        "made for processors like this one (\(targets[0].processor)); --cpu x86-64-v2,x86-64-v3,x86-64-v4 makes one library for all"
      )
    }
  }

  static func emission(ofFile path: String) -> Emission {
    switch LibraryOptions.Emission(path: path) {
    case .library, nil: .so
    case .archive: .archive
    case .object: .obj
    case .assembly: .asm
    case .llvm: .llvm
    }
  }

  /// `resnet50` of `build/libresnet50.so`.
  static func name(ofFile path: String) -> String {
    if path == "-" || path.hasPrefix("/dev/") || path.hasPrefix("/proc/") { return "model" }
    let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    let short = name.hasPrefix("lib") && name.count > 3 ? String(name.dropFirst(3)) : name
    return short.isEmpty ? "model" : short
  }
}
