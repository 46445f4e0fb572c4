import SinterCore
import SinterIR
import SinterOps
import SinterPasses
import TestSupport
import Testing

@Suite struct CleanupTests {
  @Test func equalNodesAndConstantsAreMerged() throws {
    var builder = GraphBuilder(name: "twins")
    let x = builder.input(Fact(.f32, ["n", 2]), named: "x")
    let w1 = builder.constant(.f32([2, 2], [1, 2, 3, 4]))
    let w2 = builder.constant(.f32([2, 2], [1, 2, 3, 4]))
    let y1 = try builder.add1(MatMul(), [x, w1])
    let y2 = try builder.add1(MatMul(), [x, w2])
    builder.output(try builder.add1(MatMul(), [y1, w1]), named: "a")
    builder.output(try builder.add1(MatMul(), [y2, w2]), named: "b")
    var graph = builder.graph
    var log = RewriteLog()
    try Pass.commonSubexpressions.run(&graph, &log)
    try Pass.deadCode.run(&graph, &log)
    #expect(graph.order.count == 2)
    #expect(log.countByRule["equal nodes are one"] == 2)
    #expect(graph.outputs[0].value == graph.outputs[1].value)
    #expect(GraphVerifier.problems(of: graph) == [])
  }

  /// é in one letter, and as a letter and an accent: one text to Unicode and to Swift, two to ONNX.
  @Test func textsOfOtherBytesStayApart() throws {
    let texts = ["\u{e9}", "e\u{301}"]
    var builder = GraphBuilder(name: "texts")
    let x = builder.input(Fact(.string, [2]), named: "x")
    for text in texts {
      let word = builder.constant(HostTensor(strings: [text], shape: [1]))
      builder.output(try builder.add1(Compare(.equal), [x, word]), named: "same as \(text.utf8.count) bytes")
      var split = StringNormalizer()
      split.isCaseSensitive = true
      split.stopWords = [text]
      builder.output(try builder.add1(split, [x]), named: "without \(text.utf8.count) bytes")
    }
    var graph = builder.graph
    var log = RewriteLog()
    try Pass.commonSubexpressions.run(&graph, &log)
    #expect(log.countByRule.isEmpty)
    let results = try GraphEvaluator.run(graph, [HostTensor(strings: texts, shape: [2])])
    #expect(results[0].integers == [1, 0] && results[2].integers == [0, 1])
    #expect(results[1].strings[0].utf8.count == 3 && results[3].strings[0].utf8.count == 2)
  }

  @Test(arguments: [true, false]) func aKnownConditionLeavesItsBranch(_ condition: Bool) throws {
    func branch(_ kind: Unary.Kind) throws -> Graph {
      var builder = GraphBuilder(name: kind.rawValue)
      let x = builder.input(Fact(.f32, ["n"]), named: "x")
      builder.output(try builder.add1(Unary(kind), [x]), named: "y")
      return builder.graph
    }
    var builder = GraphBuilder(name: "branch")
    let x = builder.input(Fact(.f32, ["n"]), named: "x")
    let known = builder.constant(HostTensor(.bool, [], values: [condition]))
    let bodies = [try branch(.exp), try branch(.negate)]
    builder.output(try builder.add(If(), [known, x, x], outputs: 1, bodies: bodies)[0], named: "y")
    let graph = try expectSameMeaning(builder.graph, after: [.shapeArithmetic, .deadCode], sizes: [Symbol("n"): 3])
    let op = graph.nodes[graph.order[0]].op
    #expect(graph.order.count == 1 && op.isEqual(to: Unary(condition ? .exp : .negate)))
  }

  @Test func stopsAfterTheGivenNumberOfRewrites() throws {
    var builder = GraphBuilder(name: "many")
    let x = builder.input(Fact(.f32, [2, 2]), named: "x")
    for index in 0..<4 { builder.output(try builder.add1(MatMul(), [x, x]), named: "y\(index)") }
    var graph = builder.graph
    var log = RewriteLog(limit: 2)
    try Pass.commonSubexpressions.run(&graph, &log)
    #expect(graph.order.count == 2)
  }
}
