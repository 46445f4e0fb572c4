import Foundation
import Sinter
import SinterCore
import SinterIR
import SinterONNX
import SinterOps
import Testing

@testable import SinterVisual

@Suite struct DrawingTests {
  @Test func repetitionsAreDrawnOnceWithTheirNumber() throws {
    let diagram = Diagram(of: try ViewPageTests.graph())
    let (whole, folded) = (DOTWriter.text(of: diagram), DOTWriter.text(of: diagram, foldingRepeats: true))
    func boxes(_ text: String) -> Int { text.split(separator: "\n").count { $0.contains(" [label=<") } }
    #expect(boxes(whole) == diagram.nodes.count)
    #expect(folded.contains("blocks.0 … blocks.5 × 6") || folded.contains("0 … 5 × 6"))
    let perBlock = diagram.nodes.count { $0.layers.contains("3") || $0.layers.contains("blocks.3") }
    #expect(perBlock > 0 && boxes(folded) == diagram.nodes.count - 5 * perBlock)
    // Every arrow leads down: what leads from one turn to the next is left out.
    for line in folded.split(separator: "\n") where line.contains("->") {
      let ends = line.split(separator: " ").filter { $0.hasPrefix("n") }.compactMap { Int($0.dropFirst()) }
      #expect(ends.count == 2 && ends[0] < ends[1], "\(line)")
    }
    // Words stand in boxes, where no arrow crosses them.
    #expect(!whole.split(separator: "\n").contains { $0.contains("->") && $0.contains(" label=") })
  }

  @Test func numberedPortsOfARepetitionAreDrawnOnce() throws {
    var diagram = FoldTreeTests.chain((0..<9).map { (["MatMul", "Add", "Relu"][$0 % 3], ["layer.\($0 / 3)"]) })
    for turn in 0..<3 {
      diagram.nodes.append(.init(kind: .input, title: "past_\(turn)", family: .other, results: ["f32[4]"]))
      diagram.edges.append(.init(from: 9 + turn, to: 3 * turn + 1, type: "f32[4]"))
    }
    diagram.nodes.append(.init(kind: .input, title: "past_9", family: .other, results: ["f32[4]"]))
    diagram.edges.append(.init(from: 12, to: 2, type: "f32[4]"))
    let text = DOTWriter.text(of: diagram, foldingRepeats: true)
    #expect(text.contains("past_0 … past_2 × 3") && text.contains("<past_9<"))
    #expect(text.split(separator: "\n").count { $0.contains("shape=ellipse") } == 2)
    #expect(DOTWriter.text(of: diagram).split(separator: "\n").count { $0.contains("shape=ellipse") } == 4)
  }

  @Test func unrelatedPortsStayApart() {
    var diagram = FoldTreeTests.chain([("MatMul", []), ("Add", [])])
    for (title, node) in [("mask", 0), ("bias", 0), ("mask", 1)] {
      diagram.nodes.append(.init(kind: .input, title: title, family: .other, results: ["f32[4]"]))
      diagram.edges.append(.init(from: diagram.nodes.count - 1, to: node, type: "f32[4]"))
    }
    // Of one pattern and one reader, but without a number.
    diagram.nodes.append(.init(kind: .input, title: "mask", family: .other, results: ["f32[4]"]))
    diagram.edges.append(.init(from: diagram.nodes.count - 1, to: 0, type: "f32[4]"))
    let text = DOTWriter.text(of: diagram, foldingRepeats: true)
    #expect(text.split(separator: "\n").count { $0.contains("shape=ellipse") } == 4 && !text.contains("× 2"))
  }

  @Test func boxesTellWhatMatters() throws {
    struct Image: UnaryLayer {
      var conv = Conv2d(3, 8, kernel: 3, stride: 2, padding: 1)
      func forward(_ x: Tensor) -> Tensor { conv(x).softmax(1) }
    }
    let graph = try trace(Image(), .f32(1, 3, 8, 8)).initialized(seed: 1).graph
    let diagram = Diagram(of: graph)
    let conv = try #require(diagram.nodes.first { $0.title == "Conv" })
    #expect(conv.subtitle.contains("3×3") && conv.subtitle.contains("/2") && conv.subtitle.contains("pad 1"))
    #expect(diagram.nodes.first { $0.title == "Softmax" }?.subtitle == "axis 1")
    var compiler = Compiler()
    let fused = try compiler.diagram(of: graph, .fused)
    let step = try #require(fused.nodes.first { $0.title.hasPrefix("convolve") })
    #expect(step.title.contains("3×3 /2"))
    #expect(step.notes.contains { $0.hasPrefix("kernel ") })
    #expect(DOTWriter.text(of: fused).contains("kernel "))
  }

  @Test func bodiesOfControlFlowAreFramesOfTheirOwn() throws {
    let text = """
      graph "loop" {
        input %0 "x": f32[4]
        constant %1: i64[] = {3}
        constant %2: bool[] = {true}
        %3: f32[4] = Loop(%1, %2, %0) {carried: 1}
          graph "body" {
            input %0 "i": i64[]
            input %1 "go": bool[]
            input %2 "s": f32[4]
            %3: f32[4] = Unary(%2) {kind: "relu"}
            output "go" %1
            output "s" %3
          }
        output "y" %3
      }
      """
    let graph = try Graph(parsing: text, operators: .standard)
    let diagram = Diagram(of: graph)
    let relu = try #require(diagram.nodes.firstIndex { $0.title == "Relu" })
    let loop = try #require(diagram.nodes.firstIndex { $0.title == "Loop" })
    #expect(diagram.nodes[relu].layers.last == "body")
    #expect(diagram.edges.contains { $0.from == relu && $0.to == loop })
  }

  @Test func whatGraphvizReadsIsWellFormed() throws {
    guard (try? Subprocess.run("dot", ["-V"]))?.succeeded == true else { return }
    var graph = try ViewPageTests.graph()
    let wicked = "<b>&\"\\\n\u{1}]]> { } | é \u{1F600}"
    graph.name = wicked
    graph.inputs[0].name = wicked
    for id in graph.order { graph.nodes[id].origin = [Origin(path: "a<.b\"", node: wicked)] }
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      for stage in DrawingStage.allCases {
        for format in ["svg", "png", "dot"] {
          let path = "\(folder)/\(stage).\(format)"
          do {
            try BoundModel(graph: graph).draw(path, stage: stage)
          } catch { throw (error as? DiagnosticError) ?? DiagnosticError(.bug, "test", "\(error)") }
          #expect(Files.exists(path))
        }
      }
    }
  }

  @Test func unknownOperatorsAreDrawn() throws {
    // y = Relu(Mystery(x) + 1), of which the file tells nothing but the names.
    let float = DeclaredType.tensor(.f32, [.value(2)])
    var content = OnnxFile.Graph(name: "mystery")
    content.inputs = [.init("x", float)]
    content.outputs = [.init("y", float)]
    content.initializers = [.init("one", .f32([1], [1]))]
    content.nodes = [
      .init(
        "Mystery", domain: "their.own", name: "guess", inputs: ["x"], outputs: ["m"],
        attributes: [.init("depth", .int(7))]),
      .init("Add", name: "add", inputs: ["m", "one"], outputs: ["a"]),
      .init("Relu", name: "relu", inputs: ["a"], outputs: ["y"]),
    ]
    let file = OnnxFile(irVersion: 8, operatorSets: [.init("", 17), .init("their.own", 1)], graph: content)
    var importer = OnnxImporter(operators: .standard)
    #expect(importer.partialGraph(of: file).graph.order.isEmpty)
    importer.showsUnknown = true
    let (graph, problems) = importer.partialGraph(of: file)
    #expect(problems.contains { $0.id == "onnx.unknown-operator" })
    let diagram = Diagram(of: graph)
    #expect(diagram.nodes.map(\.title) == ["x", "their.own.Mystery", "Add", "Relu", "y"])
    #expect(diagram.nodes[1].attributes == [.init(name: "depth", text: "7")])
    #expect(diagram.nodes[1].results == ["?"] && diagram.nodes[3].results == ["f32[2]"])
    #expect(diagram.edges.map { [$0.from, $0.to] } == [[0, 1], [1, 2], [2, 3], [3, 4]])
    #expect(diagram.nodes[2].constants.count == 1)
  }
}
