import ArgumentParser
import Sinter

/// `sinter check`: everything that keeps a model from compiling.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Tell every operator, type and shape of a model that would not compile.",
    discussion: "Example: sinter check model.onnx")

  @OptionGroup var model: ModelArgument

  func run() throws {
    let graph = try model.graph()
    var compiler = Compiler()
    let program = try compiler.kernels(of: graph)
    print("\(model.model) compiles: \(graph.order.count) nodes, \(program.kernels.count) kernels")
  }
}
