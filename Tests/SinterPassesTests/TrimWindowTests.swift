import SinterCore
import SinterIR
import SinterOps
import SinterPasses
import TestSupport
import Testing

@Suite struct TrimWindowTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var spatial: [Dim]
    var kernel: [Int]
    var attributes: [String: AttributeValue]
    /// What is left of the kernel.
    var left: [Int]
    var channels = 4
    var group = 1
    var testDescription: String { "\(spatial) k\(kernel) \(attributes) g\(group)" }
  }

  static let cases: [Case] = [
    Case(
      spatial: [5, 5], kernel: [3, 3], attributes: ["pads": .ints([8, 8, 8, 8]), "dilations": .ints([8, 8])],
      left: [1, 1]),
    Case(
      spatial: [5, 9], kernel: [3, 3], attributes: ["pads": .ints([6, 6, 6, 6]), "dilations": .ints([6, 6])],
      left: [1, 3]),
    Case(spatial: [1, 4, 4], kernel: [3, 3, 3], attributes: ["pads": .ints([1, 1, 1, 1, 1, 1])], left: [1, 3, 3]),
    Case(spatial: [2, 4, 4], kernel: [5, 3, 3], attributes: ["pads": .ints([2, 1, 1, 2, 1, 1])], left: [3, 3, 3]),
    Case(
      spatial: [1, 1], kernel: [5, 3], attributes: ["pads": .ints([2, 1, 2, 1]), "strides": .ints([2, 2])],
      left: [1, 1]),
    Case(spatial: [3], kernel: [9], attributes: ["pads": .ints([4, 4])], left: [5]),
    // Padding on one side only.
    Case(spatial: [4], kernel: [3], attributes: ["pads": .ints([8, 0]), "dilations": .ints([4])], left: [1]),
    Case(spatial: [4], kernel: [3], attributes: ["pads": .ints([0, 8]), "dilations": .ints([4])], left: [1]),
    Case(
      spatial: [7], kernel: [3], attributes: ["pads": .ints([3, 5]), "dilations": .ints([4]), "strides": .ints([3])],
      left: [3]),
    // The windows' places depend on the size, which "same" padding follows.
    Case(spatial: [2, 2], kernel: [5, 5], attributes: ["auto_pad": .string("SAME_UPPER")], left: [3, 3]),
    Case(
      spatial: [2, 3], kernel: [3, 3], attributes: ["auto_pad": .string("SAME_LOWER"), "strides": .ints([2, 2])],
      left: [2, 3]),
    Case(
      spatial: [3, 3], kernel: [3, 3], attributes: ["pads": .ints([4, 4, 4, 4]), "dilations": .ints([4, 4])],
      left: [1, 1],
      channels: 6, group: 2),
    Case(spatial: [2, 2], kernel: [5, 5], attributes: ["pads": .ints([2, 2, 2, 2])], left: [3, 3], group: 4),
    Case(
      spatial: ["h", 2], kernel: [5, 5], attributes: ["pads": .ints([2, 2, 2, 2])], left: [5, 3]),
    // Every tap counts, none does, or sizes are open.
    Case(spatial: [3, 3], kernel: [3, 3], attributes: ["pads": .ints([1, 1, 1, 1])], left: [3, 3]),
    Case(spatial: [2], kernel: [2], attributes: ["pads": .ints([5, 0]), "strides": .ints([7])], left: [2]),
    Case(
      spatial: ["h", "w"], kernel: [3, 3], attributes: ["pads": .ints([9, 9, 9, 9]), "dilations": .ints([9, 9])],
      left: [3, 3]),
    Case(
      spatial: ["h", 2], kernel: [5, 5], attributes: ["auto_pad": .string("SAME_UPPER"), "strides": .ints([2, 2])],
      left: [5, 5]),
  ]

  @Test(arguments: cases) func tapsThatMeetOnlyPaddingGo(_ c: Case) throws {
    var builder = GraphBuilder(name: "trim")
    let x = builder.input(Fact(.f32, ["n", Dim(c.channels)] + c.spatial), named: "x")
    let w = builder.constant(.random([2 * c.channels, c.channels / c.group] + c.kernel, seed: 2))
    var attributes = c.attributes
    attributes["group"] = .int(c.group)
    let op = try Conv(attributeValues: attributes)
    builder.output(try builder.add1(op, [x, w, builder.constant(.random([2 * c.channels], seed: 3))]), named: "y")
    let sizes = [Symbol("n"): 2, Symbol("h"): 3, Symbol("w"): 4]
    let graph = try expectSameMeaning(builder.graph, after: [.trimWindows, .deadCode], sizes: sizes)
    #expect(graph.operatorNames == ["Conv"])
    let weights = try #require(graph.nodes[graph.order[0]].inputs[1])
    #expect(graph.constant(weights)?.shape.dropFirst(2).map { $0 } == c.left)
  }

  @Test func computedWeightsStay() throws {
    var builder = GraphBuilder(name: "computed")
    let x = builder.input(Fact(.f32, [1, 2, 3]), named: "x")
    let w = builder.input(Fact(.f32, [2, 2, 3]), named: "w")
    let op = try Conv(attributeValues: ["pads": .ints([4, 4]), "dilations": .ints([4])])
    builder.output(try builder.add1(op, [x, w]), named: "y")
    let graph = try expectSameMeaning(builder.graph, after: [.trimWindows, .deadCode])
    #expect(graph.operatorNames == ["Conv"])
  }
}
