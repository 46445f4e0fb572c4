import Glibc
import SinterCore
import SinterKernel

/// From a scheduled program to files: the last part of the straight line.
public enum LibraryCompiler {
  /// Compiles `program` to `path`; headers and weights beside it are named after the program.
  public static func compile(
    _ program: KernelProgram, to path: String, options: LibraryOptions = LibraryOptions()
  ) throws -> LibraryArtifacts {
    var artifacts = LibraryArtifacts(path: path)
    artifacts.kernelCount = program.kernels.count
    let compiler = KernelCompiler(target: options.target, threads: options.threads)
    let started = Clock.now
    switch options.emission {
    case .assembly, .llvm:
      let text = try compiler.listing(program, asAssembly: options.emission == .assembly).joined(separator: "\n")
      artifacts.kernelSeconds = Clock.now - started
      try writeAtomically(text, to: path)
      return artifacts
    case .library, .archive, .object: break
    }

    let layout = try ProgramLayout(program)
    let kernels = try compiler.objects(program)
    artifacts.kernelSeconds = Clock.now - started
    let tables = try programObject(program, layout, options)
    artifacts.programSeconds = Clock.now - started - artifacts.kernelSeconds
    artifacts.weightBytes = layout.weights.byteCount
    let folder = Self.folder(of: path)
    if options.weightsBeside, layout.weights.byteCount > 0 {
      let weights = "\(folder)/\(program.name).weights"
      let file = try AtomicFile(weights)
      try layout.weights.write { try file.append($0) }
      try file.commit()
      artifacts.weightsPath = weights
    }
    try link(kernels + [tables], program, layout, options, to: path)
    if options.writesHeaders { artifacts.headers = try writeHeaders(program, options, to: folder) }
    artifacts.linkSeconds = Clock.now - started - artifacts.kernelSeconds - artifacts.programSeconds
    return artifacts
  }

  /// The object with `sinter_program`.
  private static func programObject(
    _ program: KernelProgram, _ layout: ProgramLayout, _ options: LibraryOptions
  ) throws -> [UInt8] {
    let ir = IRModule(name: "program", target: options.target)
    try ProgramEmitter.emit(program, layout: layout, weights: options.weightsBeside ? .beside : .inside, into: ir)
    let generator = try CodeGenerator(target: options.target)
    #if DEBUG
      try generator.verify(ir)
    #endif
    try generator.optimize(ir, passes: "function(early-cse,simplifycfg)")
    return try generator.object(ir)
  }

  /// In a folder beside the destination, so that the last step is a rename however large the weights are.
  private static func link(
    _ objects: [[UInt8]], _ program: KernelProgram, _ layout: ProgramLayout, _ options: LibraryOptions, to path: String
  ) throws(DiagnosticError) {
    let linker = Linker(command: options.linker)
    let runtime = try RuntimeObject().path()
    try Files.withTemporaryFolder(in: folder(of: path)) { folder throws(DiagnosticError) in
      var paths: [String] = []
      for (index, object) in objects.enumerated() {
        let name = "\(folder)/\(index).o"
        let result = object.withUnsafeBytes { bytes in
          Result { () throws(DiagnosticError) in try Files.write(bytes, to: name) }
        }
        try result.get()
        paths.append(name)
      }
      paths.append(runtime)
      if !options.weightsBeside, layout.weights.byteCount > 0 {
        let name = "\(folder)/weights.o"
        do {
          try WeightsObject(weights: layout.weights).write(to: name)
        } catch {
          throw (error as? DiagnosticError) ?? DiagnosticError(.bug, "link.weights", "\(error)")
        }
        paths.append(name)
      }
      let entry = CIdentifier.make(program.name) + "_library"
      switch options.emission {
      case .archive: try linker.archive(paths, entry: entry, in: folder, to: path)
      case .object: try linker.object(paths, entry: entry, in: folder, to: path)
      case .library, .assembly, .llvm:
        try linker.sharedLibrary(paths, name: fileName(of: path), in: folder, to: path)
      }
    }
  }

  private static func writeHeaders(
    _ program: KernelProgram, _ options: LibraryOptions, to folder: String
  ) throws -> [String] {
    let own = "\(folder)/\(program.name).h"
    let header = LibraryHeader(
      program: program, target: options.target, isShared: options.emission == .library,
      weightsBeside: options.weightsBeside)
    try writeAtomically(header.text, to: own)
    let generic = "\(folder)/sinter.h"
    try writeAtomically(RuntimeObject.interfaceHeader, to: generic)
    return [own, generic]
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
