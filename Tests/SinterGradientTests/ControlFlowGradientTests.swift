import Foundation
import Sinter
import SinterCore
import SinterGradient
import SinterIR
import SinterOps
import TestSupport
import Testing

/// Gradients through Scan, Loop and If, against central differences in f64 and, compiled, against the interpreter.
@Suite struct ControlFlowGradientTests {
  /// A graph of inputs in f64, all of which are varied.
  struct Program {
    var builder = GraphBuilder(name: "program")
    var tensors: [HostTensor] = []
    var varied: [GradientCheck.Varied] = []
    var sizes: [Symbol: Int] = [:]
    private var generator = SeededGenerator(seed: 3)

    mutating func input(_ shape: [Dim], _ name: String, in range: ClosedRange<Double> = -1...1) throws -> ValueID {
      let value = builder.input(Fact(.f64, shape), named: name)
      varied.append(.init(name: name, place: tensors.count, value: value))
      let sizes = try shape.map { try #require($0.evaluated { self.sizes[$0] }) }
      tensors.append(HostTensor.uniform(.f64, sizes, in: range, &generator))
      return value
    }

    mutating func given(_ tensor: HostTensor, _ name: String) -> ValueID {
      tensors.append(tensor)
      return builder.input(Fact(.tensor(tensor.type)), named: name)
    }

    func check(_ results: [ValueID], _ what: String) throws {
      let check = try #require(try GradientCheck(builder, results, tensors, varied: varied, sizes: sizes))
      try check.expectAgreement(what)
      try ControlFlowGradientTests.expectCompiled(check, sizes, what)
    }
  }

  /// A compiled library gives the gradients that the interpreter gives.
  static func expectCompiled(
    _ check: GradientCheck, _ sizes: [Symbol: Int], _ what: String, within tolerance: Double = 1e-12
  ) throws {
    let path = FileManager.default.temporaryDirectory.path + "/control-\(UUID().uuidString).so"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let expected = try GraphEvaluator.run(check.backward, check.inputs, symbols: sizes)
    let session = try BoundModel(graph: check.backward).compile(to: path).library.session(threads: 1)
    for (given, expected) in zip(try session.run(check.inputs), expected) {
      #expect(given.distance(to: expected) <= tolerance, "\(what), compiled")
    }
  }

  static func body(_ name: String, _ build: (inout GraphBuilder) throws -> [ValueID]) rethrows -> Graph {
    var builder = GraphBuilder(name: name)
    for (index, value) in try build(&builder).enumerated() { builder.output(value, named: "result\(index)") }
    return builder.graph
  }

  /// h' = tanh(h·W + x) ⊙ p, collected with h' ⊙ h: a product of weights, a factor that all iterations share, a slice and a state.
  static func cell(_ n: Dim, _ k: Dim) throws -> Graph {
    try body("cell") { b in
      let h = b.input(Fact(.f64, [n, k]), named: "h"), x = b.input(Fact(.f64, [n, k]), named: "x")
      let w = b.input(Fact(.f64, [k, k]), named: "w"), p = b.input(Fact(.f64, [k]), named: "p")
      let sum = try b.add1(Binary(.add), [try b.add1(MatMul(), [h, w]), x])
      let next = try b.add1(Binary(.multiply), [try b.add1(Unary(.tanh), [sum]), p])
      return [next, try b.add1(Binary(.multiply), [next, h])]
    }
  }

  @Test(arguments: [false, true], [0, 1, 3])
  func scan(_ isReversed: Bool, _ steps: Int) throws {
    var program = Program()
    program.sizes = [Symbol("t"): steps, Symbol("n"): 2]
    let h = try program.input(["n", 3], "h"), x = try program.input(["n", "t", 3], "x")
    let w = try program.input([3, 3], "w"), p = try program.input([3], "p")
    var scan = Scan()
    (scan.stateCount, scan.slicedCount, scan.inputAxes, scan.outputAxes) = (1, 1, [1], [-1])
    if isReversed { (scan.inputDirections, scan.outputDirections) = ([1], [1]) }
    let results = try program.builder.add(scan, [h, x, w, p], outputs: 2, bodies: [try Self.cell("n", 3)])
    try program.check(results, "all results")
    // What has no gradient, and what none is asked for, takes nothing.
    try program.check([results[0]], "the last state")
    if steps > 0 { try program.check([results[1]], "what was collected") }
    program.varied.removeAll { $0.name != "p" }
    try program.check(results, "in p alone")
  }

  /// The slices go into a product of their own, in another direction than they lie, and the same weights serve twice.
  @Test func productsOfSlices() throws {
    var program = Program()
    let h = try program.input([2, 3], "h"), x = try program.input([4, 2, 3], "x"), w = try program.input([3, 3], "w")
    var scan = Scan()
    (scan.stateCount, scan.slicedCount, scan.inputDirections) = (1, 2, [0, 1])
    let cell = try Self.body("cell") { b in
      let h = b.input(Fact(.f64, [2, 3]), named: "h"), x = b.input(Fact(.f64, [2, 3]), named: "x")
      let y = b.input(Fact(.f64, [2, 3]), named: "y"), w = b.input(Fact(.f64, [3, 3]), named: "w")
      var gemm = Gemm()
      gemm.alpha = 0.5
      gemm.transB = true
      let a = try b.add1(MatMul(), [try b.add1(Binary(.multiply), [h, x]), w])
      return [try b.add1(Unary(.sin), [try b.add1(Binary(.add), [a, try b.add1(Gemm(), [y, w])])])]
    }
    let results = try program.builder.add(scan, [h, x, x, w], outputs: 1, bodies: [cell])
    try program.check(results, "products")
  }

  @Test func scanOfScans() throws {
    var program = Program()
    let h = try program.input([2], "h"), x = try program.input([3, 4, 2], "x"), w = try program.input([2], "w")
    let inner = try Self.body("inner") { b in
      let h = b.input(Fact(.f64, [2]), named: "h"), x = b.input(Fact(.f64, [2]), named: "x")
      let w = b.input(Fact(.f64, [2]), named: "w")
      let sum = try b.add1(Binary(.add), [try b.add1(Binary(.multiply), [h, w]), x])
      return [try b.add1(Unary(.sin), [sum])]
    }
    var scan = Scan()
    (scan.stateCount, scan.slicedCount) = (1, 1)
    let outer = try Self.body("outer") { b in
      let h = b.input(Fact(.f64, [2]), named: "h"), x = b.input(Fact(.f64, [4, 2]), named: "x")
      let w = b.input(Fact(.f64, [2]), named: "w")
      let last = try b.add(scan, [h, x, w], outputs: 1, bodies: [inner])[0]
      return [try b.add1(Binary(.multiply), [last, w]), last]
    }
    let results = try program.builder.add(scan, [h, x, w], outputs: 2, bodies: [outer])
    try program.check(results, "scan of scans")
  }

  /// x ← sin(x · w), as often as a number says or until the sum falls below a bound; the squares are collected.
  @Test(arguments: [0, 1, 3])
  func loop(_ iterations: Int) throws {
    for (isCounted, isEndedByCondition) in [(true, false), (false, true), (true, true)] {
      var program = Program()
      let x = try program.input([3], "x", in: 1...1.4), w = try program.input([3], "w", in: 0.4...0.6)
      let count = program.given(HostTensor(.i64, [], values: [Int64(iterations)]), "count")
      let bound = program.given(
        HostTensor(.f64, [], values: [iterations == 0 ? 9.0 : iterations == 1 ? 1.9 : 0.4]), "bound")
      let body = try Self.body("iteration") { b in
        _ = b.input(Fact(.i64, []), named: "number")
        let condition = b.input(Fact(.bool, []), named: "condition")
        let x = b.input(Fact(.f64, [3]), named: "x"), w = b.input(Fact(.f64, [3]), named: "w")
        let bound = b.input(Fact(.f64, []), named: "bound")
        let next = try b.add1(Unary(.sin), [try b.add1(Binary(.multiply), [x, w])])
        let sum = try b.add1(Reduce(.sum, keepsAxes: false), [next])
        let goesOn = try b.add1(Compare(.greater), [sum, bound])
        return [
          isEndedByCondition ? goesOn : condition, next, try b.add1(Binary(.multiply), [next, next]),
        ]
      }
      var loop = Loop()
      loop.carriedCount = 1
      let start = try program.builder.add1(
        Compare(.greater), [try program.builder.add1(Reduce(.sum, keepsAxes: false), [x]), bound])
      let results = try program.builder.add(
        loop, [isCounted ? count : nil, isEndedByCondition ? start : nil, x, w, bound], outputs: 2, bodies: [body])
      try program.check(results, "counted: \(isCounted), by condition: \(isEndedByCondition)")
    }
  }

  @Test(arguments: [true, false])
  func branches(_ condition: Bool) throws {
    var program = Program()
    let x = try program.input([2, 3], "x"), y = try program.input([3], "y")
    let c = program.given(HostTensor(.bool, [], values: [condition]), "c")
    let yes = try Self.body("yes") { b in
      let x = b.input(Fact(.f64, [2, 3]), named: "x"), y = b.input(Fact(.f64, [3]), named: "y")
      return [try b.add1(Unary(.sin), [try b.add1(Binary(.multiply), [x, y])]), y]
    }
    let no = try Self.body("no") { b in
      let x = b.input(Fact(.f64, [2, 3]), named: "x")
      // Another size than in the other branch.
      let twice = try b.add1(Concat(axis: 0), [x, try b.add1(Unary(.exp), [x])])
      return [twice, try b.add1(Reduce(.sum, keepsAxes: false), [x, b.constant(.i64([1], [0]))])]
    }
    let results = try program.builder.add(If(), [c, x, y, x], outputs: 2, bodies: [yes, no])
    let sum = try program.builder.add1(Reduce(.sum, keepsAxes: false), [results[0]])
    try program.check([sum, results[1]], "branches")
  }

  /// A branch in a loop: odd iterations and even ones differ.
  @Test func branchInLoop() throws {
    var program = Program()
    let x = try program.input([3], "x"), w = try program.input([3], "w")
    let even = try Self.body("even") { b in
      let x = b.input(Fact(.f64, [3]), named: "x"), w = b.input(Fact(.f64, [3]), named: "w")
      return [try b.add1(Binary(.multiply), [x, w])]
    }
    let odd = try Self.body("odd") { b in
      [try b.add1(Unary(.sin), [b.input(Fact(.f64, [3]), named: "x")])]
    }
    let body = try Self.body("iteration") { b in
      let number = b.input(Fact(.i64, []), named: "number"), condition = b.input(Fact(.bool, []), named: "condition")
      let x = b.input(Fact(.f64, [3]), named: "x"), w = b.input(Fact(.f64, [3]), named: "w")
      let rest = try b.add1(Binary(.modulo), [number, b.constant(.i64([], [2]))])
      let isEven = try b.add1(Compare(.equal), [rest, b.constant(.i64([], [0]))])
      return [condition, try b.add(If(), [isEven, x, w, x], outputs: 1, bodies: [even, odd])[0]]
    }
    var loop = Loop()
    loop.carriedCount = 1
    let count = program.given(HostTensor(.i64, [], values: [Int64(3)]), "count")
    let results = try program.builder.add(loop, [count, nil, x, w], outputs: 1, bodies: [body])
    try program.check(results, "a branch in a loop")
  }

  /// A loop whose iterations branch to a scan, which reads what the loop captures, and to a loop of its own.
  @Test func scanAndLoopInBranchInLoop() throws {
    var program = Program()
    let h = try program.input([2, 3], "h"), x = try program.input([3, 2, 3], "x")
    let w = try program.input([3, 3], "w"), p = try program.input([3], "p")
    let scanned = try Self.body("scanned") { b in
      let h = b.input(Fact(.f64, [2, 3]), named: "h"), x = b.input(Fact(.f64, [3, 2, 3]), named: "x")
      let w = b.input(Fact(.f64, [3, 3]), named: "w"), p = b.input(Fact(.f64, [3]), named: "p")
      var scan = Scan()
      (scan.stateCount, scan.slicedCount) = (1, 1)
      return [try b.add(scan, [h, x, w, p], outputs: 1, bodies: [try Self.cell(2, 3)])[0]]
    }
    let iterations = try Self.body("iterations") { b in
      let h = b.input(Fact(.f64, [2, 3]), named: "h"), p = b.input(Fact(.f64, [3]), named: "p")
      let iteration = try Self.body("iteration") { b in
        _ = b.input(Fact(.i64, []), named: "number")
        let condition = b.input(Fact(.bool, []), named: "condition")
        let h = b.input(Fact(.f64, [2, 3]), named: "h"), p = b.input(Fact(.f64, [3]), named: "p")
        return [condition, try b.add1(Unary(.sin), [try b.add1(Binary(.multiply), [h, p])])]
      }
      var loop = Loop()
      loop.carriedCount = 1
      let count = b.constant(.i64([], [2]))
      return [try b.add(loop, [count, nil, h, p], outputs: 1, bodies: [iteration])[0]]
    }
    let outer = try Self.body("outer") { b in
      let number = b.input(Fact(.i64, []), named: "number"), condition = b.input(Fact(.bool, []), named: "condition")
      let h = b.input(Fact(.f64, [2, 3]), named: "h"), x = b.input(Fact(.f64, [3, 2, 3]), named: "x")
      let w = b.input(Fact(.f64, [3, 3]), named: "w"), p = b.input(Fact(.f64, [3]), named: "p")
      let isFirst = try b.add1(Compare(.equal), [number, b.constant(.i64([], [0]))])
      return [
        condition, try b.add(If(), [isFirst, h, x, w, p, h, p], outputs: 1, bodies: [scanned, iterations])[0],
      ]
    }
    var loop = Loop()
    loop.carriedCount = 1
    let count = program.given(HostTensor(.i64, [], values: [Int64(3)]), "count")
    let results = try program.builder.add(loop, [count, nil, h, x, w, p], outputs: 1, bodies: [outer])
    try program.check(results, "a scan and a loop in a branch in a loop")
  }

  /// The gradient's gradient goes through the backward scan and what it reads.
  @Test func secondDerivatives() throws {
    var program = Program()
    let h = try program.input([2, 3], "h"), x = try program.input([3, 2, 3], "x")
    let w = try program.input([3, 3], "w"), p = try program.input([3], "p")
    var scan = Scan()
    (scan.stateCount, scan.slicedCount) = (1, 1)
    let results = try program.builder.add(scan, [h, x, w, p], outputs: 2, bodies: [try Self.cell(2, 3)])
    let sum = try program.builder.add1(Reduce(.sum, keepsAxes: false), [results[1]])
    let first = try program.builder.gradients(of: sum, withRespectTo: [x, w])
    try program.check(first, "second derivatives")
  }

  /// A step is there once, however many there are.
  @Test func codeDoesNotGrowWithTheLength() throws {
    func nodes(_ steps: Dim) throws -> Int {
      var builder = GraphBuilder(name: "lengths")
      let x = builder.input(Fact(.f32, [steps, 2, 3]), named: "x")
      let w = builder.input(Fact(.f32, [1, 16, 3]), named: "w"), r = builder.input(Fact(.f32, [1, 16, 4]), named: "r")
      let y = try builder.add1(LSTM(), [x, w, r])
      let sum = try builder.add1(Reduce(.sum, keepsAxes: false), [y])
      let gradients = try builder.gradients(of: sum, withRespectTo: [w, r])
      let graph = builder.graphWithOutputs(gradients)
      func count(_ graph: Graph) -> Int {
        graph.order.reduce(0) { $0 + 1 + graph.nodes[$1].bodies.reduce(0) { $0 + count($1) } }
      }
      return count(graph)
    }
    #expect(try nodes(3) == nodes(300))
    #expect(try nodes("t") <= nodes(3) + 4)
  }

  @Test func carriedSizesThatChangeAreRefused() throws {
    var builder = GraphBuilder(name: "growing")
    let x = builder.input(Fact(.f64, [2]), named: "x"), count = builder.input(Fact(.i64, []), named: "count")
    let size = builder.freshSize()
    let body = try Self.body("iteration") { b in
      _ = b.input(Fact(.i64, []), named: "number")
      let condition = b.input(Fact(.bool, []), named: "condition")
      let x = b.input(Fact(.f64, [size]), named: "x")
      return [condition, try b.add1(Concat(axis: 0), [x, x])]
    }
    var loop = Loop()
    loop.carriedCount = 1
    let result = try builder.add(loop, [count, nil, x], outputs: 1, bodies: [body])[0]
    let sum = try builder.add1(Reduce(.sum, keepsAxes: false), [result])
    let error = #expect(throws: DiagnosticError.self) { try builder.gradients(of: sum, withRespectTo: [x]) }
    #expect(error?.diagnostics.first?.message.contains("changes its size from iteration to iteration") == true)
  }
}

/// Recurrences compiled, and at sizes where nothing is left to do.
@Suite struct RecurrenceGradientTests {
  /// All directions, activations, lengths and layouts that the operators' examples have.
  @Test(arguments: [LSTM.self, GRU.self, RNN.self] as [any Operator.Type])
  func compiled(_ type: any Operator.Type) throws {
    for (index, example) in type.examples.enumerated() {
      let check = try #require(try GradientCheck(example))
      try ControlFlowGradientTests.expectCompiled(check, example.sizes, "\(type.name), example \(index)")
    }
  }

  @Test(arguments: [0, 1, 2], [0, 1, 2])
  func emptyAndSmall(_ steps: Int, _ batch: Int) throws {
    var program = ControlFlowGradientTests.Program()
    program.sizes = [Symbol("t"): steps, Symbol("n"): batch]
    let x = try program.input(["t", "n", 3], "x"), w = try program.input([1, 8, 3], "w")
    let r = try program.input([1, 8, 2], "r"), b = try program.input([1, 16], "b")
    let h = try program.input([1, "n", 2], "h"), c = try program.input([1, "n", 2], "c")
    let results = try program.builder.add(LSTM(), [x, w, r, b, nil, h, c], outputs: 3)
    if batch == 0 {
      // A sum of nothing: all gradients are zero.
      let sum = try program.builder.add1(Reduce(.sum, keepsAxes: false), [results[1]])
      let gradients = try program.builder.gradients(of: sum, withRespectTo: [w, r, b])
      let graph = program.builder.graphWithOutputs(gradients)
      for gradient in try GraphEvaluator.run(graph, program.tensors, symbols: program.sizes) {
        #expect(gradient.doubles?.allSatisfy { $0 == 0 } == true)
      }
    } else {
      try program.check(results, "\(steps) steps of \(batch)")
    }
  }
}
