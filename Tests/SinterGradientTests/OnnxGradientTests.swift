import SinterCore
import SinterGradient
import SinterIR
import SinterOps
import Testing

/// ONNX's `Gradient`, beside what the official suite has of it.
@Suite struct OnnxGradientTests {
  /// y = a² · b, of which the node asks for derivatives at given values.
  private func graph(at inputs: [String], xs: [String], zs: [String] = [], y: String = "y") throws -> Graph {
    var builder = GraphBuilder(name: "gradient")
    var values: [String: ValueID] = [:]
    for name in ["a", "b", "c"] { values[name] = builder.input(Fact(.f64, [2]), named: name) }
    func value(_ name: String) throws -> ValueID { try #require(values[name]) }
    let square = try builder.add1(Binary(.multiply), [value("a"), value("a")])
    let product = try builder.add1(Binary(.multiply), [square, value("b")])
    builder.setName("y", of: product)
    let rule = try #require(
      OpTable.complete.rule(domain: "ai.onnx.preview.training", opType: "Gradient", opset: 1))
    let node = OnnxNode(
      domain: "ai.onnx.preview.training", opType: "Gradient", opset: 1, name: "",
      values: try inputs.map { .tensor(try value($0)) }, outputCount: xs.count,
      attributes: ["xs": .strings(xs), "zs": .strings(zs), "y": .string(y)])
    let results = try rule.build(node, &builder).compactMap(\.tensor)
    return builder.graphWithOutputs(results)
  }

  private func run(_ graph: Graph) throws -> [[Double]] {
    let inputs = [[2.0, 3], [5, 7], [-1, 4]].map { HostTensor(.f64, [2], values: $0) }
    return try GraphEvaluator.run(graph, inputs, symbols: [:]).map { try #require($0.doubles) }
  }

  @Test func whereTheNamesStand() throws {
    #expect(try run(graph(at: ["a", "b"], xs: ["a", "b"])) == [[20, 42], [4, 9]])
  }

  /// The nodes between are computed again, with c in place of a.
  @Test func atOtherValues() throws {
    #expect(try run(graph(at: ["c", "b"], xs: ["a"], zs: ["b"])) == [[-10, 56]])
    #expect(try run(graph(at: ["b", "c"], xs: ["b"], zs: ["a"])) == [[1, 16]])
  }

  @Test func unknownNamesAreErrors() {
    let error = #expect(throws: DiagnosticError.self) { try graph(at: ["a"], xs: ["a"], y: "z") }
    #expect(error?.diagnostics.first?.message.contains("named \"z\"") == true)
    let missing = #expect(throws: DiagnosticError.self) { try graph(at: ["a"], xs: ["a", "b"]) }
    #expect(missing?.diagnostics.first?.message.contains("name 2 values, but 1 are given") == true)
  }
}
