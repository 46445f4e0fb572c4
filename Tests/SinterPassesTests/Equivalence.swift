import SinterCore
import SinterIR
import SinterPasses
import TestSupport
import Testing

/// Runs passes with verification and expects that the graph still computes what it did, for random inputs; gives the new graph.
@discardableResult
func expectSameMeaning(
  _ graph: Graph, after passes: [Pass], sizes: [Symbol: Int] = [:], seed: UInt64 = 1, tolerance: Double = 1e-5,
  sourceLocation: SourceLocation = #_sourceLocation
) throws -> Graph {
  var flags = Flags()
  flags.verify = true
  var manager = PassManager(flags: flags)
  var optimized = graph
  try manager.run(passes, on: &optimized)
  #expect(GraphVerifier.problems(of: optimized) == [], sourceLocation: sourceLocation)

  let inputs = try graph.randomInputs(sizes: sizes, seed: seed)
  let expected = try GraphEvaluator.run(graph, inputs, symbols: sizes)
  let given = try GraphEvaluator.run(optimized, inputs, symbols: sizes)
  for (index, (a, b)) in pairs(given, expected, sourceLocation: sourceLocation).enumerated() {
    let distance = a.distance(to: b)
    #expect(
      distance <= tolerance, "output \(graph.outputs[index].name) differs by \(distance):\n\(graph)\n\(optimized)",
      sourceLocation: sourceLocation)
  }
  return optimized
}
