import Sinter
import SinterCore
import SinterIR
import SinterONNX
import SinterOps
import Testing

/// What `sinter export --opset` writes and refuses.
@Suite struct OlderOpsetTests {
  private static func refusal(_ graph: Graph, _ opset: Int) -> String? {
    do {
      _ = try OnnxExporter(opset: opset).file(of: graph)
      return nil
    } catch { return "\(error)" }
  }

  // MARK: Trilu

  private static func triangle(_ rows: Dim, _ columns: Dim, upper: Bool, diagonal: Int?) throws -> Graph {
    var builder = GraphBuilder(name: "triangle")
    let x = builder.input(Fact(.f32, [2, rows, columns]), named: "x")
    var op = Trilu()
    op.isUpper = upper
    let given = diagonal.map { builder.constant(.i64([], [$0])) }
    builder.output(try builder.add1(op, [x] + (given.map { [$0] } ?? [])), named: "y")
    return builder.graph
  }

  @Test(arguments: [true, false], [nil, 0, 1, -2, 9])
  func trianglesOfAnySize(upper: Bool, diagonal: Int?) throws {
    for (rows, columns) in [(3, 4), (4, 3), (1, 1), (0, 2), (2, 0)] {
      let symbolic = try Self.triangle("r", "c", upper: upper, diagonal: diagonal)
      let fixed = try Self.triangle(Dim(rows), Dim(columns), upper: upper, diagonal: diagonal)
      let numbers = (0..<2 * rows * columns).map { Float($0 + 1) }
      let kept = numbers.enumerated().map { place, number in
        let far = place % max(columns, 1) - place / max(columns, 1) % max(rows, 1)
        return (upper ? far >= diagonal ?? 0 : far <= diagonal ?? 0) ? number : 0
      }
      for graph in [symbolic, fixed] {
        let file = try OnnxExporter(opset: 13).file(of: graph)
        #expect(!file.graph.nodes.contains { $0.operatorType == "Trilu" })
        let again = try OnnxImporter(operators: .standard).graph(of: file)
        let result = try GraphEvaluator.run(again, [.f32([2, rows, columns], numbers)])
        #expect(result[0].shape == [2, rows, columns] && result[0].array(of: Float.self) == kept)
      }
    }
  }

  @Test func aHugeTriangleTakesNoMemory() throws {
    let graph = try Self.triangle(3_000_000, 3_000_000, upper: true, diagonal: nil)
    let file = try OnnxExporter(opset: 13).file(of: graph)
    #expect(try file.encoded().count < 4096)
  }

  // MARK: Element types

  /// Results of f32 and of another type, in this order, from both branches.
  private static func choice(of element: ElementType) throws -> Graph {
    func branch(_ kind: Unary.Kind) throws -> Graph {
      var builder = GraphBuilder(name: kind.rawValue)
      let x = builder.input(Fact(.f32, [2]), named: "x")
      let y = try builder.add1(Unary(kind), [x])
      builder.output(y, named: "y")
      builder.output(try builder.add1(Cast(to: element), [y]), named: "z")
      return builder.graph
    }
    var builder = GraphBuilder(name: "choice")
    let condition = builder.input(Fact(.bool, []), named: "condition")
    let x = builder.input(Fact(.f32, [2]), named: "x")
    let results = try builder.add(
      If(), [condition, x, x], outputs: 2, bodies: [try branch(.negate), try branch(.abs)])
    builder.output(results[0], named: "y")
    builder.output(results[1], named: "z")
    return builder.graph
  }

  @Test func everyResultOfAChoiceHasToBeOfTheOpset() throws {
    #expect(Self.refusal(try Self.choice(of: .f16), 14) == nil)
    #expect(Self.refusal(try Self.choice(of: .bf16), 14)?.contains("If of bf16") == true)
    #expect(Self.refusal(try Self.choice(of: .bf16), 16) == nil)
  }

  @Test func lastPlacesOfControlFlowStandForThoseBehindThem() {
    func since(_ op: String, _ operands: [ElementType?], _ results: [ElementType?]) -> Int? {
      OnnxElementTypes.need(of: op, operands: operands, results: results)?.since
    }
    #expect(since("Loop", [.i64, .bool, .f32, .bf16], [.f32, .f32]) == 16)
    #expect(since("Loop", [.i64, .bool, .f32, .f32], [.f32, .f32, .i4]) == 21)
    #expect(since("Loop", [.bf16, .bool, .f32], [.f32]) == nil)
    #expect(since("Scan", [.f32, .f32, .f8e5m2], [.f32]) == 19)
    #expect(since("If", [.bool, .bf16], [.f32]) == nil)
    // Of others each place has its own types.
    #expect(since("Where", [.bf16, .f32, .f32], [.f32]) == nil)
  }

  private static func normalization(_ elements: [ElementType]) throws -> Graph {
    var builder = GraphBuilder(name: "normalization")
    let values = elements.enumerated().map { place, element in
      builder.input(Fact(element, place == 0 ? [1, 3, 2] : [3]), named: "x\(place)")
    }
    builder.output(try builder.add1(BatchNormalization(), values), named: "y")
    return builder.graph
  }

  @Test func normalizationOfMixedTypesKeepsItsOpset() throws {
    let same = try Self.normalization([.f16, .f16, .f16, .f16, .f16])
    let statistics = try Self.normalization([.f16, .f16, .f16, .f32, .f32])
    let scale = try Self.normalization([.f16, .f32, .f32, .f32, .f32])
    for opset in [13, 14, 15] { #expect(Self.refusal(same, opset) == nil) }
    #expect(Self.refusal(statistics, 13)?.contains("BatchNormalization") == true)
    for opset in [14, 15] { #expect(Self.refusal(statistics, opset) == nil) }
    for opset in [13, 14] { #expect(Self.refusal(scale, opset)?.contains("BatchNormalization") == true) }
    #expect(Self.refusal(scale, 15) == nil)
  }
}
