import SinterCore
import Testing

/// Compiles the C tests with the machine's C compiler and runs them.
struct RuntimeTests {
  @Test(
    arguments: [
      ("sessions.c", ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]),
      ("sessions.c", ["-fsanitize=thread"]),
      ("beside.c", ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]),
    ])
  func passes(_ file: String, _ sanitizer: [String]) throws {
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      let executable = "\(folder)/test"
      let program = file == "sessions.c" ? [Folders.programs + "/program.c"] : []
      let compiled = try Subprocess.run(
        "cc",
        ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror"] + sanitizer + Folders.includes + program
          + [Folders.runtime + "/sinter_runtime_all.c", "\(Folders.programs)/\(file)", "-o", executable, "-lpthread"])
      #expect(compiled.succeeded, "\(compiled.output)")
      guard compiled.succeeded else { return }
      let run = try Subprocess.run(executable, file == "beside.c" ? [folder] : [])
      #expect(run.succeeded, "\(run.output)")
    }
  }
}
