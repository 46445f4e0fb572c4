import SinterCore
import SinterIR
import SinterOps
import Testing

/// What operators that move, pick and join elements rely on: taken where sizes fit, told where they do not.
@Suite struct SizeObligationTests {
  /// A graph of one node. Inputs are types, which become inputs, and tensors, which become constants.
  private struct Node {
    enum Input {
      case type(ElementType, [Dim])
      case constant(HostTensor)
      case absent
    }

    var graph: Graph

    init(_ op: some Operator, _ inputs: [Input], outputs: Int = 1) throws {
      var builder = GraphBuilder(name: "g")
      let ids = inputs.enumerated().map { index, input -> ValueID? in
        switch input {
        case .type(let element, let shape): builder.input(Fact(element, shape), named: "x\(index)")
        case .constant(let tensor): builder.constant(tensor)
        case .absent: nil
        }
      }
      for (index, result) in try builder.add(op, ids, outputs: outputs).enumerated() {
        builder.output(result, named: "y\(index)")
      }
      graph = builder.graph
    }

    var stated: [String] { graph.obligations.map(\.description) }

    func run(_ inputs: HostTensor...) throws -> [HostTensor] { try GraphEvaluator.run(graph, inputs) }
  }

  private static func numbers(_ shape: Int...) -> HostTensor {
    .f32(shape, (0..<shape.reduce(1, *)).map { Float($0) })
  }

  private static func list(_ values: Int...) -> Node.Input { .constant(.i64([values.count], values)) }

  private static func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing is wrong"
    } catch {
      return "\(error)"
    }
  }

  // MARK: Stated, and found wrong ahead of time

  @Test func concatNeedsEqualSizesBesideItsAxis() throws {
    let node = try Node(Concat(axis: 1), [.type(.f32, ["a", "b"]), .type(.f32, ["c", "d"])])
    #expect(node.stated == ["a = c"])
    #expect(try node.run(Self.numbers(2, 1), Self.numbers(2, 0))[0].shape == [2, 1])
    let refused = Self.message { _ = try node.run(Self.numbers(2, 1), Self.numbers(3, 1)) }
    #expect(refused.contains("must be"), "\(refused)")
    let known = Self.message { _ = try Node(Concat(axis: 1), [.type(.f32, [2, 1]), .type(.f32, [3, 1])]) }
    #expect(known.contains("must be equal, but are 2 and 3"), "\(known)")
  }

  @Test func splitNeedsPartsThatAddUp() throws {
    let node = try Node(Split(axis: 0), [.type(.f32, ["n"]), .type(.i64, [2])], outputs: 2)
    #expect(try node.run(Self.numbers(5), .i64([2], [2, 3])).map(\.shape) == [[2], [3]])
    #expect(Self.message { _ = try node.run(Self.numbers(5), .i64([2], [2, 2])) }.contains("the sum of the parts"))
    #expect(Self.message { _ = try node.run(Self.numbers(5), .i64([2], [6, -1])) }.contains("-1"))
    var three = Split(axis: 0)
    three.numOutputs = 3
    let parts = try Node(three, [.type(.f32, ["n"])], outputs: 3)
    #expect(try parts.run(Self.numbers(5)).map(\.shape) == [[2], [2], [1]])
    for size in [0, 1, 2, 4] {
      #expect(Self.message { _ = try parts.run(Self.numbers(size)) }.contains("last of 3 parts"), "\(size)")
    }
    let even = Self.message { _ = try Node(Split(axis: 0), [.type(.f32, [3])], outputs: 2) }
    #expect(even.contains("must be a multiple of 2, but is 3"), "\(even)")
  }

  @Test func squeezeRemovesOnlyOnes() throws {
    let node = try Node(Squeeze(), [.type(.f32, ["n", "m"]), Self.list(0)])
    #expect(try node.run(Self.numbers(1, 3))[0].shape == [3])
    #expect(Self.message { _ = try node.run(Self.numbers(2, 3)) }.contains("must be"))
    let open = try Node(Squeeze(), [.type(.f32, ["n", "m"]), .type(.i64, [1])])
    #expect(try open.run(Self.numbers(3, 1), .i64([1], [-1]))[0].shape == [3])
    for axis in [0, 2, -3] {
      #expect(
        Self.message { _ = try open.run(Self.numbers(3, 1), .i64([1], [axis])) }.contains("axis to remove"), "\(axis)")
    }
  }

  @Test func gatheredAndScatteredPlacesLieInTheData() throws {
    let gather = try Node(GatherElements(), [.type(.f32, ["n", "m"]), .type(.i64, ["k", "l"])])
    #expect(gather.stated.contains("m >= l"))
    #expect(
      Self.message { _ = try gather.run(Self.numbers(2, 2), .i64([1, 3], [0, 0, 0])) }.contains("must be at least"))
    let scatter = try Node(
      ScatterElements(), [.type(.f32, ["n"]), .type(.i64, ["k"]), .type(.f32, ["l"])])
    #expect(
      Self.message { _ = try scatter.run(Self.numbers(2), .i64([1], [0]), Self.numbers(2)) }.contains("must be"))
    // The number of the updates' axes tells how long tuples are.
    let tuples = try Node(ScatterND(), [.type(.f32, ["n", "m"]), .type(.i64, ["k", "d"]), .type(.f32, ["u", "v"])])
    #expect(try tuples.run(Self.numbers(2, 3), .i64([1, 1], [1]), Self.numbers(1, 3))[0].shape == [2, 3])
    #expect(
      Self.message { _ = try tuples.run(Self.numbers(2, 3), .i64([1, 2], [1, 1]), Self.numbers(1, 3)) }.contains(
        "must be"))
    let unknown = Self.message { _ = try Node(GatherND(), [.type(.f32, ["n", "m"]), .type(.i64, ["k", "d"])]) }
    #expect(unknown.contains("how long the index tuples are must be known ahead of time"), "\(unknown)")
  }

  @Test func topKTakesNoMoreThanThereIs() throws {
    let node = try Node(TopK(), [.type(.f32, ["n"]), .type(.i64, [1])], outputs: 2)
    #expect(try node.run(Self.numbers(3), .i64([1], [2]))[0].shape == [2])
    #expect(try node.run(Self.numbers(0), .i64([1], [0]))[0].shape == [0])
    #expect(Self.message { _ = try node.run(Self.numbers(3), .i64([1], [4])) }.contains("must be at least"))
    let many = Self.message { _ = try Node(TopK(), [.type(.f32, [3]), Self.list(4)], outputs: 2) }
    #expect(many.contains("must be at least 4, but is 3"), "\(many)")
  }

  @Test func argMaxNeedsAnElementWhereThereIsAResult() throws {
    let node = try Node(ArgReduce(.maximum), [.type(.f32, ["n", "m"])])
    #expect(try node.run(Self.numbers(0, 0))[0].shape == [1, 0])
    #expect(Self.message { _ = try node.run(Self.numbers(0, 2)) }.contains("must be at least"))
  }

  @Test func padsReachNoFurtherThanTheData() throws {
    let reflect = try Node(Pad(.reflect), [.type(.f32, ["n"]), Self.list(2, 1)])
    #expect(try reflect.run(Self.numbers(3))[0].array(of: Float.self) == [2, 1, 0, 1, 2, 1])
    #expect(Self.message { _ = try reflect.run(Self.numbers(2)) }.contains("must be at least"))
    let wrap = try Node(Pad(.wrap), [.type(.f32, ["n"]), Self.list(-1, 3)])
    #expect(try wrap.run(Self.numbers(3))[0].array(of: Float.self) == [1, 2, 1, 2, 1])
    #expect(Self.message { _ = try wrap.run(Self.numbers(1)) }.contains("leave of axis 0"))
    let cut = try Node(Pad(), [.type(.f32, ["n"]), .type(.i64, [2])])
    #expect(try cut.run(Self.numbers(3), .i64([2], [-2, 1]))[0].array(of: Float.self) == [2, 0])
    #expect(Self.message { _ = try cut.run(Self.numbers(3), .i64([2], [-2, -2])) }.contains("padded by"))
  }

  // MARK: Reshape

  @Test(
    arguments: [
      ([2, 3], [3, 2], [3, 2]), ([2, 3], [0, 3], [2, 3]), ([2, 3], [-1, 2], [3, 2]), ([2, 3], [0, -1], [2, 3]),
      ([0, 3], [-1, 3], [0, 3]), ([0, 3], [0, 5], [0, 5]), ([0, 3], [0, -1], nil), ([2, 3], [4, -1], nil),
      ([2, 3], [-1, -1], nil), ([2, 3], [5, 2], nil), ([2, 3], [-2, -3], nil),
    ] as [([Int], [Int], [Int]?)])
  func reshapesToWhatIsComputed(_ from: [Int], _ to: [Int], _ expected: [Int]?) throws {
    let x = HostTensor.f32(from, [Float](repeating: 1, count: from.reduce(1, *)))
    let open = try Node(Reshape(), [.type(.f32, ["n", "m"]), .type(.i64, [2])])
    let known = { try Node(Reshape(), [.type(.f32, ["n", "m"]), .constant(.i64([2], to))]) }
    if let expected {
      #expect(try open.run(x, .i64([2], to))[0].shape == expected)
      #expect(try known().run(x)[0].shape == expected)
    } else {
      #expect(throws: DiagnosticError.self) { try open.run(x, .i64([2], to)) }
      #expect(throws: DiagnosticError.self) { try known().run(x) }
    }
  }

  /// An entry that turns out to be zero keeps the input's size.
  @Test func keepsSizesWhereAnEntryIsZero() throws {
    var builder = GraphBuilder(name: "g")
    let (x, y) = (
      builder.input(Fact(.f32, ["a", "b"]), named: "x"), builder.input(Fact(.f32, ["c", "d"]), named: "y")
    )
    let shape = try builder.add1(Shape(), [y])
    builder.output(try builder.add1(Reshape(), [x, shape]), named: "z")
    func run(_ shape: [Int]) throws -> [Int] {
      try GraphEvaluator.run(
        builder.graph, [Self.numbers(2, 3), .f32(shape, [Float](repeating: 0, count: shape.reduce(1, *)))])[0].shape
    }
    #expect(try run([3, 2]) == [3, 2])
    #expect(try run([0, 3]) == [2, 3])
    #expect(try run([0, 0]) == [2, 3])
    #expect(throws: DiagnosticError.self) { try run([0, 2]) }
  }

  /// Each of many in a row may keep the size of the one before, and none makes the size much longer.
  @Test func keptSizesStayShort() throws {
    var builder = GraphBuilder(name: "g")
    var x = builder.input(Fact(.f32, ["a", "b"]), named: "x")
    for at in 0..<12 {
      let other = builder.input(Fact(.f32, [Dim(symbol: "c\(at)"), "b"]), named: "y\(at)")
      x = try builder.add1(Reshape(), [x, try builder.add1(Shape(), [other])])
    }
    let size = try builder.type(x).shape[0]
    #expect("\(size)".count < 400, "\(size)")
    let counts = ["a": 7, "b": 2, "c4": 5]
    #expect(size.evaluated { counts[$0.name] ?? 0 } == 5)
    #expect(size.evaluated { $0.name == "a" ? 7 : 0 } == 7)
  }

  // MARK: Slices

  /// Every slice of every short axis, with places known ahead of time and not, beside what NumPy's rules say.
  @Test(arguments: [1, 2, -1, -2])
  func slicesAreExact(_ step: Int) throws {
    let places = Array(-4...4) + [Int.min, Int.max]
    let open = try Node(
      Slice(), [.type(.f32, ["n"]), .type(.i64, [1]), .type(.i64, [1]), Self.list(0), Self.list(step)])
    let allOpen = try Node(
      Slice(), [.type(.f32, ["n"]), .type(.i64, [1]), .type(.i64, [1]), .type(.i64, [1]), .type(.i64, [1])])
    for start in places {
      for end in places {
        let known = try Node(
          Slice(), [.type(.f32, ["n"]), Self.list(start), Self.list(end), Self.list(0), Self.list(step)])
        for size in 0...3 {
          let x = HostTensor.f32([size], (0..<size).map { Float($0) })
          let expected = Self.sliced(size, start, end, step)
          let what = "[\(start):\(end):\(step)] of \(size)"
          #expect(try known.run(x)[0].array(of: Float.self) == expected, "\(what)")
          let (from, to) = (HostTensor.i64([1], [start]), HostTensor.i64([1], [end]))
          #expect(
            try allOpen.run(x, from, to, .i64([1], [0]), .i64([1], [step]))[0].array(of: Float.self) == expected,
            "\(what), open")
          #expect(try open.run(x, from, to)[0].array(of: Float.self) == expected, "\(what), open places")
        }
      }
    }
  }

  /// Python's `range(size)[start:end:step]`, but places are held within the axis as ONNX has it.
  private static func sliced(_ size: Int, _ start: Int, _ end: Int, _ step: Int) -> [Float] {
    func place(_ index: Int, _ low: Int, _ high: Int) -> Int {
      Swift.min(Swift.max(index < 0 ? index + size : index, low), high)
    }
    if size == 0 { return [] }
    let from = step > 0 ? place(start, 0, size) : place(start, 0, size - 1)
    let to = step > 0 ? place(end, 0, size) : place(end, -1, size - 1)
    return stride(from: from, to: to, by: step).map { Float($0) }
  }

  @Test func slicesTellWrongAxesAndSteps() throws {
    let open = try Node(
      Slice(), [.type(.f32, ["n", "m"]), Self.list(0, 0), Self.list(1, 1), .type(.i64, [2]), .type(.i64, [2])])
    func run(_ axes: [Int], _ steps: [Int]) throws -> [Int] {
      try open.run(Self.numbers(2, 3), .i64([2], axes), .i64([2], steps))[0].shape
    }
    #expect(try run([1, -2], [1, 1]) == [1, 1])
    for (axes, steps) in [([0, 0], [1, 1]), ([0, -2], [1, 1]), ([0, 2], [1, 1]), ([0, 1], [1, 0])] {
      #expect(throws: DiagnosticError.self) { try run(axes, steps) }
    }
    #expect(throws: DiagnosticError.self) {
      try Node(Slice(), [.type(.f32, ["n"]), Self.list(0, 0), Self.list(1, 1), Self.list(0, -1)])
    }
  }

  // MARK: Axes known only at run time

  @Test func reducesAxesThatAreNamedAtRunTime() throws {
    let kept = try Node(Reduce(.sum), [.type(.f32, ["n", "m"]), .type(.i64, [1])])
    #expect(try kept.run(Self.numbers(2, 3), .i64([1], [-1]))[0].array(of: Float.self) == [3, 12])
    #expect(try kept.run(Self.numbers(2, 3), .i64([1], [0]))[0].shape == [1, 3])
    #expect(throws: DiagnosticError.self) { try kept.run(Self.numbers(2, 3), .i64([1], [2])) }
    let dropped = try Node(Reduce(.sum, keepsAxes: false), [.type(.f32, ["n", "m"]), .type(.i64, [1])])
    #expect(try dropped.run(Self.numbers(2, 3), .i64([1], [0]))[0].array(of: Float.self) == [3, 5, 7])
    let unknown = Self.message { _ = try Node(Reduce(.sum), [.type(.f32, ["n", "m"]), .type(.i64, ["k"])]) }
    #expect(unknown.contains("how many axes input 1 names must be known ahead of time"), "\(unknown)")
  }

  @Test func addsAxesThatAreNamedAtRunTime() throws {
    let node = try Node(Unsqueeze(), [.type(.f32, ["n", "m"]), .type(.i64, [2])])
    #expect(try node.run(Self.numbers(2, 3), .i64([2], [0, -1]))[0].shape == [1, 2, 3, 1])
    #expect(throws: DiagnosticError.self) { try node.run(Self.numbers(2, 3), .i64([2], [0, 0])) }
    #expect(throws: DiagnosticError.self) { try node.run(Self.numbers(2, 3), .i64([2], [0, 4])) }
  }

  @Test func resizesByComputedScales() throws {
    let node = try Node(Resize(), [.type(.f32, ["n", "m"]), .absent, .type(.f32, [2])])
    #expect(try node.run(Self.numbers(2, 3), .f32([2], [2, 0.5]))[0].shape == [4, 1])
    for scale in [0, -1, Float.nan, .infinity] {
      #expect(throws: DiagnosticError.self) { try node.run(Self.numbers(2, 3), .f32([2], [1, scale])) }
    }
    let sizes = try Node(Resize(), [.type(.f32, ["n", "m"]), .absent, .absent, .type(.i64, [2])])
    #expect(try sizes.run(Self.numbers(2, 3), .i64([2], [4, 1]))[0].shape == [4, 1])
    #expect(throws: DiagnosticError.self) { try sizes.run(Self.numbers(2, 0), .i64([2], [4, 1])) }
  }

  @Test func reversesNoMoreThanThereIs() throws {
    let node = try Node(ReverseSequence(), [.type(.f32, ["t", "b"]), .type(.i64, ["l"])])
    #expect(try node.run(Self.numbers(2, 1), .i64([1], [2]))[0].array(of: Float.self) == [1, 0])
    for length in [-1, 3] {
      #expect(throws: DiagnosticError.self) { try node.run(Self.numbers(2, 1), .i64([1], [length])) }
    }
    #expect(throws: DiagnosticError.self) { try node.run(Self.numbers(0, 1), .i64([1], [1])) }
    #expect(throws: DiagnosticError.self) { try node.run(Self.numbers(2, 1), .i64([2], [1, 1])) }
  }
}
