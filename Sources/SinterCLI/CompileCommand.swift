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

  @Option(name: [.customShort("o"), .customLong("output")], help: "The file to write.", completion: .file())
  var output: String

  @Flag(help: "Write the library's own C header, and sinter.h, beside it.")
  var header = false

  @Option(help: "The name in the header and in the library's table; the model's name by default.")
  var name: String?

  func run() throws {
    var graph = try OnnxImporter(operators: .standard).graph(reading: model)
    graph.name = name ?? "model"
    var compiler = Compiler()
    let program = try compiler.kernels(of: graph)
    var options = LibraryOptions(target: compiler.target)
    options.writesHeaders = header
    _ = try LibraryCompiler.compile(program, to: output, options: options)
  }
}
