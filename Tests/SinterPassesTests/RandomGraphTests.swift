import SinterCore
import SinterIR
import SinterOps
import SinterPasses
import TestSupport
import Testing

@Suite struct RandomGraphTests {
  @Test(arguments: randomCases(80)) func optimizedGraphsComputeTheSame(_ seed: Int) throws {
    let graph = try RandomGraph.make(seed: UInt64(seed), steps: 14)
    try expectSameMeaning(
      graph, after: Pipelines.optimize, sizes: [Symbol("n"): 2], seed: UInt64(seed), tolerance: 1e-4)
  }

  @Test(arguments: randomCases(20)) func graphsSurviveTheirText(_ seed: Int) throws {
    var graph = try RandomGraph.make(seed: UInt64(seed), steps: 10)
    graph.compact()
    var store: [String: HostTensor] = [:]
    for id in graph.values.indices {
      if let tensor = graph.constant(id) { store[tensor.hashName] = tensor }
    }
    let back = try Graph(parsing: graph.description, operators: .standard) { store[$0] }
    #expect(back.description == graph.description)
    #expect(GraphVerifier.problems(of: back) == [])
  }

  @Test(arguments: randomCases(20)) func optimizingTwiceChangesNothingMore(_ seed: Int) throws {
    var graph = try RandomGraph.make(seed: UInt64(seed), steps: 12)
    var manager = PassManager(flags: Flags())
    try manager.run(Pipelines.optimize, on: &graph)
    let once = graph.operatorNames.sorted()
    try manager.run(Pipelines.optimize, on: &graph)
    #expect(graph.operatorNames.sorted() == once)
  }
}
