import Foundation
import Sinter
import SinterCore
import SinterForms
import SinterIR
import Testing

@testable import SinterVisual

/// The data that a page holds, read as a browser reads it.
@Suite struct ViewPageTests {
  struct Block: UnaryLayer {
    var first = Linear(8, 8), second = Linear(8, 8)
    func forward(_ x: Tensor) -> Tensor { second(first(x).relu()) + x }
  }
  struct Net: UnaryLayer {
    var stem = Linear(4, 8)
    var blocks = Sequential((0..<6).map { _ in Block() })
    func forward(_ x: Tensor) -> Tensor { blocks(stem(x)).softmax() }
  }

  static func graph() throws -> Graph {
    try trace(Net(), .f32("n", 4, name: "x")).initialized(seed: 1).graph
  }

  /// The JSON between `<script … id="ID">` and the next `</script>`.
  static func data(_ html: String, _ id: String) throws -> Any {
    let begin = try #require(html.firstRange(of: "id=\"\(id)\">")).upperBound
    let end = try #require(html[begin...].firstRange(of: "</script>")).lowerBound
    return try JSONSerialization.jsonObject(with: Data(html[begin..<end].utf8))
  }
  static func object(_ html: String, _ id: String) throws -> [String: Any] {
    try #require(data(html, id) as? [String: Any])
  }

  @Test func holdsAllStages() throws {
    let graph = try Self.graph()
    let view = ModelView(of: graph, title: "net")
    #expect(view.problems.isEmpty)
    let html = view.page.html
    let model = try Self.object(html, "model")
    let stages = try #require(model["stages"] as? [[String: Any]])
    #expect(stages.map { $0["name"] as? String } == ["imported", "optimized", "fused"])
    #expect(stages[0]["nodes"] as? Int == graph.order.count)
    for (index, stage) in view.page.stages.enumerated() {
      let data = try Self.object(html, "stage\(index)")
      let kinds = try #require(data["kind"] as? [Int])
      let texts = try #require(data["texts"] as? [String])
      let titles = try #require(data["title"] as? [Int]).map { texts[$0] }
      #expect(titles == stage.diagram.nodes.map(\.title))
      #expect(kinds.filter { $0 == 0 }.count == stages[index]["nodes"] as? Int)
      let (from, to) = (try #require(data["from"] as? [Int]), try #require(data["to"] as? [Int]))
      #expect(zip(from, to).map { [$0, $1] } == stage.diagram.edges.map { [$0.from, $0.to] })
      let items = try #require(data["items"] as? [[Double]])
      #expect(items.count == stage.tree.groups.count)
      #expect(items.joined().count == 4 * (kinds.count + stage.tree.groups.count - 1))
      let results = try #require(data["results"] as? [[Int]])
      #expect(results[0].map { texts[$0] } == ["f32[n, 4]"])
    }
    #expect(view.page.stages[0].tree.groups.contains { $0.repeats == 6 })
  }

  @Test func passesTellWhatTheyChanged() throws {
    let graph = try Self.graph()
    let history = try PassHistory(of: graph)
    #expect(!history.passes.isEmpty)
    var compiler = Compiler()
    let optimized = try compiler.optimize(graph)
    #expect(history.graph.description == optimized.description)
    let sum = history.passes.reduce(graph.order.count) { $0 + $1.added - $1.removed }
    #expect(sum == history.graph.order.count)
    let numbers = Set(history.graph.order.map(\.position))
    for pass in history.passes {
      #expect(Set(pass.addedToLast).isSubset(of: numbers) && Set(pass.changedInLast).isSubset(of: numbers))
      #expect(pass.addedToLast.count <= pass.added && pass.removedFromFirst.count <= pass.removed)
      #expect(pass.rules.values.allSatisfy { $0 > 0 } && !pass.rules.isEmpty)
    }
    // Each node that the optimized graph has and the imported one had not was added by some pass.
    let gone = Set(history.passes.flatMap(\.removedFromFirst))
    let kept = graph.order.filter { !gone.contains($0.position) }.count
    let added = Set(history.passes.flatMap(\.addedToLast))
    #expect(kept + added.count == history.graph.order.count)
    let model = try Self.object(ModelView(of: graph).page.html, "model")
    let passes = try #require(model["passes"] as? [[String: Any]])
    #expect(passes.map { $0["name"] as? String } == history.passes.map(\.name))
    #expect(passes.map { $0["counts"] as? [Int] } == history.passes.map { [$0.added, $0.removed, $0.changed] })
  }

  @Test func weightsHaveTheirNumbers() throws {
    let graph = try Self.graph()
    let html = ModelView(of: graph, stages: [.imported]).page.html
    let weights = try #require(Self.data(html, "weights") as? [[Any]])
    #expect(weights.count == 26)
    let stem = try #require(weights.first { $0[0] as? String == "stem.weight" })
    #expect(stem[1] as? String == "f32[8, 4]" && stem[2] as? Int == 32 && stem[3] as? Int == 128)
    let id = try #require(graph.values.indices.first { graph.values[$0].name == "stem.weight" })
    let values = try #require(graph.constant(id)?.doubles)
    #expect(stem[5] as? Double == values.min() && stem[6] as? Double == values.max())
    #expect((stem[11] as? [Int])?.reduce(0, +) == 32)
    var page = ModelView(of: graph, stages: [.imported]).page
    page.hasStatistics = false
    let short = try #require(Self.data(page.html, "weights") as? [[Any]])
    #expect(short.allSatisfy { $0.count == 5 })
  }

  @Test func edgesTellWhyTheyDidNotFuse() throws {
    struct Twice: UnaryLayer {
      var a = Linear(64, 64), b = Linear(64, 64)
      func forward(_ x: Tensor) -> Tensor {
        // Dear, and read by two products.
        let y = a(x).exp().sin().exp()
        return b(y) + y
      }
    }
    let graph = try trace(Twice(), .f32(32, 64)).initialized(seed: 1).graph
    let stage = try #require(ModelView(of: graph).page.stages.last)
    let reasons = Set(FusionReport.Refusal.allCases.map(\.rawValue))
    let notes = stage.diagram.edges.map(\.note).filter { !$0.isEmpty }
    #expect(!notes.isEmpty)
    #expect(notes.allSatisfy { reasons.contains($0) }, "\(notes)")
    #expect(stage.diagram.nodes.contains { $0.notes.contains { $0.hasPrefix("kernel ") } })
  }

  @Test func timesGoToTheNodesThatTheyAreOf() throws {
    var stage = StageView(name: "imported", Diagram(of: try Self.graph()))
    let operations = stage.diagram.nodes.indices.filter { stage.diagram.nodes[$0].kind == .operation }
    let labels = operations.map { stage.diagram.nodes[$0].labels }
    let first = try #require(labels.first?.first)
    stage.setTimes([
      LaunchTime(nodes: [first], milliseconds: 2), LaunchTime(nodes: labels.joined() + [], milliseconds: 3),
      LaunchTime(nodes: ["nobody"], milliseconds: 100),
    ])
    #expect(abs(stage.milliseconds.reduce(0, +) - 5) < 1e-9)
    #expect(stage.milliseconds[operations[0]] > 0.5)
  }

  @Test func namesCannotEndTheScript() throws {
    let wicked = "</script><script>alert(1)</script><!-- & \u{2028} \" \\ \u{1} 'x' @DATA@ @PROGRAM@"
    var graph = try Self.graph()
    graph.name = wicked
    for id in graph.order { graph.nodes[id].origin = [Origin(node: wicked)] }
    graph.inputs[0].name = wicked
    let html = ModelView(of: graph, stages: [.imported]).page.html
    let stage = try Self.object(html, "stage0")
    let texts = try #require(stage["texts"] as? [String])
    #expect(texts.contains(wicked))
    #expect(try Self.object(html, "model")["title"] as? String == wicked)
    // Three pieces of data and one program.
    #expect(html.ranges(of: "</script>").count == 4)
    #expect(html.ranges(of: "<script").count == 4)
    #expect(!html.contains("<!--"))
    #expect(html.contains("<title>&lt;/script&gt;"))
    #expect(!html.contains("src=") && !html.contains("http:") || !html.contains("src=\"http"))
  }

  /// To Swift a sign with an accent is another character; to a browser and to Graphviz it is the sign, and an accent.
  @Test func accentsHideNoSigns() throws {
    #expect(ViewPage.escaped("<\u{301}\"\u{301}&\u{301}>\u{301}") == "&lt;\u{301}&quot;\u{301}&amp;\u{301}&gt;\u{301}")
    #expect(DOTWriter.quoted("n\"\u{301}=1, \\\u{301}") == "\"n\\\"\u{301}=1, \\\\\u{301}\"")
    var graph = try Self.graph()
    graph.name = "n\"\u{301}=1, href=\"javascript:x\", z=\"\u{301}</title\u{301}><script\u{301}>"
    for id in graph.order { graph.nodes[id].origin = [Origin(node: graph.name)] }
    let scalars = Array(DOTWriter.text(of: Diagram(of: graph)).unicodeScalars)
    // No accent stands behind a quotation mark that is not escaped.
    for place in scalars.indices.dropFirst(2) where scalars[place] == "\u{301}" && scalars[place - 1] == "\"" {
      #expect(scalars[place - 2] == "\\")
    }
    let html = ModelView(of: graph, stages: [.imported]).page.html
    let title = html.unicodeScalars.split(separator: "\n").map { String($0) }.first { $0.contains("<title>") }
    #expect(title?.unicodeScalars.count { $0 == "<" } == 2)
  }

  @Test func onlyStagesAskedForAreShown() throws {
    let graph = try Self.graph()
    func names(_ stages: Set<DrawingStage>) -> [String] { ModelView(of: graph, stages: stages).page.stages.map(\.name) }
    #expect(names([.fused]) == ["fused"] && names([.optimized]) == ["optimized"])
    #expect(names([.imported, .fused]) == ["imported", "fused"])
    #expect(names(Set(DrawingStage.allCases)) == ["imported", "optimized", "fused"])
  }

  @Test func whatDoesNotCompileIsShownAsFarAsItGoes() throws {
    var graph = try Self.graph()
    struct Nameless: Operator {
      static let name = "Nameless"
      static let summary = "Nothing."
      func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
        [Fact(.tensor(try inputs.tensor(0)))]
      }
      static var examples: [OperatorExample] { [] }
    }
    var builder = GraphBuilder(graph)
    builder.output(try builder.add1(Nameless(), [graph.inputs[0].value]), named: "more")
    graph = builder.graph
    let view = ModelView(of: graph)
    #expect(view.page.stages.map(\.name) == ["imported", "optimized"])
    #expect(view.problems.map(\.id) == ["lower.operator"])
  }
}
