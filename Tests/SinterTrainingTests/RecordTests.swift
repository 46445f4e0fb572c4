import Foundation
import Sinter
import SinterRecords
import SinterVision
import Testing

/// What runs leave behind. `Tests/Peers/test_records.py` has TensorBoard and MLflow read it.
@Suite struct RecordTests {
  static let history = {
    var history = TrainingHistory()
    for (number, loss) in [(1, 0.5), (2, 0.25)] {
      history.epochs.append(
        .init(number: number, learningRate: 0.1, training: ["loss": loss], validation: ["accuracy": 0.75], seconds: 1))
    }
    return history
  }()

  /// A folder that the peers' script is told of, else one that goes away.
  static func withFolder(_ body: (String) throws -> Void) throws {
    if let kept = ProcessInfo.processInfo.environment["SINTER_TEST_OUTPUT"] {
      for name in ["events", "mlruns"] { try? FileManager.default.removeItem(atPath: "\(kept)/\(name)") }
      try body(kept)
    } else {
      try withScratchFolder(body)
    }
  }

  struct Net: UnaryLayer {
    var fc = Linear(4, 3)
    func forward(_ x: Tensor) -> Tensor { fc(x) }
  }

  @Test func recordsAreWritten() throws {
    try Self.withFolder { folder in
      let events = try EventWriter(folder: "\(folder)/events")
      for epoch in Self.history.epochs { try events.record(epoch) }
      try events.histogram("fc.weight", .i64([100], Array(0..<100)), step: 1)
      let digits = HostTensor(.u8, [2, 1, 4, 4], values: (0..<32).map { UInt8($0 * 8) })
      try events.image("digits", try ImageGrid.image(digits), step: 1)
      let step = try trainingStep(Net(), .f32("n", 4), .i64("n"), optimizer: Adam(), loss: crossEntropy)
      try events.graph(step.graph)
      #expect(try EventWriter(folder: "\(folder)/events").path != events.path, "a file of its own")
      // The first record: its length, the length's sum, and what begins a file of events.
      let bytes = [UInt8](try Data(contentsOf: URL(filePath: events.path)))
      #expect(bytes[..<8] == [24, 0, 0, 0, 0, 0, 0, 0] && bytes[8..<12] == [0xa3, 0x7f, 0x4b, 0x22])
      #expect(String(decoding: bytes[21..<36], as: UTF8.self).contains("brain.Event:2"))

      let curve = "\(folder)/loss.svg"
      try LearningCurve(Self.history).save(curve)
      let run = try MLflowRun(folder: "\(folder)/mlruns", experiment: "it: a test", name: "first: run")
      for epoch in Self.history.epochs { try run.record(epoch) }
      try run.parameter("learning_rate", 0.1)
      try run.parameter("net/layers", 2)
      try run.tag("kind", "demo")
      try run.artifact(curve)
      try run.finish()
      let second = try MLflowRun(folder: "\(folder)/mlruns", experiment: "it: a test", name: "x")
      #expect(second.experimentID == run.experimentID && second.id != run.id)
      try FileManager.default.removeItem(atPath: second.path)
      for name in ["", "a//b", "../x", "a\nb", "größe"] {
        #expect(message { try run.metric(name, 1, step: 1) }.contains("no name for MLflow"))
      }
      #expect(message { try MLflowRun(folder: "/dev/null/x", experiment: "e", name: "n") }.contains("cannot be made"))
      #expect(message { try EventWriter(folder: "/dev/null/x") }.contains("cannot be made"))
    }
  }

  @Test func histogramsOfOddTensors() throws {
    try withScratchFolder { folder in
      let events = try EventWriter(folder: folder)
      for tensor in [
        HostTensor.f32([0], []), .f32([1], [3]), .f32([3], [.nan, .infinity, 1]), .f32([2], [-1e38, 1e38]),
        HostTensor(.bool, [2], values: [true, false]),
      ] { try events.histogram("t", tensor, step: 0) }
      #expect(
        message { try events.histogram("t", HostTensor(strings: ["a"], shape: [1]), step: 0) }.contains("no histogram"))
    }
  }

  @Test func curvesAreDrawn() throws {
    let svg = LearningCurve(Self.history).svg
    #expect(svg.contains(">training</text>") && !svg.contains(">validation</text>"))
    #expect(LearningCurve(Self.history, of: "accuracy").svg.contains(">validation</text>"))
    // Numbers that are none, one point, no point, and odd names.
    let odd = LearningCurve(
      title: "<a & b>", lines: [.init("l", [(1, .nan), (2, 1), (3, .infinity), (4, 2), (5, 3)]), .init("m", [])])
    #expect(odd.svg.contains("&lt;a &amp; b&gt;") && odd.svg.firstMatch(of: /\b(nan|inf)\b/) == nil)
    #expect(odd.svg.matches(of: /[M"]M?\d[^"]*M/).count <= 2)
    for points in [[], [(1.0, 5.0)], [(1.0, 0.0)], [(1.0, 1e-300), (2.0, 1e300)]] {
      let text = LearningCurve(title: "t", lines: [.init("l", points)]).svg
      #expect(text.hasSuffix("</svg>\n") && text.firstMatch(of: /\b(nan|inf)\b/) == nil)
      let parser = XMLDocumentCheck(text)
      #expect(parser.isWellFormed)
    }
  }

  @Test func gridsOfImages() throws {
    let batch = HostTensor(.u8, [3, 1, 2, 2], values: (1...12).map { UInt8($0) })
    let grid = try ImageGrid.image(batch, columns: 2, padding: 1)
    #expect(grid.shape == [1, 7, 7])
    let rows = grid.array(of: UInt8.self)
    #expect(rows[7..<14] == [0, 1, 2, 0, 5, 6, 0] && rows[28..<35] == [0, 9, 10, 0, 0, 0, 0])
    let floats = HostTensor.f32([1, 1, 1, 4], [-1, 0, .nan, 1])
    #expect(try ImageGrid.image(floats, padding: 0, range: -1...1).array(of: UInt8.self) == [0, 128, 0, 255])
    #expect(try ImageGrid.image(floats, padding: 0, range: nil).array(of: UInt8.self) == [0, 128, 0, 255])
    #expect(message { try ImageGrid.image(.f32([2, 2], [1, 2, 3, 4])) }.contains("but given is f32[2, 2]"))
  }
}

/// Whether tags of a text are closed in the order in which they were opened.
private struct XMLDocumentCheck {
  let isWellFormed: Bool
  init(_ text: String) {
    var open: [Substring] = []
    var isRight = true
    for match in text.matches(of: /<(\/?)(\w+)[^>]*?(\/?)>/) {
      if !match.3.isEmpty { continue }
      if match.1.isEmpty { open.append(match.2) } else { isRight = isRight && open.popLast() == match.2 }
    }
    isWellFormed = isRight && open.isEmpty
  }
}
