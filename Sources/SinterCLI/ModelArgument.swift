import ArgumentParser
import Foundation
import Sinter
import SinterIR
import SinterONNX
import SinterOps

/// A model file on the command line, and sizes to fix in it.
struct ModelArgument: ParsableArguments {
  @Argument(help: "The model: an ONNX file, or a graph in text form (.sinter).", completion: .file())
  var model: String

  @Option(help: ArgumentHelp("Fix a symbolic size.", valueName: "symbol=size"))
  var bind: [String] = []

  /// The graph, with its sizes bound.
  func graph() throws -> Graph {
    var graph: Graph
    if model.hasSuffix(".sinter") {
      guard let text = try? String(contentsOfFile: model, encoding: .utf8) else {
        throw DiagnosticError(.user, "file.read", "\(model) cannot be read as text", hint: "check the path")
      }
      graph = try Graph(parsing: text, operators: .standard)
    } else {
      graph = try OnnxImporter(operators: .standard).graph(reading: model)
    }
    let sizes = try Self.sizes(bind)
    if !sizes.isEmpty { try graph.bind(sizes) }
    return graph
  }

  static func sizes(_ pairs: [String]) throws -> [Symbol: Int] {
    var sizes: [Symbol: Int] = [:]
    for pair in pairs {
      let parts = pair.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let size = Int(parts[1]), size >= 0 else {
        throw ValidationError("\"\(pair)\" is not of the form symbol=size, as in batch=1")
      }
      sizes[Symbol(String(parts[0]))] = size
    }
    return sizes
  }
}
