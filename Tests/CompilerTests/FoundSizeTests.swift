import Sinter
import SinterCore
import SinterIR
import SinterLLVM
import SinterOps
import TestSupport
import Testing

/// Faults that random graphs at random sizes have found, each in the smallest graph that shows it.
@Suite struct FoundSizeTests {
  private func expectAgreement(_ graph: Graph, _ inputs: [HostTensor], refuses: Bool = false) throws {
    let meant = Outcome { try GraphEvaluator.run(graph, inputs) }
    if case .error = meant { #expect(refuses, "\(meant)") } else { #expect(!refuses) }
    for guarding in MemoryGuard.allCases {
      let given = Outcome { try KernelRunner(SizeCheck.kernels(of: graph)).run(inputs, guarding: guarding) }
      #expect(given.problem(against: meant, tolerance: 1e-5) == nil, "\(graph)")
    }
  }

  private func numbers(_ shape: Int...) -> HostTensor { .f32(shape, (0..<shape.reduce(1, *)).map { Float($0) }) }

  /// A graph that repeats a matrix [a, b] along its columns.
  private func repeated(_ name: String, _ count: Int) throws -> Graph {
    var inner = GraphBuilder(name: name)
    let x = inner.input(Fact(.f32, ["a", "b"]), named: "x")
    inner.output(try inner.add1(Concat(axis: 1), Array(repeating: x, count: count)), named: "y")
    return inner.graph
  }

  /// Places that are a size to the third power apart.
  @Test func aSizeMayStandInAPlaceSeveralTimes() throws {
    var builder = GraphBuilder(name: "powers")
    let x = builder.input(Fact(.f32, ["a", "a", "a", "a"]), named: "x")
    let three = try builder.add1(Concat(axis: 0), [x, x, x])
    builder.output(try builder.add1(try Flatten(attributeValues: ["axis": .int(-1)]), [three]), named: "y")
    for a in 0...4 { try expectAgreement(builder.graph, [numbers(a, a, a, a)]) }
  }

  /// A size that only the branch tells must be the one that a product needs.
  @Test func sizesOfBranchesAreChecked() throws {
    func branch(_ name: String, _ count: Int) throws -> Graph {
      var inner = GraphBuilder(name: name)
      let x = inner.input(Fact(.f32, ["n", 2]), named: "x")
      inner.output(try inner.add1(Concat(axis: 0), Array(repeating: x, count: count)), named: "y")
      return inner.graph
    }
    var builder = GraphBuilder(name: "branches")
    let condition = builder.input(Fact(.bool, []), named: "condition")
    let x = builder.input(Fact(.f32, ["n", 2]), named: "x")
    let y = builder.input(Fact(.f32, [3, "m"]), named: "y")
    let rows = try builder.add(If(), [condition, x, x], bodies: [try branch("then", 1), try branch("else", 2)])[0]
    builder.output(try builder.add1(MatMul(), [y, rows]), named: "z")
    for (isTaken, m, refuses) in [(1, 4, false), (0, 4, true), (1, 8, true), (0, 8, false)] {
      let inputs = [HostTensor(.bool, [], values: [UInt8(isTaken)]), numbers(4, 2), numbers(3, m)]
      try expectAgreement(builder.graph, inputs, refuses: refuses)
    }
  }

  /// What an iteration collects is as large as what it was given, not as what it leaves.
  @Test func whatGrowsIsCollectedAsItWas() throws {
    var builder = GraphBuilder(name: "growth")
    let count = builder.input(Fact(.i64, []), named: "count")
    let x = builder.input(Fact(.f32, ["n"]), named: "x")
    var body = GraphBuilder(name: "iteration")
    _ = body.input(Fact(.i64, []), named: "iteration")
    let condition = body.input(Fact(.bool, []), named: "condition")
    let carried = body.input(Fact(.f32, [builder.freshSize()]), named: "x")
    body.output(condition, named: "goes on")
    body.output(try body.add1(Concat(axis: 0), [carried, carried]), named: "next")
    body.output(carried, named: "collected")
    var op = Loop()
    op.carriedCount = 1
    let results = try builder.add(op, [count, nil, x], outputs: 2, bodies: [body.graph])
    for (index, result) in results.enumerated() { builder.output(result, named: "y\(index)") }
    try expectAgreement(builder.graph, [.i64([], [0]), numbers(3)])
    try expectAgreement(builder.graph, [.i64([], [1]), numbers(3)])
    try expectAgreement(builder.graph, [.i64([], [2]), numbers(3)], refuses: true)
  }

  /// Numbers of elements tell nothing of a size beside one that is zero.
  @Test func aSizeBesideNoneStaysAsTold() throws {
    var builder = GraphBuilder(name: "beside")
    let x = builder.input(Fact(.f32, ["a"]), named: "x")
    let y = builder.input(Fact(.f32, ["a", "b"]), named: "y")
    let shape = try builder.add1(Shape(), [y])
    builder.output(try builder.add1(Reshape(), [x, shape]), named: "z")
    try expectAgreement(builder.graph, [numbers(0), numbers(0, 6)])
    try expectAgreement(builder.graph, [numbers(3), numbers(3, 1)])
    try expectAgreement(builder.graph, [numbers(3), numbers(3, 2)], refuses: true)
  }

  /// A product in a loop whose weights are cut out of a constant at a place that the iteration computes: the panels of each iteration are its own.
  @Test func panelsFollowWhatATurnCutsOut() throws {
    var builder = GraphBuilder(name: "cut")
    let x = builder.input(Fact(.f32, [48, 16]), named: "x")
    let weights = builder.input(Fact(.f32, [3, 16, 16]), named: "weights")
    var body = GraphBuilder(name: "iteration")
    let iteration = body.input(Fact(.i64, []), named: "iteration")
    let goesOn = body.input(Fact(.bool, []), named: "condition")
    let carried = body.input(Fact(.f32, [48, 16]), named: "x")
    let captured = body.input(Fact(.f32, [3, 16, 16]), named: "weights")
    let (one, zero) = (body.constant(.i64([1], [1])), body.constant(.i64([1], [0])))
    let begin = try body.add1(Reshape(), [iteration, one])
    let end = try body.add1(Binary(.add), [begin, one])
    let cut = try body.add1(Squeeze(), [try body.add1(Slice(), [captured, begin, end, zero]), zero])
    let product = try body.add1(MatMul(), [carried, try body.add1(Transpose([1, 0]), [cut])])
    body.output(goesOn, named: "goes on")
    body.output(product, named: "next")
    var loop = Loop()
    loop.carriedCount = 1
    let count = builder.constant(.i64([], [3]))
    builder.output(try builder.add(loop, [count, nil, x, weights], bodies: [body.graph])[0], named: "y")
    func waves(_ shape: [Int]) -> HostTensor {
      .f32(shape, (0..<shape.reduce(1, *)).map { Float($0 * 37 % 101) / 101 - 0.5 })
    }
    try expectAgreement(builder.graph, [waves([48, 16]), waves([3, 16, 16])])
  }

  /// A size that is told to be zero keeps the input's, also where it becomes known later that the input has no elements.
  @Test func sizesAreKeptOfWhatIsEmpty() throws {
    var builder = GraphBuilder(name: "kept")
    let x = builder.input(Fact(.f32, ["a", "b", "c"]), named: "x")
    let y = builder.input(Fact(.f32, ["c", "c"]), named: "y")
    let left = builder.input(Fact(.f32, [2, "b"]), named: "left")
    let right = builder.input(Fact(.f32, [0, 3]), named: "right")
    let shape = try builder.add1(Shape(), [y])
    builder.output(try builder.add1(Reshape(), [x, shape]), named: "z")
    builder.output(try builder.add1(MatMul(), [left, right]), named: "product")
    func inputs(_ a: Int, _ b: Int, _ c: Int) -> [HostTensor] {
      [numbers(a, b, c), numbers(c, c), numbers(2, b), numbers(0, 3)]
    }
    try expectAgreement(builder.graph, inputs(2, 0, 0))
    try expectAgreement(builder.graph, inputs(2, 1, 0), refuses: true)
    try expectAgreement(builder.graph, inputs(2, 0, 3), refuses: true)
  }

  /// A size that both branches stretch stands behind them for what both have checked.
  @Test func relationsOfBothBranchesHoldBehindThem() throws {
    func branch(_ name: String) throws -> Graph {
      var inner = GraphBuilder(name: name)
      let a = inner.input(Fact(.f32, ["a", 3]), named: "a")
      let b = inner.input(Fact(.f32, ["b", 3]), named: "b")
      inner.output(try inner.add1(Binary(.add), [a, b]), named: "y")
      return inner.graph
    }
    var builder = GraphBuilder(name: "stretched")
    let condition = builder.input(Fact(.bool, []), named: "condition")
    let a = builder.input(Fact(.f32, ["a", 3]), named: "a")
    let b = builder.input(Fact(.f32, ["b", 3]), named: "b")
    let bodies = [try branch("then"), try branch("else")]
    let sum = try builder.add(If(), [condition, a, b, a, b], bodies: bodies)[0]
    builder.output(try builder.add1(Binary(.subtract), [a, sum]), named: "y")
    #expect(builder.graph.obligations.count == 1)
    for (rows, others, refuses) in [(1, 0, false), (0, 0, false), (4, 1, false), (4, 0, true), (2, 3, true)] {
      let inputs = [HostTensor(.bool, [], values: [UInt8(1)]), numbers(rows, 3), numbers(others, 3)]
      try expectAgreement(builder.graph, inputs, refuses: refuses)
    }
  }

  /// What is repeated along an axis without elements has no places to be read from.
  @Test func nothingIsRepeated() throws {
    var builder = GraphBuilder(name: "empty")
    let x = builder.input(Fact(.f32, ["n", 0, "a"]), named: "x")
    let y = builder.input(Fact(.f32, ["m", 4]), named: "y")
    let found = try builder.add1(NonZero(), [y])
    let columns = try builder.add1(Cast(to: .f32), [try builder.add1(Transpose([1, 0]), [found])])
    let rows = try builder.add1(Reshape(), [columns, builder.constant(.i64([2], [-1, 2]))])
    let none = try builder.add1(
      Slice(),
      [
        rows, builder.constant(.i64([1], [0])), builder.constant(.i64([1], [0])), builder.constant(.i64([1], [1])),
      ])
    let repeats = builder.constant(.i64([2], [3, 2]))
    builder.output(try builder.add1(Tile(), [none, repeats]), named: "z")
    builder.output(try builder.add1(Tile(), [x, builder.constant(.i64([3], [2, 5, 3]))]), named: "repeated")
    for n in 0...2 { try expectAgreement(builder.graph, [numbers(n, 0, 3), numbers(n, 4)]) }
  }

  /// A branch: the sum of exp of those of x [n] that a mask picks, so many that only data tell, and of another list's elements.
  private func picked(_ name: String, given: Dim) throws -> Graph {
    var inner = GraphBuilder(name: name)
    let x = inner.input(Fact(.f32, ["n"]), named: "x")
    let mask = inner.input(Fact(.bool, ["n"]), named: "mask")
    let other = inner.input(Fact(.f32, [given]), named: "other")
    var pick = Compress()
    pick.axis = 0
    let rows = try inner.add1(Unary(.exp), [try inner.add1(pick, [x, mask])])
    let sums = try [rows, other].map { try inner.add1(Reduce(.sum, keepsAxes: false), [$0]) }
    inner.output(try inner.add1(Binary(.add), sums), named: "y")
    return inner.graph
  }

  /// A branch computes a size whose name one around it has as well; that one becomes known when constants are folded.
  @Test func whatIsLearnedOutsideIsNotLearnedInside() throws {
    var builder = GraphBuilder(name: "names")
    let condition = builder.input(Fact(.bool, []), named: "condition")
    let x = builder.input(Fact(.f32, ["n"]), named: "x")
    let mask = builder.input(Fact(.bool, ["n"]), named: "mask")
    let v = builder.input(Fact(.f32, [3]), named: "v")
    let bodies = [try picked("then", given: 3), try picked("else", given: 3)]
    builder.output(
      try builder.add(If(), [condition, x, mask, v, x, mask, v], bodies: bodies)[0], named: "y")
    let isPositive = try builder.add1(
      Compare(.greater), [builder.constant(.f32([3], [1, -1, 2])), builder.constant(.f32([], [0]))])
    var pick = Compress()
    pick.axis = 0
    let two = try builder.add1(pick, [v, isPositive])
    #expect(Set(builder.graph.type(of: two).symbols) == bodies[0].ownDataSymbols)
    builder.output(two, named: "two")
    for n in [0, 1, 2, 5] {
      let mask = HostTensor(.bool, [n], values: (0..<n).map { UInt8($0 == 2 ? 0 : 1) })
      try expectAgreement(builder.graph, [HostTensor(.bool, [], values: [UInt8(1)]), numbers(n), mask, numbers(3)])
    }
  }

  /// A size that a branch captures gets the name that one of the branch's own has.
  @Test func whatComesInKeepsApartFromWhatIsInside() throws {
    var builder = GraphBuilder(name: "renamed")
    let condition = builder.input(Fact(.bool, []), named: "condition")
    let x = builder.input(Fact(.f32, ["n"]), named: "x")
    let masks = ["first", "second"].map { builder.input(Fact(.bool, ["n"]), named: $0) }
    var pick = Compress()
    pick.axis = 0
    let outer = try builder.add1(pick, [x, masks[0]])
    let size = try #require(builder.graph.type(of: outer).tensor?.shape[0])
    let bodies = [try picked("then", given: size), try picked("else", given: size)]
    let captures = [x, masks[1], outer]
    builder.output(try builder.add(If(), [condition] + captures + captures, bodies: bodies)[0], named: "y")
    let (from, to) = (try #require(size.symbol), try #require(bodies[0].ownDataSymbols.first))
    #expect(from != to)
    let graph = try builder.graph.renaming([from: to])
    let cases: [(first: [UInt8], second: [UInt8])] = [
      ([1, 1, 1], [0, 1, 0]), ([0, 1, 0], [1, 1, 1]), ([0, 0, 0], [1, 0, 1]),
    ]
    for (first, second) in cases {
      try expectAgreement(
        graph,
        [
          HostTensor(.bool, [], values: [UInt8(1)]), numbers(3), HostTensor(.bool, [3], values: first),
          HostTensor(.bool, [3], values: second),
        ])
    }
  }

  /// What a branch's size turns out to be, it is in the bodies that speak of it, too.
  @Test func sizesOfBranchesAreLearnedInsideLoops() throws {
    var builder = GraphBuilder(name: "learned")
    let condition = builder.input(Fact(.bool, []), named: "condition")
    let x = builder.input(Fact(.f32, ["a", "b"]), named: "x")
    let empty = builder.input(Fact(.f32, [0, 3]), named: "empty")
    let bodies = [try repeated("then", 1), try repeated("else", 2)]
    let wide = try builder.add(If(), [condition, x, x], bodies: bodies)[0]
    var body = GraphBuilder(name: "iteration")
    _ = body.input(Fact(.i64, []), named: "iteration")
    let goesOn = body.input(Fact(.bool, []), named: "condition")
    let columns = try #require(builder.graph.type(of: wide).tensor?.shape[1])
    let carried = body.input(Fact(.f32, [builder.freshSize(), columns]), named: "x")
    body.output(goesOn, named: "goes on")
    body.output(try body.add1(Concat(axis: 0), [carried, carried]), named: "next")
    let count = builder.constant(.i64([], [2]))
    var loop = Loop()
    loop.carriedCount = 1
    builder.output(try builder.add(loop, [count, condition, wide], bodies: [body.graph])[0], named: "z")
    builder.output(try builder.add1(MatMul(), [x, empty]), named: "product")
    for (taken, b, refuses) in [(1, 0, false), (0, 0, false), (1, 2, true)] {
      let inputs = [HostTensor(.bool, [], values: [UInt8(taken)]), numbers(3, b), numbers(0, 3)]
      try expectAgreement(builder.graph, inputs, refuses: refuses)
    }
  }

  /// Numbers that tell places from the end, too, are learned inside bodies.
  @Test func readNumbersAreLearnedInsideLoops() throws {
    var builder = GraphBuilder(name: "read")
    let condition = builder.input(Fact(.bool, []), named: "condition")
    let x = builder.input(Fact(.f32, ["a", 2]), named: "x")
    let y = builder.input(Fact(.f32, ["b", 2]), named: "y")
    let z = builder.input(Fact(.f32, [3, 2]), named: "z")
    func constant(_ value: Int64) -> ValueID { builder.constant(.i64([1], [Int(value)])) }
    let rows = try builder.add1(Gather(), [try builder.add1(Shape(), [x]), constant(0)])
    // Rounded toward zero, which sizes do not follow as long as the sign is open.
    let end = try builder.add1(
      Binary(.divide), [try builder.add1(Binary(.subtract), [rows, constant(5)]), constant(2)])
    let some = try builder.add1(Slice(), [y, constant(0), end, constant(0), constant(1)])
    var body = GraphBuilder(name: "iteration")
    _ = body.input(Fact(.i64, []), named: "iteration")
    let goesOn = body.input(Fact(.bool, []), named: "condition")
    let carried = body.input(Fact(.f32, [builder.freshSize(), 2]), named: "x")
    let captured = body.input(builder.graph.values[some].fact, named: "y")
    body.output(goesOn, named: "goes on")
    body.output(try body.add1(Concat(axis: 0), [carried, captured]), named: "next")
    body.output(captured, named: "collected")
    var loop = Loop()
    loop.carriedCount = 1
    let count = builder.constant(.i64([], [2]))
    let results = try builder.add(loop, [count, condition, some, some], outputs: 2, bodies: [body.graph])
    for (index, result) in results.enumerated() { builder.output(result, named: "y\(index)") }
    builder.output(try builder.add1(MatMul(), [z, x]), named: "product")
    for (a, b, refuses) in [(2, 4, false), (2, 0, false), (3, 4, true)] {
      let inputs = [HostTensor(.bool, [], values: [UInt8(1)]), numbers(a, 2), numbers(b, 2), numbers(3, 2)]
      try expectAgreement(builder.graph, inputs, refuses: refuses)
    }
  }

  /// The branch that a condition on sizes picks may give other sizes than what follows needs: then no run is taken.
  @Test func aBranchThatDoesNotFitRefuses() throws {
    for (fits, other) in [(false, 1), (true, 3)] {
      var builder = GraphBuilder(name: "picked")
      let x = builder.input(Fact(.f32, ["a", "b"]), named: "x")
      let y = builder.input(Fact(.f32, [2, Dim("b") * 3]), named: "y")
      let z = builder.input(Fact(.f32, [1, 4]), named: "z")
      let columns = try builder.add1(Gather(), [try builder.add1(Shape(), [x]), builder.constant(.i64([], [1]))])
      let condition = try builder.add1(Compare(.less), [columns, builder.constant(.i64([], [2]))])
      let bodies = [try repeated("then", other), try repeated("else", 2)]
      let picked = try builder.add(If(), [condition, x, x], bodies: bodies)[0]
      builder.output(try builder.add1(Concat(axis: 0), [picked, y]), named: "joined")
      builder.output(try builder.add1(MatMul(), [x, z]), named: "product")
      try expectAgreement(builder.graph, [numbers(4, 1), numbers(2, 3), numbers(1, 4)], refuses: !fits)
    }
  }

  /// Places among the elements of what has none are not counted: a size that is zero divides them.
  @Test func placesAreNotCountedWhereNothingLies() throws {
    var builder = GraphBuilder(name: "places")
    let x = builder.input(Fact(.f32, [3, "a", "a", "a"]), named: "x")
    let columns = try builder.add1(Gather(), [try builder.add1(Shape(), [x]), builder.constant(.i64([1], [1]))])
    let shape = try builder.add1(Concat(axis: 0), [builder.constant(.i64([1], [4])), columns])
    let softmax = try builder.add1(Softmax(), [x])
    builder.output(try builder.add1(Reshape(), [softmax, shape]), named: "y")
    try expectAgreement(builder.graph, [numbers(3, 0, 0, 0)])
    try expectAgreement(builder.graph, [numbers(3, 1, 1, 1)], refuses: true)
  }

  /// Parts that fit only where neither has elements.
  @Test func partsWithoutElementsAreJoined() throws {
    var builder = GraphBuilder(name: "empty")
    let x = builder.input(Fact(.f32, [0, 5]), named: "x")
    let y = builder.input(Fact(.f32, ["a", "a", 5]), named: "y")
    let rows = try builder.add1(try Flatten(attributeValues: ["axis": .int(2)]), [y])
    builder.output(try builder.add1(Concat(axis: 1), [x, rows]), named: "z")
    try expectAgreement(builder.graph, [numbers(0, 5), numbers(0, 0, 5)])
    try expectAgreement(builder.graph, [numbers(0, 5), numbers(2, 2, 5)], refuses: true)
  }

  /// A branch relies on what was checked before it runs.
  @Test func branchesRelyOnWhatHoldsAroundThem() throws {
    func branch(_ name: String, _ build: (inout GraphBuilder, ValueID, ValueID) throws -> ValueID) throws -> Graph {
      var inner = GraphBuilder(name: name)
      let a = inner.input(Fact(.f32, ["a", 3]), named: "a")
      let b = inner.input(Fact(.f32, [Dim.joint("a", "b"), 3]), named: "b")
      inner.output(try build(&inner, a, b), named: "y")
      return inner.graph
    }
    var builder = GraphBuilder(name: "around")
    let condition = builder.input(Fact(.bool, []), named: "condition")
    let a = builder.input(Fact(.f32, ["a", 3]), named: "a")
    let b = builder.input(Fact(.f32, ["b", 3]), named: "b")
    let three = builder.input(Fact(.f32, [2, 3]), named: "three")
    let sum = try builder.add1(Binary(.add), [a, b])
    let bodies = [try branch("then") { _, _, b in b }, try branch("else") { try $0.add1(Binary(.add), [$1, $2]) }]
    builder.output(try builder.add(If(), [condition, a, sum, a, sum], bodies: bodies)[0], named: "y")
    builder.output(try builder.add1(MatMul(), [three, b]), named: "product")
    for (a, b, refuses) in [(1, 3, false), (3, 3, false), (2, 3, true), (1, 2, true)] {
      let inputs = [HostTensor(.bool, [], values: [UInt8(0)]), numbers(a, 3), numbers(b, 3), numbers(2, 3)]
      try expectAgreement(builder.graph, inputs, refuses: refuses)
    }
  }

  /// A size of no elements keeps the input's, also where it is learned later that the two are the same.
  @Test func aSizeThatIsKeptIsKeptWhenMoreIsKnown() throws {
    func branch(_ name: String, _ build: (inout GraphBuilder, ValueID, ValueID) throws -> ValueID) throws -> Graph {
      var inner = GraphBuilder(name: name)
      let a = inner.input(Fact(.f32, ["b", "b", "c"]), named: "a")
      let b = inner.input(Fact(.f32, [1, "d", "b"]), named: "b")
      inner.output(try build(&inner, a, b), named: "y")
      return inner.graph
    }
    var builder = GraphBuilder(name: "kept")
    let a = builder.input(Fact(.f32, ["b", "b", "c"]), named: "a")
    let b = builder.input(Fact(.f32, [1, "d", "b"]), named: "b")
    let condition = builder.input(Fact(.bool, []), named: "condition")
    let bodies = [
      try branch("then") { try $0.add1(Binary(.add), [$1, $2]) },
      try branch("else") { builder, a, _ in try builder.add1(Unary(.abs), [a]) },
    ]
    let either = try builder.add(If(), [condition, a, b, a, b], bodies: bodies)[0]
    let axis = builder.constant(.i64([1], [2]))
    let sums = try builder.add1(Reduce(.sum, keepsAxes: false), [either, axis])
    let product = try builder.add1(MatMul(), [b, b])
    let moved = try builder.add1(Transpose([1, 0, 2]), [product])
    builder.output(try builder.add1(Reshape(), [moved, try builder.add1(Shape(), [sums])]), named: "y")
    for (size, isTaken) in [(0, 0), (0, 1), (1, 1), (3, 0), (3, 1)] {
      let inputs = [numbers(size, size, size), numbers(1, size, size), HostTensor(.bool, [], values: [UInt8(isTaken)])]
      try expectAgreement(builder.graph, inputs)
    }
  }
}
