import Sinter
import SinterCore
import SinterIR
import SinterONNX
import SinterOps
import Testing

/// Branches of which one gives a result without elements, so that it has nothing to compute.
@Suite struct EmptyBranchTests {
  @Test(arguments: [(true, 0), (false, 3)]) func outputsAreMadeOnEitherWay(_ condition: Bool, _ length: Int) throws {
    var none = OnnxFile.Graph(name: "none")
    none.initializers = [.init("e", .f32([0], []))]
    none.nodes = [.init("Identity", inputs: ["e"], outputs: ["r"])]
    none.outputs = [.init("r", nil)]
    var all = OnnxFile.Graph(name: "all")
    all.nodes = [.init("Identity", inputs: ["x"], outputs: ["q"])]
    all.outputs = [.init("q", nil)]
    var graph = OnnxFile.Graph(name: "either")
    graph.inputs = [.init("c", .tensor(.bool, [])), .init("x", .tensor(.f32, [.symbol("n")]))]
    graph.nodes = [
      .init(
        "If", inputs: ["c"], outputs: ["y"],
        attributes: [.init("then_branch", .graph(none)), .init("else_branch", .graph(all))])
    ]
    graph.outputs = [.init("y", .tensor(.f32, [.unknown]))]
    let file = OnnxFile(irVersion: 8, operatorSets: [.init("", 17)], graph: graph)
    let imported = BoundModel(graph: try OnnxImporter(operators: .standard).graph(of: file))
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      let result = Result {
        try imported.compile(to: "\(folder)/model.so").run(
          HostTensor(.bool, [], values: [condition]), .f32([3], [1, 2, 3]))
      }
      guard case .success(let outputs) = result else {
        Issue.record("\(result)")
        return
      }
      #expect(outputs[0].shape == [length])
    }
  }
}
