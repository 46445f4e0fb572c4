import Sinter
import SinterForms
import SinterIR
import SinterLLVM
import SinterONNX
import SinterOps
import Testing

/// Models that several stages refuse: each stage tells of its own, and the next ones of what is left.
@Suite struct CheckTests {
  typealias Node = OnnxFile.Node

  /// One node for each stage that may refuse it; they share inputs and nothing else.
  enum Part: String, CaseIterable {
    case sound, unknownOperator, shapes, branchWithUnknownOperator, lowering, layout

    var node: Node {
      switch self {
      case .sound: Node("Relu", name: rawValue, inputs: ["x"], outputs: [rawValue])
      case .unknownOperator: Node("Frobnicate", name: rawValue, inputs: ["x"], outputs: [rawValue])
      case .shapes: Node("Add", name: rawValue, inputs: ["x", "five"], outputs: [rawValue])
      case .branchWithUnknownOperator:
        Node(
          "If", name: rawValue, inputs: ["condition"], outputs: [rawValue],
          attributes: [
            .init("then_branch", .graph(branch("Frobnicate"))), .init("else_branch", .graph(branch("Relu"))),
          ])
      case .lowering: Node("Refused", name: rawValue, inputs: ["x"], outputs: [rawValue])
      case .layout: Node("Boundless", name: rawValue, inputs: ["x"], outputs: [rawValue])
      }
    }

    private func branch(_ operatorType: String) -> OnnxFile.Graph {
      var graph = OnnxFile.Graph(name: operatorType)
      graph.nodes = [Node(operatorType, name: "inner \(operatorType)", inputs: ["x"], outputs: ["result"])]
      graph.outputs = [.init("result", nil)]
      return graph
    }

    /// What the diagnostic that it causes is named, and the node that it names.
    var problem: (id: String, node: String)? {
      switch self {
      case .sound: nil
      case .unknownOperator: ("onnx.unknown-operator", "unknownOperator")
      case .shapes: ("size.equalOrOne", "shapes")
      case .branchWithUnknownOperator: ("onnx.unknown-operator", "inner Frobnicate")
      case .lowering: ("test.refused", "lowering")
      case .layout: ("library.symbol", "layout")
      }
    }
  }

  /// An operator whose types are clear and whose lowering fails.
  struct Refused: Primitive {
    static let name = "Refused"
    static let summary = "Its input, but nothing lowers it."
    static let onnx = [OnnxRule.direct(Refused.self)]
    static let examples: [OperatorExample] = []
    func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
      [Fact(.tensor(try inputs.tensor(0)))]
    }
    func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
      throw DiagnosticError(.limit, "test.refused", "no")
    }
  }

  /// An operator whose result has a size that no input tells.
  struct Boundless: Primitive {
    static let name = "Boundless"
    static let summary = "Zeros, as many as nobody knows."
    static let onnx = [OnnxRule.direct(Boundless.self)]
    static let examples: [OperatorExample] = []
    func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
      [Fact(.f32, [Dim(Symbol("boundless"))])]
    }
    func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
      let x = try node.input(0)
      return [
        try lowering.element(try node.output().shape) { builder, index in
          builder.load(x.id, [builder.constant(0, .i64), builder.constant(0, .i64)])
        }
      ]
    }
  }

  static func problems(_ parts: [Part], after: [Node] = []) -> [Diagnostic] {
    var graph = OnnxFile.Graph(name: "main")
    graph.inputs = [
      .init("x", .tensor(.f32, [.symbol("n"), .value(2)])), .init("condition", .tensor(.bool, [])),
    ]
    graph.initializers = [.init("five", HostTensor.f32([5], [Float](repeating: 0, count: 5)))]
    graph.nodes = parts.map(\.node) + after
    graph.outputs = (parts.map(\.rawValue) + after.flatMap(\.outputs)).map { .init($0, nil) }
    let file = OnnxFile(irVersion: 9, operatorSets: [.init("", 20)], graph: graph)
    let importer = OnnxImporter(operators: .standard.adding(Refused.self).adding(Boundless.self))
    let (read, problems) = importer.partialGraph(of: file)
    var compiler = Compiler()
    let all = problems + compiler.problems(of: read)

    var again = Compiler()
    let compiles =
      (try? again.kernels(of: importer.graph(of: file))).map { LibraryCompiler.problems(of: $0).isEmpty } ?? false
    #expect(compiles == all.isEmpty, "\(parts) \(all)")
    return all
  }

  /// All subsets, so that no stage hides what another one finds.
  @Test func eachStageTellsOfItsOwn() {
    for bits in 0..<(1 << Part.allCases.count) {
      let parts = Part.allCases.enumerated().filter { bits >> $0.offset & 1 == 1 }.map(\.element)
      let problems = Self.problems(parts)
      for part in parts {
        guard let (id, node) = part.problem else { continue }
        #expect(
          problems.contains { $0.id == id && $0.places.joined().contains(node) }, "\(part) of \(parts): \(problems)")
      }
      let expected = Set(parts.compactMap { $0.problem?.id })
      #expect(Set(problems.map(\.id)) == expected && problems.count == expected.count, "\(parts): \(problems)")
    }
  }

  /// Nodes that use what failed are left out; those that they use besides are still checked.
  @Test(arguments: [Part.unknownOperator, .shapes, .lowering])
  func whatDependsOnAFailureIsSilent(failing: Part) {
    let after = [
      Node("Refused", name: "other", inputs: ["condition"], outputs: ["other"]),
      Node("Where", name: "both", inputs: ["other", failing.rawValue, failing.rawValue], outputs: ["both"]),
      Node("Refused", name: "last", inputs: ["both"], outputs: ["last"]),
    ]
    let problems = Self.problems([failing], after: after)
    #expect(problems.contains { $0.id == "test.refused" && $0.places.joined().contains("other") }, "\(problems)")
    #expect(problems.count == 2 && !problems.contains { $0.places.joined().contains("last") }, "\(problems)")
  }

  @Test func bindingTellsOfAllNodesThatRefuse() throws {
    var builder = GraphBuilder(name: "main")
    let x = builder.input(Fact(.f32, ["n", 4]), named: "x")
    for (number, size) in [2, 3].enumerated() {
      builder.origin = [Origin(node: "add\(number)")]
      let y = builder.input(Fact(.f32, [Dim(size), 4]), named: "y\(number)")
      builder.output(try builder.add1(Binary(.add), [x, y]), named: "z\(number)")
    }
    var graph = builder.graph
    let error = #expect(throws: DiagnosticError.self) { try graph.bind([Symbol("n"): 7]) }
    #expect(error?.diagnostics.compactMap { $0.places.first } == ["node add0", "node add1"])
  }
}
