import Foundation
import Testing

/// Whoever gives two values for one thing means one of them, and only they know which.
@Suite struct RepeatedOptionTests {
  @Test func anOptionForOneValueIsGivenOnce() throws {
    try CommandTests.withModel { folder, model in
      let (a, b) = ("\(folder)/a.so", "\(folder)/b.so")
      for (arguments, parts) in [
        (["compile", model, "-o", a, "-o", b], ["-o \(a) and -o \(b)"]),
        (["compile", model, "-o", a, "--output=\(b)"], ["-o \(a) and --output \(b)"]),
        (
          ["compile", model, "--target", "aarch64-linux-gnu", "-o", a, "--target", "riscv64-linux-gnu"],
          ["--target aarch64-linux-gnu and --target riscv64-linux-gnu"]
        ),
        (["compile", model, "-o", a, "--report", "r", "--json", "s"], ["--report r and --json s"]),
        (["compile", model, "-o", a, "--threads", "-1", "--threads", "-1"], ["--threads -1 and --threads -1"]),
        (["export", model, "-o", a, "--opset", "13", "--opset", "17"], ["--opset 13 and --opset 17"]),
        (["run", model, "--random", "--seed", "1", "--seed", "2"], ["--seed 1 and --seed 2"]),
        (["tune-machine", "-o", a, "--json", b], ["-o \(a) and --json \(b)"]),
      ] {
        let outcome = try CommandTests.run(arguments)
        #expect(outcome.status == 2, "\(arguments)")
        #expect(parts.allSatisfy(outcome.errors.contains), "\(outcome.errors)")
        #expect(outcome.errors.contains("give it once") && outcome.errors.contains("sinter \(arguments[0]) --help"))
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["tiny.onnx"])
    }
  }

  /// Each of the command's options, as its own description lists them.
  @Test func everyCommandRefusesIt() throws {
    let dump = try CommandTests.run(["--experimental-dump-help"])
    let tool = try #require(JSONSerialization.jsonObject(with: Data(dump.output.utf8)) as? [String: Any])
    let commands = (tool["command"] as? [String: Any])?["subcommands"] as? [[String: Any]] ?? []
    var count = 0
    for command in commands {
      for argument in command["arguments"] as? [[String: Any]] ?? [] where argument["kind"] as? String == "option" {
        let (command, names) = (command["commandName"] as? String ?? "", argument["names"] as? [[String: String]] ?? [])
        guard let name = names.last?["name"], argument["isRepeating"] as? Bool == false else { continue }
        let outcome = try CommandTests.run([command, "--\(name)", "1", "--\(name)", "2"])
        #expect(
          outcome.status == 2 && outcome.errors.contains("--\(name) 1 and --\(name) 2"), "\(command): \(outcome.errors)"
        )
        count += 1
      }
    }
    #expect(count > 50)
  }

  /// What may be given several times, and a value that looks like a repeated option.
  @Test func whatIsNoRepetitionIsTaken() throws {
    try CommandTests.withModel { folder, model in
      for arguments in [
        ["compile", model, "-o", "\(folder)/a.so", "--flush-subnormals", "--flush-subnormals"],
        ["reduce", model, "-o", "\(folder)/a.sinter", "--check", "false -o 1 -o 2"],
        ["inspect", "--quiet", "--", model],
      ] {
        let outcome = try CommandTests.run(arguments)
        #expect(outcome.status == 0, "\(arguments): \(outcome.errors)")
      }
      let wide = try CommandTests.run(["quantize", model, "-o", "\(folder)/q.onnx", "--exclude", "a", "--exclude", "b"])
      #expect(wide.status == 2 && wide.errors.contains("--data is missing"), "\(wide.errors)")
    }
  }

  @Test func sizesAndInputsAreGivenOnce() throws {
    try CommandTests.withModel { folder, model in
      for (arguments, part) in [
        (["compile", model, "-o", "\(folder)/a.so", "--bind", "n=1", "--bind", "n=2"], "n has sizes twice: 1 and 2"),
        (["run", model, "--random", "--size", "n=1", "--size", "n=2"], "n has sizes twice: 1 and 2"),
        (["run", model, "x=", "x="], "input x is given twice: by x= and by x="),
      ] {
        let outcome = try CommandTests.run(arguments)
        #expect(outcome.status == 2 && outcome.errors.contains(part), "\(outcome.errors)")
      }
    }
  }
}
