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

  /// Every command that writes its result to standard output, by itself or because it is asked to.
  private static func writers(_ folder: String, _ model: String) -> [[String]] {
    let emissions = ["so", "obj", "archive", "asm", "llvm", "kernels", "forms", "graph"].map {
      ["compile", model, "-o", "-", "--emit", $0]
    }
    return emissions + [
      ["run", model, "--random"], ["run", model, "--random", "--json", "-"], ["inspect", model],
      ["inspect", "--machine"], ["check", model], ["check", model, "--json", "-"], ["opt", model],
      ["export", model, "-o", "-"], ["graph", model, "-o", "-"], ["view", model, "-o", "-"],
      ["quantize", model, "-o", "-", "--weights", "int4"], ["diff", model, "--stages", "imported,optimized"],
      ["diff", model, "--bisect", "--json", "-"],
      ["bench", model, "--seconds", "0.01", "--warm-up", "0"],
      ["profile", model, "--runs", "1", "--no-peaks", "--folded", "-"],
      ["reduce", model, "-o", "\(folder)/r.onnx", "--check", "false"], ["--help"], ["compile", "--help"], ["--version"],
      ["view", model, "-o", "\(folder)/v.html", "--json", "-"],
      ["compile", model, "-o", "\(folder)/x.so", "--report", "-"],
    ]
  }

  /// One line says that the result is lost, whatever was to be written.
  @Test(
    .timeLimit(.minutes(10)), arguments: [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")])
  func resultsThatAreLostAreTold(redirection: String, reason: String) throws {
    try CommandTests.withModel { folder, model in
      for arguments in Self.writers(folder, model) {
        let outcome = try Self.shell("\"$@\" \(redirection)", arguments)
        #expect(outcome.status == 1, "\(arguments)")
        #expect(
          outcome.errors.hasPrefix("sinter: error: ") && outcome.errors.contains(reason),
          "\(arguments): \(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(arguments): \(outcome.errors)")
        #expect(outcome.errors.contains(" cannot be written: ") && outcome.errors.contains("; "), "\(outcome.errors)")
      }
    }
  }

  /// A reader that has gone ends the command as it ends others, without a word; who has that signal ignored is told.
  @Test(.timeLimit(.minutes(10)), arguments: [false, true]) func aReaderThatHasGoneEndsTheCommand(isIgnored: Bool)
    throws
  {
    try CommandTests.withModel { folder, model in
      for arguments in Self.writers(folder, model) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
          [isIgnored ? "--ignore-signal=PIPE" : "--default-signal=PIPE", CommandTests.binary] + arguments
        let (output, errors) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, errors)
        try output.fileHandleForReading.close()
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        if isIgnored {
          #expect(process.terminationReason == .exit && process.terminationStatus == 1, "\(arguments)")
          #expect(
            text.contains("cannot be written: Broken pipe; ") && text.split(separator: "\n").count == 1, "\(text)")
        } else {
          #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGPIPE, "\(arguments)")
          #expect(text.isEmpty, "\(arguments): \(text)")
        }
      }
    }
  }

  /// What the system refuses is told with the path, what was tried, the reason and what to do.
  @Test func refusalsOfTheSystemSayWhatToDo() throws {
    try CommandTests.withModel { folder, model in
      try "".write(toFile: "\(folder)/file", atomically: true, encoding: .utf8)
      let long = String(repeating: "x", count: 300)
      try FileManager.default.createSymbolicLink(atPath: "\(folder)/a.so", withDestinationPath: "\(folder)/b.so")
      try FileManager.default.createSymbolicLink(atPath: "\(folder)/b.so", withDestinationPath: "\(folder)/a.so")
      for (arguments, path, remedy) in [
        (["inspect", "\(folder)/none.onnx"], "\(folder)/none.onnx", "check the path"),
        (["inspect", "\(folder)/file/m.onnx"], "\(folder)/file/m.onnx", "names a file where a folder is needed"),
        (
          ["compile", model, "-o", "\(folder)/none/x.so"], "\(folder)/none/x.so",
          "there is no folder \(folder)/none: make it"
        ),
        (
          ["compile", model, "-o", "\(folder)/file/x.so"], "\(folder)/file/x.so",
          "names a file where a folder is needed"
        ),
        (["compile", model, "-o", "\(folder)/\(long).so"], "\(folder)/\(long).so", "give a shorter path"),
        (["compile", model, "-o", "\(folder)/a.so"], "\(folder)/a.so", "links lead in a circle"),
        (["compile", model, "-o", "/proc/x.so"], "/proc/x.so", "check the path"),
        (
          ["compile", model, "-o", "\(folder)/x.so", "--machine", "\(folder)/m.json"], "\(folder)/m.json",
          "check the path"
        ),
        (["view", model, "-o", "\(folder)/v.html", "--profile", folder], folder, "not of a folder"),
        (["run", model, "x=\(folder)/none.npy"], "\(folder)/none.npy", "check the path"),
        (["run", model, "--random", "-o", "\(folder)/file"], "\(folder)/file", "; "),
        (["run", model, "--random", "--json", "\(folder)/none/r.json"], "\(folder)/none/r.json", "there is no folder"),
        (["graph", model, "-o", "\(folder)/none/g.svg"], "\(folder)/none/g.svg", "there is no folder"),
        (["opt", model, "-o", "\(folder)/none/g.sinter"], "\(folder)/none/g.sinter", "there is no folder"),
        (
          ["quantize", model, "-o", "\(folder)/q.onnx", "--data", "\(folder)/none.npz"], "\(folder)/none.npz",
          "give a folder of"
        ),
      ] {
        let outcome = try CommandTests.run(arguments)
        #expect(outcome.status == 1, "\(arguments)")
        let told = outcome.errors
        #expect(told.hasPrefix("sinter: error: ") && told.split(separator: "\n").count == 1, "\(told)")
        #expect(told.contains(path) && told.contains(remedy), "\(arguments): \(told)")
      }
    }
  }

  /// What only others may use, for a process without the rights of whoever made it.
  @Test func whatIsNotAllowedIsTold() throws {
    try CommandTests.withModel { folder, model in
      let (locked, text) = ("\(folder)/locked", "\(folder)/t.sinter")
      #expect(try CommandTests.run(["opt", model, "-o", text]).status == 0)
      for path in [locked, "\(folder)/data"] {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      }
      try Data().write(to: URL(fileURLWithPath: "\(locked)/file"))
      for path in [locked, "\(folder)/data"] {
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
      }
      defer {
        for path in [locked, "\(folder)/data"] {
          try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }
      }
      // Who may do anything does it without the right to.
      let unprivileged = getuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : ""
      if getuid() == 0 { chmod(folder, 0o777) }
      for (arguments, path) in [
        (["inspect", "\(locked)/m.onnx"], "\(locked)/m.onnx cannot be opened"),
        (["compile", model, "-o", "\(locked)/x.so"], "\(locked)/x.so cannot be written"),
        (["compile", model, "--package", "\(locked)/package"], "cannot create \(locked)/package"),
        (["opt", model, "-o", "\(locked)/t.sinter"], "\(locked)/t.sinter cannot be written"),
        (["run", model, "--random", "-o", "\(locked)/out"], "cannot create \(locked)/out"),
        (["quantize", model, "-o", "\(folder)/q.onnx", "--data", "\(folder)/data"], "\(folder)/data cannot be read"),
      ] {
        let outcome = try Self.shell("cd / && \(unprivileged)\"$@\"", arguments)
        #expect(outcome.status == 1, "\(arguments)")
        #expect(outcome.errors.contains("\(path): Permission denied; check who may"), "\(arguments): \(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
      }
    }
  }

  /// A pipe that nobody writes into is told at once.
  @Test(.timeLimit(.minutes(5))) func pipesAreNoFiles() throws {
    try CommandTests.withModel { folder, model in
      let path = "\(folder)/pipe"
      try #require(mkfifo(path, 0o600) == 0)
      for arguments in [["check", path], ["run", path, "--random"], ["run", model, "x=\(path)"]] {
        let outcome = try CommandTests.run(arguments)
        #expect(outcome.status == 1 && outcome.errors.contains("\(path) is no regular file"), "\(outcome.errors)")
      }
    }
  }

  @Test func helpOfTheServerIsToldWithoutIt() throws {
    try CommandTests.withModel { folder, _ in
      // Beside which no server lies, and nothing is on the PATH; and beside the one of this build.
      let alone = "\(folder)/sinter"
      try FileManager.default.copyItem(atPath: CommandTests.binary, toPath: alone)
      for binary in [alone, CommandTests.binary] {
        for flag in ["--help", "-h"] {
          let outcome = try Self.shell("PATH=/none; export PATH; \"$2\" serve \"$3\"", [binary, flag])
          #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
          #expect(outcome.output.contains("sinter-serve"), "\(outcome.output)")
        }
      }
      let help = try Self.shell("PATH=/none; export PATH; \"$2\" serve --help", [alone])
      #expect(
        help.output.contains("USAGE: sinter serve") && help.output.contains("--product sinter-serve"), "\(help.output)")
      let missing = try Self.shell("PATH=/none; export PATH; \"$2\" serve models", [alone])
      #expect(missing.status == 1 && missing.errors.contains("there is no sinter-serve"), "\(missing.errors)")
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
        package.status == 1 && package.errors.contains("cannot create /proc/none: "), "\(package.errors)")
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
