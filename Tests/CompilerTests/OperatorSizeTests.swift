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
    let draws = Flags.fromEnvironment().fuzz ?? 8
    let report = SizeCheck(draws: draws, seed: 1).report(of: item.type)
    for finding in report.findings { Issue.record("\(finding)") }
  }
}
