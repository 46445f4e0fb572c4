import Foundation
import SinterCore
import SinterIR
import SinterOps
import Testing

@Suite("Pages that are made from the code")
struct GeneratedPageTests {
  static let pages: [String: @Sendable () -> String] = [
    "operators.md": { operatorPage(of: .standard) },
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

/// `Add 7, 13; com.microsoft.Gelu 1`, sorted by name.
private func onnxNames(of type: any Operator.Type) -> String {
  let versions = Dictionary(grouping: type.onnx) { $0.domain.isEmpty ? $0.opType : "\($0.domain).\($0.opType)" }
  return versions.keys.sorted().map { name in
    let since = Set((versions[name] ?? []).map(\.since)).sorted().map(String.init)
    return "\(name) \(since.joined(separator: ", "))"
  }.joined(separator: "; ")
}
