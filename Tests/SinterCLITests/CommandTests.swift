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

  static func sinter(_ arguments: String...) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: binary)
    process.arguments = arguments
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

  @Test func compilesRunsAndInspects() throws {
    try Self.withModel { folder, model in
      let compiled = try Self.sinter("compile", model, "-o", "\(folder)/libtiny.so", "--header", "--report", "\(folder)/r.json")
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
}
