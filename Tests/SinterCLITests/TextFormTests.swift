import Foundation
import Sinter
import Testing

/// Graphs in text form with their weights beside them, as models of the command line.
@Suite struct TextFormTests {
  private static func sinter(_ arguments: String...) throws -> CommandTests.Outcome { try CommandTests.run(arguments) }

  private struct Wide: UnaryLayer {
    var fc = Linear(16, 12)
    func forward(_ x: Tensor) -> Tensor { fc(x).relu() }
  }

  private struct Images: UnaryLayer {
    var first = Conv2d(3, 8, kernel: 3, padding: 1)
    var norm = BatchNorm2d(8)
    var pool = MaxPool2d(2)
    var second = Conv2d(8, 8, kernel: 3, stride: 2, padding: 1, groups: 2)
    var mean = AvgPool2d(2)
    var last = Linear(8, 5)
    func forward(_ x: Tensor) -> Tensor { last(mean(second(pool(norm(first(x)).relu())).relu()).flatten(from: 1)) }
  }

  /// A text form, its weights and the model that it was made from.
  private static func withText(_ body: (_ folder: String, _ text: String, _ model: String) throws -> Void) throws {
    try CommandTests.withModel { folder, _ in
      try trace(Wide(), .f32("n", 16, name: "x")).initialized(seed: 1).export("\(folder)/wide.onnx")
      #expect(try sinter("opt", "\(folder)/wide.onnx", "-o", "\(folder)/wide.sinter").status == 0)
      try body(folder, "\(folder)/wide.sinter", "\(folder)/wide.onnx")
    }
  }

  @Test func textFormsAreModelsForEveryCommand() throws {
    try Self.withText { folder, _, _ in
      #expect(FileManager.default.fileExists(atPath: "\(folder)/wide.sinter.safetensors"))
      for arguments in [
        ["run", "\(folder)/wide.sinter", "--random"], ["inspect", "\(folder)/wide.sinter"],
        ["check", "\(folder)/wide.sinter"],
        ["compile", "\(folder)/wide.sinter", "-o", "\(folder)/libwide.so"],
        ["export", "\(folder)/wide.sinter", "-o", "\(folder)/back.onnx"],
        ["graph", "\(folder)/wide.sinter", "-o", "\(folder)/wide.dot"],
        ["view", "\(folder)/wide.sinter", "-o", "\(folder)/wide.html"],
        ["diff", "\(folder)/wide.sinter", "\(folder)/wide.onnx", "--size", "n=3"],
      ] {
        let outcome = try CommandTests.run(arguments)
        #expect(outcome.status == 0, "\(arguments): \(outcome.output)\(outcome.errors)")
      }
    }
  }

  /// Passes make operators that ONNX does not have, such as convolutions with channels last. What they mean is written all the same.
  @Test(arguments: [[], ["--passes", "channels-last"]]) func laterStagesAreExported(_ passes: [String]) throws {
    try CommandTests.withModel { folder, _ in
      let (model, text, back) = ("\(folder)/images.onnx", "\(folder)/images.sinter", "\(folder)/back.onnx")
      try trace(Images(), .f32("n", 3, 8, 8, name: "x")).initialized(seed: 1).export(model)
      #expect(try CommandTests.run(["opt", model, "-o", text] + passes).status == 0)
      #expect(try String(contentsOfFile: text, encoding: .utf8).contains("channels_last"))
      for options in [[], ["--unoptimized"]] {
        let exported = try CommandTests.run(["export", text, "-o", back] + options)
        #expect(exported.status == 0, "\(exported.errors)")
        let same = try Self.sinter("diff", model, back, "--interpreted", "--size", "n=3")
        #expect(
          same.output.contains("output = ") && !same.output.contains("output ≠"), "\(same.output)\(same.errors)")
      }
    }
  }

  /// Of a model in bytes, whose sums are put into bytes by operators of Sinter's own.
  @Test func laterStagesInBytesAreExported() throws {
    try CommandTests.withModel { folder, _ in
      let (model, text, back) = ("\(folder)/bytes.onnx", "\(folder)/bytes.sinter", "\(folder)/back.onnx")
      try trace(Images(), .f32("n", 3, 8, 8, name: "x")).initialized(seed: 1).export("\(folder)/images.onnx")
      var generator = SplitMix64(seed: 4)
      let samples = HostTensor(.f32, [4, 3, 8, 8], doubles: (0..<768).map { _ in generator.uniform() })
      try FileManager.default.createDirectory(atPath: "\(folder)/data", withIntermediateDirectories: true)
      try NpyFile.write(samples, to: "\(folder)/data/a.npy")
      let made = try Self.sinter("quantize", "\(folder)/images.onnx", "--data", "\(folder)/data", "-o", model)
      #expect(made.status == 0, "\(made.errors)")
      #expect(try Self.sinter("opt", model, "-o", text).status == 0)
      #expect(try String(contentsOfFile: text, encoding: .utf8).contains("Requantize"))
      let exported = try Self.sinter("export", text, "-o", back)
      #expect(exported.status == 0, "\(exported.errors)")
      let same = try Self.sinter("diff", model, back, "--interpreted", "--size", "n=3")
      #expect(same.output.contains("output = "), "\(same.output)\(same.errors)")
    }
  }

  @Test func weightsThatDoNotFitAreTold() throws {
    try Self.withText { folder, text, model in
      let weights = text + ".safetensors"
      let whole = try Data(contentsOf: URL(fileURLWithPath: weights))
      func told(_ expected: String) throws {
        let outcome = try Self.sinter("run", text, "--random")
        #expect(outcome.status == 1 && outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        #expect(
          outcome.errors.contains(expected) && outcome.errors.contains("sinter opt MODEL -o \(text)"),
          "\(outcome.errors)")
      }
      func put(_ data: Data) throws { try data.write(to: URL(fileURLWithPath: weights)) }
      for count in [0, 40, whole.count / 2, whole.count - 4] {
        try put(whole.prefix(count))
        try told("\(weights), which holds the weights of \(text), is damaged: ")
      }
      var other = whole
      other[other.count - 1] ^= 1
      try put(other)
      try told("\(weights) is damaged: the contents of #")
      try trace(Wide(), .f32("n", 16, name: "x")).initialized(seed: 2).export(model)
      #expect(try Self.sinter("opt", model, "-o", "\(folder)/b.sinter").status == 0)
      try put(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/b.sinter.safetensors")))
      try told("\(weights) belongs to another text: \(text) names weights #")
      try FileManager.default.removeItem(atPath: weights)
      try told("there is no \(weights), which holds the weights of \(text); put it beside \(text), or")
    }
  }

  /// By any name, as a text that was written to standard output has one.
  @Test func textFormsAreKnownByTheirFirstWord() throws {
    try CommandTests.withModel { folder, model in
      let text = try Self.sinter("opt", model)
      for name in ["graph.txt", "graph.SINTER", "graph"] {
        try text.output.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        let outcome = try Self.sinter("check", "\(folder)/\(name)")
        #expect(outcome.status == 0, "\(outcome.errors)")
      }
    }
  }

  @Test func whatIsNoTextIsTold() throws {
    try CommandTests.withModel { folder, _ in
      let path = "\(folder)/m.sinter"
      let absent = try Self.sinter("inspect", path)
      #expect(absent.status == 1 && absent.errors.contains("\(path) cannot be read: "), "\(absent.errors)")
      try Data([0xFF, 0xFE, 0]).write(to: URL(fileURLWithPath: path))
      let bytes = try Self.sinter("inspect", path)
      #expect(
        bytes.status == 1 && bytes.errors.contains("\(path) is no text in UTF-8; give a graph"), "\(bytes.errors)")
      try FileManager.default.removeItem(atPath: path)
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      let folder = try Self.sinter("inspect", path)
      #expect(
        folder.status == 1 && folder.errors.contains("give the path of a file, not of a folder"), "\(folder.errors)")
    }
  }
}
