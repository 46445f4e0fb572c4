import Foundation
import Sinter
import Testing

/// `sinter quantize` as a user meets it.
@Suite struct QuantizeTests {
  static func withData(_ body: (_ folder: String, _ model: String, _ data: String) throws -> Void) throws {
    try CommandTests.withModel { folder, model in
      let data = "\(folder)/data"
      try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
      for sample in 0..<5 {
        let values = (0..<8).map { Float(($0 * 7 + sample * 3) % 11 - 5) / 5 }
        try NpyFile.write(.f32([2, 4], values), to: "\(data)/\(sample).npy")
      }
      try body(folder, model, data)
    }
  }

  @Test func quantizesAndReports() throws {
    try Self.withData { folder, model, data in
      for method in ["minmax", "percentile", "entropy", "mse"] {
        let outcome = try CommandTests.sinter(
          "quantize", model, "--data", data, "-o", "\(folder)/q.onnx", "--method", method, "--report",
          "\(folder)/r.json")
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
        #expect(outcome.output.contains("1 of 1 layers quantized; ranges from 5 runs, errors from 5 runs"))
        let content = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: "\(folder)/r.json")))
        let report = try #require(content as? [String: Any])
        let layers = try #require(report["layers"] as? [[String: Any]])
        #expect(layers.count == 1 && (layers[0]["signalToNoise"] as? Double ?? 0) > 20)
        #expect((report["loss"] as? Double ?? 1) < 0.05)
      }
      let inspected = try CommandTests.sinter("inspect", "\(folder)/q.onnx")
      #expect(
        inspected.output.contains("QuantizeLinear × 1") && inspected.output.contains("x: f32[n, 4]"),
        "\(inspected.output)")
      try NpyFile.write(.f32([1, 4], [1, -0.5, 0.25, 0]), to: "\(folder)/x.npy")
      for name in ["q.onnx", "tiny.onnx"] {
        #expect(
          try CommandTests.sinter("run", "\(folder)/\(name)", "x=\(folder)/x.npy", "-o", "\(folder)/\(name).out").status
            == 0)
      }
      let results = try ["q.onnx", "tiny.onnx"].map {
        try NpyFile.read("\(folder)/\($0).out/output.npy").array(of: Float.self)
      }
      #expect(zip(results[0], results[1]).allSatisfy { abs($0 - $1) < 0.02 } && results[0] != results[1])
    }
  }

  @Test func errorsAreMeasuredOnOtherData() throws {
    try Self.withData { folder, model, data in
      let other = "\(folder)/other"
      try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
      for sample in 0..<40 {
        let values = (0..<4).map { Float(($0 * 5 + sample) % 13 - 6) / 6 }
        try NpyFile.write(.f32([4], values), to: "\(other)/\(sample).npy")
      }
      let outcome = try CommandTests.sinter(
        "quantize", model, "--data", data, "--check", other, "-o", "\(folder)/q.onnx", "--max-loss", "0")
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("0 of 1 layers quantized, 1 left in f32"), "\(outcome.output)")
      #expect(outcome.output.contains("ranges from 5 runs, errors from 16 runs"))
    }
  }

  @Test func weightsOfFourBitsNeedNoData() throws {
    try Self.withData { folder, model, data in
      for format in ["qdq", "matmulnbits"] {
        let outcome = try CommandTests.sinter(
          "quantize", model, "--weights", "int4", "--block", "16", "--format", format, "-o", "\(folder)/q4.onnx")
        #expect(outcome.status == 0, "\(outcome.errors)")
        let operators = try CommandTests.sinter("inspect", "\(folder)/q4.onnx").output
        #expect(operators.contains(format == "qdq" ? "DequantizeLinear × 1" : "MatMulNBits × 1"), "\(operators)")
      }
    }
  }

  @Test func problemsOfModelAndDataAreToldTogether() throws {
    try Self.withData { folder, model, data in
      try Data("before".utf8).write(to: URL(fileURLWithPath: "\(folder)/q.onnx"))
      try NpyFile.write(.f32([2, 5], [Float](repeating: 0, count: 10)), to: "\(data)/wrong.npy")
      let outcome = try CommandTests.sinter(
        "quantize", model, "--data", data, "-o", "\(folder)/q.onnx", "--exclude", "nosuch", "other*")
      #expect(outcome.status == 1)
      let lines = outcome.errors.split(separator: "\n")
      #expect(
        lines.count == 3 && lines.allSatisfy { $0.hasPrefix("sinter: error: ") && $0.contains("; ") },
        "\(outcome.errors)")
      #expect(outcome.errors.contains("nosuch") && outcome.errors.contains("wrong.npy"))
      #expect(try String(contentsOfFile: "\(folder)/q.onnx", encoding: .utf8) == "before", "nothing half made")
      for wrong in [
        ["--weights", "int4", "--block", "12"], [], ["--data", data, "--percentile", "0"],
        ["--data", data, "--max-loss", "-1"],
      ] {
        let arguments = ["quantize", model, "-o", "\(folder)/q.onnx"] + wrong
        #expect(try CommandTests.run(arguments).status == 2, "\(wrong)")
      }
    }
  }
}
