import Glibc
import SinterCore
internal import SinterRuntime

/// The C runtime as an object file, which every compiled library links.
///
/// Sinter carries the runtime's sources: the machine that compiles models has a C compiler, and the object then fits its C library.
/// It is compiled once and kept in the user's cache. A command that was built to need nothing around it (packaging/static.sh) carries the
/// objects as well, and uses these unless a C compiler is asked for.
package struct RuntimeObject {
  /// What the C compiler is called with, besides the files.
  package static let flags = [
    "-std=c11", "-O2", "-fPIC", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", "-w",
  ]

  /// What is compiled for.
  package let architecture: Architecture

  /// The C compiler: `CC`, else `cc`, or that of another architecture. May hold arguments after spaces, as in make.
  package var compiler: [String]

  /// Whether no compiler was asked for, so that an object that the command carries will do.
  private let takesPrebuilt: Bool

  /// Where objects are kept.
  package var cacheFolder: String

  /// Whether the object can note when kernels run, for libraries whose `run` tells it.
  package var profiles: Bool

  /// Whether the object takes and gives sequences, optionals and maps, for libraries that have such ports.
  package var takesStructures: Bool
  /// Whether the object holds what works on text.
  package var usesText: Bool
  /// Whether the object keeps states from run to run, for libraries that have some.
  package var keepsState: Bool

  /// The file that is compiled.
  private var main = SINTER_RUNTIME_MAIN

  package init(
    compiler: String? = nil, cacheFolder: String? = nil, for architecture: Architecture = .host, profiles: Bool = false,
    takesStructures: Bool = false, usesText: Bool = false, keepsState: Bool = false
  ) {
    self.architecture = architecture
    self.profiles = profiles
    self.takesStructures = takesStructures
    self.usesText = usesText
    self.keepsState = keepsState
    takesPrebuilt = architecture == .host && compiler == nil && Environment.value("CC") == nil
    let usual = architecture.tool("cc")
    let command = (compiler ?? Environment.value("CC") ?? usual).split(separator: " ").map(String.init)
    self.compiler = command.isEmpty ? [usual] : command
    self.cacheFolder = cacheFolder ?? Self.defaultCacheFolder
  }

  /// `XDG_CACHE_HOME/sinter`, else `~/.cache/sinter`.
  private static var defaultCacheFolder: String {
    if let cache = Environment.value("XDG_CACHE_HOME") { return cache + "/sinter" }
    return (Environment.value("HOME") ?? "/tmp") + "/.cache/sinter"
  }

  private var flags: [String] {
    Self.flags + architecture.compilerFlags + (profiles ? ["-DSINTER_PROFILE"] : [])
      + (takesStructures ? ["-DSINTER_STRUCTURES"] : [])
      + (usesText ? ["-DSINTER_TEXT"] : []) + (keepsState ? ["-DSINTER_STATE"] : [])
  }

  private var prebuilt: UnsafeRawBufferPointer? {
    if main != SINTER_RUNTIME_MAIN { return nil }
    var variant: Int32 = 0
    if profiles { variant |= SINTER_VARIANT_PROFILE }
    if takesStructures { variant |= SINTER_VARIANT_STRUCTURES }
    if usesText { variant |= SINTER_VARIANT_TEXT }
    if keepsState { variant |= SINTER_VARIANT_STATE }
    guard takesPrebuilt, let object = sinter_runtime_prebuilt(variant) else { return nil }
    return UnsafeRawBufferPointer(start: object.pointee.bytes, count: object.pointee.length)
  }

  /// The decoders of image files, an object beside the runtime's. Libraries with it need those of `imageLibraries`.
  package static func imageDecoders(compiler: String? = nil, cacheFolder: String? = nil) -> RuntimeObject {
    var object = RuntimeObject(compiler: compiler, cacheFolder: cacheFolder)
    object.main = SINTER_RUNTIME_IMAGES
    return object
  }

  /// What the decoders call, as the linker has it.
  package static let imageLibraries = ["jpeg", "openjp2", "png16", "tiff", "webp"]

  /// The path of the object file: in `folder` where the command carries it or no cache can be kept, since it may not be written or has no room,
  /// else in the cache, compiled now if it is not there yet.
  package func path(in folder: String) throws(DiagnosticError) -> String {
    try requireDecodersAreThere()
    let own = main == SINTER_RUNTIME_MAIN ? "\(folder)/runtime.o" : "\(folder)/images.o"
    if let prebuilt {
      try Files.write(prebuilt, to: own)
      return own
    }
    let kept = try keptPath()
    if Files.exists(kept) { return kept }
    if Files.isWritableFolder(cacheFolder), let object = try? cached(at: kept) { return object }
    let sources = own + ".sources"
    try Files.createFolder(sources)
    try compile(in: sources, to: own)
    return own
  }

  /// The path of the object file in the cache, compiled now if it is not there yet.
  package func path() throws(DiagnosticError) -> String {
    try requireDecodersAreThere()
    return try cached(at: try keptPath())
  }

  private func cached(at object: String) throws(DiagnosticError) -> String {
    if Files.exists(object) { return object }
    try Files.createFolder(cacheFolder)
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in try compile(in: folder, to: object) }
    return object
  }

  /// Where the object is kept; asks the compiler for its version.
  private func keptPath() throws(DiagnosticError) -> String { "\(cacheFolder)/runtime-\(try key()).o" }

  private func requireDecodersAreThere() throws(DiagnosticError) {
    guard main == SINTER_RUNTIME_IMAGES, BundledLinker.exists, takesPrebuilt || Environment.value("LD") == nil else {
      return
    }
    throw DiagnosticError(
      .user, "images.command",
      "this command carries no decoders of image files, which a model with ImageDecoder needs",
      hint: "set CC and LD to a C compiler and a linker of this system, which find the decoders' libraries")
  }

  /// Compiles to a name of this call's own, as the folder's is, and renames it, so that concurrent compilers never see half an object.
  private func compile(in folder: String, to object: String) throws(DiagnosticError) {
    for source in Self.sources() { try Files.write(source.bytes, to: "\(folder)/\(source.name)") }
    let partial = "\(object).\(folder.split(separator: "/").last ?? "partial")"
    Temporaries.add(partial)
    defer { Temporaries.forget(partial) }
    let arguments =
      compiler.dropFirst() + flags + ["-I", folder, "-c", "\(folder)/\(main)", "-o", partial]
    let result = try runCompiler(Array(arguments))
    guard result.succeeded else {
      Files.remove(partial)
      let missing = Self.packages(missingBy: result.output)
      if !missing.isEmpty {
        throw DiagnosticError(
          .user, "images.packages",
          "ImageDecoder needs libraries whose headers are not installed: \(missing.joined(separator: ", "))",
          hint: "install them; on Debian and Ubuntu: apt-get install \(missing.joined(separator: " "))")
      }
      throw DiagnosticError(
        .user, "runtime.compile", "the C compiler \(compiler[0]) could not compile the runtime",
        hint: "set CC to a C11 compiler for \(architecture.name), gcc or clang", output: result.output)
    }
    guard let machine = Self.machine(ofObject: partial), machine == architecture.elfMachine else {
      Files.remove(partial)
      throw DiagnosticError(
        .user, "runtime.architecture", "the C compiler \(compiler[0]) does not write objects for \(architecture.name)",
        hint: "set CC to one that does, as \(architecture.tool("cc")), or leave it unset")
    }
    try Files.rename(partial, to: object)
  }

  /// The processor that an ELF file is for, by its header.
  private static func machine(ofObject path: String) -> UInt16? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var header = [UInt8](repeating: 0, count: 20)
    guard fread(&header, 1, header.count, file) == header.count else { return nil }
    return UInt16(header[18]) | UInt16(header[19]) << 8
  }

  /// The packages that `image_all.c` complains of.
  private static func packages(missingBy output: String) -> [String] {
    let mark = "\"missing package: "
    // Compilers show the line again, and say what it is in the user's language.
    var packages: [String] = []
    for line in output.split(separator: "\n") {
      guard let range = line.firstRange(of: mark) else { continue }
      let package = String(line[range.upperBound...].prefix { $0 != "\"" })
      if !packages.contains(package) { packages.append(package) }
    }
    return packages
  }

  private func runCompiler(_ arguments: [String]) throws(DiagnosticError) -> Subprocess.Result {
    do {
      return try Subprocess.run(compiler[0], arguments)
    } catch {
      throw DiagnosticError(
        .user, "runtime.compiler", error.diagnostics[0].message,
        hint: architecture == .host
          ? "install a C compiler, or set CC to one"
          : "install \(architecture.toolHint), or set CC to a C compiler for \(architecture.name)")
    }
  }

  /// The versions of the decoders' libraries as their headers have them: an object is only good for the libraries that it was compiled for.
  private func imageVersions() throws(DiagnosticError) -> String {
    let macros = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      for source in Self.sources() { try Files.write(source.bytes, to: "\(folder)/\(source.name)") }
      return try runCompiler(compiler.dropFirst() + flags + ["-I", folder, "-E", "-dM", "\(folder)/\(main)"]).output
    }
    let names = [
      "JPEG_LIB_VERSION", "LIBJPEG_TURBO_VERSION", "OPJ_VERSION_", "PNG_LIBPNG_VER_STRING", "TIFFLIB_VERSION", "WEBP_",
    ]
    let lines = macros.split(separator: "\n").filter { line in
      line.hasPrefix("#define ") && names.contains { line.dropFirst(8).hasPrefix($0) }
    }
    return lines.sorted().joined(separator: "\n")
  }

  /// What the object depends on: sources, flags, the compiler's version, which names its target, too, and the versions of the decoders' libraries.
  private func key() throws(DiagnosticError) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func combine(_ bytes: some Sequence<UInt8>) {
      for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
    let version = try runCompiler(compiler.dropFirst() + ["-v"])
    for text in compiler + flags + [main, version.output] {
      combine(text.utf8)
      combine([0])
    }
    for source in Self.sources() { combine(source.bytes) }
    if main == SINTER_RUNTIME_IMAGES { combine(try imageVersions().utf8) }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// The text of a header that hosts include: `sinter.h` or `sinter_profile.h`.
  static func interfaceHeader(_ name: String) -> String {
    sources().first { $0.name == name }.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
  }

  private static func sources() -> [(name: String, bytes: UnsafeRawBufferPointer)] {
    var count = 0
    guard let first = sinter_runtime_sources(&count) else { return [] }
    return UnsafeBufferPointer(start: first, count: count).map { source in
      (String(cString: source.name), UnsafeRawBufferPointer(start: source.bytes, count: source.length))
    }
  }
}
