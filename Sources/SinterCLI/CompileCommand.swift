import ArgumentParser
import Sinter
import SinterLLVM
import SinterONNX
import SinterOps

/// `sinter compile`: an ONNX file becomes a library.
struct CompileCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compile",
    abstract: "Compile a model into a library with a C interface.",
    discussion: "Example: sinter compile resnet50.onnx -o libresnet50.so --header")

  @Argument(help: "The model, an ONNX file.", completion: .file(extensions: ["onnx"]))
  var model: String

  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: """
      The file to write: a shared library (.so), a static archive (.a), an object (.o), or for reading the kernels as \
      assembly (.s) or as LLVM's text (.ll).
      """,
    completion: .file())
  var output: String

  @Flag(help: "Write the library's own C header, and sinter.h, beside it.")
  var header = false

  @Option(help: "The name in the header and in the library's table; by default that of the output, without \"lib\" and ending.")
  var name: String?

  @Option(help: "The processor to compile for: \"host\", a level such as x86-64-v3, or a model such as znver4.")
  var cpu = "host"

  @Flag(help: "Keep the weights in a file NAME.weights beside the library.")
  var weightsBeside = false

  func run() throws {
    var graph = try OnnxImporter(operators: .standard).graph(reading: model)
    graph.name = name ?? Self.name(ofFile: output)
    var compiler = Compiler()
    compiler.target = try Target.named(cpu)
    let program = try compiler.kernels(of: graph)
    var options = LibraryOptions(target: compiler.target)
    options.emission = LibraryOptions.Emission(path: output) ?? .library
    options.weightsBeside = weightsBeside
    options.writesHeaders = header
    _ = try LibraryCompiler.compile(program, to: output, options: options)
  }

  /// `resnet50` of `build/libresnet50.so`.
  static func name(ofFile path: String) -> String {
    var name = path[...]
    if let slash = name.lastIndex(of: "/") { name = name[name.index(after: slash)...] }
    if let dot = name.lastIndex(of: "."), dot > name.startIndex { name = name[..<dot] }
    if name.hasPrefix("lib"), name.count > 3 { name = name.dropFirst(3) }
    return name.isEmpty ? "model" : String(name)
  }
}
