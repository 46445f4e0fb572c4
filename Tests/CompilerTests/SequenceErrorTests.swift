import Sinter
import SinterCore
import SinterIR
import SinterONNX
import SinterOps
import Testing

/// What a library says of positions that no sequence has, and of values that are no sequences: with the node, the position as it was given,
/// and the length.
@Suite struct SequenceErrorTests {
  private static let tensor = DeclaredType.tensor(.f32, [.unknown])

  /// A model that takes a sequence, a position and a tensor.
  private func problem(_ node: OnnxFile.Node, _ values: [HostValue]) throws -> String {
    var graph = OnnxFile.Graph(name: "error")
    graph.inputs = [
      .init("x", .sequence(Self.tensor)), .init("p", .tensor(.i64, [])), .init("t", Self.tensor),
    ]
    graph.nodes = [node]
    let isSequence = node.operatorType != "SequenceAt"
    graph.outputs = [.init("y", isSequence ? .sequence(Self.tensor) : Self.tensor)]
    let file = OnnxFile(irVersion: 8, operatorSets: [.init("", 17)], graph: graph)
    let compiled = BoundModel(graph: try OnnxImporter(operators: .standard).graph(of: file))
    let result = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      Result { try compiled.compile(to: "\(folder)/model.so").run(values: values) }
    }
    guard case .failure(let error) = result else { return "nothing" }
    return (error as? DiagnosticError)?.diagnostics.first?.message ?? "\(error)"
  }

  @Test(arguments: [7, -3]) func positionsAreToldAsTheyWereGiven(_ position: Int) throws {
    let two: HostValue = .sequence([.tensor(.f32([1], [1])), .tensor(.f32([0], []))])
    let values = [two, .tensor(.i64([], [position])), .tensor(.f32([2], [3, 4]))]
    for type in ["SequenceAt", "SequenceErase"] {
      let node = OnnxFile.Node(type, name: "/here", inputs: ["x", "p"], outputs: ["y"])
      #expect(
        try problem(node, values)
          == "\(type): position \(position) lies outside of a sequence of 2 tensors (node /here)")
    }
    let insert = OnnxFile.Node("SequenceInsert", name: "/here", inputs: ["x", "t", "p"], outputs: ["y"])
    #expect(try problem(insert, values).hasPrefix("SequenceInsert: position \(position) is none of the 3 places"))
  }

  @Test func nothingIsErasedFromAnEmptySequence() throws {
    let node = OnnxFile.Node("SequenceErase", name: "/here", inputs: ["x"], outputs: ["y"])
    let values: [HostValue] = [.sequence([]), .tensor(.i64([], [0])), .tensor(.f32([1], [1]))]
    #expect(
      try problem(node, values).hasPrefix(
        "SequenceErase: length of the sequence that a tensor is erased from must be at least 1, but is 0"))
  }

  @Test func valuesOfOtherKindsAreRefused() throws {
    let node = OnnxFile.Node("SequenceAt", inputs: ["x", "p"], outputs: ["y"])
    let (zero, one) = (HostValue.tensor(.i64([], [0])), HostValue.tensor(.f32([1], [1])))
    #expect(try problem(node, [one, zero, one]) == "input 'x' is a tensor, expected a sequence")
    #expect(try problem(node, [.none, zero, one]) == "input 'x' is empty, expected a sequence")
    #expect(try problem(node, [.sequence([zero]), zero, one]) == "input 'x', element 0 holds int64, expected float32")
    #expect(
      try problem(node, [.sequence([.tensor(.f32([1, 1], [1]))]), zero, one])
        == "input 'x', element 0 has 2 dimensions, expected 1")
  }
}
