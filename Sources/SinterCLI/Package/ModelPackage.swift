import Foundation
import Sinter
import SinterCore
internal import SinterBindings
import SinterIR
import SinterLLVM
import SinterOps

/// A folder with all that programs are built with and shipped with: the library, what languages need to call it, and a page about it.
struct ModelPackage {
  let graph: Graph
  let targets: [Target]
  /// What the graph was read from, and the command line.
  let modelFile: String
  let arguments: [String]
  let weightsBeside: Bool

  private var name: String { graph.name }

  /// - Parameter compile: writes the library, with its headers beside it, to a path.
  func write(to folder: String, compile: (String) throws -> Void) throws {
    let files = FileManager.default
    try refuseOthers(in: folder)
    let parent = URL(fileURLWithPath: folder).deletingLastPathComponent().path
    let made = "\(parent)/.\(URL(fileURLWithPath: folder).lastPathComponent).\(UUID().uuidString)"
    Temporaries.add(made)
    defer {
      Files.remove(made)
      Temporaries.forget(made)
    }
    try Files.createFolder("\(made)/include", as: folder)
    try Files.createFolder("\(made)/cmake", as: folder)
    try compile("\(made)/lib\(name).so")
    for header in try files.contentsOfDirectory(atPath: made) where header.hasSuffix(".h") {
      try files.moveItem(atPath: "\(made)/\(header)", toPath: "\(made)/include/\(header)")
    }
    for (path, text) in Self.templates {
      try AtomicFile.write(filled(text, like: path), to: "\(made)/\(path.replacing("@NAME@", with: name))")
    }
    try AtomicFile.write(try provenance(), to: "\(made)/provenance.json")
    try AtomicFile.write(try page(), to: "\(made)/README.md")
    try put(made, in: folder)
  }

  /// Refuses a folder with anything in it that is no package of this model: its files would be written over.
  private func refuseOthers(in folder: String) throws(DiagnosticError) {
    let files = FileManager.default
    guard let found = try? files.contentsOfDirectory(atPath: folder), !found.isEmpty else { return }
    if found.contains("provenance.json"), found.contains("lib\(name).so") { return }
    throw DiagnosticError(
      .user, "package.folder", "the folder \(folder) holds files, and no package of a model named \(name)",
      hint: "give a folder that is empty or not there yet, or that holds a package of this model")
  }

  /// Moves the files into place: at once where nothing is there yet, else one after another over what a package before them left.
  private func put(_ made: String, in folder: String) throws {
    if rename(made, folder) == 0 { return }
    let files = FileManager.default
    for path in try files.subpathsOfDirectory(atPath: made) {
      var isFolder: ObjCBool = false
      _ = files.fileExists(atPath: "\(made)/\(path)", isDirectory: &isFolder)
      if isFolder.boolValue {
        try files.createDirectory(atPath: "\(folder)/\(path)", withIntermediateDirectories: true)
      } else if rename("\(made)/\(path)", "\(folder)/\(path)") != 0 {
        throw SystemError.diagnostic(
          "package.file", "\(folder)/\(path) cannot be written", code: errno,
          hint: "give a folder that is empty, or that holds a package of this model")
      }
    }
  }

  private static var templates: [(path: String, text: String)] {
    var count = 0
    guard let first = sinter_templates(&count) else { return [] }
    return UnsafeBufferPointer(start: first, count: count).map { template in
      (
        String(cString: template.name),
        String(decoding: UnsafeRawBufferPointer(start: template.bytes, count: template.length), as: UTF8.self)
      )
    }
  }

  private func filled(_ text: String, like path: String) -> String {
    let mark = path.hasSuffix(".hpp") || path.hasSuffix(".go") ? "// " : path.hasSuffix(".rs") ? "//! " : ""
    let lines = portLines.map { mark + $0 }
    // Ports have the last word, since their names are anybody's.
    return text.replacing("@NAME@", with: name).replacing("@IDENTIFIER@", with: name)
      .replacing("@UPPER@", with: name.uppercased()).replacing("@VERSION@", with: SinterVersion.current)
      .replacing("@PORTS@", with: ([mark.trimmingCharacters(in: .whitespaces)] + lines).joined(separator: "\n"))
  }

  /// `input x: f32[n, 4]`, without what would end a comment or a text.
  private var portLines: [String] {
    let inputs = ports(graph.callerInputs, graph.inputs.map { graph.type(of: $0) })
    let outputs = ports(graph.callerOutputs, graph.outputs.map { graph.type(of: $0.value) })
    return (inputs.map { "input \($0.name): \($0.type)" } + outputs.map { "output \($0.name): \($0.type)" }).map(
      Self.plain)
  }

  private func ports(_ ports: [CallerPort], _ types: [ValueType]) -> [PortInspection] {
    ports.map { PortInspection($0, types) }
  }

  private static func plain(_ text: String) -> String {
    String(text.map { $0.isNewline || $0 == "\\" || $0 == "\"" || $0 == "`" ? "_" : $0 })
  }

  // MARK: Where it comes from

  private struct Provenance: Encodable {
    var model: String
    var sha256: String
    var producer: String
    var target: String
    var arguments: [String]
  }

  private var target: String { "\(targets[0].triple) " + targets.map(\.processor).joined(separator: ", ") }

  private func provenance() throws -> String {
    let found = Provenance(
      model: modelName, sha256: try modelHash(),
      producer: "sinter \(SinterVersion.current)", target: target, arguments: arguments)
    return (JSONText.of(found) ?? "{}") + "\n"
  }

  private var modelName: String {
    modelFile == "-" ? "standard input" : URL(fileURLWithPath: modelFile).lastPathComponent
  }

  private func modelHash() throws -> String {
    let path = modelFile == "-" ? try StandardInput.path() : modelFile
    guard let file = FileHandle(forReadingAtPath: path) else {
      throw SystemError.diagnostic("file.read", "\(modelFile) cannot be read", code: errno, path: path)
    }
    var hash = SHA256()
    while let part = try file.read(upToCount: 1 << 20), !part.isEmpty { hash.add([UInt8](part)) }
    return hash.finish()
  }

  private func page() throws -> String {
    let inputs = ports(graph.callerInputs, graph.inputs.map { graph.type(of: $0) })
    let outputs = ports(graph.callerOutputs, graph.outputs.map { graph.type(of: $0.value) })
    func rows(_ kind: String, _ ports: [PortInspection]) -> [String] {
      ports.map { "| \(kind) | `\(Self.plain($0.name))` | `\(Self.plain($0.type))` |" }
    }
    var lines = [
      "# \(name)", "",
      "Compiled by sinter \(SinterVersion.current) for \(target) from \(modelName), whose "
        + "SHA-256 is", "`\(try modelHash())`; provenance.json has the command line.", "", "| | port | type |",
      "|---|---|---|",
    ]
    lines += rows("input", inputs) + rows("output", outputs) + [""]
    if !graph.obligations.isEmpty {
      lines.append("Of sizes must hold, else a run is refused with a sentence that names both:")
      lines += graph.obligations.map { "- \(Self.plain($0.explained))" } + [""]
    }
    lines += [
      "| file | is for |", "|---|---|",
      "| `lib\(name).so` | all of them: it needs the C library and \(Self.libraries(graph)) |",
    ]
    if weightsBeside { lines.append("| `\(name).weights` | the library, which looks for it in its own folder |") }
    lines += [
      "| `include/\(name).h`, `include/sinter.h` | C: `cc program.c $(pkg-config --cflags --libs ./\(name).pc)` |",
      "| `include/\(name).hpp` | C++17: sessions and outputs that clean up behind themselves, exceptions |",
      "| `\(name).pc`, `cmake/` | pkg-config; CMake: `find_package(\(name) PATHS .)`, `\(name)::\(name)` |",
      "| `\(name).py` | Python: `from \(name) import Model`, with NumPy or without |",
      "| `\(name).rs` | Rust: `mod \(name);`, without crates |",
      "| `model.go` | Go: the folder as a package of a module, with cgo |", "",
      "The library's runtime and the files beside it are Sinter's, under the Apache License 2.0 (LICENSE). The weights are the model's, under",
      "the license that its authors gave it.", "",
    ]
    return lines.joined(separator: "\n")
  }

  /// What the library needs besides the C library.
  private static func libraries(_ graph: Graph) -> String {
    decodesImages(graph)
      ? RuntimeObject.imageLibraries.map { "lib\($0)" }.joined(separator: ", ") + ", which decode image files"
      : "nothing else"
  }

  private static func decodesImages(_ graph: Graph) -> Bool {
    graph.order.map { graph.nodes[$0] }.contains { $0.op is ImageDecoder || $0.bodies.contains(where: decodesImages) }
  }
}
