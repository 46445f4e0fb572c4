import Foundation
import Testing

/// `--memory-limit`: a small file that asks for much ends in a sentence, not in the system's want of memory.
@Suite struct MemoryLimitTests {
  private static func run(_ graph: String, _ arguments: String...) throws -> CommandTests.Outcome {
    try run(Data(graph.utf8), as: "m.sinter", arguments)
  }

  private static func run(_ file: Data, as fileName: String, _ arguments: [String]) throws -> CommandTests.Outcome {
    let name = "sinter-memory-\(UUID().uuidString)"
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try file.write(to: URL(fileURLWithPath: "\(folder)/\(fileName)"))
    return try CommandTests.run([arguments[0], "\(folder)/\(fileName)"] + arguments.dropFirst())
  }

  /// 1.6 GB of one number.
  private static let expansion = """
    graph "expansion" {
      opset "" 21
      input %0 "x": f32[1]
      constant %1: i64[1] = {400000000}
      %2 "y": f32[400000000] = Expand(%0, %1) from "" "y" ""
      output "y" %2
    }
    """

  /// 30 results of 32 MB each, all of constants.
  private static var folds: String {
    var text = """
      graph "folds" {
        opset "" 21
        constant %0: i64[1] = {16384}
        %1: f32[16384] = ConstantOfShape(%0)
      """
    var (last, size, next) = (1, 16384, 2)
    while size < 8 << 20 {
      size *= 2
      text += "\n  %\(next): f32[\(size)] = Concat(%\(last), %\(last)) {axis: 0}"
      (last, next) = (next, next + 1)
    }
    var outputs = ""
    for number in 0..<30 {
      text += "\n  constant %\(next): f32[] = {\(number + 2).0}"
      text += "\n  %\(next + 1) \"r\(number)\": f32[\(size)] = Binary(%\(last), %\(next)) {kind: \"multiply\"}"
      outputs += "\n  output \"r\(number)\" %\(next + 1)"
      next += 2
    }
    return text + outputs + "\n}\n"
  }

  @Test func runsThatTakeMoreNameWhatDoesNotFit() throws {
    let outcome = try Self.run(Self.expansion, "run", "--random", "--memory-limit", "500M")
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("no memory for output 'y': 400000000 elements of float32"))
    #expect(outcome.errors.contains("of 500 MB that they may"))
    #expect(outcome.errors.contains("give a larger --memory-limit"))
  }

  /// Inputs that are made up count as well.
  @Test func inputsThatDoNotFitAreNamed() throws {
    let graph = """
      graph "large" {
        opset "" 21
        input %0 "x": f32[100000000]
        %1 "y": f32[100000000] = Unary(%0) {kind: "relu"}
        output "y" %1
      }
      """
    let outcome = try Self.run(graph, "run", "--random", "--memory-limit", "300M")
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("input x of type f32[100000000] takes 1.1 GB while it is made up"))
  }

  /// An ONNX file of 74 bytes: y = Identity(c), where c are 100 million texts, stored sparsely, one of which is not empty.
  private static let texts =
    "CAoSADo+ChAKAWMSAXkiCElkZW50aXR5EgFnYgkKAXkSBAoCCAh6HAoKCAEQCDIBYUIBYxIJCAEQBzoBA0IAGIDC1y9CBAoAEBU="

  @Test func sparseTextThatDoesNotFitIsNamed() throws {
    let file = try #require(Data(base64Encoded: Self.texts))
    let outcome = try Self.run(file, as: "m.onnx", ["check", "--memory-limit", "500M"])
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("a tensor of 1.5 GB does not fit"), "\(outcome.errors)")
    #expect(outcome.errors.contains("sparse tensor c"), "\(outcome.errors)")
  }

  /// What would not fit is left for the run to compute: the same file compiles under both limits.
  @Test func constantsAreFoldedAsFarAsThereIsRoom() throws {
    for limit in ["400M", "none"] {
      let outcome = try Self.run(Self.folds, "check", "--memory-limit", limit)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
  }

  @Test(arguments: ["8X", "-1G", "1e9", "G", "12", "nan", "99999999999T"])
  func sizesThatAreNoneAreRefused(text: String) throws {
    let outcome = try Self.run(Self.expansion, "check", "--memory-limit=\(text)")
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains("--memory-limit takes a size"))
  }

  @Test(arguments: ["1G", "1.5g", "2000000000", "64M", "none"])
  func sizesAreTaken(text: String) throws {
    let outcome = try Self.run(Self.expansion, "check", "--memory-limit", text)
    #expect(outcome.status == 0, "\(outcome.errors)")
  }
}
