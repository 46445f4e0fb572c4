import ArgumentParser
import SinterModel

/// `sinter info`: what a compiled library takes and gives.
struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Show the name, the target, the inputs and the outputs of a compiled library.",
    discussion: "Example: sinter info libresnet50.so")

  @Argument(help: "The library.", completion: .file(extensions: ["so"]))
  var library: String

  func run() throws {
    let library = try CompiledLibrary(library)
    print("\(library.name), compiled by \(library.producer) for \(library.target)")
    for (title, ports) in [("inputs", library.inputs), ("outputs", library.outputs)] {
      print("\(title):")
      for port in ports { print("  \(port)") }
    }
  }
}
