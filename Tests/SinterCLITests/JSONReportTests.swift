import Foundation
import Sinter
import Testing

/// `--json` of every command: on standard output it is all that is there.
@Suite struct JSONReportTests {
  private static func report(_ arguments: String..., status: Int32 = 0) throws -> Any {
    let outcome = try CommandTests.run(arguments + ["--json", "-"])
    #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
    return try #require(
      try? JSONSerialization.jsonObject(with: Data(outcome.output.utf8)), "\(arguments): \(outcome.output)")
  }

  private static func object(_ found: Any) throws -> [String: Any] { try #require(found as? [String: Any], "\(found)") }

  @Test func drawingsPagesAndFiles() throws {
    try CommandTests.withModel { folder, model in
      let drawn = try Self.object(Self.report("graph", model, "-o", "\(folder)/g.dot", "--stage", "imported"))
      #expect(drawn["stage"] as? String == "imported" && drawn["output"] as? String == "\(folder)/g.dot")
      let text = try String(contentsOfFile: "\(folder)/g.dot", encoding: .utf8)
      #expect(drawn["edges"] as? Int == text.components(separatedBy: " -> ").count - 1)

      let exported = try Self.object(
        Self.report("export", model, "-o", "\(folder)/e.onnx", "--bind", "n=2", "--opset", "17"))
      #expect((exported["opsets"] as? [String: Int])?["ai.onnx"] == 17)
      #expect(((exported["inputs"] as? [[String: Any]])?.first?["shape"] as? [Int]) == [2, 4])
      let inspected = try Self.object(Self.report("inspect", "\(folder)/e.onnx"))
      #expect(inspected["nodes"] as? Int == exported["nodes"] as? Int)

      let optimized = try Self.object(
        Self.report("opt", model, "-o", "\(folder)/o.sinter", "--passes", "fold,drop-dead"))
      #expect((optimized["passes"] as? [[String: Any]])?.map { $0["name"] as? String } == ["fold", "drop-dead"])
      #expect(optimized["nodesAfter"] as? Int ?? 0 > 0 && optimized["rewrites"] is [String: Int])

      let shown = try Self.object(Self.report("view", model, "-o", "\(folder)/v.html", "--stages", "imported,fused"))
      #expect((shown["stages"] as? [String])?.count == 2 && (shown["problems"] as? [Any])?.isEmpty == true)
      let size = try FileManager.default.attributesOfItem(atPath: "\(folder)/v.html")[.size] as? Int
      #expect(shown["bytes"] as? Int == size)
    }
  }

  @Test func differences() throws {
    try CommandTests.withModel { folder, model in
      let same = try Self.object(Self.report("diff", model, "--stages", "imported,optimized"))
      #expect(same["agrees"] as? Bool == true && (same["outputs"] as? [[String: Any]])?.count == 1)
      let none = try Self.object(Self.report("diff", model, "--bisect"))
      #expect(none["stage"] == nil && none["runs"] as? Int ?? 0 > 1)

      #expect(try CommandTests.run(["opt", model, "--passes", "drop-dead", "-o", "\(folder)/a.sinter"]).status == 0)
      let text = try String(contentsOfFile: "\(folder)/a.sinter", encoding: .utf8)
      try text.replacing("\"relu\"", with: "\"abs\"").write(
        toFile: "\(folder)/b.sinter", atomically: true, encoding: .utf8)
      let other = try Self.object(
        Self.report("diff", "\(folder)/a.sinter", "\(folder)/b.sinter", "--interpreted", "--size", "n=50", status: 1))
      #expect(other["agrees"] as? Bool == false)
      let row = try #require((other["outputs"] as? [[String: Any]])?.first)
      #expect(row["differs"] as? Bool == true && row["elements"] as? Int == 150 && row["absolute"] as? Double ?? 0 > 0)
      #expect((other["firstDifference"] as? [String: Any])?["text"] as? String ?? "" != "")
      // That they differ is a result, and no error.
      let told = try CommandTests.run(
        ["diff", "\(folder)/a.sinter", "\(folder)/b.sinter", "--interpreted", "--size", "n=50"])
      #expect(told.status == 1 && told.errors.isEmpty, "\(told.errors)")

      let reduced = try Self.object(
        Self.report("reduce", model, "-o", "\(folder)/r.sinter", "--check", "! grep -q relu {}"))
      #expect(reduced["nodesAfter"] as? Int == 1 && (reduced["nodes"] as? [String])?.count == 1)
    }
  }

  @Test func measurements() throws {
    try CommandTests.withModel { folder, model in
      let benched = try Self.report("bench", model, "--seconds", "0.02", "--warm-up", "0")
      #expect((benched as? [[String: Any]])?.count == 1)
      let profiled = try Self.object(Self.report("profile", model, "--runs", "2", "--no-peaks"))
      #expect((profiled["launches"] as? [Any])?.isEmpty == false)
      let machine = try Self.object(Self.report("inspect", "--machine"))
      #expect(!machine.isEmpty)
      let quantized = try Self.object(
        Self.report("quantize", model, "-o", "\(folder)/q.onnx", "--weights", "int4", "--block", "16"))
      #expect(!quantized.isEmpty)
    }
  }

  @Test func twoResultsOnStandardOutputAreRefused() throws {
    try CommandTests.withModel { _, model in
      for arguments in [
        ["graph", model, "-o", "-"], ["export", model, "-o", "-"], ["opt", model], ["view", model, "-o", "-"],
        ["profile", model, "--trace", "-"], ["quantize", model, "-o", "-", "--weights", "int4"],
      ] {
        let outcome = try CommandTests.run(arguments + ["--json", "-"])
        #expect(outcome.status == 2 && outcome.output.isEmpty, "\(arguments): \(outcome.errors)")
        #expect(outcome.errors.contains("standard output"), "\(outcome.errors)")
      }
    }
  }
}
