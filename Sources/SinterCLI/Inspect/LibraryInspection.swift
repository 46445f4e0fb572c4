import Foundation
import SinterModel

/// What a compiled library tells of itself.
struct LibraryInspection: Encodable {
  var library: String
  var producer: String
  var target: String
  var inputs: [PortInspection]
  var outputs: [PortInspection]
  /// What its sessions keep from run to run.
  var states: [PortInspection]
  /// Of its file.
  var bytes: Int?

  init(_ library: CompiledLibrary) {
    self.library = library.name
    producer = library.producer
    target = library.target
    inputs = library.inputs.map(PortInspection.init)
    outputs = library.outputs.map(PortInspection.init)
    states = library.states.map(PortInspection.init)
    // Through links: what came through standard input is known by one.
    var status = stat()
    bytes = stat(library.path, &status) == 0 ? Int(status.st_size) : nil
  }

  var text: String {
    var lines = ["library     \(library), by \(producer)", "target      \(target)"]
    lines += inputs.map { "input       \($0.name): \($0.type)" } + outputs.map { "output      \($0.name): \($0.type)" }
    lines += states.map { "state       \($0.name): \($0.type)" }
    if let bytes { lines.append("size        \(Terminal.bytes(bytes))") }
    return lines.joined(separator: "\n")
  }
}
