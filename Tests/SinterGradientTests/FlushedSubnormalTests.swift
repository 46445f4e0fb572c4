import Sinter
import SinterGradient
import SinterIR
import SinterONNX
import SinterOps
import Testing

/// What computes gradients takes zeros for subnormal numbers, if nobody says otherwise; all else computes with them, and so do interpreters.
@Suite struct FlushedSubnormalTests {
  /// The gradient of Σ w·x², which is 2·w·x, by x.
  static func gradient() throws -> Graph {
    var builder = GraphBuilder(name: "squares")
    let (x, w) = (builder.input(Fact(.f32, ["n"]), named: "x"), builder.input(Fact(.f32, ["n"]), named: "w"))
    let products = try builder.add1(Binary(.multiply), [try builder.add1(Binary(.multiply), [x, x]), w])
    let sum = try builder.add1(Reduce(.sum, keepsAxes: false), [products])
    builder.output(try builder.gradients(of: sum, withRespectTo: [x])[0], named: "gradient")
    var graph = builder.graph
    graph.removeDeadNodes()
    return graph
  }

  @Test(arguments: [1, 3]) func gradientsFlushUnlessToldOtherwise(_ threads: Int) throws {
    var graph = try Self.gradient()
    #expect(graph.flushesSubnormals)
    let count = 200_000
    let x = HostTensor.f32([count], (0..<count).map { Float($0 % 7 + 1) * 1e-30 })
    let w = HostTensor.f32([count], (0..<count).map { $0 % 2 == 0 ? 1e-10 : 1 })
    let exact = try GraphEvaluator.run(graph, [x, w])[0].array(of: Float.self)
    #expect(exact.allSatisfy { $0 > 0 } && exact[0].isSubnormal && exact[1].isNormal)
    let flushed = try BoundModel(graph: graph).load(threads: threads)
    graph.flushesSubnormals = false
    let kept = try BoundModel(graph: graph).load(threads: threads)
    for _ in 0..<10 {
      let given = try flushed.run(x, w)[0].array(of: Float.self)
      #expect(zip(given, exact).allSatisfy { $0 == ($1.isSubnormal ? 0 : $1) })
      #expect(try kept.run(x, w)[0].array(of: Float.self) == exact)
      // This thread goes on as it was.
      #expect(exact[0] / Float(threads) > 0)
    }
  }

  @Test func filesSayWhetherLibrariesFlush() throws {
    let gradient = try Self.gradient()
    var forward = gradient
    forward.flushesSubnormals = false
    for graph in [gradient, forward] {
      let read = try Graph(parsing: graph.description, operators: .standard) { _ in nil }
      #expect(read.flushesSubnormals == graph.flushesSubnormals)
      let imported = try OnnxImporter(operators: .standard).graph(of: OnnxExporter().file(of: graph))
      #expect(imported.flushesSubnormals == graph.flushesSubnormals)
    }
  }

  @Test func stepsFlushAndModelsInUseDoNot() throws {
    let net = Linear(4, 2)
    let step = try trainingStep(net, .f32(3, 4), .i64(3), optimizer: SGD(learningRate: 0.1), loss: crossEntropy)
    #expect(step.graph.flushesSubnormals)
    #expect(try step.keepingState(step.compile().initialState()).graph.flushesSubnormals)
    #expect(try lossGradients(net, .f32(3, 4), .i64(3), loss: crossEntropy).graph.flushesSubnormals)
    #expect(try !trace(net, .f32(3, 4)).graph.flushesSubnormals)
  }
}
