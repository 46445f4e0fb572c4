import SinterCore
import SinterIR
import SinterONNX
import Testing

@Suite("Graphs to ONNX files")
struct ExportTests {
  /// Exporting what was imported and importing it again gives the same graph.
  @Test(arguments: [
    SampleModels.product(), ImportTests.choice,
    ImportTests.file([
      OnnxFile.Node(
        "Twice", name: "n", inputs: ["x"], outputs: ["y"],
        attributes: [.init("alpha", .float(2)), .init("mode", .string("max"))])
    ]),
  ])
  func graphsSurviveTheWayThere(file: OnnxFile) throws {
    let graph = try ImportTests.importer.graph(of: file)
    let exported = try OnnxExporter().file(of: graph)
    let again = try ImportTests.importer.graph(of: SampleModels.read(exported.encoded()))
    #expect(again.description == graph.description, "\(again.description)\n\(graph.description)")
  }

  @Test func compositesBecomeTheirExpansion() throws {
    let file = ImportTests.file([OnnxFile.Node("Quadruple", name: "q", inputs: ["x"], outputs: ["y"])])
    let exported = try OnnxExporter().file(of: ImportTests.importer.graph(of: file))
    #expect(exported.graph.nodes.map(\.operatorType) == ["Twice", "Twice"])
    #expect(exported.graph.nodes.last?.outputs == ["y"])
    #expect(Set(exported.graph.nodes.map(\.name)).count == 2)
  }

  @Test func originsReachTheFile() throws {
    var builder = GraphBuilder(name: "g")
    let x = builder.input(Fact(.f32, [2]), named: "x")
    builder.origin = [Origin(path: "encoder.layers.0", source: "Model.swift:7")]
    let y = try builder.add1(Twice(), [x])
    builder.output(y, named: "y")
    let file = try OnnxExporter().file(of: builder.graph)
    #expect(file.graph.nodes[0].name == "encoder.layers.0")
    #expect(file.graph.nodes[0].doc == "layer encoder.layers.0, Model.swift:7")
    let again = try ImportTests.importer.graph(of: file)
    #expect(again.nodes[again.order[0]].origin[0].path == "encoder.layers.0")
    #expect(again.nodes[again.order[0]].origin[0].source == "Model.swift:7")
  }

  @Test func textsOfTheSourceAreKept() throws {
    var source = ImportTests.file([OnnxFile.Node("Twice", name: "n", inputs: ["x"], outputs: ["y"])])
    (source.doc, source.domain, source.modelVersion) = ("a model", "org.example", 7)
    source.metadata = [.init("license", "free")]
    source.graph.doc = "a graph"
    source.graph.nodes[0].doc = "doubles"
    source.graph.nodes[0].metadata = [.init("owner", "me"), .init("sinter.path", "layer")]
    source.graph.inputs[0].doc = "what goes in"
    let exported = try OnnxExporter().file(of: ImportTests.importer.graph(of: source)).keepingTexts(of: source)
    let again = try SampleModels.read(exported.encoded())
    #expect(again.doc == "a model" && again.domain == "org.example" && again.modelVersion == 7)
    #expect(again.metadata == source.metadata && again.graph.doc == "a graph")
    #expect(again.graph.nodes[0].doc == "doubles" && again.graph.inputs[0].doc == "what goes in")
    #expect(again.graph.nodes[0].metadata == source.graph.nodes[0].metadata)
    #expect(again.producerName == "sinter")
  }

  @Test func namesAreUnique() throws {
    var builder = GraphBuilder(name: "g")
    let x = builder.input(Fact(.f32, [2]), named: "x")
    let a = try builder.add1(Twice(), [x])
    builder.setName("x", of: a)
    let b = try builder.add1(Twice(), [a])
    builder.output(b, named: "y")
    builder.output(b, named: "z")
    builder.output(x, named: "same")
    let file = try OnnxExporter().file(of: builder.graph)
    let names = file.graph.inputs.map(\.name) + file.graph.nodes.flatMap(\.outputs)
    #expect(Set(names).count == names.count)
    #expect(file.graph.outputs.map(\.name) == ["y", "z", "same"])
  }

  @Test func opsetsAndFormatsGoTogether() throws {
    let graph = try ImportTests.importer.graph(of: ImportTests.file([ImportTests.twice("x", "y")], opset: 13))
    #expect(try OnnxExporter().file(of: graph).operatorSets == [.init("", 17)])
    #expect(try OnnxExporter(opset: 22).file(of: graph).irVersion == 10)
    #expect(throws: DiagnosticError.self) { try OnnxExporter(opset: 12).file(of: graph) }
    #expect(throws: DiagnosticError.self) { try OnnxExporter(opset: 99).file(of: graph) }
  }

  @Test func whatONNXDoesNotHaveIsNamed() throws {
    let graph = try ImportTests.importer.graph(
      of: ImportTests.file([OnnxFile.Node("Nameless", name: "nn", inputs: ["x"], outputs: ["y"])]))
    do {
      _ = try OnnxExporter().file(of: graph)
      Issue.record("exported")
    } catch let error as DiagnosticError {
      #expect(error.diagnostics.map(\.id) == ["onnx.export"])
      #expect(error.description.contains("node nn"))
    }
  }
}
