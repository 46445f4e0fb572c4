import Foundation
import Sinter
import Testing

/// What a new user trips over: names and endings that mean nothing, options that would do nothing, folders that cannot be written.
@Suite struct UsageTests {
  private typealias Outcome = CommandTests.Outcome

  private static func sinter(_ arguments: String...) throws -> Outcome { try CommandTests.run(arguments) }

  /// Refused as wrong usage, in the command's one style of error line, and nothing is written.
  private static func expectRefused(_ arguments: [String], naming part: String, notWriting path: String? = nil) throws {
    let outcome = try CommandTests.run(arguments)
    #expect(outcome.status == 2, "\(arguments)")
    #expect(outcome.errors.hasPrefix("sinter: error: ") && outcome.errors.contains(part), "\(outcome.errors)")
    if let path { #expect(!FileManager.default.fileExists(atPath: path)) }
  }

  @Test func sizesThatNoInputHasAreRefused() throws {
    try CommandTests.withModel { folder, model in
      #expect(try Self.sinter("compile", model, "-o", "\(folder)/libtiny.so").status == 0)
      for command in [["run", "--random"], ["bench", "--seconds", "0.01", "--warm-up", "0"]] {
        let outcome = try CommandTests.run(command + ["\(folder)/libtiny.so", "--size", "batch=64"])
        #expect(outcome.status == 1)
        #expect(
          outcome.errors.contains("no input has a size named batch; the symbols are n"), "\(outcome.errors)")
      }
      for command in [
        ["run", "--random"], ["bench"], ["profile"], ["diff", "--bisect"], ["diff", "--stages", "imported,optimized"],
      ] {
        let outcome = try CommandTests.run(command + [model, "--size", "batch=64"])
        #expect(outcome.status == 1 && outcome.output.isEmpty, "\(command): \(outcome.output)")
        #expect(
          outcome.errors.hasPrefix("sinter: error: no input has a size named batch; the symbols are n"),
          "\(command): \(outcome.errors)")
      }
    }
  }

  @Test func sizesToFixThatNoInputHasAreRefused() throws {
    try CommandTests.withModel { folder, model in
      let out = "\(folder)/out"
      for command in [
        ["compile", "-o", out + ".so"], ["run", "--random"], ["profile"], ["bench"], ["inspect"], ["check"],
        ["graph", "-o", out + ".dot"], ["view", "-o", out + ".html"], ["export", "-o", out + ".onnx"], ["opt"],
        ["diff", "--bisect"], ["quantize", "-o", out + ".onnx", "--weights", "int4"],
        ["reduce", "-o", out + ".onnx", "--check", "false"],
      ] {
        let outcome = try CommandTests.run(command + [model, "--bind", "batch=64"])
        #expect(outcome.status == 1 && outcome.output.isEmpty, "\(command): \(outcome.output)")
        #expect(
          outcome.errors.hasPrefix("sinter: error: no input has a size named batch; the symbols are n"),
          "\(command): \(outcome.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["tiny.onnx"], "\(command)")
      }
    }
  }

  /// The products that a model asks for, whatever is made of them: a convolution by Winograd's transform, one with strides, a linear layer.
  @Test func operationsAreThoseOfTheModel() throws {
    struct Net: UnaryLayer {
      var first = Conv2d(16, 16, kernel: 3, padding: 1)
      var second = Conv2d(16, 8, kernel: 3, stride: 2, padding: 1, groups: 4)
      var last = Linear(8 * 8 * 8, 10)
      func forward(_ x: Tensor) -> Tensor { last(second(first(x).relu()).flatten(from: 1)) }
    }
    try CommandTests.withModel { folder, _ in
      try trace(Net(), .f32("n", 16, 16, 16, name: "x")).initialized(seed: 1).export("\(folder)/net.onnx")
      let products = 2 * (16 * 16 * (16 * 9) * 16 + 8 * 8 * (4 * 9) * 8 + 512 * 10)
      #expect(try Self.sinter("inspect", "\(folder)/net.onnx").output.contains("operations  \(products)*n FLOP\n"))
      let fixed = try Self.sinter("inspect", "\(folder)/net.onnx", "--bind", "n=1000").output
      #expect(fixed.contains(String(format: "operations  %.3g GFLOP\n", Double(products) / 1e6)), "\(fixed)")
    }
  }

  @Test func endingsThatAreNotWrittenAreRefused() throws {
    try CommandTests.withModel { folder, model in
      for name in ["x.sinter", "x.dylib", "x"] {
        let path = "\(folder)/\(name)"
        try Self.expectRefused(["compile", model, "-o", path], naming: ".so, .o, .a, .s or .ll", notWriting: path)
      }
      let path = "\(folder)/x.pdf"
      try Self.expectRefused(["export", model, "-o", path], naming: "ends with .pdf, where .onnx", notWriting: path)
      try Self.expectRefused(["graph", model, "-o", path], naming: "ends with .pdf", notWriting: path)
      #expect(try Self.sinter("compile", model, "--emit", "kernels", "-o", "\(folder)/x").status == 0)
    }
  }

  @Test func optionsThatWouldDoNothingAreRefused() throws {
    try CommandTests.withModel { folder, model in
      for (emission, option) in [
        ("kernels", "--header"), ("asm", "--weights-beside"), ("forms", "--tune"), ("graph", "--profile"),
      ] {
        try Self.expectRefused(
          ["compile", model, "-o", "\(folder)/x", "--emit", emission, option],
          naming: "\(option) does nothing for --emit",
          notWriting: "\(folder)/x")
      }
      try Self.expectRefused(
        ["compile", model, "-o", "\(folder)/x", "--emit", "forms", "--report", "\(folder)/r.json"], naming: "--report",
        notWriting: "\(folder)/r.json")
      try Self.expectRefused(
        ["compile", model, "-o", "\(folder)/x", "--emit", "kernels", "--cpu", "x86-64-v2,x86-64-v3"],
        naming: "several processors", notWriting: "\(folder)/x")
      for command in ["check", "diff", "bench"] {
        try Self.expectRefused([command, model, "--quiet", "--verbose"], naming: "either --quiet or --verbose")
      }
      for (command, part) in [
        (["run", model, "--seed", "3"], "--seed is for --random"),
        (["view", model, "-o", "\(folder)/v.html", "--size", "n=3"], "are for --measure"),
        (["view", model, "-o", "\(folder)/v.html", "--threads", "2"], "are for --measure"),
        (["inspect", model, "--cpu", "znver4"], "--cpu and --target are for --machine"),
        (["inspect", "--machine", "--bind", "n=3"], "--bind is for a model"),
        (["diff", model, "--bisect", "--all"], "--all lists"),
        (["diff", model, "--bisect", "--python", "python4"], "--python is for --against"),
        (["diff", model, "--bisect", "--stages", "imported,fused"], "give only one of"),
        (["compile", model, "-o", "\(folder)/x", "--emit", "graph", "--math", "bf16"], "--math does nothing"),
        (["quantize", model, "-o", "\(folder)/q.onnx", "--weights", "int4", "--symmetric"], "are for --weights int8"),
        (["quantize", model, "-o", "\(folder)/q.onnx", "--data", "d.npz", "--block", "64"], "are for --weights int4"),
        (
          ["quantize", model, "-o", "\(folder)/q.onnx", "--data", "d.npz", "--percentile", "90"], "--method percentile"
        ),
      ] {
        try Self.expectRefused(command, naming: part)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["tiny.onnx"])
      try Self.expectRefused(["frobnicate"], naming: "frobnicate")
    }
  }

  /// What would be written over, or beside a stream, or under a name that leaves the folder.
  @Test func outputsThatHaveNoPlaceAreRefused() throws {
    try CommandTests.withModel { folder, model in
      let mine = "\(folder)/mine"
      try FileManager.default.createDirectory(atPath: mine, withIntermediateDirectories: true)
      try "precious".write(toFile: "\(mine)/README.md", atomically: true, encoding: .utf8)
      let outcome = try Self.sinter("compile", model, "--package", mine)
      #expect(outcome.status == 1 && outcome.errors.contains("holds files, and no package of a model named tiny"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: mine) == ["README.md"])
      #expect(try String(contentsOfFile: "\(mine)/README.md", encoding: .utf8) == "precious")

      for package in ["", "-"] {
        try Self.expectRefused(["compile", model, "--package", package], naming: "a package is a folder")
      }
      for option in ["--header", "--weights-beside"] {
        try Self.expectRefused(
          ["compile", model, "-o", "-", option], naming: "\(option) writes files beside the output")
      }
      try Self.expectRefused(["compile", model, "-o", "-", "--report", "-"], naming: "both write to standard output")
      for name in ["../evil", ""] {
        try Self.expectRefused(
          ["compile", model, "-o", "\(folder)/libm.so", "--header", "--name", name], naming: "--name \"\(name)\"",
          notWriting: "\(folder)/libm.so")
      }
      try Self.expectRefused(["run", model, "--random", "-o", "-"], naming: "--json - writes outputs")
      try Self.expectRefused(
        ["view", model, "-o", "\(folder)/v.svg"], naming: "where .html", notWriting: "\(folder)/v.svg")
      try Self.expectRefused(["bench", model, "--size", "n=1", "--size", "n=2"], naming: "n has sizes twice")
    }
  }

  /// A package is made from standard input, too, and made again over itself.
  @Test func packagesAreMadeOfStandardInput() throws {
    try CommandTests.withModel { folder, model in
      for _ in 0..<2 {
        let outcome = try CommandTests.run(
          ["compile", "-", "--package", "\(folder)/package", "--name", "tiny"], input: model)
        #expect(outcome.status == 0, "\(outcome.errors)")
      }
      let page = try String(contentsOfFile: "\(folder)/package/README.md", encoding: .utf8)
      #expect(page.contains("from standard input"))
    }
  }

  /// A command that cannot be run fails on no model, and a part that cannot be written is not one that works.
  @Test func commandsThatCannotRunReduceNothing() throws {
    try CommandTests.withModel { folder, model in
      let out = "\(folder)/r.onnx"
      let outcome = try Self.sinter("reduce", model, "--check", "no-such-command", "-o", out)
      #expect(outcome.status == 1 && outcome.errors.contains("the shell cannot run no-such-command"))
      #expect(!FileManager.default.fileExists(atPath: out))
    }
  }

  /// The loader maps what is missing, and touching that would end the process.
  @Test func librariesThatAreCutShortAreRefused() throws {
    try CommandTests.withModel { folder, model in
      let path = "\(folder)/libtiny.so"
      #expect(try Self.sinter("compile", model, "-o", path).status == 0)
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      for count in [64, 1000, 3000, 20_000] {
        try whole.prefix(count).write(to: URL(fileURLWithPath: "\(folder)/cut.so"))
        let outcome = try Self.sinter("inspect", "\(folder)/cut.so")
        #expect(
          outcome.status == 1 && outcome.errors.contains("is cut short: it has \(count) bytes"), "\(outcome.errors)")
      }
    }
  }

  /// Every command that reads a model says, when asked, what that took, in a pipe as well.
  @Test func stagesAreToldToWhoAsks() throws {
    try CommandTests.withModel { folder, model in
      for command in [["run", "--random"], ["inspect"], ["check"], ["opt"], ["view", "-o", "\(folder)/v.html"]] {
        let verbose = try CommandTests.run(command + [model, "--verbose"])
        #expect(verbose.errors.contains(" ms  import"), "\(command)")
        #expect(verbose.errors.contains(" ms  kernels") == (command[0] == "run"))
        let usual = try CommandTests.run(command + [model])
        #expect(usual.errors.isEmpty, "\(command)")
      }
      let path = "\(folder)/libtiny.so"
      #expect(try Self.sinter("compile", model, "-o", path).status == 0)
      let (named, piped) = (try Self.sinter("inspect", path), try CommandTests.run(["inspect", "-"], input: path))
      #expect(named.output == piped.output && named.output.contains("size"))
    }
  }

  @Test func sizesThatContradictArraysAreRefused() throws {
    try CommandTests.withModel { folder, model in
      let array = "\(folder)/x.npy"
      try NpyFile.write(HostTensor(.f32, [3, 4], doubles: Array(repeating: 1, count: 12)), to: array)
      for command in ["run", "profile", "bench"] {
        let outcome = try Self.sinter(command, model, "x=\(array)", "--size", "n=5")
        #expect(outcome.status == 1, "\(command)")
        #expect(outcome.errors.contains("--size n=5 contradicts input x, in which n is 3"), "\(outcome.errors)")
      }
      #expect(try Self.sinter("run", model, "x=\(array)", "--size", "n=3").status == 0)
    }
  }

  @Test func librariesAreKnownByTheirContents() throws {
    try CommandTests.withModel { folder, model in
      #expect(try Self.sinter("compile", model, "-o", "\(folder)/libtiny.so").status == 0)
      try FileManager.default.moveItem(atPath: "\(folder)/libtiny.so", toPath: "\(folder)/tiny.so.1")
      #expect(try Self.sinter("inspect", "\(folder)/tiny.so.1").output.contains("x: f32[n, 4]"))
      #expect(try Self.sinter("run", "\(folder)/tiny.so.1", "--random").status == 0)
      for arguments in [["check"], ["graph", "-o", "\(folder)/g.dot"]] {
        let outcome = try CommandTests.run(arguments + ["\(folder)/tiny.so.1"])
        #expect(outcome.status == 1 && outcome.errors.contains("a compiled library"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("damaged"))
      }
    }
  }

  @Test func otherFormatsAreNamed() throws {
    try CommandTests.withModel { folder, _ in
      let starts: [(String, [UInt8])] = [
        ("TensorFlow Lite", [28, 0, 0, 0] + Array("TFL3".utf8)), ("HDF5", [0x89] + Array("HDF\r\n".utf8)),
        ("GGUF", Array("GGUF".utf8) + [3, 0, 0, 0]), ("safetensors", [40, 0, 0, 0, 0, 0, 0, 0] + Array("{\"a\"".utf8)),
      ]
      for (name, bytes) in starts {
        try Data(bytes + [UInt8](repeating: 0, count: 64)).write(to: URL(fileURLWithPath: "\(folder)/m.onnx"))
        let outcome = try Self.sinter("check", "\(folder)/m.onnx")
        #expect(outcome.status == 1 && outcome.errors.contains(name), "\(outcome.errors)")
      }
    }
  }

  @Test func streamsCarryModelsAndResults() throws {
    try CommandTests.withModel { folder, model in
      #expect(try CommandTests.run(["inspect", "-"], input: model).output.contains("x: f32[n, 4]"))
      let text = try CommandTests.run(["opt", "-", "--passes", "fold"], input: model)
      #expect(text.status == 0 && text.output.hasPrefix("graph "), "\(text.errors)")
      try Data(text.output.utf8).write(to: URL(fileURLWithPath: "\(folder)/t"))
      let parsed = try CommandTests.run(["opt", "-", "--passes", "drop-dead"], input: "\(folder)/t")
      #expect(parsed.status == 0 && parsed.output.contains("{kind: \"relu\"}"), "\(parsed.errors)")
      try Data([8, 7]).write(to: URL(fileURLWithPath: "\(folder)/short"))
      let short = try CommandTests.run(["check", "-"], input: "\(folder)/short")
      #expect(short.status == 1 && short.errors.contains("standard input"), "\(short.errors)")
      let again = try CommandTests.run(["export", "-", "-o", "-", "--bind", "n=2"], input: model)
      #expect(again.status == 0 && again.output.contains("output"), "\(again.errors)")
      let same = try CommandTests.run(["diff", model, "-", "--size", "n=2"], input: model)
      #expect(same.status == 0 && same.output.contains("output = "), "\(same.errors)")
      #expect(try CommandTests.run(["diff", "-", "-"], input: model).status == 2)

      let library = "\(folder)/libtiny.so"
      #expect(try Self.sinter("compile", model, "-o", library).status == 0)
      for command in [
        ["inspect", "-"], ["run", "-", "--random"], ["diff", "-", library],
        ["bench", "-", "--seconds", "0.01", "--warm-up", "0"],
      ] {
        let outcome = try CommandTests.run(command, input: library)
        #expect(outcome.status == 0 && !outcome.output.isEmpty, "\(command): \(outcome.errors)")
      }
    }
  }

  @Test func listsMayHaveSpaces() throws {
    try CommandTests.withModel { folder, model in
      for arguments in [
        ["opt", model, "--passes", "fold, drop-dead"],
        ["view", model, "-o", "\(folder)/v.html", "--stages", "imported, fused"],
        ["diff", model, "--stages", "imported , optimized"],
        ["bench", model, "--threads", "1, 2", "--seconds", "0.01", "--warm-up", "0"],
        ["compile", model, "-o", "\(folder)/x.so", "--cpu", "x86-64-v2, x86-64-v3"],
      ] {
        let outcome = try CommandTests.run(arguments)
        #expect(outcome.status == 0, "\(arguments): \(outcome.errors)")
      }
    }
  }

  /// Models are compiled in temporary files, of which the user knows nothing.
  @Test func modelsAreNamedAsTheyWereGiven() throws {
    try CommandTests.withModel { folder, model in
      let (wide, array) = ("\(folder)/wide.onnx", "\(folder)/x.npy")
      try trace(Linear(5, 2), .f32("n", 5, name: "x")).initialized(seed: 1).export(wide)
      try NpyFile.write(HostTensor(.f32, [3, 5], doubles: Array(repeating: 1, count: 15)), to: array)
      for (arguments, name) in [
        (["run", model, "x=\(array)"], model), (["profile", model, "x=\(array)"], model),
        (["bench", model, "x=\(array)", "--seconds", "0.01"], model), (["diff", model, wide], wide),
        (["diff", model, "--stages", "imported,optimized", "--input", "x=\(array)"], "imported"),
      ] {
        let outcome = try CommandTests.run(arguments)
        #expect(outcome.status == 1 && outcome.errors.contains("(\(name))"), "\(arguments): \(outcome.errors)")
        #expect(!outcome.errors.contains("model.so") && !outcome.errors.contains("library.so"), "\(outcome.errors)")
      }
      let piped = try CommandTests.run(["run", "-", "x=\(array)"], input: model)
      #expect(piped.errors.contains("(standard input)"), "\(piped.errors)")
    }
  }

  @Test func twoResultsInOneFileAreRefused() throws {
    try CommandTests.withModel { folder, model in
      let path = "\(folder)/r.json"
      for arguments in [
        ["profile", model, "--trace", path, "--json", path],
        ["profile", model, "--folded", path, "--json", "\(folder)/./r.json"],
        ["compile", model, "-o", path, "--emit", "so", "--report", path],
        ["graph", model, "-o", path + ".dot", "--json", path + ".dot"],
        ["opt", model, "-o", path + ".sinter", "--json", path + ".sinter"],
        ["reduce", model, "-o", path + ".onnx", "--json", path + ".onnx", "--check", "false"],
        ["quantize", model, "--weights", "int4", "-o", path + ".onnx", "--report", path + ".onnx"],
      ] {
        try Self.expectRefused(arguments, naming: "both write to ")
      }
      try Self.expectRefused(
        ["profile", model, "--trace", "-", "--json", "-"], naming: "both write to standard output")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["tiny.onnx"])
    }
  }

  @Test func emptyPathsAreRefused() throws {
    try CommandTests.withModel { folder, model in
      for command in [["run", "--random"], ["inspect"], ["check"], ["bench"], ["opt"], ["diff", model]] {
        try Self.expectRefused(command + [""], naming: "the path of a model is empty")
      }
      for command in ["export", "graph", "view", "opt", "compile"] {
        try Self.expectRefused([command, model, "-o", ""], naming: "-o is empty: give the path of a file")
      }
    }
  }

  @Test func librariesThatAreNoneAreTold() throws {
    try CommandTests.withModel { folder, _ in
      let absent = try Self.sinter("run", "\(folder)/libnone.so", "--random")
      #expect(
        absent.status == 1 && absent.errors.contains("libnone.so cannot be opened: No such file or directory; check"))
      let program = try Self.sinter("inspect", "/bin/sh")
      #expect(
        program.status == 1 && program.errors.contains("give a library that sinter compile wrote"), "\(program.errors)")
    }
  }

  @Test func outputsAreJSON() throws {
    try CommandTests.withModel { folder, model in
      try NpyFile.write(.f32([1, 4], [0, 0, 0, .nan]), to: "\(folder)/x.npy")
      let outcome = try Self.sinter("run", model, "x=\(folder)/x.npy", "--json", "-")
      let found = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: [String: Any]]
      let output = try #require(found?["output"], "\(outcome.output)")
      #expect(output["element"] as? String == "f32" && output["shape"] as? [Int] == [1, 3])
      #expect(output["values"] as? [String] == ["NaN", "NaN", "NaN"], "\(outcome.output)")
    }
  }

  @Test func oneMissingFileIsToldOnce() throws {
    try CommandTests.withModel { folder, _ in
      try TestModels.externalTensors(5, file: "weights.bin").write(to: URL(fileURLWithPath: "\(folder)/m.onnx"))
      let outcome = try Self.sinter("check", "\(folder)/m.onnx")
      #expect(outcome.status == 1)
      #expect(outcome.errors.components(separatedBy: "weights.bin").count == 3, "\(outcome.errors)")
      #expect(outcome.errors.contains("and 4 other tensors"), "\(outcome.errors)")
    }
  }

  @Test func foldersThatCannotBeWrittenAreToldOrDoneWithout() throws {
    try CommandTests.withModel { folder, model in
      let cacheless = try CommandTests.run(
        ["compile", model, "-o", "\(folder)/libtiny.so"], environment: ["XDG_CACHE_HOME": "/proc/none"])
      #expect(cacheless.status == 0, "\(cacheless.errors)")
      let nowhere = try Self.sinter("run", model, "--random", "-o", "/proc/none")
      #expect(nowhere.status == 1 && nowhere.errors.hasPrefix("sinter: error: cannot create /proc/none: "))
    }
  }

  @Test func aSignalLeavesNothingBehind() throws {
    try CommandTests.withModel { folder, model in
      // A C compiler that does not end by itself, so that the command is stopped in the middle of its work.
      let (mark, temporary) = ("\(folder)/started", "\(folder)/temporary")
      try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
      try FileManager.default.createDirectory(atPath: "\(folder)/out", withIntermediateDirectories: true)
      let script = """
        #!/bin/sh
        case " $* " in *" -c "*) touch '\(mark)'; while [ -e '\(mark)' ]; do sleep 0.1; done;; *) echo a compiler;; esac
        """
      try script.write(toFile: "\(folder)/cc", atomically: false, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(folder)/cc")
      let process = Process()
      process.executableURL = URL(fileURLWithPath: CommandTests.binary)
      process.arguments = ["compile", model, "-o", "\(folder)/out/libtiny.so"]
      process.environment = ProcessInfo.processInfo.environment.merging(
        ["CC": "\(folder)/cc", "TMPDIR": temporary, "XDG_CACHE_HOME": "\(folder)/cache"]) { $1 }
      process.standardError = FileHandle.nullDevice
      try process.run()
      while process.isRunning, !FileManager.default.fileExists(atPath: mark) { usleep(10_000) }
      try #require(process.isRunning)
      #expect(try FileManager.default.contentsOfDirectory(atPath: temporary).count == 1)
      process.terminate()
      for _ in 0..<3000 where try !FileManager.default.contentsOfDirectory(atPath: temporary).isEmpty { usleep(10_000) }
      // The compiler holds what the process is waited for by.
      try FileManager.default.removeItem(atPath: mark)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGTERM)
      #expect(try FileManager.default.contentsOfDirectory(atPath: temporary).isEmpty)
      #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/out").isEmpty)
    }
  }
}
