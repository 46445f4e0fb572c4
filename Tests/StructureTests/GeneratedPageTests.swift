import Foundation
import SinterCore
import SinterIR
import SinterOps
import Testing

@Suite("Pages that are made from the code")
struct GeneratedPageTests {
  static let pages: [String: @Sendable () -> String] = [
    "operators.md": { operatorPage(of: .standard) + errorTable() },
    "flags.md": { Flags.documentation },
  ]

  /// `SINTER_BLESS=1 swift test --filter GeneratedPageTests` writes the pages anew.
  @Test(arguments: pages.keys.sorted())
  func pageIsUpToDate(name: String) throws {
    let make = try #require(Self.pages[name])
    let page = make()
    let file = SourceTree.root.appending(path: "docs").appending(path: name)
    if Flags.fromEnvironment().bless { try page.write(to: file, atomically: true, encoding: .utf8) }
    let written = try? String(contentsOf: file, encoding: .utf8)
    #expect(written == page, "docs/\(name) is out of date: SINTER_BLESS=1 swift test --filter GeneratedPageTests")
  }
}

/// `docs/operators.md`: one row per operator, with the ONNX nodes that become it.
private func operatorPage(of table: OpTable) -> String {
  var page = """
    # Operators

    Made from the table of operators; change the operator, not this page. A *primitive* operator lowers to loop forms, a
    *composite* one expands to other operators, and some do both. A number after an ONNX name is the opset from which
    that reading holds. Gradients come from a *rule* of the operator or through its *expansion*; they are *zero* where small
    changes of floats change nothing. Other operators have none: most take or give no floats.

    | operator | kind | gradient | reads | what it computes |
    |---|---|---|---|---|

    """
  for type in table.all {
    let kinds = [type is any Primitive.Type ? "primitive" : nil, type is any Composite.Type ? "composite" : nil]
    let kind = kinds.compactMap { $0 }.joined(separator: ", ")
    let gradient =
      switch type {
      case is any PiecewiseConstant.Type: "zero"
      case is any Differentiable.Type, is any ControlFlow.Type: "rule"
      case is any Composite.Type: "expansion"
      default: ""
      }
    page +=
      "| `\(type.name)` | \(kind) | \(gradient) | \(onnxNames(of: type)) | \(type.summary.replacing("|", with: "\\|")) |\n"
  }
  let nodes = table.elaborated.map { rule in
    "\(rule.domain.isEmpty ? "" : rule.domain + ".")\(rule.opType) \(rule.since)"
  }.joined(separator: ", ")
  page += """

    Nodes of sequences, optionals and maps are no operators here: the importer makes tensors of them. It reads \(nodes).

    """
  return page
}

/// The worst error of each operator in the official suite, from the file that its runner writes with `--ulp`; nothing where there is none.
private func errorTable() -> String {
  let file = SourceTree.root.appending(path: "Tests/Conformance/ulp.txt")
  let lines = ((try? String(contentsOf: file, encoding: .utf8)) ?? "").split(separator: "\n").map {
    $0.split(separator: " ")
  }
  if lines.isEmpty { return "" }
  let types = ["f16", "bf16", "f32", "f64"]
  var cells: [Substring: [Substring: String]] = [:]
  for line in lines where line.count == 4 {
    cells[line[0], default: [:]][line[1]] = line[2] == line[3] ? "\(line[2])" : "\(line[2]) / \(line[3])"
  }
  var text = """

    ## Errors

    The worst error over all tests of the official ONNX suite that end in floats, expanded forms among them, in units in the last place (ULP): the distance
    between neighbouring floats of the type. It is counted against the values that the suite stores, which are rounded results of NumPy and may be a
    unit off themselves. Where two numbers stand, the first is in units at the element, the second in units at the greatest
    magnitude of the result: sums that cancel to nearly nothing have a large first one. Measured by `make conformance ULP=Tests/Conformance/ulp.txt`.

    For AveragePool, GridSample and RoiAlign the large numbers are the suite's: four of their tests store values that were rounded to a few decimals. Computed in f64
    by onnx's reference, the same tests are 0.3, 0.9 and 5.4 units from Sinter's results, at the greatest magnitude, and 1900, 110 and 1500 from the stored ones.

    | operator | f16 | bf16 | f32 | f64 |
    |---|---|---|---|---|

    """
  for name in cells.keys.sorted() {
    let row = types.map { cells[name]?[Substring($0)] ?? "" }.joined(separator: " | ")
    text += "| \(name) | \(row) |\n"
  }
  return text
}

/// `Add 7, 13; com.microsoft.Gelu 1`, sorted by name.
private func onnxNames(of type: any Operator.Type) -> String {
  let versions = Dictionary(grouping: type.onnx) { $0.domain.isEmpty ? $0.opType : "\($0.domain).\($0.opType)" }
  return versions.keys.sorted().map { name in
    let since = Set((versions[name] ?? []).map(\.since)).sorted().map(String.init)
    return "\(name) \(since.joined(separator: ", "))"
  }.joined(separator: "; ")
}
