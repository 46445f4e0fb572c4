import SinterCore
import SinterIR
import SinterONNX
import SinterOps
import Testing

/// Files that are well-formed, but whose nodes are not what operators are: each is an error that is told, before anything is compiled.
@Suite("ONNX graphs that lie")
struct HostileGraphTests {
  typealias Node = OnnxFile.Node

  /// What is wrong with a file with an input `x` of f32[3, 4], found by reading it or by lowering it.
  static func problems(
    _ nodes: [Node], _ initializers: [(String, HostTensor)] = [], opset: Int64 = 21
  ) -> [Diagnostic] {
    var graph = OnnxFile.Graph(name: "main")
    graph.inputs = [.init("x", .tensor(.f32, [.value(3), .value(4)]))]
    graph.nodes = nodes
    graph.outputs = [.init("y", nil)]
    graph.initializers = initializers.map { .init($0.0, $0.1) }
    let file = OnnxFile(irVersion: 10, operatorSets: [.init("", opset)], graph: graph)
    do {
      _ = try OnnxImporter(operators: .standard).graph(of: file).lowered()
      return []
    } catch {
      return (error as? DiagnosticError)?.diagnostics ?? [Diagnostic(.bug, "test", "\(error)")]
    }
  }

  static func ids(_ nodes: [Node], _ initializers: [(String, HostTensor)] = [], opset: Int64 = 21) -> [String] {
    problems(nodes, initializers, opset: opset).map(\.id)
  }

  // MARK: The form of nodes

  @Test(arguments: ["Relu", "Cast", "Shape", "Add", "Gemm", "Clip", "Where", "LSTM", "Resize", "GatherND"])
  func moreInputsThanThereAreAreRefused(name: String) throws {
    let limit = try #require(OpTable.standard.signature(domain: "", opType: name, opset: 21)?.inputLimit)
    let node = Node(
      name, name: "n", inputs: Array(repeating: "x", count: limit + 1), outputs: ["y"],
      attributes: [.init("to", .int(1))])
    let problems = Self.problems([node])
    #expect(problems.map(\.id) == ["onnx.inputs"])
    #expect(problems.first?.message.hasPrefix("\(name): the operator takes ") ?? false)
    #expect(problems.first?.places.first == "node n")
  }

  /// Absent inputs at the end are not given; a list of inputs has no end.
  @Test func whatIsAllowedStaysAllowed() {
    #expect(Self.ids([Node("Relu", inputs: ["x", "", ""], outputs: ["y"])]) == [])
    let many = Array(repeating: "x", count: 40)
    #expect(Self.ids([Node("Sum", inputs: many, outputs: ["y"])]) == [])
    #expect(Self.ids([Node("Concat", inputs: many, outputs: ["y"], attributes: [.init("axis", .int(0))])]) == [])
    // Bounds are attributes, then inputs.
    let bounds = [("low", HostTensor.f32([], [0])), ("high", HostTensor.f32([], [1]))]
    let clip = Node("Clip", inputs: ["x", "low", "high"], outputs: ["y"])
    #expect(Self.ids([clip], bounds, opset: 11) == [])
    #expect(Self.ids([clip], bounds, opset: 10) == ["onnx.inputs"])
  }

  @Test(arguments: [
    ("Cast", "to"), ("Concat", "axis"), ("MaxPool", "kernel_shape"), ("Einsum", "equation"), ("BitShift", "direction"),
    ("DepthToSpace", "blocksize"), ("LRN", "size"), ("Loop", "body"),
  ])
  func attributesWithoutDefaultMustBeThere(name: String, attribute: String) {
    let problems = Self.problems([Node(name, name: "n", inputs: ["x"], outputs: ["y"])])
    #expect(problems.map(\.id) == ["onnx.attribute"])
    #expect(problems.first?.message == "\(name): the attribute \(attribute) is missing")
  }

  /// What is said of the form of nodes is said of operators that exist.
  @Test func signaturesBelongToOperators() {
    for name in ["Relu", "Cast", "Loop", "Attention", "Unsqueeze"] {
      #expect(OpTable.standard.signature(domain: "", opType: name, opset: 28) != nil, "\(name)")
    }
    #expect(OpTable.standard.signature(domain: "", opType: "Gelu", opset: 19) == nil)
    #expect(OpTable.standard.signature(domain: "com.microsoft", opType: "Relu", opset: 1) == nil)
    let unsqueeze = OpTable.standard.signature(domain: "", opType: "Unsqueeze", opset: 12)
    #expect(unsqueeze == OnnxSignature(since: 1, inputLimit: 1, required: ["axes"]))
  }

  // MARK: Elements that are known

  struct Index: CustomTestStringConvertible, Sendable {
    let name: String
    let indices: HostTensor
    var updates: HostTensor?
    var attributes: [OnnxFile.Attribute] = []
    let message: String
    var testDescription: String { "\(name) \(indices.int64s ?? [])" }
  }

  static let wrongIndices: [Index] = [
    Index(name: "Gather", indices: .i64([1], [3]), message: "index 3 lies outside of an axis of 3 elements"),
    Index(name: "Gather", indices: .i64([2], [0, -4]), message: "index -4 lies outside of an axis of 3 elements"),
    Index(
      name: "Gather", indices: .i64([1], [.min]), message: "index \(Int.min) lies outside of an axis of 3 elements"),
    Index(
      name: "Gather", indices: HostTensor(.i32, [], values: [Int32(4)]), attributes: [.init("axis", .int(1))],
      message: "index 4 lies outside of an axis of 4 elements"),
    Index(
      name: "Gather", indices: .i64([300], Array(repeating: 2, count: 299) + [3]),
      message: "index 3 lies outside of an axis of 3 elements"),
    Index(
      name: "GatherElements", indices: .i64([1, 1], [3]), message: "index 3 lies outside of an axis of 3 elements"),
    Index(name: "GatherND", indices: .i64([1, 2], [3, 3]), message: "index 3 lies outside of an axis of 3 elements"),
    Index(
      name: "GatherND", indices: .i64([2, 2], [2, 3, 2, 4]), message: "index 4 lies outside of an axis of 4 elements"),
    Index(
      name: "ScatterElements", indices: .i64([1, 1], [-4]), updates: .f32([1, 1], [0]),
      message: "index -4 lies outside of an axis of 3 elements"),
    Index(
      name: "ScatterND", indices: .i64([1, 2], [0, 4]), updates: .f32([1], [0]),
      message: "index 4 lies outside of an axis of 4 elements"),
  ]

  @Test(arguments: wrongIndices)
  func indicesOutsideAreRefused(index: Index) {
    var initializers = [("i", index.indices)]
    if let updates = index.updates { initializers.append(("u", updates)) }
    let node = Node(
      index.name, name: "n", inputs: ["x"] + initializers.map(\.0), outputs: ["y"], attributes: index.attributes)
    let problems = Self.problems([node], initializers)
    #expect(problems.map(\.id) == ["operator.index"])
    #expect(problems.first?.message == "\(index.name): \(index.message)")
    #expect(problems.first?.places.contains("node n") ?? false)
  }

  @Test func indicesInsideAreTaken() {
    let pairs = HostTensor.i64([3, 2], [2, 3, -3, -4, 0, 0])
    #expect(Self.ids([Node("GatherND", inputs: ["x", "i"], outputs: ["y"])], [("i", pairs)]) == [])
    #expect(Self.ids([Node("Gather", inputs: ["x", "i"], outputs: ["y"])], [("i", .i64([2], [2, -3]))]) == [])
  }

  struct Sizes: CustomTestStringConvertible, Sendable {
    let name: String
    /// Input names, of which "" are absent and "k" holds the sizes.
    var inputs = ["x", "k"]
    let sizes: [Int]
    var others: [(String, HostTensor)] = []
    var testDescription: String { "\(name) \(sizes)" }
  }

  static let negativeSizes: [Sizes] = [[-1], [-3, 2], [2, -(1 << 40)]].flatMap { sizes -> [Sizes] in
    let pair = sizes.count == 1 ? sizes + sizes : sizes
    let one = ("c", HostTensor.f32([1], [1]))
    return [
      Sizes(name: "ConstantOfShape", inputs: ["k"], sizes: sizes),
      Sizes(name: "Expand", inputs: ["c", "k"], sizes: pair, others: [one]),
      Sizes(name: "Tile", sizes: pair),
      Sizes(name: "Reshape", sizes: sizes == [-1] ? [-2] : sizes),
      Sizes(name: "Resize", inputs: ["x", "", "", "k"], sizes: pair),
      Sizes(name: "CenterCropPad", sizes: pair),
      Sizes(name: "Pad", sizes: [0, 0, 0, sizes.last! < 0 ? sizes.last! - 4 : sizes[0] - 4]),
      Sizes(name: "TopK", sizes: [sizes.min()!]),
      Sizes(
        name: "OneHot", inputs: ["d", "k", "v"], sizes: [sizes.min()!],
        others: [("d", .i64([1], [0])), ("v", .f32([2], [0, 1]))]),
    ]
  }

  @Test(arguments: negativeSizes)
  func negativeSizesAreRefused(case sizes: Sizes) {
    let node = Node(
      sizes.name, name: "n", inputs: sizes.inputs, outputs: sizes.name == "TopK" ? ["y", "j"] : ["y"])
    let problems = Self.problems([node], sizes.others + [("k", .i64([sizes.sizes.count], sizes.sizes))])
    #expect(problems.count == 1)
    #expect(problems.allSatisfy { $0.kind == .user && $0.places.contains("node n") }, "\(problems)")
  }

  /// A range that ends before it begins is empty, by the standard.
  @Test func emptyRangesAreTaken() {
    let limits = [("a", HostTensor.i64([], [5])), ("b", HostTensor.i64([], [-5])), ("c", HostTensor.i64([], [1]))]
    #expect(Self.ids([Node("Range", inputs: ["a", "b", "c"], outputs: ["y"])], limits) == [])
  }

  /// Constants that nothing could hold are refused by the evaluator, which names their size, and not begun.
  @Test func constantsBeyondAllMemoryAreNotComputed() throws {
    for sizes in [[1 << 40], [1 << 20, 1 << 20], [(1 << 40) - 1], [1 << 35]] {
      var builder = GraphBuilder(name: "big")
      let shape = builder.constant(.i64([sizes.count], sizes))
      builder.output(try builder.add1(ConstantOfShape(), [shape]), named: "y")
      let error = #expect(throws: DiagnosticError.self) { try GraphEvaluator.run(builder.graph, []) }
      #expect(error?.diagnostics.map(\.id) == ["form.size"])
      #expect(error?.diagnostics.map(\.kind) == [.limit])
      #expect(error?.description.contains("\(sizes) with \(sizes.reduce(1, *)) elements is too large") ?? false)
    }
  }

  // MARK: Texts

  @Test func textsOfFilesAreShownEscaped() {
    let wild = "a\u{1b}[31mred\nerror: forged\r\u{7}\u{202e}\u{85}\u{2028}b"
    let shown = "a\\u{1B}[31mred\\nerror: forged\\r\\u{07}\\u{202E}\\u{0085}\\u{2028}b"
    let files: [[Node]] = [
      [Node(wild, inputs: ["x"], outputs: ["y"])],
      [Node("Relu", domain: wild, inputs: ["x"], outputs: ["y"])],
      [Node("Relu", inputs: [wild], outputs: ["y"])],
      [Node("Cast", name: wild, inputs: ["x"], outputs: ["y"])],
      [Node("Relu", inputs: ["x"], outputs: ["y"], attributes: [.init(wild, .int(1)), .init(wild, .int(1))])],
      [Node("Pad", inputs: ["x", "x"], outputs: ["y"], attributes: [.init("mode", .string(wild))])],
    ]
    for nodes in files {
      let text = DiagnosticError(Self.problems(nodes)).description
      #expect(text.contains(shown), "\(text)")
      #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control }, "\(text)")
    }
  }

  /// Lines are those of diagnostics and of what other programs print.
  @Test func outputOfProgramsKeepsItsLines() {
    let diagnostic = Diagnostic(.user, "t", "ld failed", hint: "see below", output: "one\ntwo\u{1b}[0m\n")
    #expect(diagnostic.description == "error: ld failed; see below\none\ntwo\\u{1B}[0m")
    #expect(Diagnostic(.user, "t", "grüße → 数", at: ["é"]).description == "error: grüße → 数 (é)")
  }
}
