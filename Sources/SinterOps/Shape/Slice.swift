import SinterCore
import SinterIR
import SinterKernel

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
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 10) }

  /// What is taken along one axis: elements start, start + step, …
  struct Range {
    var start: Dim
    var step: Int
    var count: Dim

    /// - Parameter size: the axis.
    init(size: Dim, start: Dim, end: Dim, step: Int) {
      self.step = step
      // A symbolic place is a size or a difference of sizes; it counts from the end only if it is negative for certain.
      func isFromEnd(_ place: Dim) -> Bool { place.isNegative }
      let beyond = Int(Int32.max)
      if step > 0 {
        var to = isFromEnd(end) ? size + end : end
        if (end.value ?? 0) >= beyond { to = size } else if !isFromEnd(end), to != size { to = Slice.least(to, size) }
        self.start = isFromEnd(start) ? (size + start).clampedToZero : start
        count = (to - self.start).ceilDivided(by: Dim(step)).clampedToZero
      } else {
        self.start = isFromEnd(start) ? size + start : Slice.least(start, size - 1)
        if (start.value ?? 0) >= beyond { self.start = size - 1 }
        var to = end
        if let number = end.value, number <= -beyond { to = -1 } else if isFromEnd(end) { to = Dim.max(size + end, -1) }
        count = (self.start - to).ceilDivided(by: Dim(-step)).clampedToZero
      }
    }
  }

  /// The smaller of two sizes, the second one where neither is known to be.
  private static func least(_ a: Dim, _ b: Dim) -> Dim {
    if (b - a).isNonnegative { return a }
    if (a - b).isNonnegative { return b }
    return Dim.min(a, b)
  }

  private func axes(_ inputs: NodeInputs, count: Int, rank: Int) throws -> [Int] {
    let given = try inputs.optionalIntegers(3, "axes") ?? Array(0..<count)
    return try given.map { try normalizedAxis($0, rank: rank, name: "axes") }
  }

  /// What is taken along each axis; nil where that is known only at run time.
  private func ranges(_ inputs: NodeInputs) throws -> [Range]? {
    let x = try inputs.tensor(0)
    guard let starts = inputs.contents(1), let ends = inputs.contents(2),
      !inputs.has(3) || inputs.integers(3) != nil, !inputs.has(4) || inputs.integers(4) != nil
    else { return nil }
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
    if let declared = inputs.declaredShape(), declared.count == x.rank { return [Fact(x.element, declared)] }
    _ = try inputs.knownSizes(1, "starts")
    _ = try inputs.knownSizes(2, "ends")
    _ = try inputs.optionalIntegers(3, "axes")
    _ = try inputs.optionalIntegers(4, "steps")
    return []
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
    let error = lowering.error(
      "Slice: place %0 lies outside of an axis of %1 elements; the result is declared longer than what is taken")
    return [
      try lowering.element(shape) { builder, index in
        let places = try places(node, builder, x.shape)
        let own = zip(index, zip(places, x.shape)).map { index, axis in
          (index * axis.0.step + axis.0.start).checked(below: builder.size(axis.1), error: error)
        }
        return builder.load(x.id, own)
      }
    ]
  }

  /// Start and step along each axis, read at run time.
  private func places(_ node: LoweringNode, _ builder: BodyBuilder, _ shape: [Dim]) throws -> [(
    start: Expr, step: Expr
  )] {
    func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
    let count = try node.input(1).shape.first?.value ?? 0
    func entry(_ input: Int, _ k: Int, _ absent: Int) throws -> Expr {
      guard node.has(input) else { return number(absent) }
      return builder.load(try node.input(input).id, [number(k)]).cast(to: .i64)
    }
    var places = shape.map { _ in (start: number(0), step: number(1)) }
    for axis in shape.indices {
      let size = builder.size(shape[axis])
      for k in 0..<count {
        let named = try entry(3, k, k)
        let isHere = (named .== number(axis)) || (named .== number(axis - shape.count))
        let start = try entry(1, k, 0)
        let step = try entry(4, k, 1)
        let fromFront = builder.select(start < 0, start + size, start)
        let last = builder.select(step < 0, size - 1, size)
        places[axis].start = builder.select(isHere, fromFront.clamped(number(0), last), places[axis].start)
        places[axis].step = builder.select(isHere, step, places[axis].step)
      }
    }
    return places
  }

  public static var examples: [OperatorExample] {
    func example(_ shape: [Dim], _ parameters: [[Int]], _ sizes: [Symbol: Int] = [:]) -> OperatorExample {
      OperatorExample(
        Slice(),
        [.random(TensorType(.f32, shape), -1...1)] + parameters.map { .constant(.i64([$0.count], $0)) }, sizes: sizes)
    }
    let n = [Symbol("n"): 6]
    return [
      example([8, 5], [[1, 0], [7, 3], [0, 1], [2, 1]]), example([8, 5], [[-3], [9223372036854775807], [0]]),
      example([8, 5], [[7], [-9], [0], [-3]]), example(["n", 5], [[1], [-1], [0]], n),
      example(["n", 5], [[-4], [100]], n),
      example(["n", 5], [[-1], [-100], [0], [-2]], n), example([3, 5], [[5], [9], [1]]),
    ]
  }
}
