import SinterCore
import SinterIR
import SinterONNX
import SinterOps
import TestSupport
import Testing

/// What holds for every operator of the table, checked on its examples.
@Suite struct GenericOperatorTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var type: any Operator.Type
    var testDescription: String { type.name }
  }

  static let all = OpTable.standard.all.map { Case(type: $0) }

  @Test(arguments: all)
  func hasExamples(_ item: Case) {
    // Graphs inside a node have tests of their own.
    #expect(!item.type.examples.isEmpty || item.type is any ControlFlow.Type)
    #expect(!item.type.summary.isEmpty && item.type.summary.hasSuffix("."))
  }

  /// The types that inference gives are those of what is computed, and a verifier finds nothing.
  @Test(arguments: all)
  func infersWhatItComputes(_ item: Case) throws {
    for (index, example) in item.type.examples.enumerated() {
      let symbolic = try ExampleCase(example)
      #expect(GraphVerifier.problems(of: symbolic.graph) == [], "example \(index)")
      let results = try symbolic.run(sizes: example.sizes)
      for (result, port) in pairs(results, symbolic.graph.outputs, "example \(index)") {
        let type = try #require(symbolic.graph.type(of: port.value).tensor)
        #expect(type.element == result.element, "example \(index)")
        for (size, given) in zip(type.shape, result.shape) where !size.isFromData {
          #expect(size.evaluated { example.sizes[$0] } == given, "example \(index): \(type)")
        }
        #expect(type.rank == result.rank, "example \(index): \(type)")
      }
    }
  }

  /// Sizes known ahead of time, or inputs, change nothing.
  @Test(arguments: all)
  func agreesWithStaticSizesAndConstants(_ item: Case) throws {
    for (index, example) in item.type.examples.enumerated() {
      let expected = try ExampleCase(example).run(sizes: example.sizes)
      let bound = try ExampleCase(example, isBound: true).run(sizes: [:])
      let constant = try ExampleCase(example, isBound: true, isConstant: true).run(sizes: [:])
      for (a, b) in pairs(bound, expected) { #expect(a.distance(to: b) == 0, "example \(index), fixed sizes") }
      for (a, b) in pairs(constant, expected) {
        #expect(a.distance(to: b) <= 1e-6, "example \(index), constant inputs")
      }
    }
  }

  /// Printing and parsing gives the same text.
  @Test(arguments: all)
  func hasATextForm(_ item: Case) throws {
    for (index, example) in item.type.examples.enumerated() {
      let graph = try ExampleCase(example).graph
      let text = "\(graph)"
      let again = "\(try Graph(parsing: text, operators: .standard))"
      #expect(again == text, "example \(index): \(text)")
    }
  }

  /// Whether ONNX has no words for what an operator does, here or at such sizes.
  private static func isNotONNX(_ example: OperatorExample) -> Bool {
    switch example.op {
    case is TreeEnsemble, is PairwiseCoupling, is UnpackedBlocks, is Inverse, is NGramRepeatBlock, is RandomDraw: true
    // How far what lies outside reaches depends on sizes.
    case let op as ByteConv: op.conv.window.autoPad != .notSet && !example.sizes.isEmpty
    default: false
    }
  }

  /// What ONNX export writes is read back with the same meaning.
  @Test(arguments: all)
  func survivesONNX(_ item: Case) throws {
    for (index, example) in item.type.examples.enumerated() {
      let original = try ExampleCase(example)
      let file: OnnxFile
      do {
        file = try OnnxExporter().file(of: original.graph)
      } catch let error as DiagnosticError where Self.isNotONNX(example) {
        #expect(error.diagnostics.map(\.id) == ["onnx.export"], "example \(index)")
        continue
      }
      let graph = try OnnxImporter(operators: .standard).graph(of: file)
      let expected = try original.run(sizes: example.sizes)
      let given = try GraphEvaluator.run(graph, original.inputs, symbols: example.sizes)
      for (a, b) in pairs(given, expected) { #expect(a.distance(to: b) <= 1e-6, "example \(index)") }
    }
  }

  /// What is written for an older opset is read back with the same meaning; what that opset cannot say is refused.
  @Test(arguments: all, [13, 16, 18])
  func survivesOlderOpsets(_ item: Case, opset: Int) throws {
    for (index, example) in item.type.examples.enumerated() {
      let original = try ExampleCase(example)
      let file: OnnxFile
      do {
        file = try OnnxExporter(opset: opset).file(of: original.graph)
      } catch let error as DiagnosticError {
        // What no opset can say is "onnx.export".
        let ids = Set(error.diagnostics.map(\.id)).subtracting(["onnx.opset", "onnx.export"])
        #expect(ids == [], "example \(index): \(error)")
        continue
      }
      #expect(file.operatorSets.contains { $0.domain == "" && $0.version == opset }, "example \(index)")
      let graph = try OnnxImporter(operators: .standard).graph(of: file)
      let expected = try original.run(sizes: example.sizes)
      let given = try GraphEvaluator.run(graph, original.inputs, symbols: example.sizes)
      for (a, b) in pairs(given, expected) { #expect(a.distance(to: b) <= example.tolerance, "example \(index)") }
    }
  }

  /// An expansion is a graph that stands alone and means what the node means, also where the operator lowers itself.
  @Test(arguments: all.filter { $0.type is any Composite.Type })
  func agreesWithItsExpansion(_ item: Case) throws {
    for (index, example) in item.type.examples.enumerated() {
      let whole = try ExampleCase(example)
      let id = try #require(whole.graph.order.first)
      // Sizes that another node reads have no names by themselves; the same operator has examples with known ones.
      if whole.graph.nodes[id].op is ReadSizes { continue }
      let op = try #require(whole.graph.nodes[id].op as? any Composite)
      let expansion = try op.expansion(whole.graph.inputs(of: id))
      #expect(GraphVerifier.problems(of: expansion.graph) == [], "example \(index)")
      let expected = try whole.run(sizes: example.sizes)
      let given = try GraphEvaluator.run(expansion.graph, whole.inputs, symbols: example.sizes)
      // An expansion may give results that this node has no use for.
      for (a, b) in pairs(given.prefix(expected.count), expected, "example \(index)") {
        #expect(a.distance(to: b) <= example.tolerance, "example \(index)")
      }
    }
  }
}
