import Sinter
import SinterCore
import SinterIR
import SinterLLVM
import SinterOps
import TestSupport
import Testing

@Suite struct TunerTests {
  /// Two equal products, measured once, and a convolution; whatever was found fastest gives what the graph means.
  @Test func tunedGraphsComputeWhatTheyMean() throws {
    var generator = SeededGenerator(seed: 5)
    var builder = GraphBuilder(name: "tuned")
    let x = builder.input(Fact(.f32, [1, 24, 14, 14]), named: "x")
    let conv = try Conv(attributeValues: ["pads": .ints([1, 1, 1, 1])])
    let image = try builder.add1(conv, [x, builder.constant(.random(.f32, [32, 24, 3, 3], &generator))])
    var rows = try builder.add1(Reshape(), [image, builder.constant(.i64([2], [32, 196]))])
    for _ in 0..<2 {
      rows = try builder.add1(MatMul(), [rows, builder.constant(.random(.f32, [196, 196], &generator))])
      rows = try builder.add1(Unary(.tanh), [rows])
    }
    builder.output(rows, named: "y")
    let inputs = try builder.graph.randomInputs(sizes: [:], seed: 2)
    let expected = try GraphEvaluator.run(builder.graph, inputs)[0]

    var compiler = Compiler()
    compiler.tunes = true
    let given = try KernelRunner(try compiler.kernels(of: builder.graph)).run(inputs)[0]
    // Sums of some hundred, squeezed by tanh.
    #expect(given.distance(to: expected) < 1e-3)
    let summary = try #require(compiler.tuning)
    #expect(summary.measured >= 2 && summary.measured <= 3)
    #expect(summary.changed <= summary.measured && summary.after <= summary.before)
  }

  @Test func refusesProcessorsThatThisMachineIsNot() throws {
    var other = Target.host
    other.requiredFeatures.append("warp_drive")
    #expect(throws: DiagnosticError.self) { try Tuner(for: other) }
  }
}
