import Glibc
import SinterCore

/// A function that a library exports.
enum LibraryEntry: String {
  case library
  /// Only where the library was compiled to be profiled.
  case profile

  /// In a shared library.
  var symbol: String { "sinter_\(rawValue)" }

  /// In an archive or an object.
  func symbol(of model: String) -> String { "\(CIdentifier.make(model))_\(rawValue)" }
}

/// Puts objects together with the system's tools, or with the linker inside a command that was built with one.
///
/// The same objects give the same bytes. All is made in a folder for temporary files; the path that it is made for is named in errors.
package struct Linker {
  /// What is linked for.
  package let architecture: Architecture
  /// `LD`, else `ld`, or that of another architecture; may hold arguments after spaces, as in make. Empty: the linker inside.
  package var command: [String]
  /// `OBJCOPY`, else `objcopy`, and `AR`, else `ar`: for archives and objects.
  package var copier: [String]
  package var archiver: [String]

  package init(command: String? = nil, for architecture: Architecture = .host) {
    self.architecture = architecture
    func tool(_ variable: String, _ name: String) -> [String] {
      let usual = architecture.tool(name)
      let words = (Environment.value(variable) ?? usual).split(separator: " ").map(String.init)
      return words.isEmpty ? [usual] : words
    }
    if architecture == .host, command == nil, Environment.value("LD") == nil, BundledLinker.exists {
      self.command = []
    } else {
      self.command = command.map { $0.split(separator: " ").map(String.init) } ?? tool("LD", "ld")
    }
    copier = tool("OBJCOPY", "objcopy")
    archiver = tool("AR", "ar")
  }

  /// A shared library that exports the entry points alone and needs the C library, its mathematics and nothing else but `libraries`.
  func sharedLibrary(
    _ objects: [String], name: String, entries: [LibraryEntry], libraries: [String] = [], in folder: String,
    for path: String
  ) throws(DiagnosticError) -> String {
    let exports = folder + "/exports.map"
    try Files.write("{ global: \(entries.map { $0.symbol + "; " }.joined())local: *; };\n", to: exports)
    let output = folder + "/library.so"
    let arguments = [
      "-shared", "-o", output, "-soname", name, "--version-script=" + exports, "--gc-sections", "--strip-debug",
      "--build-id=none", "--hash-style=gnu", "--no-undefined", "-z", "relro", "-z", "now", "-z", "noexecstack",
    ]
    // The linker inside knows no folders of the system; this process has found the C library already.
    let library = command.isEmpty ? BundledLinker.systemLibraries : ["-l:libm.so.6", "-l:libc.so.6"]
    let system = ["--as-needed"] + library + loader
    try run(
      command, arguments + objects + ["--as-needed"] + libraries.map { "-l\($0)" } + system, "ld", "LD",
      "library \(path)")
    return output
  }

  /// The dynamic loader, where it is found: this system's, or that beside another architecture's C library.
  private var loader: [String] {
    if architecture != .host { return ["-l:" + architecture.loader] }
    let path = "/lib64/" + architecture.loader
    return Files.exists(path) ? [path] : []
  }

  /// One object that defines the entry points under the model's name and keeps everything else to itself.
  func object(
    _ objects: [String], name: String, entries: [LibraryEntry], in folder: String, for path: String
  ) throws(DiagnosticError) -> String {
    let joined = folder + "/joined.o"
    try run(command, ["-r", "-o", joined, "--build-id=none"] + objects, "ld", "LD", "object \(path)")
    let renamed = entries.flatMap { entry in
      let own = entry.symbol(of: name)
      return ["--redefine-sym", "\(entry.symbol)=\(own)", "--keep-global-symbol", own]
    }
    try run(copier, ["--strip-debug"] + renamed + [joined], "objcopy", "OBJCOPY", "object \(path)")
    return joined
  }

  /// A static archive with one such object.
  func archive(
    _ objects: [String], name: String, entries: [LibraryEntry], in folder: String, for path: String
  ) throws(DiagnosticError) -> String {
    let joined = try object(objects, name: name, entries: entries, in: folder, for: path)
    // The archive names its member.
    let member = folder + "/model.o"
    try Files.rename(joined, to: member)
    let output = folder + "/library.a"
    try run(archiver, ["rcsD", output, member], "ar", "AR", "archive \(path)")
    return output
  }

  private func run(
    _ command: [String], _ arguments: [String], _ tool: String, _ variable: String, _ what: String
  ) throws(DiagnosticError) {
    let result: Subprocess.Result
    do {
      result =
        command.isEmpty
        ? BundledLinker.run(arguments) : try Subprocess.run(command[0], command.dropFirst() + arguments)
    } catch {
      throw DiagnosticError(
        .user, "link.tool", "the \(what) cannot be made: \(error.diagnostics[0].message)",
        hint: "install \(architecture.toolHint), or set \(variable) to a program that works as \(tool) does")
    }
    guard result.succeeded else {
      throw DiagnosticError(
        .user, "link.failed",
        "the \(what) cannot be made: \(command.first ?? "the linker") failed with status \(result.status)",
        output: result.output)
    }
  }
}
