import Foundation
import Sinter
import SinterCore
import SinterONNX
import Testing

/// The same model gives the same bytes, whoever compiles it: another process, which hashes differently, another number of threads.
@Suite struct CompilePromiseTests {
  /// The compiler's binary, beside the tests.
  private static let sinter =
    URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("sinter").path

  @Test(arguments: SmallModel.allCases) func compilingTwiceGivesTheSameBytes(model: SmallModel) throws {
    let outcome = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      Result { try self.compare(model, in: folder) }
    }
    try outcome.get()
  }

  private func compare(_ model: SmallModel, in folder: String) throws {
    let file = "\(folder)/\(model.rawValue).onnx"
    try model.file.write(to: file)
    func run(_ arguments: String...) throws {
      let result = try Subprocess.run(Self.sinter, arguments)
      #expect(result.succeeded, "\(result.output)")
    }
    for (turn, threads) in [("first", "1"), ("second", "3")] {
      let place = "\(folder)/\(turn)"
      try Files.createFolder(place)
      try run("compile", file, "-o", "\(place)/libmodel.so", "--header", "--threads", threads)
      try run(
        "compile", file, "-o", "\(place)/libmany.so", "--cpu", "x86-64-v2,x86-64-v4", "--weights-beside", "--threads",
        threads)
      try run("compile", file, "-o", "\(place)/model.a", "--name", "model", "--profile", "--threads", threads)
      try run("export", file, "-o", "\(place)/exported.onnx")
      try run("compile", file, "-o", "\(place)/graph.sinter", "--emit", "graph")
      try run("compile", file, "-o", "\(place)/model.kernels", "--emit", "kernels")
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/first").sorted()
    #expect(
      names.filter { $0 != "graph.sinter.safetensors" } == [
        "exported.onnx", "graph.sinter", "libmany.so", "libmodel.so", "many.weights",
        "model.a", "model.h", "model.kernels", "sinter.h",
      ])
    // Weights stand beside the text exactly where it names some by their hash.
    let text = try String(contentsOfFile: "\(folder)/first/graph.sinter", encoding: .utf8)
    #expect(names.contains("graph.sinter.safetensors") == text.contains("] = #"))
    for name in names {
      #expect(try Subprocess.run("cmp", ["\(folder)/first/\(name)", "\(folder)/second/\(name)"]).succeeded, "\(name)")
    }
  }
}
