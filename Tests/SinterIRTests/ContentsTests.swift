import SinterCore
import SinterIR
import SinterOps
import Testing

@Suite struct ContentsTests {
  /// The elements of a value that a builder's steps compute from an input [batch, 3, h, 8].
  private func contents(_ build: (inout GraphBuilder, ValueID) throws -> ValueID) throws -> [Dim]? {
    var builder = GraphBuilder(name: "shapes")
    let x = builder.input(Fact(.f32, ["batch", 3, "h", 8]), named: "x")
    let result = try build(&builder, x)
    return builder.fact(result).contents
  }

  @Test func arithmeticOnSizesIsFollowed() throws {
    let doubled = try contents { builder, x in
      let shape = try builder.add1(Shape(), [x])
      return try builder.add1(Binary(.multiply), [shape, builder.constant(.i64([4], [1, 2, 3, 4]))])
    }
    #expect(doubled == ["batch", 6, Dim("h") * 3, 32])
    let viaFloat = try contents { builder, x in
      let shape = try builder.add1(Cast(to: .f32), [try builder.add1(Shape(), [x])])
      let scaled = try builder.add1(Binary(.multiply), [shape, builder.constant(.f32([], [2]))])
      return try builder.add1(Cast(to: .i64), [try builder.add1(Unary(.floor), [scaled])])
    }
    #expect(viaFloat == [Dim("batch") * 2, 6, Dim("h") * 2, 16])
  }

  @Test func unknownElementsStayUnknown() throws {
    #expect(try contents { builder, x in try builder.add1(Cast(to: .i64), [x]) } == nil)
  }

  @Test func bindingSizesFixesTypesContentsAndAttributes() throws {
    var builder = GraphBuilder(name: "bind")
    let x = builder.input(Fact(.f32, ["batch", "h"]), named: "x")
    let shape = try builder.add1(Shape(), [x])
    builder.output(try builder.add1(Reshape(), [x, shape]), named: "y")
    builder.setRange(1...8, of: Symbol("batch"))
    var graph = builder.graph
    try graph.bind([Symbol("batch"): 4])
    #expect(graph.type(of: graph.outputs[0].value).tensor?.shape == [4, "h"])
    #expect(graph.values[shape].fact.contents == [4, "h"])
    #expect(graph.ranges.isEmpty)
    #expect(graph.inputSymbols == [Symbol("h")])
    #expect(GraphVerifier.problems(of: graph) == [])

    var other = builder.graph
    let error = #expect(throws: DiagnosticError.self) { try other.bind([Symbol("batch"): 9, Symbol("width"): 1]) }
    #expect(error?.diagnostics.map(\.id) == ["bind.range", "bind.symbol"])
  }
}
