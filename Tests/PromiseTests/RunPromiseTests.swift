import Sinter
import SinterCore
import SinterLLVM
import SinterONNX
import SinterOps
import Testing

/// What a host may rely on when it runs a library: the same bits on any number of threads and in every run, and no allocation after the
/// first run of a shape. `programs/promises.c` is the host.
@Suite struct RunPromiseTests {
  @Test(arguments: SmallModel.allCases) func runsKeepTheirPromises(model: SmallModel) throws {
    let outcome = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      Result { () throws -> Subprocess.Result in
        let graph = try OnnxImporter(operators: .standard).graph(of: model.file)
        var compiler = Compiler()
        let options = LibraryOptions(writesHeaders: false)
        _ = try LibraryCompiler.compile(try compiler.kernels(of: graph), to: "\(folder)/model.so", options: options)
        return try Subprocess.run(try Self.host("promises", in: folder), ["\(folder)/model.so", "1", "3"])
      }
    }.get()
    #expect(outcome.status == 0 && outcome.output == "held, with shared work\n", "\(outcome)")
  }

  /// Sizes that data determine allocate nothing where such data were seen before. `programs/data_sizes.c` is the host.
  @Test func sizesFromDataAllocateOnce() throws {
    var graph = OnnxFile.Graph(name: "masks")
    graph.inputs = [.init("x", .tensor(.f32, [.symbol("n")]))]
    graph.initializers = [.init("zero", .f32([], [0]))]
    graph.nodes = [
      .init("Greater", inputs: ["x", "zero"], outputs: ["mask"]),
      .init("NonZero", inputs: ["mask"], outputs: ["places"]),
      .init("Transpose", inputs: ["places"], outputs: ["indices"]),
      .init("GatherND", inputs: ["x", "indices"], outputs: ["picked"]),
      .init("Softmax", inputs: ["picked"], outputs: ["y"]),
    ]
    graph.outputs = [.init("y", nil)]
    let file = OnnxFile(irVersion: 9, operatorSets: [.init("", 18)], graph: graph)
    let outcome = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      Result { () throws -> Subprocess.Result in
        var compiler = Compiler()
        let options = LibraryOptions(writesHeaders: false)
        let program = try compiler.kernels(of: try OnnxImporter(operators: .standard).graph(of: file))
        _ = try LibraryCompiler.compile(program, to: "\(folder)/model.so", options: options)
        return try Subprocess.run(try Self.host("data_sizes", in: folder), ["\(folder)/model.so"])
      }
    }.get()
    #expect(outcome.status == 0 && outcome.output == "held\n", "\(outcome)")
  }

  private static func host(_ name: String, in folder: String) throws -> String {
    let tests = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let built = try Subprocess.run(
      "cc",
      [
        "-std=c11", "-O1", "-fno-builtin", "-Wall", "-Wextra", "-Werror", "-I",
        "\(tests)/../../Sources/SinterABI/include",
        "\(tests)/programs/\(name).c", "-o", "\(folder)/\(name)", "-ldl", "-lpthread",
      ])
    try #require(built.succeeded, "\(built.output)")
    return "\(folder)/\(name)"
  }
}
