import Foundation
import Sinter
import Testing

/// The command line as a user meets it: the built binary, its exit status, its messages, what it leaves behind.
@Suite struct CommandTests {
  struct Outcome {
    var status: Int32
    var output: String
    var errors: String
  }

  /// The binary beside the test bundle.
  static let binary: String = {
    var folder = Bundle.main.bundleURL
    #if os(Linux)
      folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    #endif
    return folder.appendingPathComponent("sinter").path
  }()

  static func sinter(_ arguments: String...) throws -> Outcome { try run(arguments) }

  static func run(
    _ arguments: [String], environment: [String: String] = [:], input: String? = nil
  ) throws -> Outcome {
    let process = Process()
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.executableURL = URL(fileURLWithPath: binary)
    process.arguments = arguments
    if let input { process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: input)) }
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let wrong = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
      errors: String(decoding: wrong, as: UTF8.self))
  }

  struct Tiny: UnaryLayer {
    var fc = Linear(4, 3)
    func forward(_ x: Tensor) -> Tensor { fc(x).relu() }
  }

  static func withModel(_ body: (_ folder: String, _ model: String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sinter-cli-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try trace(Tiny(), .f32("n", 4, name: "x")).initialized(seed: 1).export("\(folder)/tiny.onnx")
    try body(folder, "\(folder)/tiny.onnx")
  }

  /// Listings take neither a cross compiler nor another machine.
  @Test(arguments: [("aarch64-linux-gnu", "neoverse-n1", "fmla"), ("riscv64-linux-gnu", "generic", "fmadd.s")])
  func listsCodeForOtherProcessors(triple: String, cpu: String, instruction: String) throws {
    try Self.withModel { folder, model in
      for threads in ["1", "4"] {
        let made = try Self.sinter(
          "compile", model, "-o", "\(folder)/\(threads).s", "--target", triple, "--cpu", cpu, "--threads", threads)
        #expect(made.status == 0, "\(made.errors)")
      }
      let listing = try String(contentsOfFile: "\(folder)/1.s", encoding: .utf8)
      #expect(listing.contains(instruction))
      #expect(try String(contentsOfFile: "\(folder)/4.s", encoding: .utf8) == listing)
      let row = try Self.sinter("inspect", "--machine", "--target", triple, "--cpu", cpu)
      #expect(row.status == 0 && row.output.contains("of 128 bits"))
    }
  }

  @Test(arguments: [
    (["--target", "s390x-linux-gnu"], "big-endian"), (["--target", "armv7-linux-gnueabihf"], "32 bits"),
    (["--target", "pdp11"], "aarch64-linux-gnu"), (["--target", "aarch64-linux-gnu", "--cpu", "host"], "this machine"),
    (["--target", "aarch64-linux-gnu", "--cpu", "znver4"], "neoverse-n1"),
    (["--cpu", "neoverse-n1"], "--target aarch64-linux-gnu"),
    (["--target", "aarch64-linux-gnu", "--tune"], "without --tune"),
  ])
  func refusesOtherTargetsByName(options: [String], told: String) throws {
    try Self.withModel { folder, model in
      let outcome = try Self.run(["compile", model, "-o", "\(folder)/x.so"] + options)
      #expect(outcome.status == 1)
      #expect(outcome.errors.contains(told), "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/x.so"))
    }
  }

  @Test(
    arguments: [
      ([], false), (["--flush-subnormals"], true), (["--flush-subnormals", "--no-flush-subnormals"], false),
    ])
  func subnormalNumbersAreFlushedWhereAskedFor(options: [String], flushes: Bool) throws {
    try Self.withModel { folder, model in
      let path = "\(folder)/graph.sinter"
      let outcome = try Self.run(["compile", model, "-o", path, "--emit", "graph"] + options)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try String(contentsOfFile: path, encoding: .utf8).contains("flush subnormals") == flushes)
    }
  }

  @Test func compilesRunsAndInspects() throws {
    try Self.withModel { folder, model in
      let compiled = try Self.sinter(
        "compile", model, "-o", "\(folder)/libtiny.so", "--header", "--report", "\(folder)/r.json")
      #expect(compiled.status == 0)
      #expect(compiled.errors.isEmpty, "quiet in a pipe")
      #expect(FileManager.default.fileExists(atPath: "\(folder)/tiny.h"))
      let report = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: "\(folder)/r.json")))
      #expect((report as? [String: Any])?["kernels"] != nil)

      let ran = try Self.sinter("run", "\(folder)/libtiny.so", "--random", "--size", "n=2", "-o", "\(folder)/out")
      #expect(ran.status == 0)
      #expect(try NpyFile.read("\(folder)/out/output.npy").shape == [2, 3])
      #expect(try Self.sinter("inspect", model).output.contains("x: f32[n, 4]"))
      #expect(try Self.sinter("inspect", "\(folder)/libtiny.so").output.contains("x: f32[n, 4]"))
      #expect(try Self.sinter("check", model).status == 0)
      #expect(try Self.sinter("graph", model, "-o", "\(folder)/g.dot", "--stage", "fused").status == 0)
      #expect(try Self.sinter("export", model, "-o", "\(folder)/e.onnx", "--bind", "n=1").status == 0)
      #expect(try Self.sinter("inspect", "\(folder)/e.onnx").output.contains("x: f32[1, 4]"))
    }
  }

  private static func object(_ text: String) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
  }

  @Test func inspectsAndChecksInJSON() throws {
    try Self.withModel { folder, model in
      let found = try Self.object(Self.sinter("inspect", model, "--json", "-").output)
      let input = try #require((found["inputs"] as? [[String: Any]])?.first)
      #expect(
        input["name"] as? String == "x" && input["element"] as? String == "f32"
          && input["type"] as? String == "f32[n, 4]")
      #expect((input["shape"] as? [Any])?.first as? String == "n" && (input["shape"] as? [Any])?.last as? Int == 4)
      #expect((found["program"] as? [String: Any])?["kernels"] as? Int ?? 0 > 0)
      #expect(try Self.sinter("compile", model, "-o", "\(folder)/libtiny.so", "--bind", "n=3").status == 0)
      let library = try Self.object(Self.sinter("inspect", "\(folder)/libtiny.so", "--json", "-").output)
      #expect(((library["inputs"] as? [[String: Any]])?.first?["shape"] as? [Int]) == [3, 4])
      #expect(library["bytes"] as? Int ?? 0 > 1000)

      let checked = try Self.object(Self.sinter("check", model, "--json", "-").output)
      #expect(checked["compiles"] as? Bool == true)
    }
  }

  @Test func errorsAreJSONWhereTheEnvironmentAsks() throws {
    try Self.withModel { folder, _ in
      let outcome = try Self.run(["check", "\(folder)/absent.onnx"], environment: ["SINTER_JSON_ERRORS": "1"])
      #expect(outcome.status == 1)
      let problems = try #require(JSONSerialization.jsonObject(with: Data(outcome.errors.utf8)) as? [[String: Any]])
      #expect(problems.count == 1 && problems[0]["kind"] as? String == "error")
      #expect((problems[0]["message"] as? String ?? "").contains("absent.onnx"))
      #expect(problems[0]["places"] is [String])
    }
  }

  @Test func textFormsParseBack() throws {
    try Self.withModel { folder, model in
      #expect(try Self.sinter("opt", model, "-o", "\(folder)/t.sinter").status == 0)
      let again = try Self.sinter("opt", "\(folder)/t.sinter", "--passes", "drop-dead")
      #expect(again.status == 0, "\(again.errors)")
    }
  }

  @Test func wrongFilesGiveOneLineAndStatusOne() throws {
    try Self.withModel { folder, model in
      let whole = try Data(contentsOf: URL(fileURLWithPath: model))
      try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: "\(folder)/half.onnx"))
      try Data().write(to: URL(fileURLWithPath: "\(folder)/empty.onnx"))
      for name in ["half.onnx", "empty.onnx", "absent.onnx"] {
        let outcome = try Self.sinter("compile", "\(folder)/\(name)", "-o", "\(folder)/x.so")
        #expect(outcome.status == 1)
        #expect(outcome.errors.hasPrefix("sinter: error: "), "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 1)
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/x.so"))
      }
    }
  }

  @Test func failuresLeaveWhatWasThere() throws {
    try Self.withModel { folder, model in
      try Data("before".utf8).write(to: URL(fileURLWithPath: "\(folder)/x.so"))
      #expect(try Self.sinter("compile", "\(folder)/absent.onnx", "-o", "\(folder)/x.so").status == 1)
      #expect(try String(contentsOfFile: "\(folder)/x.so", encoding: .utf8) == "before")
      let nowhere = try Self.sinter("compile", model, "-o", "\(folder)/no/such/folder/x.so")
      #expect(nowhere.status == 1)
      #expect(nowhere.errors.contains("\(folder)/no/such/folder"))
    }
  }

  @Test func wrongUsageIsStatusTwo() throws {
    try Self.withModel { folder, model in
      let outcomes = [
        try Self.sinter("compile"), try Self.sinter("nonsense"),
        try Self.sinter("compile", model, "-o", "\(folder)/x.so", "--bind", "n"),
        try Self.sinter("opt", model, "--passes", "no-such-pass"),
      ]
      #expect(outcomes.map(\.status) == [2, 2, 2, 2])
      let help = try Self.sinter("--help")
      #expect(help.status == 0)
    }
  }

  @Test func wrongInputsAreAllListed() throws {
    try Self.withModel { folder, model in
      let outcome = try Self.sinter("run", model, "nosuch=\(folder)/x.npy")
      #expect(outcome.status == 1)
      try NpyFile.write(.f32([2, 5], [Float](repeating: 0, count: 10)), to: "\(folder)/x.npy")
      let shape = try Self.sinter("run", model, "x=\(folder)/x.npy")
      #expect(shape.status == 1)
      #expect(shape.errors.contains("4") && shape.errors.contains("5"), "\(shape.errors)")
    }
  }

  @Test func profilesAreTablesTracesAndStacks() throws {
    try Self.withModel { folder, model in
      let outcome = try Self.sinter(
        "profile", model, "--bind", "n=2", "--threads", "1", "--runs", "3", "--trace", "\(folder)/t.json", "--folded",
        "\(folder)/t.folded", "--json", "\(folder)/p.json")
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(
        outcome.output.contains("GFLOP/s of f32") && outcome.output.contains("of peak  kernel"), "\(outcome.output)")
      func object(_ path: String) throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any] ?? [:]
      }
      let launches = try object("\(folder)/p.json")["launches"] as? [[String: Any]] ?? []
      let events = try object("\(folder)/t.json")["traceEvents"] as? [[String: Any]] ?? []
      try #require(!launches.isEmpty && events.count == launches.count)
      #expect(events.allSatisfy { $0["ph"] as? String == "X" && $0["dur"] is Double })
      let stacks = try String(contentsOfFile: "\(folder)/t.folded", encoding: .utf8)
      let kernel = launches[0]["kernel"] as? String ?? ""
      #expect(
        outcome.output.contains(kernel) && stacks.hasPrefix("tiny;") && stacks.contains(";\(kernel) "), "\(stacks)")

      #expect(try Self.sinter("compile", model, "-o", "\(folder)/libtiny.so", "--profile").status == 0)
      let library = try Self.sinter("profile", "\(folder)/libtiny.so", "--size", "n=3", "--runs", "1", "--no-peaks")
      #expect(library.status == 0 && !library.output.contains("GFLOP/s of f32"), "\(library.errors)")
      #expect(try Self.sinter("compile", model, "-o", "\(folder)/libtiny.so").status == 0)
      let plain = try Self.sinter("profile", "\(folder)/libtiny.so")
      #expect(plain.status == 1 && plain.errors.contains("sinter compile --profile"), "\(plain.errors)")
    }
  }

  /// Nothing here depends on what the figures are.
  @Test func benchMeasuresEveryCombination() throws {
    try Self.withModel { folder, model in
      let outcome = try Self.sinter(
        "bench", model, "--bind", "n=1,3", "--threads", "1,2", "--seconds", "0.05", "--warm-up", "0", "--json",
        "\(folder)/b.json")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let results =
        try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: "\(folder)/b.json")))
        as? [[String: Any]] ?? []
      #expect(results.map { $0["sizes"] as? [String] } == [["n=1"], ["n=1"], ["n=3"], ["n=3"]])
      #expect(results.map { $0["threads"] as? Int } == [1, 2, 1, 2])
      for result in results {
        let times = result["milliseconds"] as? [String: Double] ?? [:]
        let ordered = ["min", "median", "p90", "p99", "max"].compactMap { times[$0] }
        #expect(ordered.count == 5 && ordered == ordered.sorted())
      }
      for part in ["latency", "throughput", "open to first result", "resident memory"] {
        #expect(outcome.output.components(separatedBy: "  " + part).count == 5, "\(outcome.output)")
      }
      let wrong = try Self.sinter("bench", model, "--size", "n=1;2")
      #expect(wrong.status == 2)
      try NpyFile.write(.f32([2, 5], [Float](repeating: 0, count: 10)), to: "\(folder)/x.npy")
      #expect(try Self.sinter("bench", model, "x=\(folder)/x.npy").status == 1)
    }
  }

  /// Outputs beside those of another model: the same to the last bit by the same arithmetic, rounded where weights are.
  @Test func benchTellsHowFarOutputsAre() throws {
    try Self.withModel { folder, model in
      func differences(_ arguments: String...) throws -> [[String: Any]] {
        let outcome = try Self.run(
          ["bench"] + arguments + ["--seconds", "0.01", "--warm-up", "0", "--json", "\(folder)/b.json"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("output: differs by "), "\(outcome.output)")
        let results =
          try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: "\(folder)/b.json")))
          as? [[String: Any]] ?? []
        return results.flatMap { $0["differences"] as? [[String: Any]] ?? [] }
      }
      func figures(_ difference: [String: Any]) -> [Double] {
        ["largest", "mean", "relative"].compactMap { difference[$0] as? Double }
      }
      let same = try differences(model, "--bind", "n=1,3", "--against", model)
      #expect(same.map { $0["output"] as? String } == ["output", "output"])
      #expect(same.map(figures) == [[0, 0, 0], [0, 0, 0]])
      #expect(
        try Self.sinter("compile", model, "-o", "\(folder)/libtiny.so", "--math", "bf16").status == 0)
      let rounded = try differences("\(folder)/libtiny.so", "--size", "n=9", "--against", model)
      let found = figures(try #require(rounded.first))
      #expect(found.count == 3 && found[0] > 0 && found[0] < 0.02 && found[1] <= found[0] && found[2] < 0.02)
      let none = try differences(model, "--math", "bf16", "--against", "\(folder)/libtiny.so")
      #expect(none.map(figures) == [[0, 0, 0]])

      let compiled = try Self.sinter("run", "\(folder)/libtiny.so", "--random", "--math", "bf16")
      #expect(compiled.status != 0 && compiled.errors.contains("sinter compile --math bf16"), "\(compiled.errors)")
      try trace(Linear(4, 5), .f32("n", 4, name: "x")).initialized(seed: 1).export("\(folder)/wide.onnx")
      let other = try Self.sinter("bench", model, "--against", "\(folder)/wide.onnx", "--seconds", "0.01")
      #expect(other.status == 1 && other.errors.contains("[1, 3], and [1, 5] in the other model"), "\(other.errors)")
    }
  }

  @Test func checkTellsWhatCompileRefuses() throws {
    try Self.withModel { folder, model in
      let bound = try Self.sinter("check", model, "--bind", "m=1")
      #expect(bound.status == 1 && bound.errors.contains("no input has a size named m"))
      #expect(try Self.sinter("check", model, "--bind", "n=1").status == 0)
    }
  }
}
