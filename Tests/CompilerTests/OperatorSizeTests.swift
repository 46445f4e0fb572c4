import Sinter
import SinterCore
import SinterIR
import SinterOps
import TestSupport
import Testing

/// Every operator of the table at sizes that its examples do not have.
@Suite struct OperatorSizeTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var type: any Operator.Type
    var testDescription: String { type.name }
  }

  static let all = OpTable.standard.all.map { Case(type: $0) }

  @Test(arguments: all) func computesOrRefusesAnySizes(_ item: Case) {
    let flags = Flags.fromEnvironment()
    let report = CrashNote.during("sizes of \(item.type.name)") {
      SizeCheck(draws: flags.fuzz ?? 8, seed: UInt64(flags.fuzzSeed ?? 1)).report(of: item.type)
    }
    if flags.fuzz != nil {
      print("\(item.type.name): \(report)")
      for text in report.kept + report.unsupported { print("  \(text)") }
    }
    for finding in report.findings { Issue.record("\(finding)") }
  }
}
