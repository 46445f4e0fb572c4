import SinterCore
import SinterForms
import SinterIR

/// Every `steps`-th element from `starts` to before `ends` along `axes`. Negative places count from the end, and places outside are moved to
/// the border. Inputs: data, starts, ends, axes (all from the first), steps (1).
public struct Slice: Primitive {
  public static let name = "Slice"
  public static let summary = "Every n-th element between two places along axes."

  public init() {}

  public static var onnx: [OnnxRule] {
    [
      .direct(Slice.self, since: 10),
      OnnxRule("Slice", since: 1) { node, builder in
        let lists = ["starts", "ends", "axes"].map { node.ints($0) }
        let parameters = lists.map { list in list.map { builder.integers($0) } }
        return try builder.add(Slice(), [node.input(0)] + parameters)
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 10) }

  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] {
    [SizeInput(1, isSigned: true), SizeInput(2, isSigned: true)]
  }

  /// What is taken along one axis: elements start, start + step, …
  struct Range {
    var start: Dim
    var step: Int
    var count: Dim

    /// Exact for any places and sizes: of an axis that has no elements none is taken.
    ///
    /// - Parameter size: the axis.
    init(size: Dim, start: Dim, end: Dim, step: Int) {
      self.step = min(max(step, -Self.limit), Self.limit)
      let (from, to) = (Self.place(start, in: size), Self.place(end, in: size))
      // However the size is written: an axis has no negative number of elements.
      if self.step == 1, from == 0, to == size {
        (self.start, count) = (0, size)
        return
      }
      if step > 0 {
        self.start = from.clampedToZero
        count = (Dim.min(to, size) - self.start).ceilDivided(by: Dim(self.step)).clampedToZero
      } else {
        self.start = Dim.min(from.clampedToZero, size - 1)
        count = (self.start - Dim.max(to, -1)).ceilDivided(by: Dim(-self.step)).clampedToZero
      }
    }

    /// No axis is longer.
    private static let limit = 1 << 48

    /// The place that a number means: `size` or more, or below zero, where it lies outside. Numbers that are greater than any axis is long
    /// say: as far as there are elements; so do the greatest and the least of 32 bits.
    private static func place(_ place: Dim, in size: Dim) -> Dim {
      if place == size { return size }
      guard let number = place.value else { return Dim.place(place, in: size) }
      if number >= limit || number == Int(Int32.max) { return size }
      if number <= -limit || number == Int(Int32.min) || number == -Int(Int32.max) { return -1 }
      return Dim.place(place, in: size)
    }
  }

  private func axes(_ inputs: NodeInputs, count: Int, rank: Int) throws -> [Int] {
    let given = try inputs.optionalIntegers(3, "axes") ?? Array(0..<count)
    let axes = try given.map { try normalizedAxis($0, rank: rank, name: "axes") }
    guard Set(axes).count == axes.count else {
      throw DiagnosticError(.user, "slice.axes", "axes must name each axis once, but is \(given)")
    }
    return axes
  }

  /// What is taken along each axis; nil where the axes or the steps are known only at run time.
  private func ranges(_ inputs: NodeInputs) throws -> [Range]? {
    let x = try inputs.tensor(0)
    if inputs.has(3), inputs.integers(3) == nil { return nil }
    if inputs.has(4), inputs.integers(4) == nil { return nil }
    let (starts, ends) = (try inputs.knownSizes(1, "starts"), try inputs.knownSizes(2, "ends"))
    let axes = try axes(inputs, count: starts.count, rank: x.rank)
    let steps = try inputs.optionalIntegers(4, "steps") ?? axes.map { _ in 1 }
    guard starts.count == axes.count, ends.count == axes.count, steps.count == axes.count else {
      throw DiagnosticError(
        .user, "slice.count",
        "starts, ends, axes and steps must have as many entries, but are \(starts), \(ends), \(axes), \(steps)")
    }
    guard !steps.contains(0) else {
      throw DiagnosticError(.user, "slice.step", "steps must not be 0, but are \(steps)")
    }
    var ranges = x.shape.map { Range(size: $0, start: 0, end: $0, step: 1) }
    for (k, axis) in axes.enumerated() {
      ranges[axis] = Range(size: x.shape[axis], start: starts[k], end: ends[k], step: steps[k])
    }
    return ranges
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    if let ranges = try ranges(inputs) { return [Fact(x.element, ranges.map(\.count))] }
    let (starts, ends) = (try inputs.tensor(1), try inputs.tensor(2))
    for (index, name) in [(3, "axes"), (4, "steps")] where inputs.has(index) {
      let type = try inputs.indices(index)
      guard type.rank == 1, starts.rank == 1, ends.shape == starts.shape, type.shape == starts.shape else {
        throw DiagnosticError(
          .user, "slice.count",
          "starts, ends and \(name) must have as many entries, but are \(starts), \(ends), \(type)")
      }
    }
    return [Fact(x.element, inputs.freshShape(rank: x.rank))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    if let ranges = try ranges(node.facts) {
      return [
        try lowering.element(shape) { builder, index in
          builder.load(
            x.id, zip(index, ranges).map { $0 * builder.constant($1.step, .i64) + builder.size($1.start) })
        }
      ]
    }
    let places = OpenSlice(node, rank: x.rank)
    try lowering.defineSizes(shape, of: "the slice, whose axes or steps are not right,") { builder, axis in
      try places.count(builder, axis, size: x.shape[axis])
    }
    let starts = try x.shape.indices.map { axis in
      try lowering.element([2]) { builder, index in
        let place = try places.range(builder, axis, size: x.shape[axis])
        return builder.select(index[0] .== builder.constant(0, .i64), place.start, place.step)
      }
    }
    return [
      try lowering.element(shape) { builder, index in
        let own = zip(index, starts).map { index, place in
          index * builder.load(place.id, [builder.constant(1, .i64)])
            + builder.load(place.id, [builder.constant(0, .i64)])
        }
        return builder.load(x.id, own)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    func example(_ shape: [Dim], _ parameters: [[Int]], _ sizes: [Symbol: Int] = [:], open: Int = 0) -> OperatorExample
    {
      OperatorExample(
        Slice(),
        [.random(TensorType(.f32, shape), -1...1)]
          + parameters.enumerated().map { place, list in
            place < open ? .given(.i64([list.count], list)) : .constant(.i64([list.count], list))
          }, sizes: sizes)
    }
    let n = [Symbol("n"): 6]
    return [
      example([8, 5], [[1, 0], [7, 3], [0, 1], [2, 1]]), example([8, 5], [[-3], [9223372036854775807], [0]]),
      example([8, 5], [[7], [-9], [0], [-3]]), example(["n", 5], [[1], [-1], [0]], n),
      example(["n", 5], [[-4], [100]], n),
      example(["n", 5], [[-1], [-100], [0], [-2]], n), example([3, 5], [[5], [9], [1]]),
      example(["n", "m"], [[-4, 2], [100, -1], [1, 0], [1, 2]], [Symbol("n"): 6, Symbol("m"): 3]),
      example(["n", "m"], [[100, -100], [-100, 100], [1, 0], [-2, 1]], [Symbol("n"): 6, Symbol("m"): 3]),
      example(["n", 5], [[-4], [9], [0]], n, open: 2),
      example(["n", 5], [[4, 3], [-9, 0], [1, 0], [-2, -1]], n, open: 2),
      example(["n", 5], [[-1, 1], [-4, 4], [1, -2], [-1, 2]], n, open: 4),
    ]
  }
}

extension Slice: Differentiable {
  /// Zeros, with the gradient where the slice was taken.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let x = try node.input(0)
    guard let ranges = try ranges(node.facts) else {
      throw DiagnosticError(
        .limit, "gradient.dynamic", "axes and steps (inputs 3 and 4) must be known ahead of time to be differentiated")
    }
    var result = try node.gradient()
    for (axis, range) in ranges.enumerated() where try range.count != x.shape[axis] || range.step != 1 {
      if range.step == 1, let start = range.start.value, start >= 0 {
        // One piece: zeros before it and behind it.
        let first = x.integers([start])
        let behind = try x.size(axis) - result.size(axis) - first
        result = try result.applying(
          Pad(), node.tape.add(Concat(axis: 0), [first, behind])[0], nil, x.integers([axis]))
        continue
      }
      // Which elements along the axis were taken: the same slice of their positions.
      let (first, past) = try bound(of: node, axis)
      let places = try x.positions(along: axis).applying(
        Slice(), first, past, x.integers([0]), x.integers([range.step]))
      result = try result.scattered(to: places, along: axis, size: x.size(axis))
    }
    return [result, nil, nil, nil, nil]
  }

  /// The entries of `starts` and `ends` for an axis, which is named by one of them.
  private func bound(of node: GradientNode, _ axis: Int) throws -> (GradientTensor, GradientTensor) {
    let rank = try node.input(0).rank
    let count = try node.facts.knownSizes(1, "starts").count
    let place = try axes(node.facts, count: count, rank: rank).firstIndex(of: axis) ?? 0
    let index = node.tape.constant(.i64([1], [place]))
    func entry(_ input: Int) throws -> GradientTensor {
      try node.input(input).applying(Gather(axis: 0), index).cast(to: .i64)
    }
    return (try entry(1), try entry(2))
  }
}
