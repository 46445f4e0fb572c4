import SinterCore
import SinterForms
import SinterIR

/// start, start + delta, … to before limit.
public struct Range: Primitive {
  public static let name = "Range"
  public static let summary = "Numbers from a start to before a limit."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(Range.self, since: 11)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let type = try inputs.tensor(0)
    try requireElement(type, { $0.isFloat || $0.isInteger }, name: "start")
    for (index, name) in ["start", "limit", "delta"].enumerated() {
      _ = try obligations.equal(try inputs.tensor(index).count, 1, "elements of \(name) and their number")
    }
    for (index, name) in [(1, "limit"), (2, "delta")] {
      let other = try inputs.tensor(index)
      guard other.element == type.element else {
        throw DiagnosticError(.user, "range.type", "start is \(type), but \(name) is \(other)")
      }
    }
    func fact(_ start: some Numeric, _ limit: some Numeric, _ delta: some Numeric, count: Double) throws -> [Fact] {
      guard delta != .zero else { throw DiagnosticError(.user, "range.delta", "delta must not be 0") }
      guard count < 0x1p40 else {
        throw DiagnosticError(
          .user, "range.count", "a range from \(start) to \(limit) in steps of \(delta) has no countable length")
      }
      return [Fact(type.element, [Dim(max(0, Int(saturating: count)))])]
    }
    let integers = (0..<3).compactMap { inputs.integers($0)?.first }
    if integers.count == 3 {
      let (start, limit, delta) = (integers[0], integers[1], integers[2])
      return try fact(start, limit, delta, count: Self.count(start, limit, delta))
    }
    let numbers = (0..<3).compactMap { inputs.constant($0)?.uniformNumber }
    if numbers.count == 3 {
      let (start, limit, delta) = (numbers[0], numbers[1], numbers[2])
      return try fact(start, limit, delta, count: ((limit - start) / delta).rounded(.up))
    }
    if let start = inputs.contents(0)?.first, let limit = inputs.contents(1)?.first,
      let delta = inputs.integers(2)?.first, delta != 0, delta != .min
    {
      let span = delta > 0 ? limit - start : start - limit
      return [Fact(type.element, [span.ceilDivided(by: Dim(abs(delta))).clampedToZero])]
    }
    return [Fact(type.element, [inputs.freshSize(result: 0, axis: 0)])]
  }

  /// How many numbers there are. Limits may lie farther apart than the greatest integer.
  private static func count(_ start: Int, _ limit: Int, _ delta: Int) -> Double {
    guard delta > 0 ? limit > start : start > limit else { return 0 }
    let span = UInt(bitPattern: delta > 0 ? limit &- start : start &- limit)
    let step = max(delta.magnitude, 1)
    return Double(span / step + (span.isMultiple(of: step) ? 0 : 1))
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (start, delta) = (try node.input(0), try node.input(2))
    let type = try node.output()
    if let symbol = type.shape[0].symbol, symbol.isFromData, !lowering.knows(symbol) {
      let limit = try node.input(1)
      let count = try lowering.element([]) { builder, _ in
        func number(_ operand: Operand) -> Expr {
          builder.load(operand.id, operand.shape.map { _ in builder.constant(0, .i64) })
            .cast(to: type.element.computeType)
        }
        let (start, limit, delta) = (number(start), number(limit), number(delta))
        let (steps, isCountable) =
          type.element.isInteger
          ? Self.count(start.cast(to: .i64), limit.cast(to: .i64), delta.cast(to: .i64), builder)
          : Self.count(start.cast(to: .f64), limit.cast(to: .f64), delta.cast(to: .f64), floats: builder)
        return builder.select(isCountable, steps, builder.constant(-1, .i64))
      }
      lowering.define(symbol, as: count, "length of a range whose step is 0, or that never ends,")
    }
    return [
      try lowering.element(type.shape) { builder, index in
        func scalar(_ operand: Operand) -> Expr {
          builder.load(operand.id, operand.shape.map { _ in builder.constant(0, .i64) }).cast(
            to: type.element.computeType)
        }
        return (scalar(start) + index[0].cast(to: type.element.computeType) * scalar(delta)).cast(to: type.element)
      }
    ]
  }

  /// The same when the model runs, and whether that many can be counted; integers are as far apart as an unsigned one says.
  private static func count(
    _ start: Expr, _ limit: Expr, _ delta: Expr, _ builder: BodyBuilder
  ) -> (steps: Expr, isCountable: Expr) {
    let zero = builder.constant(0, .i64)
    let isAscending = delta > zero
    let isAny = builder.select(isAscending, limit > start, start > limit)
    let span = builder.select(isAscending, limit - start, start - limit).cast(to: .u64)
    let step = builder.select(isAscending, delta, -delta).cast(to: .u64)
    let whole = span / step
    let steps = whole + builder.select(whole * step .== span, builder.constant(0, .u64), builder.constant(1, .u64))
    let isCountable = (delta .!= zero) && (!isAny || steps < builder.constant(1 << 40, .u64))
    return (builder.select(isAny, steps.cast(to: .i64), zero), isCountable)
  }

  private static func count(
    _ start: Expr, _ limit: Expr, _ delta: Expr, floats builder: BodyBuilder
  ) -> (steps: Expr, isCountable: Expr) {
    let zero = builder.constant(0, .f64)
    let steps = ((limit - start) / delta).unary(.ceil)
    return (steps.maximum(zero).cast(to: .i64), (delta .!= zero) && (steps < 0x1p40))
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(Range(), [.constant(.f32([], [1])), .constant(.f32([], [9])), .constant(.f32([], [2.5]))]),
      OperatorExample(Range(), [.constant(.i64([], [10])), .constant(.i64([], [4])), .constant(.i64([], [-2]))]),
      OperatorExample(Range(), [.given(.i64([], [1])), .given(.i64([], [9])), .given(.i64([], [3]))]),
      OperatorExample(
        Range(), [.given(.i64([], [1 << 60])), .given(.i64([], [(1 << 60) + 3])), .given(.i64([], [1]))]),
      OperatorExample(
        Range(), [.constant(.i64([], [.max])), .constant(.i64([], [.min])), .constant(.i64([], [-(1 << 62)]))]),
      OperatorExample(Range(), [.given(.i64([], [.min])), .given(.i64([], [.max])), .given(.i64([], [1 << 62]))]),
      OperatorExample(Range(), [.given(.f32([], [1])), .given(.f32([], [-2])), .given(.f32([], [-0.4]))]),
      OperatorExample(
        Range(),
        [
          .random(TensorType(.f32, []), 0...0.4), .constant(.f32([], [3])), .random(TensorType(.f32, [1]), 0.9...0.95),
        ]),
    ]
  }
}

extension Range: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let g = try node.gradient()
    let places = try g.positions(along: 0).cast(to: try g.element)
    return [
      try g.sum([0]).reshaped(like: try node.input(0)), nil,
      try (g * places).sum([0]).reshaped(like: try node.input(2)),
    ]
  }
}
