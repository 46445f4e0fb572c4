import Foundation
import Sinter
import SinterCPU
import SinterCore
import Testing

/// Files of `--machine`.
@Suite struct MachineFileTests {
  @Test func filesGiveBackWhatWasWritten() throws {
    for name in Machine.processors {
      let machine = Machine.row(of: name, on: .x86_64_v4)
      let again = try MachineFile.parse(Data(try MachineFile.text(of: machine).utf8), over: .x86_64_v4, path: "m.json")
      #expect(again == machine)
    }
  }

  @Test func whatIsLeftOutStays() throws {
    let machine = try MachineFile.parse(
      Data(#"{"level2": 65536, "name": "small"}"#.utf8), over: .x86_64_v3, path: "m.json")
    var expected = Machine.x86_64_v3
    (expected.name, expected.level2) = ("small", 65536)
    #expect(machine == expected)
  }

  @Test func allProblemsAreToldAtOnce() {
    let text =
      #"{"level2": 1, "level1Ways": 2.5, "levels": 3, "tileRates": [{"rows": 8, "vectors": 3, "rate": 2}], "name": ""}"#
    do {
      _ = try MachineFile.parse(Data(text.utf8), over: .x86_64_v4, path: "m.json")
      Issue.record("the file was taken")
    } catch let error as DiagnosticError {
      #expect(
        error.diagnostics.map(\.message) == [
          "m.json: level1Ways must be a whole number between 1 and 64",
          "m.json: level2 must be a whole number between 16384 and 268435456",
          "m.json has the key levels, which no machine has",
          "m.json: name must be a text",
          "m.json: tileRates must be a list of objects with rows and vectors between 1 and 64 and a rate between 0 and 1",
        ])
    } catch { Issue.record("\(error)") }
    #expect(throws: DiagnosticError.self) { try MachineFile.parse(Data("[1]".utf8), over: .x86_64_v4, path: "m.json") }
    #expect(throws: DiagnosticError.self) { try MachineFile.read("/nowhere/m.json", over: .x86_64_v4) }
  }
}
