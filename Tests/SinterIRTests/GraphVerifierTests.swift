import SinterCore
import SinterOps
import Testing

@testable import SinterIR

/// Breaks a sound graph in every way that the verifier names, and expects it to notice.
@Suite struct GraphVerifierTests {
  static func sound() throws -> Graph {
    var builder = GraphBuilder(name: "sound")
    let x = builder.input(Fact(.f32, ["n", 4]), named: "x")
    let w = builder.constant(.f32([4, 4], [Float](repeating: 1, count: 16)))
    let y = try builder.add1(MatMul(), [x, w])
    let z = try builder.add1(MatMul(), [y, w])
    builder.output(z, named: "z")
    builder.output(y, named: "y")
    return builder.graph
  }

  struct Mutation: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var id: String
    var apply: @Sendable (inout Graph) -> Void
  }

  static let mutations: [Mutation] = [
    Mutation(testDescription: "a node out of order", id: "verify.input") { $0.order.reverse() },
    Mutation(testDescription: "a node listed twice", id: "verify.order") { $0.order.append($0.order[0]) },
    Mutation(testDescription: "a node that is not there", id: "verify.order") { $0.order.append(NodeID(9)) },
    Mutation(testDescription: "an input that is not there", id: "verify.input") {
      $0.nodes[NodeID(0)].inputs[0] = ValueID(99)
    },
    Mutation(testDescription: "a dropped node", id: "verify.input") { $0.order.removeFirst() },
    Mutation(testDescription: "two nodes with one result", id: "verify.result") {
      $0.nodes[NodeID(1)].outputs = $0.nodes[NodeID(0)].outputs
    },
    Mutation(testDescription: "a result that is a constant", id: "verify.result") {
      $0.values[$0.nodes[NodeID(0)].outputs[0]].definition = .constant(.f32([], [1]))
    },
    Mutation(testDescription: "inputs of one name", id: "verify.port") { $0.inputs.append($0.inputs[0]) },
    Mutation(testDescription: "outputs of one name", id: "verify.port") { $0.outputs[1].name = "z" },
    Mutation(testDescription: "an output without a name", id: "verify.port") { $0.outputs[1].name = "" },
    Mutation(testDescription: "an output of nowhere", id: "verify.port") { $0.outputs[0].value = ValueID(77) },
    Mutation(testDescription: "an input defined otherwise", id: "verify.port") {
      $0.values[$0.inputs[0].value].definition = .input(3)
    },
    Mutation(testDescription: "a constant of another type", id: "verify.constant") {
      $0.values[ValueID(1)].fact = Fact(.f32, [4, 5])
    },
    Mutation(testDescription: "a constant with too few bytes", id: "verify.constant") {
      $0.values[ValueID(1)].definition = .constant(HostTensor(.f32, [4, 4], values: [Float(1)]))
    },
    Mutation(testDescription: "too few contents", id: "verify.contents") { $0.values[ValueID(1)].fact.contents = [1] },
    Mutation(testDescription: "a result of another type", id: "verify.type") {
      $0.values[$0.outputs[1].value].fact.type = .tensor(TensorType(.f32, ["n", 5]))
    },
    Mutation(testDescription: "inputs that do not fit", id: "verify.infer") {
      $0.values[$0.inputs[0].value].fact.type = .tensor(TensorType(.f32, ["n", 5]))
    },
    Mutation(testDescription: "a broken body", id: "verify.port") { graph in
      var body = Graph(name: "body")
      body.outputs = [.init(name: "", value: ValueID(0))]
      graph.nodes[NodeID(0)].bodies = [body]
    },
  ]

  @Test func acceptsASoundGraph() throws {
    #expect(GraphVerifier.problems(of: try Self.sound()) == [])
  }

  @Test(arguments: mutations) func noticesEachMutation(_ mutation: Mutation) throws {
    var graph = try Self.sound()
    mutation.apply(&graph)
    let found = Set(GraphVerifier.problems(of: graph).map(\.id))
    #expect(found.contains(mutation.id), "found only \(found)")
  }

  /// Relations that were stated before and after a size was known to be at least 1 are the same.
  @Test func relationsFollowFromWhatIsKnownOfSizes() throws {
    var graph = GraphBuilder(name: "known").graph
    let before = Obligation(.equal, Dim.max(1, "a") * "c", Dim("b") * "d", subject: "numbers of elements")
    try graph.require([before, Obligation(.atLeast, "a", 1, subject: "size")])
    let after = Obligation(.equal, Dim("a") * "c", Dim("b") * "d", subject: "numbers of elements")
    #expect(graph.implies([after]))
    #expect(!graph.implies([Obligation(.equal, Dim("a") * "c", "b", subject: "numbers of elements")]))
    graph.obligations.removeLast()
    #expect(!graph.implies([after]))
    try graph.require([Obligation(.atLeast, Dim("$n1") + "a", Dim("$n2") + 2, subject: "size")])
    #expect(graph.implies([Obligation(.atLeast, Dim("$n1") - "$n2" + Dim("a") * 2, -1, subject: "padded size")]))
    #expect(!graph.implies([Obligation(.atLeast, Dim("$n1") - "$n2" + "a", 3, subject: "padded size")]))
    let stretched = Dim.joint(Dim("$n1") - "$n2" + "a", "b")
    #expect(graph.implies([Obligation(.atLeast, stretched, 0, subject: "stretched size")]))
    #expect(!graph.implies([Obligation(.atLeast, stretched, 1, subject: "stretched size")]))
  }
}
