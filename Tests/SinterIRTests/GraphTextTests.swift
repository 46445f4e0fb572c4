import SinterCore
import SinterIR
import SinterOps
import Testing

@Suite struct GraphTextTests {
  static let operators = OpTable([Conv.self, MatMul.self, Gemm.self, BatchNormalization.self, MaxPool.self])

  private func roundTrip(_ graph: Graph, store: @escaping (String) -> HostTensor? = { _ in nil }) throws -> Graph {
    try Graph(parsing: graph.description, operators: Self.operators, store: store)
  }

  @Test func printsAndParsesBack() throws {
    let text = """
      graph "net" {
        opset "" 17
        range batch 1...64
        input %0 "x": f32[batch, 3, h, 224] note "batch, 3, height, 224"
        require atLeast(h, 1) "padded size of spatial axis 0 of [h, 224]" "Conv" "layer features.0, node /Conv, net.swift:12" "node /Relu"
        constant %1: f32[1, 3, 1, 1] = {0.5, -0.25, 1e-05}
        constant %2 "b": f32[1] = {nan}
        %3 "y": f32[batch, 1, floor((h + 1) / 2), 112] = Conv(%0, %1, %2) {strides: [2, 2]} from "features.0" "/Conv" "net.swift:12" from "" "/Relu" ""
        %4: f32[batch, 1, floor((h + 1) / 2) - 1, 111], %5: i64[batch, 1, floor((h + 1) / 2) - 1, 111] = MaxPool(%3) {auto_pad: "VALID", kernel_shape: [2, 2]}
        output "result" %4
        output "at" %5
      }

      """
    let graph = try Graph(parsing: text, operators: Self.operators)
    #expect(graph.description == text)
    #expect(GraphVerifier.problems(of: graph) == [])
    #expect(graph.nodes[graph.order[0]].origin.count == 2)
  }

  @Test func constantsByHashComeFromTheStore() throws {
    var builder = GraphBuilder(name: "big")
    let x = builder.input(Fact(.f32, ["n", 40]), named: "x")
    let tensor = HostTensor.f32([40, 3], (0..<120).map { Float($0) })
    let y = try builder.add1(MatMul(), [x, builder.constant(tensor, named: "w")])
    builder.output(y, named: "y")
    let graph = builder.graph
    #expect(graph.description.contains("= #"))
    #expect(throws: DiagnosticError.self) { try roundTrip(graph) }
    let back = try roundTrip(graph) { hash in graph.description.contains(hash) ? tensor : nil }
    #expect(back.description == graph.description)
  }

  @Test(arguments: [
    ("graph \"g\" {", "line 1"),
    ("graph \"g\" {\n  output \"y\" %1\n}", "%1 is used before it is defined"),
    ("graph \"g\" {\n  input %0 \"x\": f33[2]\n}", "no element type 'f33'"),
    ("graph \"g\" {\n  input %0 \"x\": f32[2, 3]\n  %1: f32[2, 4] = Cov(%0)\n}", "there is no operator Cov"),
    (
      "graph \"g\" {\n  input %0 \"x\": f32[2, 3]\n  %1: f32[2, 2] = MatMul(%0, %0)\n}",
      "inner sizes of f32[2, 3] and f32[2, 3] must be equal, but are 3 and 2"
    ),
    (
      "graph \"g\" {\n  input %0 \"x\": f32[3, 3]\n  %1: f32[2, 2] = MatMul(%0, %0)\n}",
      "written as f32[2, 2], but is f32[3, 3]"
    ),
    ("graph \"g\" {\n  input %0 \"x\": f32[3, 3]\n  %1: f32[3, 3] = MatMul(%0, %0) {mode: 3}\n}", "no attribute mode"),
    ("graph \"g\" {\n  constant %0: f32[3] = {1, 2}\n}", "do not make a f32[3]"),
    ("graph \"g\" {\n} x", "expected the end"),
  ])
  func errorsTellWhatAndWhere(_ text: String, _ message: String) {
    let error = #expect(throws: DiagnosticError.self) { try Graph(parsing: text, operators: Self.operators) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("line ") == true)
  }

  @Test func everyElementTypeRoundTrips() throws {
    for element in ElementType.allCases {
      let tensor =
        element == .string
        ? HostTensor(strings: ["a \"b\"\n", "", "ü\\"], shape: [3])
        : HostTensor(
          element, [3],
          values: [UInt8](
            (0..<element.byteCount(3)).map { UInt8(truncatingIfNeeded: element == .bool ? $0 & 1 : $0 * 7) }))
      var builder = GraphBuilder(name: "g")
      builder.output(builder.constant(tensor), named: "y")
      let back = try roundTrip(builder.graph)
      #expect(back.constant(back.outputs[0].value)?.hasSameContents(as: tensor) == true, "\(element)")
    }
  }
}

@Suite struct OriginTextTests {
  @Test(arguments: [
    Origin(), Origin(path: "encoder.0"), Origin(node: "/encoder/0/MatMul"), Origin(source: "model.py:12"),
    Origin(path: "encoder.0", node: "MatMul, the second"), Origin(path: "encoder.0", source: "Net.swift:7"),
    Origin(path: "a.b", node: "layer x, node y", source: "Net.swift:7"), Origin(node: "n", source: "model.py:12"),
  ])
  func descriptionsParseBack(origin: Origin) { #expect(Origin(parsing: origin.description) == origin) }
}
