import SinterCore
import SinterLLVM
import Testing

struct RuntimeObjectTests {
  @Test func isCompiledOnceAndExportsOneSymbol() throws {
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      let runtime = RuntimeObject(cacheFolder: folder + "/cache/sinter")
      let object = try runtime.path()
      #expect(object.hasPrefix(folder + "/cache/sinter/runtime-"))
      #expect(try runtime.path() == object)

      let library = "\(folder)/libhand_written.so"
      let linked = try Subprocess.run(
        "cc",
        ["-shared", "-fPIC", "-fvisibility=hidden", "-Wl,--no-undefined", "-Wl,--gc-sections"] + Folders.includes
          + [Folders.programs + "/program.c", object, "-o", library])
      #expect(linked.succeeded, "\(linked.output)")
      let symbols = try Subprocess.run("nm", ["-D", "--defined-only", library])
      let names = symbols.output.split(separator: "\n").compactMap { $0.split(separator: " ").last }
      #expect(names == ["sinter_library"])
    }
  }

  @Test func saysThatThereIsNoCompiler() throws {
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      let error = #expect(throws: DiagnosticError.self) {
        try RuntimeObject(compiler: "no-such-compiler", cacheFolder: folder).path()
      }
      #expect(
        error?.description
          == "error: no-such-compiler cannot be started: No such file or directory; install a C compiler, or set CC to one")
    }
  }

  @Test func saysThatTheCompilerFails() throws {
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      let error = #expect(throws: DiagnosticError.self) {
        try RuntimeObject(compiler: "false", cacheFolder: folder).path()
      }
      #expect(error?.diagnostics.first?.id == "runtime.compile")
    }
  }
}
