import Glibc
import SinterCore
import SinterKernelIR

/// From a scheduled program to files: the last part of the straight line.
public enum LibraryCompiler {
  /// Compiles `program` for `options.target` to `path`; headers and weights beside it are named after the program.
  package static func compile(
    _ program: KernelProgram, to path: String, options: LibraryOptions = LibraryOptions()
  ) throws -> LibraryArtifacts {
    try compile([LibraryVariant(target: options.target, program: program)], to: path, options: options)
  }

  /// Compiles one model, scheduled for several processors, into one library, which takes the first that it can run. The
  /// variants must come from one graph; order them by what they demand, the most demanding first.
  package static func compile(
    _ variants: [LibraryVariant], to path: String, options: LibraryOptions = LibraryOptions()
  ) throws -> LibraryArtifacts {
    var variants = variants
    if options.profiles {
      // Each launch may need memory for its times, and so fail: states keep two blocks.
      for index in variants.indices { variants[index].program.statesInPlace = [] }
    }
    guard let first = variants.first else {
      throw DiagnosticError(.user, "library.variants", "no processor is given to compile for")
    }
    let architecture = first.target.architecture
    if let other = variants.first(where: { $0.target.architecture != architecture }) {
      throw DiagnosticError(
        .user, "library.variants",
        "one library cannot be for \(architecture.name) and \(other.target.architecture.name)",
        hint: "compile one for each")
    }
    if architecture != .host, variants.contains(where: { $0.program.usesImages }) {
      throw DiagnosticError(
        .limit, "images.target",
        "ImageDecoder links this system's libraries, which are not for \(architecture.name)",
        hint: "decode images before the model, or compile it on a machine of that kind")
    }
    var artifacts = LibraryArtifacts(path: path)
    artifacts.kernelCount = variants.reduce(0) { $0 + $1.program.kernels.count }
    let started = Clock.now
    switch options.emission {
    case .assembly, .llvm:
      let text = try listing(variants, options)
      artifacts.kernelSeconds = Clock.now - started
      try AtomicFile.write(text, to: path)
      return artifacts
    case .library, .archive, .object: break
    }

    var weights = WeightLayout()
    let layouts = try variants.map { try ProgramLayout($0.program, weights: &weights) }
    var objects: [[UInt8]] = []
    for (number, variant) in variants.enumerated() {
      var compiler = KernelCompiler(target: variant.target, threads: options.threads)
      compiler.variant = number
      compiler.progress = options.progress
      objects += try compiler.objects(variant.program)
    }
    artifacts.kernelSeconds = Clock.now - started
    let weightHash = options.weightsBeside && weights.byteCount > 0 ? try weights.hash() : 0
    for (number, variant) in variants.enumerated() {
      let place = ProgramEmitter.Place(
        variant: number, isLast: number == variants.count - 1,
        target: number == 0 ? describe(variants.map(\.target)) : variant.target.description,
        weightBytes: weights.byteCount, weightsBeside: options.weightsBeside, weightHash: weightHash,
        profiles: options.profiles)
      objects.append(try programObject(variant, layouts[number], place))
    }
    artifacts.programSeconds = Clock.now - started - artifacts.kernelSeconds
    artifacts.weightBytes = weights.byteCount
    let folder = Files.folder(of: path)
    // What stands beside the library gets its names last, so that where one of them fails all that was there before is still there.
    var beside: [AtomicFile] = []
    if options.weightsBeside, weights.byteCount > 0 {
      let file = try AtomicFile("\(folder)/\(first.program.name).weights")
      try weights.write { try file.append($0) }
      artifacts.weightsPath = file.path
      beside.append(file)
    }
    if options.writesHeaders {
      let headers = try headers(variants, options, in: folder)
      artifacts.headers = headers.map(\.path)
      beside += headers
    }
    try link(objects, of: variants.map(\.program), weights, options, for: architecture, to: path)
    for file in beside { try file.commit() }
    artifacts.linkSeconds = Clock.now - started - artifacts.kernelSeconds - artifacts.programSeconds
    return artifacts
  }

  /// What keeps a scheduled program from becoming a library.
  package static func problems(of program: KernelProgram) -> [Diagnostic] {
    var weights = WeightLayout()
    do {
      _ = try ProgramLayout(program, weights: &weights)
      if program.usesImages {
        _ = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
          try RuntimeObject.imageDecoders().path(in: folder)
        }
      }
      return []
    } catch {
      return (error as? DiagnosticError)?.diagnostics ?? [Diagnostic(.bug, "library.layout", "\(error)")]
    }
  }

  private static func listing(_ variants: [LibraryVariant], _ options: LibraryOptions) throws -> String {
    try variants.enumerated().flatMap { number, variant in
      var compiler = KernelCompiler(target: variant.target, threads: options.threads)
      compiler.variant = number
      return try compiler.listing(variant.program, asAssembly: options.emission == .assembly)
    }.joined(separator: "\n")
  }

  /// `x86_64-unknown-linux-gnu x86-64-v4, x86-64-v3`.
  private static func describe(_ targets: [Target]) -> String {
    "\(targets[0].triple) " + targets.map(\.processor).joined(separator: ", ")
  }

  /// Instructions of a block from which on the program's code is written hastily. Models of many open sizes reach it, whose program computes
  /// sizes at length: code that does so somewhat slower does not matter beside minutes of compiling.
  private static let longBlock = 8192

  /// The object with a program's table, `plan` and `run`.
  private static func programObject(
    _ variant: LibraryVariant, _ layout: ProgramLayout, _ place: ProgramEmitter.Place
  ) throws -> [UInt8] {
    let ir = IRModule(name: "program", target: variant.target)
    try ProgramEmitter.emit(variant.program, layout: layout, place: place, into: ir)
    let generator = try CodeGenerator(target: variant.target)
    try generator.verify(ir)
    try generator.optimize(ir, passes: "function(early-cse,simplifycfg)")
    let isHasty = variant.target.architecture == .x86_64 && ir.longestBlock > longBlock
    return try (isHasty ? CodeGenerator(target: variant.target, isHasty: true) : generator).object(ir)
  }

  /// In a folder beside the file that is made or replaced, so that the last step is a rename however large the weights are.
  private static func link(
    _ objects: [[UInt8]], of programs: [KernelProgram], _ weights: WeightLayout, _ options: LibraryOptions,
    for architecture: Architecture, to path: String
  ) throws(DiagnosticError) {
    let program = programs[0]
    let name = program.name
    let usesImages = programs.contains(where: \.usesImages)
    let linker = Linker(command: options.linker, for: architecture)
    let destination = try Destination(path)
    let runtime = RuntimeObject(
      compiler: options.compiler, for: architecture, profiles: options.profiles,
      takesStructures: program.hasStructures, usesText: programs.contains(where: \.usesText),
      keepsState: !program.states.isEmpty)
    let entries: [LibraryEntry] = options.profiles ? [.library, .profile] : [.library]
    try Files.withTemporaryFolder(in: destination.folder) { folder throws(DiagnosticError) in
      var paths: [String] = []
      for (index, object) in objects.enumerated() {
        let file = "\(folder)/\(index).o"
        let result = object.withUnsafeBytes { bytes in
          Result { () throws(DiagnosticError) in try Files.write(bytes, to: file) }
        }
        try result.get()
        paths.append(file)
      }
      paths.append(try runtime.path(in: folder))
      if usesImages { paths.append(try RuntimeObject.imageDecoders(compiler: options.compiler).path(in: folder)) }
      if !options.weightsBeside, weights.byteCount > 0 {
        let file = "\(folder)/weights.o"
        do {
          try WeightsObject(weights: weights, architecture: architecture).write(to: file)
        } catch {
          throw (error as? DiagnosticError) ?? DiagnosticError(.bug, "link.weights", "\(error)")
        }
        paths.append(file)
      }
      let made: String
      switch options.emission {
      case .archive: made = try linker.archive(paths, name: name, entries: entries, in: folder, for: path)
      case .object: made = try linker.object(paths, name: name, entries: entries, in: folder, for: path)
      case .library, .assembly, .llvm:
        made = try linker.sharedLibrary(
          paths, name: fileName(of: path), entries: entries, libraries: usesImages ? RuntimeObject.imageLibraries : [],
          in: folder, for: path)
      }
      try destination.take(made)
    }
  }

  /// The headers, written but for their names.
  private static func headers(
    _ variants: [LibraryVariant], _ options: LibraryOptions, in folder: String
  ) throws -> [AtomicFile] {
    let program = variants[0].program
    let own = LibraryHeader(
      program: program, target: describe(variants.map(\.target)), isShared: options.emission == .library,
      weightsBeside: options.weightsBeside, profiles: options.profiles)
    let shared = ["sinter.h"] + (options.profiles ? ["sinter_profile.h"] : [])
    let texts = [("\(program.name).h", own.text)] + shared.map { ($0, RuntimeObject.interfaceHeader($0)) }
    return try texts.map { name, text in
      let file = try AtomicFile("\(folder)/\(name)")
      try file.append(text)
      return file
    }
  }

  private static func fileName(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
  }
}

/// Seconds since some moment.
private enum Clock {
  static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
