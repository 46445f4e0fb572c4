import Foundation
import Testing

/// What surrounds a command: closed streams, folders without room or rights, numbers that nobody means.
@Suite struct SurroundingTests {
  private static func shell(_ script: String, _ arguments: [String]) throws -> CommandTests.Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", script, "sh", CommandTests.binary] + arguments
    let (output, errors) = (Pipe(), Pipe())
    (process.standardOutput, process.standardError) = (output, errors)
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let wrong = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return .init(
      status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
      errors: String(decoding: wrong, as: UTF8.self))
  }

  /// The number of a closed stream must not become that of a file, nor of the pipe that signals go through.
  @Test(.timeLimit(.minutes(5))) func closedStreams() throws {
    try CommandTests.withModel { _, model in
      let input = try Self.shell("\"$@\" <&-", ["inspect", "-"])
      #expect(input.status == 1 && input.errors.contains("standard input cannot be read"), "\(input.errors)")
      let output = try Self.shell("\"$@\" >&-", ["inspect", model])
      #expect(output.status == 1 && output.errors.contains("standard output cannot be written"), "\(output.errors)")
      let errors = try Self.shell("\"$@\" 2>&-", ["inspect", model])
      #expect(errors.status == 0 && errors.output.contains("x: f32[n, 4]"))
      let all = try Self.shell("\"$@\" <&- 2>&-", ["run", model, "--random"])
      #expect(all.status == 0 && all.output.contains("output"), "\(all.output)")
    }
  }

  @Test func numbersThatMeanNothingAreRefused() throws {
    try CommandTests.withModel { folder, model in
      for (arguments, part) in [
        (["diff", model, "--bisect", "--tolerance", "-1"], "--tolerance must be at least 0, but is -1"),
        (["diff", model, "--bisect", "--tolerance", "nan"], "--tolerance must be at least 0"),
        (["bench", model, "--seconds", "-1"], "--seconds must be more than 0"),
        (["bench", model, "--seconds", "nan"], "--seconds must be more than 0"),
        (["bench", model, "--warm-up", "-3"], "--warm-up must be at least 0"),
        (["bench", model, "--threads", ""], "--threads takes numbers"),
        (["run", model, "--random", "--threads", "-3"], "--threads must be at least 0"),
        (["compile", model, "-o", "\(folder)/x.so", "--threads", "-1"], "--threads must be at least 0"),
        (["profile", model, "--runs", "-1"], "--runs must be at least 1"),
        (["reduce", model, "-o", "\(folder)/x.onnx", "--check", " "], "--check needs a command"),
        (["export", model, "-o", "\(folder)/x.onnx/"], "names a folder"),
      ] {
        let outcome = try CommandTests.run(arguments)
        #expect(outcome.status == 2 && outcome.errors.contains(part), "\(arguments): \(outcome.errors)")
      }
    }
  }

  @Test func inputsLargerThanMemoryAreRefused() throws {
    try CommandTests.withModel { folder, model in
      for size in ["n=99999999999999", "n=4611686018427387904"] {
        for command in [["run", "--random"], ["diff", "--stages", "imported,optimized"]] {
          let outcome = try CommandTests.run(command + [model, "--size", size])
          #expect(outcome.status == 1, "\(outcome.errors)")
          #expect(outcome.errors.contains("larger than this machine's memory"), "\(outcome.errors)")
        }
      }
    }
  }

  /// Wrong arguments that only the run of a command finds are told with that command's name.
  @Test func helpIsNamedByCommand() throws {
    try CommandTests.withModel { _, model in
      let outcome = try CommandTests.run(["diff", model, "--stages", "imported"])
      #expect(outcome.status == 2 && outcome.errors.contains("See 'sinter diff --help'"), "\(outcome.errors)")
      #expect(!outcome.errors.contains("<subcommand>"))
    }
  }

  /// Long work does not begin where its results cannot be kept.
  @Test func filesThatCannotBeWrittenAreToldAheadOfTheWork() throws {
    try CommandTests.withModel { folder, model in
      let missing = "\(folder)/none/r.json"
      let page = "\(folder)/page.html"
      try FileManager.default.createDirectory(atPath: page, withIntermediateDirectories: true)
      for arguments in [
        ["bench", model, "--json", missing], ["profile", model, "--json", missing],
        ["tune-machine", "-o", missing], ["tune-machine", "--json", missing],
        ["run", model, "--random", "--json", missing],
        ["compile", model, "-o", "\(folder)/x.so", "--report", missing], ["view", model, "-o", page],
      ] {
        let outcome = try CommandTests.run(arguments)
        #expect(outcome.status == 1 && outcome.output.isEmpty, "\(arguments): \(outcome.output)")
        #expect(outcome.errors.contains("cannot be written: "), "\(outcome.errors)")
      }
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/x.so"))
      let package = try CommandTests.run(["compile", model, "--package", "/proc/none"])
      #expect(
        package.status == 1 && package.errors.contains("the folder /proc/none cannot be made: "), "\(package.errors)")
      #expect(!package.errors.contains("could not be completed"), "\(package.errors)")
      let temporary = try CommandTests.run(["run", model, "--random"], environment: ["TMPDIR": "\(folder)/none"])
      #expect(temporary.status == 1 && temporary.errors.contains("set TMPDIR"), "\(temporary.errors)")
    }
  }

  /// The cache of compiled runtimes is done without where it cannot be filled: here the compiler cannot write into it.
  @Test func aCacheWithoutRoomIsDoneWithout() throws {
    try CommandTests.withModel { folder, model in
      let script = """
        #!/bin/sh
        case " $* " in *"\(folder)/cache"*) echo 'No space left on device' >&2; exit 1;; *) exec cc "$@";; esac
        """
      try script.write(toFile: "\(folder)/cc", atomically: false, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(folder)/cc")
      let outcome = try CommandTests.run(
        ["compile", model, "-o", "\(folder)/libtiny.so"],
        environment: ["XDG_CACHE_HOME": "\(folder)/cache", "CC": "\(folder)/cc"])
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
  }
}
