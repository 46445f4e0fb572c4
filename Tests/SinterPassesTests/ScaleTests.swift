import SinterCore
import SinterIR
import SinterOps
import SinterPasses
import TestSupport
import Testing

@Suite struct ScaleTests {
  /// Residual blocks, one behind another, until there are about 5,000 nodes.
  static func deep(blocks: Int) throws -> Graph {
    var builder = GraphBuilder(name: "deep")
    var x = builder.input(Fact(.f32, ["n", 4, "h", "h"]), named: "x")
    let pads = try Conv(attributeValues: ["pads": .ints([1, 1, 1, 1])])
    for block in 0..<blocks {
      let w = builder.constant(.random([4, 4, 3, 3], seed: UInt64(block)))
      let statistics = (0..<4).map { builder.constant(.f32([4], [1, 2, 3, Float($0 + 1)])) }
      var y = try builder.add1(pads, [x, w])
      y = try builder.add1(BatchNormalization(), [y] + statistics)
      y = try builder.add1(Unary(.relu), [y])
      let shape = try builder.add1(Shape(), [y])
      let half = try builder.add1(Slice(), [shape, builder.constant(.i64([1], [2])), builder.constant(.i64([1], [4]))])
      let batch = try builder.add1(Gather(), [shape, builder.constant(.i64([1], [0]))])
      let joined = try builder.add1(Concat(axis: 0), [batch, builder.constant(.i64([1], [4])), half])
      y = try builder.add1(Reshape(), [y, joined])
      y = try builder.add1(Identity(), [y])
      x = try builder.add1(Binary(.add), [x, y])
    }
    builder.output(x, named: "y")
    return builder.graph
  }

  @Test func fiveThousandNodesAreNoTrouble() throws {
    let graph = try Self.deep(blocks: 500)
    var manager = PassManager(flags: Flags())
    var optimized = graph
    let clock = ContinuousClock()
    let time = try clock.measure { try manager.run(Pipelines.optimize, on: &optimized) }
    // Convolution, activation and sum of each block, and the transposes at the edges.
    #expect(optimized.order.count == 500 * 3 + 2)
    // Debug builds on a busy machine included.
    #expect(time < .seconds(60), "\(manager.times)")
  }

  @Test func theWholePipelineKeepsTheMeaning() throws {
    try expectSameMeaning(
      try Self.deep(blocks: 3), after: Pipelines.optimize, sizes: [Symbol("n"): 2, Symbol("h"): 5], tolerance: 1e-4)
  }
}
