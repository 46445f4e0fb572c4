import Glibc
import SinterCore
import SinterKernel

/// From a scheduled program to files: the last part of the straight line.
public enum LibraryCompiler {
  /// Compiles `program` for `options.target` to `path`; headers and weights beside it are named after the program.
  public static func compile(
    _ program: KernelProgram, to path: String, options: LibraryOptions = LibraryOptions()
  ) throws -> LibraryArtifacts {
    try compile([LibraryVariant(target: options.target, program: program)], to: path, options: options)
  }

  /// Compiles one model, scheduled for several processors, into one library, which takes the first that it can run. The
  /// variants must come from one graph; order them by what they demand, the most demanding first.
  public static func compile(
    _ variants: [LibraryVariant], to path: String, options: LibraryOptions = LibraryOptions()
  ) throws -> LibraryArtifacts {
    guard let first = variants.first else {
      throw DiagnosticError(.user, "library.variants", "no processor is given to compile for")
    }
    var artifacts = LibraryArtifacts(path: path)
    artifacts.kernelCount = variants.reduce(0) { $0 + $1.program.kernels.count }
    let started = Clock.now
    switch options.emission {
    case .assembly, .llvm:
      let text = try listing(variants, options)
      artifacts.kernelSeconds = Clock.now - started
      try writeAtomically(text, to: path)
      return artifacts
    case .library, .archive, .object: break
    }

    var weights = WeightLayout()
    let layouts = try variants.map { try ProgramLayout($0.program, weights: &weights) }
    var objects: [[UInt8]] = []
    for (number, variant) in variants.enumerated() {
      var compiler = KernelCompiler(target: variant.target, threads: options.threads)
      compiler.variant = number
      objects += try compiler.objects(variant.program)
    }
    artifacts.kernelSeconds = Clock.now - started
    for (number, variant) in variants.enumerated() {
      let place = ProgramEmitter.Place(
        variant: number, isLast: number == variants.count - 1,
        target: number == 0 ? describe(variants.map(\.target)) : variant.target.description,
        weightBytes: weights.byteCount, weightsBeside: options.weightsBeside, profiles: options.profiles)
      objects.append(try programObject(variant, layouts[number], place))
    }
    artifacts.programSeconds = Clock.now - started - artifacts.kernelSeconds
    artifacts.weightBytes = weights.byteCount
    let folder = Self.folder(of: path)
    if options.weightsBeside, weights.byteCount > 0 {
      let weightsPath = "\(folder)/\(first.program.name).weights"
      let file = try AtomicFile(weightsPath)
      try weights.write { try file.append($0) }
      try file.commit()
      artifacts.weightsPath = weightsPath
    }
    try link(objects, first.program.name, weights, options, to: path)
    if options.writesHeaders { artifacts.headers = try writeHeaders(variants, options, to: folder) }
    artifacts.linkSeconds = Clock.now - started - artifacts.kernelSeconds - artifacts.programSeconds
    return artifacts
  }

  /// What keeps a scheduled program from becoming a library.
  public static func problems(of program: KernelProgram) -> [Diagnostic] {
    var weights = WeightLayout()
    do {
      _ = try ProgramLayout(program, weights: &weights)
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

  /// The object with a program's table, `plan` and `run`.
  private static func programObject(
    _ variant: LibraryVariant, _ layout: ProgramLayout, _ place: ProgramEmitter.Place
  ) throws -> [UInt8] {
    let ir = IRModule(name: "program", target: variant.target)
    try ProgramEmitter.emit(variant.program, layout: layout, place: place, into: ir)
    let generator = try CodeGenerator(target: variant.target)
    #if DEBUG
      try generator.verify(ir)
    #endif
    try generator.optimize(ir, passes: "function(early-cse,simplifycfg)")
    return try generator.object(ir)
  }

  /// In a folder beside the destination, so that the last step is a rename however large the weights are.
  private static func link(
    _ objects: [[UInt8]], _ name: String, _ weights: WeightLayout, _ options: LibraryOptions, to path: String
  ) throws(DiagnosticError) {
    let linker = Linker(command: options.linker)
    let runtime = try RuntimeObject(profiles: options.profiles).path()
    let entries: [LibraryEntry] = options.profiles ? [.library, .profile] : [.library]
    try Files.withTemporaryFolder(in: folder(of: path)) { folder throws(DiagnosticError) in
      var paths: [String] = []
      for (index, object) in objects.enumerated() {
        let file = "\(folder)/\(index).o"
        let result = object.withUnsafeBytes { bytes in
          Result { () throws(DiagnosticError) in try Files.write(bytes, to: file) }
        }
        try result.get()
        paths.append(file)
      }
      paths.append(runtime)
      if !options.weightsBeside, weights.byteCount > 0 {
        let file = "\(folder)/weights.o"
        do {
          try WeightsObject(weights: weights).write(to: file)
        } catch {
          throw (error as? DiagnosticError) ?? DiagnosticError(.bug, "link.weights", "\(error)")
        }
        paths.append(file)
      }
      switch options.emission {
      case .archive: try linker.archive(paths, name: name, entries: entries, in: folder, to: path)
      case .object: try linker.object(paths, name: name, entries: entries, in: folder, to: path)
      case .library, .assembly, .llvm:
        try linker.sharedLibrary(paths, name: fileName(of: path), entries: entries, in: folder, to: path)
      }
    }
  }

  private static func writeHeaders(
    _ variants: [LibraryVariant], _ options: LibraryOptions, to folder: String
  ) throws -> [String] {
    let program = variants[0].program
    let own = "\(folder)/\(program.name).h"
    let header = LibraryHeader(
      program: program, target: describe(variants.map(\.target)), isShared: options.emission == .library,
      weightsBeside: options.weightsBeside, profiles: options.profiles)
    try writeAtomically(header.text, to: own)
    return try [own]
      + (["sinter.h"] + (options.profiles ? ["sinter_profile.h"] : [])).map { name in
        try writeAtomically(RuntimeObject.interfaceHeader(name), to: "\(folder)/\(name)")
        return "\(folder)/\(name)"
      }
  }

  private static func writeAtomically(_ text: String, to path: String) throws {
    let file = try AtomicFile(path)
    try Array(text.utf8).withUnsafeBytes { try file.append($0) }
    try file.commit()
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
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
