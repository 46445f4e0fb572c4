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
        let options = LibraryOptions(target: compiler.target, writesHeaders: false)
        _ = try LibraryCompiler.compile(try compiler.kernels(of: graph), to: "\(folder)/model.so", options: options)
        return try Subprocess.run(try Self.host(in: folder), ["\(folder)/model.so", "1", "3"])
      }
    }.get()
    #expect(outcome.status == 0 && outcome.output == "held, with shared work\n", "\(outcome)")
  }

  private static func host(in folder: String) throws -> String {
    let tests = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let built = try Subprocess.run(
      "cc",
      [
        "-std=c11", "-O1", "-fno-builtin", "-Wall", "-Wextra", "-Werror", "-I",
        "\(tests)/../../Sources/SinterABI/include",
        "\(tests)/programs/promises.c", "-o", "\(folder)/promises", "-ldl", "-lpthread",
      ])
    try #require(built.succeeded, "\(built.output)")
    return "\(folder)/promises"
  }
}
