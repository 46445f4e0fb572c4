import SinterCore
import SinterForms
import SinterIR
import SinterOps
import SinterPasses
import TestSupport
import Testing

/// Attention as exporters spell it.
@Suite struct RecognizeAttentionTests {
  /// Writes the parts of attention.
  struct Speller {
    var builder = GraphBuilder(name: "attention")
    let heads: [Dim] = ["n", 3]
    let queries: Dim
    let keys: Dim
    var shape: [Dim] { heads + [queries, keys] }

    init(queries: Dim = 5, keys: Dim = 5) {
      self.queries = queries
      self.keys = keys
    }

    mutating func input(_ name: String, _ shape: [Dim], _ element: ElementType = .f32) -> ValueID {
      builder.input(Fact(element, shape), named: name)
    }
    mutating func query() -> ValueID { input("q", heads + [queries, 8]) }
    mutating func key() -> ValueID { input("k", heads + [keys, 8]) }
    mutating func value() -> ValueID { input("v", heads + [keys, 6]) }
    func number(_ value: Float) -> HostTensor { .f32([], [value]) }
    mutating func scaled(_ x: ValueID, _ factor: Float) throws -> ValueID {
      try builder.add1(Binary(.multiply), [x, builder.constant(number(factor))])
    }
    mutating func transposed(_ x: ValueID) throws -> ValueID { try builder.add1(Transpose([0, 1, 3, 2]), [x]) }
    mutating func product(_ a: ValueID, _ b: ValueID) throws -> ValueID { try builder.add1(MatMul(), [a, b]) }
    mutating func add(_ a: ValueID, _ b: ValueID) throws -> ValueID { try builder.add1(Binary(.add), [a, b]) }
    mutating func softmax(_ x: ValueID) throws -> ValueID { try builder.add1(Softmax(.soft), [x]) }
    mutating func choose(_ condition: ValueID, _ x: ValueID, else fill: Float) throws -> ValueID {
      try builder.add1(Where(), [condition, x, builder.constant(number(fill))])
    }
    /// q · kᵀ
    mutating func scores() throws -> ValueID { try product(query(), try transposed(key())) }
    mutating func attended(_ scores: ValueID) throws -> ValueID { try product(try softmax(scores), value()) }

    /// Minus infinity above the diagonal.
    func causal(_ rows: Int, _ columns: Int, _ fill: Float = -.infinity) -> HostTensor {
      .f32([rows, columns], (0..<(rows * columns)).map { $0 % columns <= $0 / columns ? 0 : fill })
    }
    func isSeen(_ rows: Int, _ columns: Int) -> HostTensor {
      HostTensor(
        .bool, [1, 1, rows, columns], doubles: (0..<(rows * columns)).map { $0 % columns <= $0 / columns ? 1 : 0 })
    }
  }

  struct Spelling: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var isCausal = false
    var hasMask = false
    var keys: Dim = 5
    /// The operators that are left.
    var operators = ["Attention"]
    var write: @Sendable (inout Speller) throws -> ValueID
  }

  static let spellings: [Spelling] = [
    Spelling(testDescription: "without scale", operators: ["Attention"]) { s in try s.attended(try s.scores()) },
    Spelling(testDescription: "divided by the root of the size") { s in
      let root = s.builder.constant(s.number(Float(8).squareRoot()))
      return try s.attended(try s.builder.add1(Binary(.divide), [try s.scores(), root]))
    },
    Spelling(testDescription: "torch: both sides by the fourth root, guarded", hasMask: true) { s in
      let q = try s.scaled(s.query(), 0.59)
      let k = try s.scaled(try s.transposed(s.key()), 0.59)
      let mask = s.input("mask", ["n", 1, 5, 5])
      let weights = try s.softmax(try s.add(try s.product(q, k), mask))
      let isBroken = try s.builder.add1(IsNaN(), [weights])
      let guarded = try s.builder.add1(Where(), [isBroken, s.builder.constant(s.number(0)), weights])
      return try s.product(guarded, s.value())
    },
    Spelling(testDescription: "BERT: scaled, then a mask of keys", hasMask: true, keys: 7) { s in
      let mask = s.input("mask", ["n", 1, 1, 7])
      return try s.attended(try s.add(mask, try s.scaled(try s.scores(), 0.25)))
    },
    Spelling(testDescription: "GPT-2: a constant triangle that is added", isCausal: true) { s in
      try s.attended(try s.add(try s.scaled(try s.scores(), 0.25), s.builder.constant(s.causal(5, 5))))
    },
    Spelling(testDescription: "a triangle of the lowest number", isCausal: true) { s in
      try s.attended(try s.add(try s.scores(), s.builder.constant(s.causal(5, 5, -.greatestFiniteMagnitude))))
    },
    Spelling(testDescription: "a constant triangle that chooses", isCausal: true) { s in
      let condition = s.builder.constant(s.isSeen(5, 5))
      return try s.attended(try s.choose(condition, try s.scaled(try s.scores(), 0.25), else: -3.4e38))
    },
    Spelling(testDescription: "a condition and a mask", hasMask: true, operators: ["Where", "Attention"]) { s in
      let condition = s.input("condition", [5, 5], .bool)
      let mask = s.input("mask", ["n", 1, 1, 5])
      return try s.attended(try s.add(try s.choose(condition, try s.scores(), else: -3.4e38), mask))
    },
    Spelling(testDescription: "a key that lies transposed", operators: ["Transpose", "Attention"]) { s in
      let k = s.input("k", s.heads + [8, 5])
      return try s.attended(try s.product(s.query(), k))
    },
    Spelling(testDescription: "a transpose of places and heads", operators: ["Transpose", "Attention"]) { s in
      let k = s.input("k", ["n", 5, 3, 8])
      return try s.attended(try s.product(s.query(), try s.builder.add1(Transpose([0, 2, 3, 1]), [k])))
    },
  ]

  @Test(arguments: spellings) func findsTheOperator(_ spelling: Spelling) throws {
    var speller = Speller(keys: spelling.keys)
    speller.builder.output(try spelling.write(&speller), named: "y")
    let graph = try expectSameMeaning(
      speller.builder.graph, after: [.recognize, .constantFolding, .deadCode], sizes: [Symbol("n"): 2])
    let found = graph.order.map { graph.nodes[$0] }.first { $0.op is Attention }
    let attention = try #require(found?.op as? Attention, "\(graph)")
    #expect(attention.isCausal == spelling.isCausal, "\(graph)")
    #expect((found?.inputs.count == 4) == spelling.hasMask, "\(graph)")
    if !spelling.operators.contains("Where") {
      #expect(graph.operatorNames.sorted() == spelling.operators.sorted(), "\(graph)")
    }
  }

  /// Heads alone, as in batched products of three axes.
  @Test func findsAttentionWithoutBatch() throws {
    var s = Speller()
    let q = s.input("q", ["h", 5, 8])
    let k = s.input("k", ["h", 5, 8])
    let v = s.input("v", ["h", 5, 8])
    let scores = try s.product(q, try s.builder.add1(Transpose([0, 2, 1]), [k]))
    let mask = s.input("mask", ["h", 5, 5])
    s.builder.output(try s.product(try s.softmax(try s.add(scores, mask)), v), named: "y")
    let graph = try expectSameMeaning(s.builder.graph, after: [.recognize, .deadCode], sizes: [Symbol("h"): 3])
    #expect(graph.operatorNames.contains("Attention"), "\(graph)")
  }

  /// What looks alike and is not.
  @Test(arguments: ["another axis", "scores seen", "scaled mask", "short mask", "reachable fill"])
  func leavesOthersAlone(_ kind: String) throws {
    var s = Speller()
    let scores = try s.scores()
    var weights: ValueID
    switch kind {
    case "another axis": weights = try s.builder.add1(Softmax(.soft, axis: 2), [scores])
    case "scores seen":
      s.builder.output(scores, named: "scores")
      weights = try s.softmax(scores)
    case "scaled mask": weights = try s.softmax(try s.scaled(try s.add(scores, s.input("mask", [5, 5])), 0.5))
    case "short mask": weights = try s.softmax(try s.add(scores, s.input("mask", [5, 1])))
    default: weights = try s.softmax(try s.choose(s.input("condition", [5, 5], .bool), scores, else: -5))
    }
    s.builder.output(try s.product(weights, s.value()), named: "y")
    let graph = try expectSameMeaning(s.builder.graph, after: [.recognize, .deadCode], sizes: [Symbol("n"): 2])
    #expect(!graph.operatorNames.contains("Attention"), "\(graph)")
  }

  /// Heads without numbers weigh all values alike; no kernel of attention is made for them.
  @Test func headsWithoutNumbersStayProducts() throws {
    #expect(!AttendForm.fits([0]) && AttendForm.fits([1]) && AttendForm.fits([Dim(AttendForm.sizeLimit)]))
    var s = Speller()
    let q = s.input("q", [1, 3, 5, 0]), k = s.input("k", [1, 3, 5, 0]), v = s.input("v", [1, 3, 5, 6])
    let weights = try s.softmax(try s.product(q, try s.transposed(k)))
    s.builder.output(try s.product(weights, v), named: "y")
    _ = try expectSameMeaning(s.builder.graph, after: Pipelines.optimize)
  }
}
