import Sinter
import SinterCore
import SinterIR
import SinterLLVM
import TestSupport
import Testing

/// The whole line at once: what compiled code computes is what the graph means.
@Suite struct RandomProgramTests {
  @Test(arguments: randomCases(24)) func compiledGraphsComputeWhatTheyMean(_ seed: Int) throws {
    let sizes = [Symbol("n"): 2]
    let graph = try RandomGraph.make(seed: UInt64(1000 + seed), steps: 12)
    let inputs = try graph.randomInputs(sizes: sizes, seed: UInt64(seed))
    let expected = try GraphEvaluator.run(graph, inputs, symbols: sizes)

    var flags = Flags()
    flags.verify = true
    var compiler = Compiler(flags: flags)
    let given = try KernelRunner(try compiler.kernels(of: graph)).run(inputs, sizes: sizes)
    for (index, (a, b)) in pairs(given, expected).enumerated() {
      let distance = a.distance(to: b)
      #expect(distance <= 1e-4, "output \(graph.outputs[index].name) differs by \(distance):\n\(graph)")
    }
  }
}
