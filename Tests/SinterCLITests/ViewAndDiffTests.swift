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
      for arguments in [
        ["graph", "-o", "\(folder)/odd.dot"], ["view", "-o", "\(folder)/odd.html"], ["inspect"],
        ["view", "-o", "\(folder)/odd.html", "--json", "-"],
      ] {
        let quiet = try CommandTests.run(arguments + ["\(folder)/odd.onnx", "--quiet"])
        #expect(quiet.status == 0 && quiet.errors.isEmpty, "\(arguments): \(quiet.errors)")
      }
    }
  }

  @Test func profilesOfOtherModelsAreRefused() throws {
    struct Other: UnaryLayer {
      var first = Linear(4, 3)
      var second = Linear(3, 2)
      func forward(_ x: Tensor) -> Tensor { second(first(x)) }
    }
    try CommandTests.withModel { folder, model in
      let other = "\(folder)/other.onnx"
      try trace(Other(), .f32("n", 4, name: "x")).initialized(seed: 1).export(other)
      for (name, path) in [("own", model), ("other", other)] {
        let written = try Self.sinter("profile", path, "--runs", "1", "--no-peaks", "--json", "\(folder)/\(name).json")
        #expect(written.status == 0, "\(written.errors)")
      }
      for stages in ["imported", "imported,optimized,fused"] {
        let page = "\(folder)/v.html"
        let own = try Self.sinter(
          "view", model, "-o", page, "--stages", stages, "--profile", "\(folder)/own.json")
        #expect(own.status == 0, "\(own.errors)")
        try FileManager.default.removeItem(atPath: page)
        let wrong = try Self.sinter("view", model, "-o", page, "--stages", stages, "--profile", "\(folder)/other.json")
        #expect(wrong.status == 1 && !FileManager.default.fileExists(atPath: page))
        #expect(wrong.errors.contains("other.json is a profile of another model, named other"), "\(wrong.errors)")
        #expect(wrong.errors.contains("tiny.onnx has no \"first") && wrong.errors.contains("sinter profile"))
      }
    }
  }

  @Test func whatIsNoPythonIsTold() throws {
    try CommandTests.withModel { folder, model in
      let (environment, script) = ("\(folder)/environment", "\(folder)/script.py")
      try FileManager.default.createDirectory(atPath: environment + "/bin", withIntermediateDirectories: true)
      try FileManager.default.createSymbolicLink(atPath: environment + "/bin/python", withDestinationPath: "/bin/true")
      try "print()".write(toFile: script, atomically: true, encoding: .utf8)
      for (python, part) in [
        (
          environment,
          "--python \(environment) is a folder, where a program was expected; give \(environment)/bin/python"
        ),
        (folder, "--python \(folder) is a folder, where a program was expected; give the path of a Python"),
        ("\(folder)/none", "--python \(folder)/none: there is no such file"),
        ("python-of-nobody", "--python python-of-nobody: no folder on the PATH has such a program"),
        (script, "--python \(script) is a file that may not be run"),
        ("/bin/true", "--python /bin/true runs no program of Python"),
      ] {
        let outcome = try Self.sinter("diff", model, "--against", "onnxruntime", "--python", python)
        #expect(outcome.status == 1 && outcome.output.isEmpty, "\(outcome.output)")
        #expect(outcome.errors.contains(part), "\(outcome.errors)")
      }
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
}
