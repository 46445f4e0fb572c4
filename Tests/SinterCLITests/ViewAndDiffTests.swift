import Foundation
import Sinter
import Testing

/// `sinter view`, `graph`, `diff` and `reduce` as a user meets them.
@Suite struct ViewAndDiffTests {
  private static func sinter(_ arguments: String...) throws -> CommandTests.Outcome { try CommandTests.run(arguments) }

  @Test func viewWritesOnePage() throws {
    try CommandTests.withModel { folder, model in
      let profiled = try Self.sinter(
        "profile", model, "--runs", "2", "--no-peaks", "--json", "\(folder)/p.json", "--size", "n=2")
      #expect(profiled.status == 0, "\(profiled.errors)")
      let written = try Self.sinter("view", model, "-o", "\(folder)/v.html", "--profile", "\(folder)/p.json")
      #expect(written.status == 0 && written.errors.isEmpty, "\(written.errors)")
      let page = try String(contentsOfFile: "\(folder)/v.html", encoding: .utf8)
      #expect(page.hasPrefix("<!doctype html>") && page.contains("medians of 2 runs") && page.contains("id=\"stage2\""))
      // Nothing is fetched from anywhere.
      #expect(!page.contains("src=") && !page.contains("@import") && !page.contains("fetch("))
      let measured = try Self.sinter(
        "view", model, "-o", "\(folder)/m.html", "--measure", "--stages", "imported", "--no-statistics")
      #expect(measured.status == 0, "\(measured.errors)")
      let second = try String(contentsOfFile: "\(folder)/m.html", encoding: .utf8)
      #expect(second.contains("medians of 20 runs") && !second.contains("id=\"stage1\""))
      let wrong = try Self.sinter("view", model, "-o", "\(folder)/w.html", "--profile", model)
      #expect(wrong.status == 1 && wrong.errors.contains("is no profile"))
      #expect(try Self.sinter("view", model, "-o", "\(folder)/w.html", "--stages", "none").status == 2)
      #expect(try Self.sinter("view", model, "-o", "\(folder)/w.html", "--stages", "").status == 2)
    }
  }

  @Test func diffTellsTheFirstNodeAndBisectWhoDidIt() throws {
    try CommandTests.withModel { folder, model in
      let same = try Self.sinter("diff", model, "--stages", "imported,optimized", "--size", "n=3")
      #expect(same.status == 0 && same.output.contains("output = "), "\(same.output)\(same.errors)")
      #expect(try Self.sinter("diff", model, "--cpu", "x86-64-v2,host").status == 0)
      let bisected = try Self.sinter("diff", model, "--bisect", "--interpreted")
      #expect(bisected.status == 0 && bisected.output.contains("compute the same"), "\(bisected.errors)")

      // Another model: its text with one operator changed.
      #expect(try Self.sinter("opt", model, "--passes", "drop-dead", "-o", "\(folder)/a.sinter").status == 0)
      let text = try String(contentsOfFile: "\(folder)/a.sinter", encoding: .utf8)
      #expect(text.contains("\"relu\""))
      try text.replacing("\"relu\"", with: "\"abs\"").write(
        toFile: "\(folder)/b.sinter", atomically: true, encoding: .utf8)
      // Sizes chosen so that some sum is negative.
      let other = try Self.sinter("diff", "\(folder)/a.sinter", "\(folder)/b.sinter", "--interpreted", "--size", "n=50")
      #expect(other.status == 1, "\(other.output)\(other.errors)")
      #expect(other.output.contains("output ≠ ") && other.output.contains("ULP"))
      #expect(other.output.contains("first value that differs") && other.output.contains("Relu"))
      #expect(try Self.sinter("diff", model).status == 2)
      #expect(try Self.sinter("diff", model, model, "--bisect").status == 2)
    }
  }

  @Test func diffOfLibraries() throws {
    try CommandTests.withModel { folder, model in
      for (name, cpu) in [("a", "x86-64-v2"), ("b", "host")] {
        #expect(try Self.sinter("compile", model, "-o", "\(folder)/lib\(name).so", "--cpu", cpu).status == 0)
      }
      let same = try Self.sinter("diff", "\(folder)/liba.so", "\(folder)/libb.so", "--size", "n=4")
      #expect(same.status == 0 && same.output.contains("output = "), "\(same.errors)")
    }
  }

  @Test func modelsWithUnknownOperatorsAreShown() throws {
    try CommandTests.withModel { folder, model in
      // Relu by a name that nobody knows, of the same length.
      var bytes = try Data(contentsOf: URL(fileURLWithPath: model))
      while let range = bytes.range(of: Data("Relu".utf8)) { bytes.replaceSubrange(range, with: Data("Rela".utf8)) }
      try bytes.write(to: URL(fileURLWithPath: "\(folder)/odd.onnx"))
      #expect(try Self.sinter("check", "\(folder)/odd.onnx").status == 1)
      let drawn = try Self.sinter("graph", "\(folder)/odd.onnx", "-o", "\(folder)/odd.dot")
      #expect(drawn.status == 0 && drawn.errors.contains("note: ") && drawn.errors.contains("Rela"))
      #expect(try String(contentsOfFile: "\(folder)/odd.dot", encoding: .utf8).contains("<b>Rela</b>"))
      let shown = try Self.sinter("view", "\(folder)/odd.onnx", "-o", "\(folder)/odd.html")
      #expect(shown.status == 0 && shown.errors.contains("a later stage is left out"), "\(shown.errors)")
      let inspected = try Self.sinter("inspect", "\(folder)/odd.onnx")
      #expect(
        inspected.status == 0 && inspected.output.contains("Rela × 1") && inspected.output.contains("compiles    no"))
    }
  }

  @Test func reduceKeepsWhatFails() throws {
    try CommandTests.withModel { folder, model in
      let reduced = try Self.sinter(
        "reduce", model, "-o", "\(folder)/r.sinter", "--check", "! grep -q relu {}")
      #expect(reduced.status == 0, "\(reduced.errors)")
      #expect(reduced.output.contains("1 of "), "\(reduced.output)")
      #expect(try String(contentsOfFile: "\(folder)/r.sinter", encoding: .utf8).contains("relu"))
      #expect(try Self.sinter("run", "\(folder)/r.sinter", "--random").status == 0)
      let never = try Self.sinter("reduce", model, "-o", "\(folder)/s.onnx", "--check", "true")
      #expect(never.status == 1 && never.errors.contains("does not fail"))
    }
  }

  @Test func textFormsAreModelsForEveryCommand() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sinter-text-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    struct Wide: UnaryLayer {
      var fc = Linear(16, 12)
      func forward(_ x: Tensor) -> Tensor { fc(x).relu() }
    }
    try trace(Wide(), .f32("n", 16, name: "x")).initialized(seed: 1).export("\(folder)/wide.onnx")
    #expect(try Self.sinter("opt", "\(folder)/wide.onnx", "-o", "\(folder)/wide.sinter").status == 0)
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
    try FileManager.default.removeItem(atPath: "\(folder)/wide.sinter.safetensors")
    let missing = try Self.sinter("run", "\(folder)/wide.sinter", "--random")
    #expect(missing.status == 1 && missing.errors.contains("are not in the text"))
  }
}
