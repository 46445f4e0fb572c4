import Sinter
import SinterCore
import SinterIR
import SinterLLVM
import SinterONNX
import SinterOps
import TestSupport
import Testing

private typealias Node = OnnxFile.Node

/// Sizes that only data determine, loops and branches: what compiled code computes is what the graph means, for sizes of every kind.
@Suite struct DataSizeTests {
  /// A file of nodes with the types of its inputs.
  private static func graph(
    _ nodes: [Node], inputs: [(String, ElementType, [DeclaredDim])], outputs: [String],
    constants: [(String, HostTensor)] = []
  ) -> OnnxFile.Graph {
    var graph = OnnxFile.Graph(name: "main")
    graph.nodes = nodes
    graph.inputs = inputs.map { .init($0.0, .tensor($0.1, $0.2)) }
    graph.outputs = outputs.map { .init($0, nil) }
    graph.initializers = constants.map { .init($0.0, $0.1) }
    return graph
  }

  /// Each run gives what the interpreter of the graph as it was read gives, or both refuse.
  ///
  /// - Parameter shapes: the shapes of the first result, nil where the run fails.
  private static func check(_ graph: OnnxFile.Graph, _ runs: [[HostTensor]], shapes: [[Int]?]) throws {
    let file = OnnxFile(irVersion: 9, operatorSets: [.init("", 18)], graph: graph)
    var read = try OnnxImporter(operators: .standard).graph(of: file)
    read.compact()
    #expect("\(try Graph(parsing: "\(read)", operators: .standard))" == "\(read)")
    var flags = Flags()
    flags.verify = true
    var compiler = Compiler(flags: flags)
    let runner = try KernelRunner(try compiler.kernels(of: read))
    for (number, (inputs, shape)) in pairs(runs, shapes).enumerated() {
      let expected = try? GraphEvaluator.run(read, inputs)
      let given = try? runner.run(inputs)
      #expect(expected?.first?.shape == shape, "run \(number)")
      guard let expected, let given else {
        #expect(expected == nil && given == nil, "run \(number)")
        continue
      }
      for (a, b) in pairs(given, expected) { #expect(a.distance(to: b) <= 1e-6, "run \(number)") }
    }
  }

  private static func numbers(_ count: Int) -> HostTensor { .f32([count], (0..<count).map { Float($0) - 1 }) }
  private static func scalar(_ value: Int) -> HostTensor { .i64([], [value]) }

  @Test func masksPickWhatTheySay() throws {
    let nodes = [
      Node("Greater", inputs: ["x", "zero"], outputs: ["mask"]), Node("NonZero", inputs: ["mask"], outputs: ["places"]),
      Node("Transpose", inputs: ["places"], outputs: ["indices"]),
      Node("GatherND", inputs: ["x", "indices"], outputs: ["picked"]),
      Node("Mul", inputs: ["picked", "picked"], outputs: ["y"]),
    ]
    let graph = Self.graph(
      nodes, inputs: [("x", .f32, [.symbol("n")])], outputs: ["y"], constants: [("zero", .f32([], [0]))])
    try Self.check(graph, [[Self.numbers(5)], [Self.numbers(0)], [Self.numbers(1)]], shapes: [[3], [0], [0]])
  }

  @Test func shapesAndCountsMayBeInputs() throws {
    let nodes = [
      Node("Expand", inputs: ["x", "shape"], outputs: ["wide"]),
      Node("TopK", inputs: ["wide", "k"], outputs: ["y", "places"]),
    ]
    let graph = Self.graph(
      nodes, inputs: [("x", .f32, [.symbol("n")]), ("shape", .i64, [.value(2)]), ("k", .i64, [.value(1)])],
      outputs: ["y", "places"])
    func run(_ count: Int, _ shape: [Int], _ k: Int) -> [HostTensor] {
      [Self.numbers(count), .i64([2], shape), .i64([1], [k])]
    }
    try Self.check(
      graph,
      [
        run(3, [2, 3], 2), run(1, [2, 4], 4), run(3, [2, 1], 0), run(3, [2, 4], 1), run(3, [2, 3], 4),
        run(3, [-1, 3], 1),
      ],
      shapes: [[2, 2], [2, 4], [2, 0], nil, nil, nil])
  }

  /// Each step's size is a quotient of sizes of the step before: written out, the last would hold thousands of symbols.
  @Test func sizesThatGrowFromStepToStepGetNames() throws {
    var nodes = [Node("Identity", inputs: ["x"], outputs: ["y0"])]
    var constants: [(String, HostTensor)] = [("axis", .i64([1], [0])), ("one", .i64([1], [1]))]
    for step in 0..<12 {
      constants.append(("step\(step)", .i64([1], [step])))
      nodes += [
        Node("Shape", inputs: ["y\(step)"], outputs: ["size\(step)"], attributes: [.init("end", .int(1))]),
        Node("Mul", inputs: ["size\(step)", "size\(step)"], outputs: ["square\(step)"]),
        Node("Add", inputs: ["size\(step)", "step\(step)"], outputs: ["sum\(step)"]),
        Node("Add", inputs: ["sum\(step)", "one"], outputs: ["divisor\(step)"]),
        Node("Div", inputs: ["square\(step)", "divisor\(step)"], outputs: ["end\(step)"]),
        Node("Slice", inputs: ["y\(step)", "axis", "end\(step)"], outputs: ["part\(step)"]),
        Node(
          "Concat", inputs: ["part\(step)", "x"], outputs: ["y\(step + 1)"], attributes: [.init("axis", .int(0))]),
      ]
    }
    nodes.append(Node("Mul", inputs: ["y12", "y12"], outputs: ["y"]))
    let graph = Self.graph(
      nodes, inputs: [("x", .f32, [.symbol("n")])], outputs: ["y"], constants: constants)
    func size(_ count: Int) -> Int {
      (0..<12).reduce(count) { size, step in min(size, size * size / (size + step + 1)) + count }
    }
    try Self.check(
      graph, [[Self.numbers(5)], [Self.numbers(1)], [Self.numbers(0)], [Self.numbers(12)]],
      shapes: [[size(5)], [size(1)], [0], [size(12)]])
    let file = OnnxFile(irVersion: 9, operatorSets: [.init("", 18)], graph: graph)
    let read = try OnnxImporter(operators: .standard).graph(of: file)
    for id in read.values.indices { #expect("\(read.values[id].fact.type)".count < 2000) }
  }

  @Test func loopsCarryWhatGrows() throws {
    var body = Self.graph(
      [
        Node("Concat", inputs: ["all", "x"], outputs: ["next"], attributes: [.init("axis", .int(0))]),
        Node("Identity", inputs: ["goes"], outputs: ["on"]),
      ], inputs: [("iteration", .i64, []), ("goes", .bool, []), ("all", .f32, [.unknown])], outputs: ["on", "next"])
    body.name = "body"
    let nodes = [
      Node("Loop", inputs: ["count", "", "x"], outputs: ["all"], attributes: [.init("body", .graph(body))]),
      Node("Relu", inputs: ["all"], outputs: ["y"]),
    ]
    let graph = Self.graph(nodes, inputs: [("x", .f32, [.symbol("n")]), ("count", .i64, [])], outputs: ["y", "all"])
    let runs = [(2, 0), (2, 1), (3, 4), (0, 3), (1, -2)].map { [Self.numbers($0.0), Self.scalar($0.1)] }
    try Self.check(graph, runs, shapes: [[2], [4], [15], [0], [1]])
  }

  @Test func loopsCollectUntilTheirConditionEndsThem() throws {
    var body = Self.graph(
      [
        Node("Add", inputs: ["sum", "one"], outputs: ["next"]),
        Node("Less", inputs: ["next", "limit"], outputs: ["on"]),
        Node("Mul", inputs: ["x", "next"], outputs: ["row"]),
      ], inputs: [("iteration", .i64, []), ("goes", .bool, []), ("sum", .f32, [])], outputs: ["on", "next", "row"])
    body.name = "body"
    let nodes = [
      Node("Loop", inputs: ["", "start", "zero"], outputs: ["sum", "rows"], attributes: [.init("body", .graph(body))])
    ]
    let graph = Self.graph(
      nodes, inputs: [("x", .f32, [.symbol("n")]), ("limit", .f32, []), ("start", .bool, [])],
      outputs: ["rows", "sum"],
      constants: [("zero", .f32([], [0])), ("one", .f32([], [1]))])
    func run(_ count: Int, _ limit: Float, _ starts: Bool) -> [HostTensor] {
      [Self.numbers(count), .f32([], [limit]), HostTensor(.bool, [], values: [starts])]
    }
    try Self.check(graph, [run(3, 4, true), run(1, 0, true), run(3, 9, false)], shapes: [[4, 3], [1, 1], [0, 3]])
  }

  @Test func branchesRunAloneAndDifferInSize() throws {
    // What is not taken may fail: nobody asked for it.
    let picked = Self.graph([Node("Gather", inputs: ["x", "index"], outputs: ["a"])], inputs: [], outputs: ["a"])
    let whole = Self.graph([Node("Mul", inputs: ["x", "x"], outputs: ["b"])], inputs: [], outputs: ["b"])
    let nodes = [
      Node(
        "If", inputs: ["condition"], outputs: ["y"],
        attributes: [.init("then_branch", .graph(picked)), .init("else_branch", .graph(whole))]),
      Node("Add", inputs: ["y", "y"], outputs: ["z"]),
    ]
    let graph = Self.graph(
      nodes, inputs: [("x", .f32, [.symbol("n")]), ("index", .i64, [.symbol("k")]), ("condition", .bool, [])],
      outputs: ["z", "y"])
    func run(_ count: Int, _ index: [Int], _ condition: Bool) -> [HostTensor] {
      [Self.numbers(count), .i64([index.count], index), HostTensor(.bool, [], values: [condition])]
    }
    try Self.check(
      graph, [run(3, [0, 2], true), run(3, [7], false), run(3, [7], true), run(0, [], true)],
      shapes: [[2], [3], nil, [0]])
  }

  @Test func ranksThatDifferMeetAgain() throws {
    let squeezed = Self.graph([Node("Squeeze", inputs: ["x", "first"], outputs: ["a"])], inputs: [], outputs: ["a"])
    let whole = Self.graph([Node("Identity", inputs: ["x"], outputs: ["b"])], inputs: [], outputs: ["b"])
    let nodes = [
      Node("Shape", inputs: ["x"], outputs: ["shape"]), Node("Gather", inputs: ["shape", "zero"], outputs: ["size"]),
      Node("Equal", inputs: ["size", "one"], outputs: ["condition"]),
      Node(
        "If", inputs: ["condition"], outputs: ["y"],
        attributes: [.init("then_branch", .graph(squeezed)), .init("else_branch", .graph(whole))]),
      Node("Exp", inputs: ["y"], outputs: ["e"]), Node("Reshape", inputs: ["e", "open"], outputs: ["flat"]),
      Node("Neg", inputs: ["flat"], outputs: ["z"]),
    ]
    let graph = Self.graph(
      nodes, inputs: [("x", .f32, [.symbol("a"), .symbol("b")])], outputs: ["z"],
      constants: [
        ("first", .i64([1], [0])), ("zero", Self.scalar(0)), ("one", Self.scalar(1)), ("open", .i64([1], [-1])),
      ])
    let runs = [[1, 3], [2, 3], [0, 3]].map { [HostTensor.f32($0, (0..<($0[0] * $0[1])).map { Float($0) })] }
    try Self.check(graph, runs, shapes: [[3], [6], [0]])
  }
}
