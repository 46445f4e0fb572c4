import SinterCore
import SinterIR
import SinterOps
import Testing

/// Sizes that nothing can have are refused where they come about, by name, and nothing is allocated for them.
@Suite struct ExtentTests {
  private func refusal(_ add: (inout GraphBuilder) throws -> Void) -> String {
    var builder = GraphBuilder(name: "extent")
    do {
      try add(&builder)
      return "taken"
    } catch let error as DiagnosticError {
      return error.diagnostics.map(\.id).joined(separator: " ")
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: [([1 << 31, 1 << 31], "size.bytes"), ([1 << 40, 1 << 40], "size.bytes"), ([1 << 46, 0], "taken")])
  func shapesOfConstants(shape: [Int], expected: String) {
    let given = refusal { builder in
      _ = try builder.add(ConstantOfShape(), [builder.constant(.i64([shape.count], shape))])
    }
    #expect(given == expected)
  }

  @Test func multiplesOfSymbols() {
    let given = refusal { builder in
      let x = builder.input(Fact(.f32, ["n"]), named: "x")
      _ = try builder.add(Tile(), [x, builder.constant(.i64([1], [1 << 62]))])
    }
    #expect(given == "size.bytes")
  }
}
