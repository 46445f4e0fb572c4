import SinterCore
import SinterIR
import SinterONNX
import SinterOps
import Testing

@Suite struct ControlFlowTests {
  /// A graph that adds up what it is given: next = state + slice; both are results.
  private func adder(_ shape: [Dim]) throws -> Graph {
    var builder = GraphBuilder(name: "adder")
    let state = builder.input(Fact(.f32, shape), named: "state")
    let slice = builder.input(Fact(.f32, shape), named: "slice")
    let sum = try builder.add1(Binary(.add), [state, slice])
    builder.output(sum, named: "next")
    builder.output(try builder.add1(Identity(), [sum]), named: "collected")
    return builder.graph
  }

  private func scan(reversed: Bool, axis: Int) throws -> Graph {
    var builder = GraphBuilder(name: "scan")
    let state = builder.input(Fact(.f32, [2]), named: "state")
    let x = builder.input(Fact(.f32, axis == 0 ? ["t", 2] : [2, "t"]), named: "x")
    var op = Scan()
    op.stateCount = 1
    op.slicedCount = 1
    op.inputAxes = [axis]
    op.outputAxes = [axis]
    op.inputDirections = [reversed ? 1 : 0]
    let results = try builder.add(op, [state, x], outputs: 2, bodies: [try adder([2])])
    builder.output(results[0], named: "last")
    builder.output(results[1], named: "sums")
    return builder.graph
  }

  @Test func scanCarriesAndCollects() throws {
    let inputs = [HostTensor.f32([2], [10, 20]), .f32([3, 2], [1, 2, 3, 4, 5, 6])]
    let forward = try GraphEvaluator.run(try scan(reversed: false, axis: 0), inputs)
    #expect(forward[0].array(of: Float.self) == [19, 32])
    #expect(forward[1].array(of: Float.self) == [11, 22, 14, 26, 19, 32])
    let backward = try GraphEvaluator.run(try scan(reversed: true, axis: 0), inputs)
    #expect(backward[1].array(of: Float.self) == [15, 26, 18, 30, 19, 32])
    let columns = try GraphEvaluator.run(
      try scan(reversed: false, axis: 1), [inputs[0], .f32([2, 3], [1, 3, 5, 2, 4, 6])])
    #expect(columns[1].array(of: Float.self) == [11, 14, 19, 22, 26, 32])
  }

  /// x doubles each iteration while it is below `bound`, three times at most.
  private func loop(bound: Float) throws -> Graph {
    var body = GraphBuilder(name: "doubling")
    _ = body.input(Fact(.i64, []), named: "iteration")
    _ = body.input(Fact(.bool, []), named: "condition")
    let x = body.input(Fact(.f32, ["n"]), named: "x")
    let limit = body.input(Fact(.f32, []), named: "limit")
    let double = try body.add1(Binary(.add), [x, x])
    let least = try body.add1(Reduce(.minimum, keepsAxes: false), [double])
    body.output(try body.add1(Compare(.less), [least, limit]), named: "goes on")
    body.output(double, named: "next")

    var builder = GraphBuilder(name: "loop")
    let start = builder.input(Fact(.f32, ["n"]), named: "x")
    let limitValue = builder.constant(.f32([], [bound]))
    let count = builder.constant(.i64([], [3]))
    var op = Loop()
    op.carriedCount = 1
    let results = try builder.add(op, [count, nil, start, limitValue], bodies: [body.graph])
    builder.output(results[0], named: "y")
    return builder.graph
  }

  @Test func loopEndsWithItsCondition() throws {
    let cases: [(bound: Float, expected: [Float])] = [(1000, [8, 16]), (3, [4, 8]), (0, [2, 4])]
    for (bound, expected) in cases {
      let result = try GraphEvaluator.run(try loop(bound: bound), [.f32([2], [1, 2])])
      #expect(result[0].array(of: Float.self) == expected, "bound \(bound)")
    }
  }

  private func conditional() throws -> Graph {
    func branch(_ kind: Unary.Kind) throws -> Graph {
      var builder = GraphBuilder(name: kind.rawValue)
      let x = builder.input(Fact(.f32, ["n"]), named: "x")
      builder.output(try builder.add1(Unary(kind), [x]), named: "y")
      return builder.graph
    }
    var builder = GraphBuilder(name: "conditional")
    let condition = builder.input(Fact(.bool, []), named: "condition")
    let x = builder.input(Fact(.f32, ["n"]), named: "x")
    let results = try builder.add(If(), [condition, x, x], bodies: [try branch(.negate), try branch(.abs)])
    builder.output(results[0], named: "y")
    return builder.graph
  }

  @Test func ifPicks() throws {
    let graph = try conditional()
    let x = HostTensor.f32([2], [1, -2])
    let yes = try GraphEvaluator.run(graph, [HostTensor(.bool, [], values: [true]), x])
    let no = try GraphEvaluator.run(graph, [HostTensor(.bool, [], values: [false]), x])
    #expect(yes[0].array(of: Float.self) == [-1, 2])
    #expect(no[0].array(of: Float.self) == [1, 2])
  }

  @Test func graphsInsideSurviveONNXAndText() throws {
    for graph in [try scan(reversed: true, axis: 1), try loop(bound: 3), try conditional()] {
      #expect(GraphVerifier.problems(of: graph) == [])
      let text = "\(graph)"
      #expect("\(try Graph(parsing: text, operators: .standard))" == text)
      let again = try OnnxImporter(operators: .standard).graph(of: try OnnxExporter().file(of: graph))
      #expect(again.outputs.map(\.name) == graph.outputs.map(\.name))
      #expect(GraphVerifier.problems(of: again) == [])
    }
  }
}
