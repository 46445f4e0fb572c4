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

      let program = "\(folder)/program.o"
      let compiled = try Subprocess.run(
        "cc",
        ["-fPIC", "-fvisibility=hidden"] + Folders.includes + ["-c", Folders.programs + "/program.c", "-o", program])
      #expect(compiled.succeeded, "\(compiled.output)")
      // The C library alone resolves everything: no compiler's library, no dynamic linker's symbols.
      let library = "\(folder)/libhand_written.so"
      let linked = try Subprocess.run(
        "ld", ["-shared", "--no-undefined", "--gc-sections", program, object, "-l:libc.so.6", "-o", library])
      #expect(linked.succeeded, "\(linked.output)")
      let symbols = try Subprocess.run("nm", ["-D", "--defined-only", library])
      let names = symbols.output.split(separator: "\n").compactMap { $0.split(separator: " ").last }
      #expect(names == ["sinter_library"])
    }
  }

  /// The command that carries objects has them compiled by a script.
  @Test func theScriptCompilesWithTheSameFlags() throws {
    let script = try Subprocess.run("cat", [Folders.package + "/packaging/static.sh"])
    #expect(script.output.contains("flags=\"\(RuntimeObject.flags.joined(separator: " "))\""))
  }

  @Test func saysThatThereIsNoCompiler() throws {
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      let error = #expect(throws: DiagnosticError.self) {
        try RuntimeObject(compiler: "no-such-compiler", cacheFolder: folder).path()
      }
      #expect(
        error?.description
          == "error: no-such-compiler cannot be started: No such file or directory; install a C compiler, or set CC to one"
      )
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
