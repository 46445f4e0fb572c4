import SinterCore
import SinterForms
import SinterIR

/// Operators in terms of those that ONNX has, or that older opsets have, for export to these.
package enum OnnxSpelling {
  /// Adds the operators that compute what `op` does; nil where there is no such spelling.
  package static func expand(
    _ op: any Operator, _ inputs: NodeInputs, into builder: inout GraphBuilder
  ) throws -> [ValueID]? {
    switch op {
    case let op as LayerNormalization: try op.spelled(inputs, &builder)
    case let op as RMSNormalization: try op.spelled(inputs, &builder)
    case let op as Shape: try op.spelled(inputs, &builder)
    case let op as Trilu: try op.spelled(inputs, &builder)
    case let op as Requantize: try op.spelled(inputs, &builder)
    case let op as FlipTopBit: try op.spelled(inputs, &builder)
    case let op as ByteConv: try op.spelled(inputs, &builder)
    case let op as Float8MatMul: try op.spelled(inputs, &builder)
    case let op as any ElementwiseUnary: try spelled(op, inputs, &builder)
    default: nil
    }
  }

  /// Adds what computes an operator whose channels are last, which no operator of ONNX has: the same with channels second, between two transposes.
  /// Nil for other operators, and where results would be in the wrong order.
  package static func expandChannelsLast(
    _ op: any Operator, _ inputs: NodeInputs, into builder: inout GraphBuilder
  ) throws -> [ValueID]? {
    guard let op = op as? any HasChannelsLast, op.channelsLast else { return nil }
    if inputs.outputCount > 1, op.laterResultsHaveAnOrder { return nil }
    return try spelled(op, inputs, &builder)
  }

  private static func spelled(
    _ op: some HasChannelsLast, _ inputs: NodeInputs, _ builder: inout GraphBuilder
  ) throws -> [ValueID] {
    var (copy, values) = (op, inputs.ids)
    copy.channelsLast = false
    for (index, value) in values.prefix(op.imageCount).enumerated() {
      guard let value else { continue }
      let rank = try builder.type(value).rank
      values[index] = try builder.add1(Transpose([0, rank - 1] + Array(1..<(rank - 1))), [value])
    }
    var results = try builder.add(copy, values, outputs: max(inputs.outputCount, 1))
    let rank = try builder.type(results[0]).rank
    results[0] = try builder.add1(Transpose([0] + Array(2..<rank) + [1]), [results[0]])
    return results
  }

  /// The scalar function of an operator, a node for each of its steps.
  private static func spelled(
    _ op: some ElementwiseUnary, _ inputs: NodeInputs, _ builder: inout GraphBuilder
  ) throws -> [ValueID]? {
    let (input, element) = (try inputs.value(0), try inputs.tensor(0).element)
    let scalars = BodyBuilder { _ in element }
    let result = op.apply(scalars.load(FormValueID(0), []).cast(to: element.computeType)).cast(to: element)
    let body = scalars.body([result])
    var values: [ValueID] = []
    for expr in body.exprs {
      func value(_ id: ExprID) -> ValueID { values[id.position] }
      switch expr.node {
      case .load: values.append(input)
      case .constant(.float(let number)): values.append(try builder.scalar(number, expr.type))
      case .constant(.int(let number)): values.append(try builder.scalar(Double(number), expr.type))
      case .unary(.not, _) where expr.type != .bool: return nil
      case .unary(let function, let a):
        guard let kind = Unary.Kind(rawValue: function.rawValue) else { return nil }
        values.append(try builder.add1(Unary(kind), [value(a)]))
      case .binary(.maximum, let a, let b): values.append(try builder.add1(Variadic(.maximum), [value(a), value(b)]))
      case .binary(.minimum, let a, let b): values.append(try builder.add1(Variadic(.minimum), [value(a), value(b)]))
      case .binary(let function, let a, let b):
        guard let kind = Binary.Kind(rawValue: function.rawValue) else { return nil }
        values.append(try builder.add1(Binary(kind), [value(a), value(b)]))
      case .compare(let comparison, let a, let b):
        guard let kind = Compare.Kind(rawValue: comparison.rawValue) else { return nil }
        values.append(try builder.add1(Compare(kind), [value(a), value(b)]))
      case .select(let condition, let a, let b):
        values.append(try builder.add1(Where(), [value(condition), value(a), value(b)]))
      case .cast(let a): values.append(try builder.add1(Cast(to: expr.type), [value(a)]))
      case .axis, .size, .accumulator, .bitcast, .checked: return nil
      }
    }
    return body.results.map { values[$0.position] }
  }
}

extension GraphBuilder {
  fileprivate mutating func mean(_ value: ValueID, from axis: Int, rank: Int) throws -> ValueID {
    try add1(Reduce(.mean), [value, integers(Array(axis..<rank))])
  }

  /// value / sqrt(mean of squares + epsilon), and the divisor's inverse.
  fileprivate mutating func scaled(
    _ value: ValueID, from axis: Int, epsilon: Double
  ) throws -> (value: ValueID, inverse: ValueID) {
    let type = try type(value)
    let squares = try add1(Binary(.multiply), [value, value])
    let variance = try mean(squares, from: axis, rank: type.rank)
    let shifted = try add1(Binary(.add), [variance, scalar(epsilon, type.element)])
    let inverse = try add1(Unary(.reciprocal), [add1(Unary(.sqrt), [shifted])])
    return (try add1(Binary(.multiply), [value, inverse]), inverse)
  }

  fileprivate mutating func converted(_ value: ValueID, to element: ElementType) throws -> ValueID {
    try type(value).element == element ? value : add1(Cast(to: element), [value])
  }
}

extension LayerNormalization {
  fileprivate func spelled(_ inputs: NodeInputs, _ builder: inout GraphBuilder) throws -> [ValueID] {
    let type = try inputs.tensor(0)
    let axis = try normalizedAxis(axis, rank: type.rank)
    let compute = type.element == .f64 ? ElementType.f64 : .f32
    let x = try builder.converted(try inputs.value(0), to: compute)
    let mean = try builder.mean(x, from: axis, rank: type.rank)
    let centered = try builder.add1(Binary(.subtract), [x, mean])
    let (scaled, inverse) = try builder.scaled(centered, from: axis, epsilon: epsilon)
    var value = scaled
    for (index, kind) in [(1, Binary.Kind.multiply), (2, .add)] where inputs.has(index) {
      let parameter = try builder.converted(try inputs.value(index), to: compute)
      value = try builder.add1(Binary(kind), [value, parameter])
    }
    var results = [try builder.converted(value, to: type.element)]
    if inputs.outputCount > 1 { results.append(try builder.converted(mean, to: stashType)) }
    if inputs.outputCount > 2 { results.append(try builder.converted(inverse, to: stashType)) }
    return results
  }
}

extension RMSNormalization {
  fileprivate func spelled(_ inputs: NodeInputs, _ builder: inout GraphBuilder) throws -> [ValueID]? {
    let (type, scale) = (try inputs.tensor(0), try inputs.tensor(1))
    // Which of several types the steps are computed and rounded in is left to its own form.
    guard type.element == scale.element, type.element == .f32 || type.element == .f64 else { return nil }
    let axis = try normalizedAxis(axis, rank: type.rank)
    let (value, _) = try builder.scaled(try inputs.value(0), from: axis, epsilon: epsilon)
    return [try builder.add1(Binary(.multiply), [value, try inputs.value(1)])]
  }
}

extension Shape {
  /// The places of the sizes that are asked for, out of all.
  fileprivate func spelled(_ inputs: NodeInputs, _ builder: inout GraphBuilder) throws -> [ValueID] {
    let rank = try inputs.tensor(0).rank
    func place(_ axis: Int) -> Int { min(max(axis < 0 ? axis + rank : axis, 0), rank) }
    let (from, to) = (place(start), end.map(place) ?? rank)
    let sizes = try builder.add1(Shape(), [try inputs.value(0)])
    return [try builder.add1(Gather(), [sizes, builder.integers(Array(from..<max(from, to)))])]
  }
}

extension Trilu {
  /// A choice by how far an element stands from the main diagonal: its column less its row.
  fileprivate func spelled(_ inputs: NodeInputs, _ builder: inout GraphBuilder) throws -> [ValueID]? {
    let type = try inputs.tensor(0)
    guard type.rank >= 2 else { return nil }
    let x = try inputs.value(0)
    func number(_ number: Int) -> ValueID { builder.constant(.i64([], [number])) }
    /// Numbers from zero to an axis's size.
    func places(_ axis: Int) throws -> ValueID {
      let size =
        try type.shape[axis].value.map(number)
        ?? builder.add1(Gather(), [try builder.add1(Shape(), [x]), number(axis)])
      return try builder.add1(Range(), [number(0), size, number(1)])
    }
    let rows = try builder.add1(Unsqueeze(), [places(type.rank - 2), builder.integers([1])])
    let distance = try builder.add1(Binary(.subtract), [places(type.rank - 1), rows])
    let diagonal = inputs.has(1) ? try inputs.value(1) : try builder.scalar(0, .i64)
    let kept = try builder.add1(Compare(isUpper ? .greaterOrEqual : .lessOrEqual), [distance, diagonal])
    return [try builder.add1(Where(), [kept, try inputs.value(0), builder.scalar(0, type.element)])]
  }
}

extension Requantize {
  /// Division by one changes nothing, and all else is what `QuantizeLinear` does.
  fileprivate func spelled(_ inputs: NodeInputs, _ builder: inout GraphBuilder) throws -> [ValueID] {
    let floats = try builder.add1(Cast(to: .f32), [try inputs.value(0)])
    let scaled = try builder.add1(Binary(.multiply), [floats, try inputs.value(1)])
    var zero = try inputs.value(2)
    if try inputs.tensor(2).rank > 0 { zero = try builder.add1(Reshape(), [zero, builder.integers([])]) }
    return [try builder.add1(QuantizeLinear(), [scaled, try builder.scalar(1, .f32), zero])]
  }
}

extension FlipTopBit {
  fileprivate func spelled(_ inputs: NodeInputs, _ builder: inout GraphBuilder) throws -> [ValueID] {
    let isUnsigned = try inputs.tensor(0).element == .u8
    let wide = try builder.add1(Cast(to: .i32), [try inputs.value(0)])
    let moved = try builder.add1(Binary(.add), [wide, try builder.scalar(isUnsigned ? -128 : 128, .i32)])
    return [try builder.add1(Cast(to: isUnsigned ? .i8 : .u8), [moved])]
  }
}

extension ByteConv {
  /// With its number outside the image put around the image; nil where how wide that is depends on sizes.
  fileprivate func spelled(_ inputs: NodeInputs, _ builder: inout GraphBuilder) throws -> [ValueID]? {
    let (x, w) = (try inputs.tensor(0), try inputs.tensor(1))
    var settled = Obligations()
    let geometry = try conv.geometry(x, w, &settled)
    let (before, after) = (geometry.padsBegin.compactMap(\.value), geometry.padsEnd.compactMap(\.value))
    guard inputs.has(2), before.count == x.rank - 2, after.count == x.rank - 2 else { return nil }
    var outside = try inputs.value(2)
    if try inputs.tensor(2).rank > 0 { outside = try builder.add1(Reshape(), [outside, builder.integers([])]) }
    let pads = builder.integers([0, 0] + before + [0, 0] + after)
    let image = try builder.add1(Pad(), [try inputs.value(0), pads, outside])
    var plain = self
    (plain.conv.window.pads, plain.conv.window.autoPad) = ([], .notSet)
    return [try builder.add1(plain, [image, try inputs.value(1)])]
  }
}

extension Float8MatMul {
  /// The product with what `DequantizeLinear` makes of the weights; nil where how large a block is depends on sizes.
  fileprivate func spelled(_ inputs: NodeInputs, _ builder: inout GraphBuilder) throws -> [ValueID]? {
    let shape = try inputs.tensor(1).shape
    guard let block = shape[2].value, let depth = (shape[1] * shape[2]).value else { return nil }
    // 0 keeps the number of columns.
    let rows = try builder.add1(Reshape(), [try inputs.value(1), builder.integers([0, depth])])
    var dequantize = DequantizeLinear()
    (dequantize.axis, dequantize.blockSize) = (1, block)
    var real = try builder.add1(dequantize, [rows, try inputs.value(2)])
    if depth > inner {
      real = try builder.add1(Slice(), [real, builder.integers([0]), builder.integers([inner]), builder.integers([1])])
    }
    return [try builder.add1(MatMul(), [try inputs.value(0), try builder.add1(Transpose([1, 0]), [real])])]
  }
}
