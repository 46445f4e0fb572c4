import Sinter
import SinterForms
import SinterIR
import SinterONNX
import SinterOps
import Testing

/// An operator of a user's: x³, scaled.
struct ScaledCube: Composite {
  static let name = "ScaledCube"
  static let summary = "The third power, times a factor."

  var scale = 1.0

  mutating func attributes(_ list: inout some AttributeList) { list.float("scale", &scale, default: 1) }

  func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let x = try inputs.value(0)
    let square = try builder.add1(Binary(.multiply), [x, x])
    let cube = try builder.add1(Binary(.multiply), [square, x])
    let factor = builder.constant(.f32([], [Float(scale)]))
    return [try builder.add1(Binary(.multiply), [cube, factor])]
  }

  static var examples: [OperatorExample] {
    [OperatorExample(ScaledCube(), [.random(TensorType(.f32, [3]), -1...1)])]
  }
}

/// An operator of a user's that stands in ONNX files as itself, in a domain of the user's.
struct Halved: Composite {
  static let name = "Halved"
  static let summary = "Half of each element."
  static var onnx: [OnnxRule] { [.direct(Halved.self, domain: "my.operators")] }

  func attributes(_ list: inout some AttributeList) {}
  func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification("Halved", domain: "my.operators") }

  func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    [try builder.add1(Binary(.multiply), [try inputs.value(0), builder.constant(.f32([], [0.5]))])]
  }

  static var examples: [OperatorExample] { [OperatorExample(Halved(), [.random(TensorType(.f32, [3]), -1...1)])] }
}

/// An operator of a user's with loops of its own, which ONNX has no node for.
struct Reversed: Primitive {
  static let name = "Reversed"
  static let summary = "The elements of a list from its end."
  static let onnx: [OnnxRule] = []
  static let examples: [OperatorExample] = []

  func attributes(_ list: inout some AttributeList) {}
  func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    [Fact(.tensor(try inputs.tensor(0)))]
  }
  func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    return [
      try lowering.element(x.shape) { builder, index in
        builder.load(x.id, [builder.size(x.shape[0]) - builder.constant(1, .i64) - index[0]])
      }
    ]
  }
}

struct Halves: UnaryLayer {
  func forward(_ x: Tensor) -> Tensor { x.applying(Halved()).relu() }
}

struct Cubes: UnaryLayer {
  func forward(_ x: Tensor) -> Tensor {
    var op = ScaledCube()
    op.scale = 0.5
    return x.applying(op).relu()
  }
}

@Suite struct OwnOperatorTests {
  /// Its examples at other sizes: none, one, equal ones, unequal ones.
  @Test func computesOrRefusesAnySizes() throws { try checkSizes(of: ScaledCube.self) }

  @Test func tracesCompilesAndExportsAsItsExpansion() throws {
    let model = try trace(Cubes(), .f32("n", 3)).initialized()
    try withScratchFolder { folder in
      let library = try model.compile(to: "\(folder)/libcubes.so")
      let result = try library.run(.f32([2, 3], [-1, 0, 1, 2, 3, -4]))[0]
      #expect(result.array(of: Float.self) == [0, 0, 0.5, 4, 13.5, 0])

      try model.export("\(folder)/cubes.onnx")
      // The standard operators read it: nothing private is left.
      let graph = try OnnxImporter(operators: .standard).graph(reading: "\(folder)/cubes.onnx")
      let names = graph.order.map { type(of: graph.nodes[$0].op).name }
      #expect(!names.contains("ScaledCube"))
      let again = try BoundModel(graph: graph).compile(to: "\(folder)/libagain.so")
      #expect(try again.run(.f32([1, 3], [2, 3, -4]))[0].array(of: Float.self) == [4, 13.5, 0])
    }
  }

  @Test func primitivesCompileAndSayWhyTheyAreNotExported() throws {
    try withScratchFolder { folder in
      let model = try trace((), [.f32("n", name: "x")], name: "back") { $0[0].applying(Reversed()) }.initialized()
      let library = try model.compile(to: "\(folder)/libback.so")
      #expect(try library.run(.f32([3], [1, 2, 3]))[0].array(of: Float.self) == [3, 2, 1])
      let error = #expect(throws: DiagnosticError.self) { try model.export("\(folder)/back.onnx") }
      let found = error?.diagnostics.first
      #expect(found?.message == "Reversed has no form in ONNX" && found?.hint?.contains("expansion") == true)
      #expect(found?.places.joined().contains("OwnOperatorTests.swift") == true, "\(found?.places ?? [])")
    }
  }

  @Test func ownDomainsAreReadWhereTheirOperatorsAreGiven() throws {
    try withScratchFolder { folder in
      try trace(Halves(), .f32("n", 2)).initialized().export("\(folder)/halves.onnx")
      let read = try BoundModel(
        importing: "\(folder)/halves.onnx", operators: .complete.adding(Halved.self), sizes: ["n": 2])
      let names = read.graph.order.map { type(of: read.graph.nodes[$0].op).name }
      #expect(names.contains("Halved") && read.graph.inputSymbols.isEmpty)
      let library = try read.compile(to: "\(folder)/libhalves.so")
      #expect(try library.run(.f32([2, 2], [1, -1, 4, 3]))[0].array(of: Float.self) == [0.5, 0, 2, 1.5])
      let unknown = #expect(throws: DiagnosticError.self) { try BoundModel(importing: "\(folder)/halves.onnx") }
      #expect(unknown?.description.contains("my.operators.Halved") == true, "\(unknown?.description ?? "")")
    }
  }
}
