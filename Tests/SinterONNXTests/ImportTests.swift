import SinterCore
import SinterIR
import SinterONNX
import SinterOps
import Testing

@Suite("ONNX files to graphs")
struct ImportTests {
  typealias Node = OnnxFile.Node

  static let importer = OnnxImporter(operators: TestOperators.table)

  /// A file with an input `x` of f32[batch, 2], some nodes, and outputs.
  static func file(
    _ nodes: [Node], outputs: [String] = ["y"], inputs: [OnnxFile.ValueInfo] = [], initializers: [OnnxFile.Tensor] = [],
    opset: Int64 = 20
  ) -> OnnxFile {
    var graph = OnnxFile.Graph(name: "main")
    graph.inputs = [.init("x", .tensor(.f32, [.symbol("batch"), .value(2)]))] + inputs
    graph.nodes = nodes
    graph.outputs = outputs.map { .init($0, nil) }
    graph.initializers = initializers
    return OnnxFile(irVersion: 9, operatorSets: [.init("", opset)], graph: graph)
  }

  static func problems(_ file: OnnxFile) -> [Diagnostic] {
    do {
      _ = try importer.graph(of: file)
      return []
    } catch let error as DiagnosticError {
      return error.diagnostics
    } catch {
      return [Diagnostic(.bug, "test", "\(error)")]
    }
  }

  static func twice(_ input: String, _ output: String, name: String = "") -> Node {
    Node("Twice", name: name, inputs: [input], outputs: [output])
  }

  @Test func productBecomesAGraph() throws {
    let graph = try Self.importer.graph(of: SampleModels.product())
    #expect(graph.inputs.map(\.name) == ["x"])
    #expect(graph.outputs.map(\.name) == ["y"])
    #expect("\(graph.type(of: graph.outputs[0].value))" == "f32[n, 2]")
    #expect(graph.nodes[graph.order[0]].origin == [Origin(node: "product")])
    #expect(graph.opsets == ["": 20])
  }

  @Test func domainOfOnnxruntimeNeedsNoImport() throws {
    let file = Self.file([Node("QuickGelu", domain: "com.microsoft", inputs: ["x"], outputs: ["y"])])
    let graph = try OnnxImporter(operators: .standard).graph(of: file)
    #expect("\(graph.type(of: graph.outputs[0].value))" == "f32[batch, 2]")
    #expect(graph.opsets == ["": 20])
  }

  @Test func nodesMayStandInAnyOrder() throws {
    let graph = try Self.importer.graph(
      of: Self.file([Self.twice("b", "y"), Self.twice("a", "b"), Self.twice("x", "a")]))
    #expect(graph.order.map { graph.nodes[$0].origin[0].node } == ["a", "b", "y"])
  }

  @Test func layersOfPyTorchAreKept() throws {
    var node = Self.twice("x", "y", name: "n")
    node.metadata = [
      .init("pkg.torch.onnx.name_scopes", "['', 'bert', 'bert.embeddings', 'layer_norm']"),
      .init(
        "pkg.torch.onnx.stack_trace",
        "File \"/home/a/b.py\", line 3, in f\n  x\nFile \"/home/a/net.py\", line 12, in forward\n  y"),
    ]
    let graph = try Self.importer.graph(of: Self.file([node]))
    #expect(graph.nodes[graph.order[0]].origin == [Origin(path: "bert.embeddings", node: "n", source: "net.py:12")])
  }

  @Test func attributesAreRead() throws {
    let node = Node(
      "Twice", inputs: ["x"], outputs: ["y"], attributes: [.init("alpha", .float(2)), .init("mode", .string("max"))])
    let graph = try Self.importer.graph(of: Self.file([node]))
    let op = try #require(graph.nodes[graph.order[0]].op as? Twice)
    #expect(op.alpha == 2 && op.mode == "max")
  }

  /// Sizes are numbers before a node is read, so that Squeeze knows which axes go.
  @Test func boundSizesDecideWhatDependsOnThem() throws {
    let node = Node("Squeeze", name: "s", inputs: ["x"], outputs: ["y"])
    var importer = OnnxImporter(operators: .standard)
    #expect(throws: DiagnosticError.self) { try importer.graph(of: Self.file([node], opset: 12)) }
    for (size, shape) in [(1, "f32[2]"), (3, "f32[3, 2]")] {
      importer.sizes = [Symbol("batch"): size]
      let graph = try importer.graph(of: Self.file([node], opset: 12))
      #expect("\(graph.type(of: graph.outputs[0].value))" == shape)
    }
    importer.sizes = [Symbol("height"): 1]
    let error = #expect(throws: DiagnosticError.self) { try importer.graph(of: Self.file([node], opset: 12)) }
    #expect(error?.diagnostics.contains { $0.id == "bind.symbol" } ?? false)
  }

  @Test func constantsAndDefaultsOfInputs() throws {
    let nodes = [
      Node("Constant", inputs: [], outputs: ["c"], attributes: [.init("value_floats", .floats([1, 2]))]),
      Node("MatMul", inputs: ["x", "c"], outputs: ["a"]), Node("MatMul", inputs: ["x", "w"], outputs: ["b"]),
    ]
    let file = Self.file(
      nodes, outputs: ["a", "b"], inputs: [.init("w", .tensor(.f32, [.value(2)]))],
      initializers: [.init("w", .f32([2], [3, 4]))])
    let graph = try Self.importer.graph(of: file)
    #expect(graph.inputs.map(\.name) == ["x"])
    let constants = graph.order.compactMap { graph.nodes[$0].inputs[1] }.compactMap {
      graph.constant($0)?.array(of: Float.self)
    }
    #expect(constants == [[1, 2], [3, 4]])
  }

  @Test func sparseInitializersGetTheirZeros() throws {
    var file = Self.file([Node("MatMul", inputs: ["x", "s"], outputs: ["y"])])
    file.graph.sparseInitializers = [
      .init(values: .init("s", .f32([2], [5, 6])), indices: .init("", .i64([2, 2], [0, 1, 1, 0])), shape: [2, 2])
    ]
    let graph = try Self.importer.graph(of: file)
    let weight = graph.nodes[graph.order[0]].inputs[1].flatMap { graph.constant($0) }
    #expect(weight?.array(of: Float.self) == [0, 5, 6, 0])
  }

  @Test(arguments: [
    (DeclaredDim.symbol("batch size"), "batch_size", "[batch size]"), (.symbol("?"), "p_0", ""), (.unknown, "p_0", ""),
    (.symbol("past + 1"), "past_1", "[past + 1]"), (.symbol("batch + 1"), "batch + 1", "[batch + 1]"),
    (.symbol("2d"), "d2d", "[2d]"), (.value(7), "7", ""),
  ])
  func sizesGetNames(dim: DeclaredDim, name: String, note: String) throws {
    let graph = try Self.importer.graph(
      of: Self.file([Self.twice("p", "y")], inputs: [.init("p", .tensor(.f32, [dim]))]))
    #expect("\(graph.type(of: graph.inputs[1].value))" == "f32[\(name)]")
    #expect(graph.inputs[1].note == note)
  }

  /// What a file declares of a shape that data determine is not believed: data may say otherwise.
  @Test func declaredShapesAreNotBelieved() throws {
    var file = Self.file(
      [Node("Reshape", inputs: ["x", "shape"], outputs: ["r"]), Node("Sqrt", inputs: ["r"], outputs: ["y"])],
      inputs: [.init("shape", .tensor(.i64, [.value(1)]))])
    file.graph.inputs[0] = .init("x", .tensor(.f32, [.value(3), .value(2)]))
    file.graph.outputs = [.init("y", .tensor(.f32, [.value(6)]))]
    let graph = try OnnxImporter(operators: .standard).graph(of: file)
    let type = try #require(graph.type(of: graph.outputs[0].value).tensor)
    #expect(type.rank == 1 && type.shape[0].symbol?.isFromData == true, "\(type)")
  }

  @Test func shapesMayBeGiven() throws {
    var importer = Self.importer
    importer.shapes = ["x": [4, 2]]
    let graph = try importer.graph(of: Self.file([Self.twice("x", "y")]))
    #expect("\(graph.type(of: graph.outputs[0].value))" == "f32[4, 2]")
  }

  @Test func functionsAreInlined() throws {
    var function = OnnxFile.Function(name: "Scaled", domain: "local")
    function.inputs = ["a", "unused"]
    function.outputs = ["c"]
    function.attributes = ["factor"]
    function.defaults = [.init("kind", .string("max"))]
    function.operatorSets = [.init("", 18)]
    function.nodes = [
      Self.twice("a", "b"),
      Node(
        "Twice", name: "last", inputs: ["b", "unused"], outputs: ["c"],
        attributes: [
          .init("alpha", .reference("factor", .float)), .init("mode", .reference("kind", .string)),
        ]),
    ]
    var file = Self.file([
      Node(
        "Scaled", domain: "local", name: "call", inputs: ["x"], outputs: ["y"], attributes: [.init("factor", .float(3))]
      )
    ])
    file.functions = [function]
    let graph = try Self.importer.graph(of: file)
    #expect(graph.order.map { graph.nodes[$0].origin[0].node } == ["call/b", "call/last"])
    let op = try #require(graph.nodes[graph.order[1]].op as? Twice)
    #expect(op.alpha == 3 && op.mode == "max")
  }

  static func branch(_ name: String, _ nodes: [Node], _ output: String) -> OnnxFile.Attribute {
    var graph = OnnxFile.Graph(name: name)
    graph.nodes = nodes
    graph.outputs = [.init(output, nil)]
    return .init(name, .graph(graph))
  }

  static let choice = file(
    [
      twice("x", "a"),
      Node(
        "If", inputs: ["c"], outputs: ["y"],
        attributes: [
          branch("then_branch", [twice("a", "t")], "t"),
          branch("else_branch", [Node("MatMul", inputs: ["x", "w"], outputs: ["e"])], "e"),
        ]),
    ], inputs: [.init("c", .tensor(.bool, []))], initializers: [.init("w", .f32([2, 2], [1, 2, 3, 4]))])

  @Test func bodiesAreClosed() throws {
    let graph = try Self.importer.graph(of: Self.choice)
    let node = graph.nodes[graph.order[1]]
    #expect(node.inputs.count == 3)
    #expect(node.bodies.map { $0.inputs.map(\.name) } == [["a"], ["x"]])
    // Constants are not captured but shared.
    #expect(node.bodies[1].values.elements.contains { if case .constant = $0.definition { true } else { false } })
  }

  struct Bad: Sendable, CustomTestStringConvertible {
    let what: String
    let file: OnnxFile
    let ids: [String]
    var mention = ""
    var testDescription: String { what }
  }

  static let bad: [Bad] = [
    Bad(
      what: "a cycle", file: file([twice("b", "y", name: "A"), twice("y", "b", name: "B")]), ids: ["onnx.cycle"],
      mention: "Twice A → Twice B → Twice A"),
    Bad(what: "a node that feeds itself", file: file([twice("y", "y", name: "A")]), ids: ["onnx.cycle"]),
    Bad(what: "a missing initializer", file: file([twice("w", "y", name: "A")]), ids: ["onnx.dangling"], mention: "w"),
    Bad(what: "a missing output", file: file([twice("x", "z")]), ids: ["onnx.dangling"]),
    Bad(
      what: "two missing names", file: file([twice("v", "y"), twice("w", "z")]),
      ids: ["onnx.dangling", "onnx.dangling"]),
    Bad(
      what: "a name defined twice", file: file([twice("x", "y", name: "A"), twice("x", "y", name: "B")]),
      ids: ["onnx.duplicate-name"]),
    Bad(what: "a node over an input", file: file([twice("x", "x")], outputs: ["x"]), ids: ["onnx.duplicate-name"]),
    Bad(
      what: "an output listed twice", file: file([twice("x", "y")], outputs: ["y", "y"]), ids: ["onnx.duplicate-name"]),
    Bad(
      what: "unknown operators",
      file: file(
        (0..<5).map { Node("Frob", name: "f\($0)", inputs: ["x"], outputs: ["y\($0)"]) }
          + [Node("Grob", inputs: ["x"], outputs: ["y"])]),
      ids: ["onnx.unknown-operator", "onnx.unknown-operator"], mention: "used 5 times"),
    Bad(
      what: "an operator before its time", file: file([Node("Late", inputs: ["x"], outputs: ["y"])], opset: 18),
      ids: ["onnx.unknown-operator"], mention: "does not exist in opset 18"),
    Bad(
      what: "a domain that is not imported", file: file([Node("Twice", domain: "far", inputs: ["x"], outputs: ["y"])]),
      ids: ["onnx.unknown-operator"], mention: "far"),
    Bad(what: "an opset of the future", file: file([twice("x", "y")], opset: 99), ids: ["onnx.opset"]),
    Bad(
      what: "an attribute given twice",
      file: file([
        Node(
          "Twice", inputs: ["x"], outputs: ["y"], attributes: [.init("alpha", .float(1)), .init("alpha", .float(2))])
      ]),
      ids: ["onnx.duplicate-attribute"]),
    Bad(
      what: "an attribute of another kind",
      file: file([Node("Twice", inputs: ["x"], outputs: ["y"], attributes: [.init("alpha", .string("a"))])]),
      ids: ["onnx.attribute"], mention: "alpha"),
    Bad(
      what: "what does not fit, and what depends on it",
      file: file([twice("i", "a", name: "A"), twice("a", "y", name: "B")], inputs: [.init("i", .tensor(.i64, []))]),
      ids: ["twice.type"], mention: "node A"),
    Bad(
      what: "an input without rank", file: file([twice("p", "y")], inputs: [.init("p", .tensor(.f32, nil))]),
      ids: ["onnx.rank"]),
    Bad(what: "an input without a type", file: file([twice("p", "y")], inputs: [.init("p", nil)]), ids: ["onnx.type"]),
    Bad(
      what: "more results than there are", file: file([Node("Twice", inputs: ["x"], outputs: ["y", "z"])]),
      ids: ["graph.outputs"]),
    Bad(
      what: "a body that captures nothing known",
      file: file(
        [
          Node(
            "If", inputs: ["c"], outputs: ["y"],
            attributes: [
              branch("then_branch", [twice("gone", "t")], "t"), branch("else_branch", [twice("x", "e")], "e"),
            ])
        ], inputs: [.init("c", .tensor(.bool, []))]), ids: ["onnx.dangling"], mention: "gone"),
  ]

  @Test(arguments: bad)
  func mistakesAreNamed(bad: Bad) {
    let found = Self.problems(bad.file)
    #expect(found.map(\.id) == bad.ids)
    #expect(bad.mention.isEmpty || found.contains { $0.description.contains(bad.mention) }, "\(found)")
    #expect(found.allSatisfy { $0.hint != nil || !$0.id.hasPrefix("onnx.") || $0.id == "onnx.attribute" })
  }

  @Test func functionsThatCallThemselves() {
    var file = Self.file([Node("F", domain: "l", inputs: ["x"], outputs: ["y"])])
    for (name, other) in [("F", "G"), ("G", "F")] {
      var function = OnnxFile.Function(name: name, domain: "l")
      function.inputs = ["a"]
      function.outputs = ["b"]
      function.nodes = [Node(other, domain: "l", inputs: ["a"], outputs: ["b"])]
      file.functions.append(function)
    }
    #expect(Self.problems(file).map(\.id) == ["onnx.recursive-function"])
  }

  /// Each function calls the next one twice.
  @Test func functionsThatGrowWithoutEnd() {
    var file = Self.file([Node("F0", domain: "l", inputs: ["x"], outputs: ["y"])])
    for level in 0..<40 {
      var function = OnnxFile.Function(name: "F\(level)", domain: "l")
      function.inputs = ["a"]
      function.outputs = ["c"]
      let callee = "F\(level + 1)"
      function.nodes = [
        Node(callee, domain: "l", inputs: ["a"], outputs: ["b"]),
        Node(callee, domain: "l", inputs: ["b"], outputs: ["c"]),
      ]
      file.functions.append(function)
    }
    var last = OnnxFile.Function(name: "F40", domain: "l")
    last.inputs = ["a"]
    last.outputs = ["b"]
    last.nodes = [Self.twice("a", "b")]
    file.functions.append(last)
    #expect(Self.problems(file).map(\.id) == ["onnx.size"])
  }
}
