import Foundation
import Sinter
import SinterCore
import SinterIR
import SinterOps
import SinterPasses
import Testing

/// What `sinter diff`, `sinter diff --bisect` and `sinter reduce` find.
@Suite struct CompareTests {
  struct Net: UnaryLayer {
    var first = Linear(6, 8), second = Linear(8, 8), third = Linear(8, 4)
    func forward(_ x: Tensor) -> Tensor {
      let a = first(x).relu()
      let b = second(a) + a
      return third(b * 2 + b).softmax()
    }
  }

  static func graph() throws -> Graph {
    var graph = try trace(Net(), .f32(3, 6, name: "x")).initialized(seed: 2).graph
    for (place, id) in graph.order.enumerated() {
      for output in graph.nodes[id].outputs where graph.values[output].name.isEmpty {
        graph.values[output].name = "v\(place)"
      }
    }
    return graph
  }

  static var inputs: [HostTensor] {
    var random = SplitMix64(seed: 7)
    return [HostTensor(.f32, [3, 6], doubles: (0..<18).map { _ in random.uniform() - 0.5 })]
  }

  // MARK: Differences

  @Test func distanceOfTensors() {
    let same = TensorDifference(.f32([2], [1, .nan]), .f32([2], [1, .nan]))
    #expect(same.count == 0 && !same.exceeds(0) && "\(same)" == "equal")
    let near = TensorDifference(.f32([2, 2], [1, 2, 3, 4]), .f32([2, 2], [1, 2, 3.5, 4]))
    #expect(near.index == [1, 0] && near.absolute == 0.5 && near.relative == 0.125 && near.count == 1)
    let one: Float = 1
    #expect(TensorDifference(.f32([1], [one]), .f32([1], [one.nextUp])).steps == 1)
    let least = Float.leastNonzeroMagnitude
    #expect(TensorDifference(.f32([1], [least]), .f32([1], [-least])).steps == 2)
    let half = TensorDifference(HostTensor(.f16, [1], doubles: [1]), HostTensor(.f16, [1], doubles: [1 + 3 / 1024]))
    #expect(half.steps == 3)
    let brain = TensorDifference(HostTensor(.bf16, [1], doubles: [1]), HostTensor(.bf16, [1], doubles: [1 + 1 / 128]))
    #expect(brain.steps == 1)
    let huge = TensorDifference(
      HostTensor(.f64, [1], doubles: [1.7e308]), HostTensor(.f64, [1], doubles: [-1.7e308]))
    #expect(huge.absolute.isInfinite && huge.exceeds(1e300) && huge.steps != nil)
    #expect(TensorDifference(.f32([1], [.nan]), .f32([1], [1])).exceeds(1e9))
    #expect(TensorDifference(.i64([1], [3]), .i64([1], [4])).exceeds(0))
    #expect(TensorDifference(.f32([1], [0]), .f32([2], [0, 0])).mismatch == "f32[1] is f32[2]")
    #expect(TensorDifference(.f32([0], []), .f32([0], [])).count == 0)
    let texts = TensorDifference(
      HostTensor(strings: ["a", "b"], shape: [2]), HostTensor(strings: ["a", "c"], shape: [2]))
    #expect(texts.exceeds(1) && texts.count == 1)
  }

  @Test func integersAreComparedToTheLastDigit() {
    let near = TensorDifference(.i64([2], [1, (1 << 53) + 1]), .i64([2], [1, 1 << 53]))
    #expect(near.count == 1 && near.absolute == 1 && near.index == [1] && near.exceeds(0))
    #expect("\(near)".contains("9007199254740993 and 9007199254740992"))
    let ends = TensorDifference(.i64([1], [Int.min]), .i64([1], [Int.max]))
    #expect(ends.absolute == 0x1p64 && ends.relative == 2)
    let unsigned = TensorDifference(
      HostTensor(.u64, [1], values: [UInt64.max]), HostTensor(.u64, [1], values: [UInt64.max - 1]))
    #expect(unsigned.absolute == 1 && unsigned.exceeds(0) && "\(unsigned)".contains("18446744073709551614"))
    #expect(TensorDifference(.i64([1], [Int.min]), .i64([1], [Int.min])).count == 0)
    #expect(
      TensorDifference(HostTensor(.bool, [2], values: [true, false]), HostTensor(.bool, [2], values: [true, true]))
        .exceeds(0))
  }

  @Test func outputsThatASideDoesNotGiveAreTold() throws {
    let one = HostTensor.f32([1], [1])
    func side(_ name: String, _ values: KeyValuePairs<String, HostTensor?>) -> ModelComparison.Side {
      let all = Dictionary(uniqueKeysWithValues: values.map { ($0.key, $0.value) })
      return .init(name: name, names: [], outputs: values.map(\.key)) { $0.map { all[$0] ?? nil } }
    }
    let found = try ModelComparison(
      side("a", ["x": one, "y": one, "z": one]), side("b", ["x": one, "y": nil, "w": one]))
    #expect(found.outputs.map(\.name) == ["x"])
    #expect(found.notCompared.map { "\($0.name) \($0.missing)" } == ["y b", "z b", "w a"])
    let none = try ModelComparison(side("a", ["x": one]), side("b", ["x": nil]))
    #expect(none.outputs.isEmpty && none.notCompared.count == 1)
  }

  @Test func inputsAreMatchedByName() throws {
    #expect(try PortMatching.places(of: ["b", "a"], among: ["a", "b"]) == [1, 0])
    #expect(try PortMatching.places(of: ["b"], among: ["a", "b"]) == [1])
    #expect(try PortMatching.places(of: ["c", "d"], among: ["a", "b"]) == [0, 1])
    #expect(try PortMatching.places(of: [], among: []) == [])
    for (wanted, given) in [(["a", "c"], ["a", "b"]), (["c"], ["a", "b"]), (["a", "b"], ["a"])] {
      #expect {
        try PortMatching.places(of: wanted, among: given)
      } throws: {
        "\($0)".contains(given.joined(separator: ", ")) && "\($0)".contains(wanted.joined(separator: ", "))
      }
    }
  }

  @Test func equalModelsAreEqualAndTheFirstOtherNodeIsFound() throws {
    let graph = try Self.graph()
    let same = try ModelComparison(
      .init(name: "meaning", graph, by: .interpreted, on: Self.inputs),
      .init(name: "code", graph, by: .compiled(.host), on: Self.inputs))
    #expect(same.outputsAgree && same.firstDifference == nil && same.values.count == graph.order.count)
    var other = graph
    let relu = try #require(other.order.first { (other.nodes[$0].op as? Unary)?.kind == .relu })
    other.nodes[relu].op = Unary(.softplus)
    let found = try ModelComparison(
      .init(name: "a", graph, by: .interpreted, on: Self.inputs),
      .init(name: "b", other, by: .interpreted, on: Self.inputs))
    #expect(!found.outputsAgree)
    #expect(found.firstDifference?.name == graph.values[graph.nodes[relu].outputs[0]].name)
  }

  @Test func modelsThatShareNoOutputAreRefused() throws {
    let graph = try Self.graph()
    var other = graph
    other.outputs[0].name = "another"
    other.outputs.append(.init(name: "more", value: other.outputs[0].value))
    #expect {
      _ = try ModelComparison(
        .init(name: "a", graph, by: .interpreted, on: Self.inputs),
        .init(name: "b", other, by: .interpreted, on: Self.inputs))
    } throws: { ($0 as? DiagnosticError)?.diagnostics.first?.id == "diff.outputs" }
  }

  // MARK: Bisection

  /// A pass with a rule that is wrong: it takes the third sum for a difference.
  private static let planted = Pass("planted", "Makes a mistake.") { graph, log in
    let sums = graph.order.filter { [graph] in (graph.nodes[$0].op as? Binary)?.kind == .add }
    let third = sums.dropFirst(2).first
    try graph.rewrite(
      [
        RewriteRule("x + y = x - y", at: Binary.self) { op, site in
          guard op.kind == .add, site.id == third else { return nil }
          return try site.add1(Binary(.subtract), site.inputs)
        }
      ], log: &log)
  }

  @Test func findsThePassAndTheRewriteThatDidIt() throws {
    let graph = try Self.graph()
    let fine = try Bisection(graph, inputs: Self.inputs)
    #expect(fine.culprit == nil)
    let passes = Array(Pipelines.optimize.prefix(4)) + [Self.planted] + Pipelines.optimize.dropFirst(4)
    let found = try Bisection(graph, passes: passes, inputs: Self.inputs)
    guard case .rewrite(let number, let count, let pass, let rule, let removed, let added)? = found.culprit else {
      Issue.record("found \(String(describing: found.culprit))")
      return
    }
    #expect(pass == "planted" && rule == "x + y = x - y" && number <= count)
    #expect(removed.contains { $0.contains("= Binary(") && !$0.contains("kind:") })
    #expect(added.contains { $0.contains("Binary") && $0.contains("\"subtract\"") })
    #expect(found.output == graph.outputs[0].name && (found.difference?.relative ?? 0) > 1e-3)
    // The page shows just this, without the places in this file.
    let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/debugging.md")
    let told = try String(contentsOf: page.standardized, encoding: .utf8)
    for line in "\(try #require(found.culprit))".split(separator: "\n") {
      let short = line.firstRange(of: " from ").map { line[..<$0.lowerBound] } ?? line
      #expect(told.contains("    \(short)\n"), "\(short)")
    }
    // By halves, not one by one.
    #expect(found.runs <= 4 + Int(Double(count).squareRoot()) + 8)
  }

  // MARK: Parts and reduction

  @Test func partsOfAGraphComputeTheSame() throws {
    let graph = try Self.graph()
    let values = graph.namedResults
    let all = try GraphEvaluator.run(graph.giving(values.map(\.value)), Self.inputs)
    let known = Dictionary(zip(values.map(\.name), all)) { first, _ in first }
    for begin in graph.order.indices {
      let part = try graph.part(Array(graph.order[begin..<min(begin + 3, graph.order.count)]))
      let given = try part.inputs.map { port in port.name == "x" ? Self.inputs[0] : try #require(known[port.name]) }
      let results = try GraphEvaluator.run(part, given)
      for (port, result) in zip(part.outputs, results) {
        let name = part.values[port.value].name
        #expect(!TensorDifference(try #require(known[name]), result).exceeds(1e-6), "\(name)")
      }
    }
  }

  @Test func reducesToTheNodeThatFails() throws {
    let graph = try Self.graph()
    func failing(_ graph: Graph) -> Bool {
      graph.order.contains { (graph.nodes[$0].op as? Unary)?.kind == .relu }
    }
    let reducer = try GraphReducer(graph, fails: failing)
    #expect(reducer.graph.order.count == 1 && failing(reducer.graph))
    #expect(reducer.graph.inputs.count == 1 && reducer.graph.outputs.count == 1)
    #expect(GraphVerifier.problems(of: reducer.graph).isEmpty)
    // Two nodes that only fail together.
    let pair = try GraphReducer(graph) { part in
      failing(part) && part.order.contains { part.nodes[$0].op is SinterOps.Softmax }
    }
    #expect(pair.graph.order.count == 2)
    // Sizes stay symbols.
    let open = try trace(Net(), .f32("n", 6, name: "x")).initialized(seed: 2).graph
    let part = try GraphReducer(open, fails: failing).graph
    #expect(part.inputs.map { "\(part.type(of: $0))" } == ["f32[n, 8]"])
  }

  @Test func sizesFromDataKeepNamesOfTheirOwn() throws {
    var builder = GraphBuilder(name: "g")
    let x = builder.input(Fact(.f32, ["$n4.10.0"]), named: "x")
    let y = builder.input(Fact(.f32, ["$n41.0.0"]), named: "y")
    for (value, name) in [(x, "a"), (y, "b")] {
      builder.output(try builder.add1(Unary(.relu), [value]), named: name)
    }
    let part = try builder.graph.part(builder.graph.order)
    #expect(part.inputs.map { "\(part.type(of: $0))" } == ["f32[d_n4_10_0]", "f32[d_n41_0_0]"])
  }

  // MARK: Text with weights

  @Test func textFormsWithWeightsComeBack() throws {
    let graph = try Self.graph()
    let texts = HostTensor(strings: (0..<40).map { "word \($0) é" }, shape: [40])
    let narrow = HostTensor(.i4, [5, 9], integers: (0..<45).map { Int64($0 % 16) - 8 })
    var builder = GraphBuilder(graph)
    builder.output(builder.constant(texts, named: "texts"), named: "texts")
    builder.output(builder.constant(narrow, named: "narrow"), named: "narrow")
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      do {
        let path = "\(folder)/net.sinter"
        try GraphTextFile.write(builder.graph, to: path)
        let back = try GraphTextFile.read(path)
        // The text has the numbers of a compact graph.
        var compact = builder.graph
        compact.compact()
        var again = back
        again.compact()
        #expect(again.description == compact.description)
        let (was, now) = (
          try GraphEvaluator.run(builder.graph, Self.inputs), try GraphEvaluator.run(back, Self.inputs)
        )
        for (a, b) in zip(was, now) { #expect(a.hasSameContents(as: b)) }
        // Without the weights, the text says what is missing.
        let weights = GraphTextFile.weightsPath(of: path)
        Files.remove(weights)
        #expect { try GraphTextFile.read(path) } throws: { "\($0)".contains("there is no \(weights)") }
        // Nothing large, no second file.
        let small = try graph.part([graph.order[graph.order.count - 1]])
        try GraphTextFile.write(small, to: "\(folder)/small.sinter")
        #expect(!Files.exists(GraphTextFile.weightsPath(of: "\(folder)/small.sinter")))
        #expect(try GraphTextFile.read("\(folder)/small.sinter").description == small.description)
      } catch { throw (error as? DiagnosticError) ?? DiagnosticError(.bug, "test", "\(error)") }
    }
  }

  @Test func weightsThatDoNotFitTheirNamesAreRefused() throws {
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      do {
        let path = "\(folder)/net.sinter"
        try BoundModel(graph: try Self.graph()).saveText(path)
        let weights = GraphTextFile.weightsPath(of: path)
        let store = try ParameterStore(reading: weights)
        var changed = ParameterStore()
        for name in store.names {
          let tensor = try #require(store[name])
          changed[name] = HostTensor(
            tensor.element, tensor.shape, doubles: [Double](repeating: 1, count: tensor.count))
        }
        try changed.save(weights)
        #expect { try BoundModel(readingText: path) } throws: {
          "\($0)".contains("\(weights) is damaged: the contents of #")
        }
      } catch { throw (error as? DiagnosticError) ?? DiagnosticError(.bug, "test", "\(error)") }
    }
  }
}
