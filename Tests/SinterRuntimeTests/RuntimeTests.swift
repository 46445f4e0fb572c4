import SinterCore
import Testing

/// Compiles the C tests with the machine's C compiler and runs them.
struct RuntimeTests {
  static let addresses = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
  static let threads = ["-fsanitize=thread"]

  /// `files` are beside this test, `all` is the runtime; what runs gets the folder that it lies in.
  @Test(
    arguments: [
      (["sessions.c", "program.c", "all"], addresses),
      (["sessions.c", "program.c", "all"], threads),
      (["sessions.c", "program.c", "all"], addresses + ["-DFLUSHES=1"]),
      (["beside.c", "all"], addresses),
      (["plans.c"], addresses),
      (["values.c", "all"], addresses + ["-DSINTER_STRUCTURES"]),
      (["texts.c", "all"], addresses),
      (["states.c", "all"], addresses + ["-DSINTER_STATE"]),
      (["states.c", "all"], threads + ["-DSINTER_STATE"]),
      (["states.c", "all"], addresses + ["-DSINTER_STATE", "-DIN_PLACE"]),
    ])
  func passes(_ files: [String], _ sanitizer: [String]) throws {
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      let executable = "\(folder)/test"
      let sources = files.map { $0 == "all" ? Folders.runtime + "/sinter_runtime_all.c" : "\(Folders.programs)/\($0)" }
      let compiled = try Subprocess.run(
        "cc",
        ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-DSINTER_TEXT", "-I", Folders.runtime] + sanitizer
          + Folders.includes
          + sources + ["-o", executable, "-lpthread"])
      #expect(compiled.succeeded, "\(compiled.output)")
      guard compiled.succeeded else { return }
      let run = try Subprocess.run(executable, [folder])
      #expect(run.succeeded, "\(run.output)")
    }
  }
}
