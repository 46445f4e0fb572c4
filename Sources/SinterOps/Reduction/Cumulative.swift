import SinterCore
import SinterIR
import SinterKernel

/// Sums or products of all elements up to each one along the axis that the second input names.
public struct Cumulative: Primitive {
  public static let name = "Cumulative"
  public static let summary = "Cumulative sums or products along an axis."

  public enum Kind: String, CaseIterable, Sendable {
    case sum, product
    var onnxName: String { self == .sum ? "CumSum" : "CumProd" }
  }

  public var kind = Kind.sum
  public var isExclusive = false
  public var isReversed = false

  public init() {}
  public init(_ kind: Kind) { self.kind = kind }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .sum)
    list.bool("exclusive", &isExclusive, default: false)
    list.bool("reverse", &isReversed, default: false)
  }

  public static var onnx: [OnnxRule] {
    Kind.allCases.map { kind in
      .direct(Cumulative.self, as: kind.onnxName, since: kind == .sum ? 11 : 26) { op, _ in op.kind = kind }
    }
  }

  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? {
    var attributes: [(name: String, value: OnnxAttribute)] = []
    if isExclusive { attributes.append(("exclusive", .int(1))) }
    if isReversed { attributes.append(("reverse", .int(1))) }
    return OnnxForm(kind.onnxName, since: kind == .sum ? 11 : 26, attributes: attributes)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat || $0.isInteger }
    _ = try inputs.indices(1)
    if let axis = inputs.integers(1)?.first { _ = try normalizedAxis(axis, rank: x.rank) }
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, axis) = (try node.input(0), try node.input(1))
    if let known = node.facts.integers(1)?.first {
      return [try scan(x, try normalizedAxis(known, rank: x.rank), &lowering)]
    }
    // An axis that is known only at run time: along each, and the right one picked.
    var result = try scan(x, 0, &lowering)
    for other in 1..<max(x.rank, 1) {
      let (before, next) = (result, try scan(x, other, &lowering))
      result = try lowering.element(x.shape) { builder, index in
        let named = builder.load(axis.id, axis.shape.map { _ in builder.constant(0, .i64) }).cast(to: .i64)
        let isThis =
          (named .== builder.constant(other, .i64)) || (named .== builder.constant(other - x.rank, .i64))
        return builder.select(isThis, builder.load(next.id, index), builder.load(before.id, index))
      }
    }
    return [result]
  }

  private func scan(_ x: Operand, _ axis: Int, _ lowering: inout Lowering) throws -> Operand {
    let result = try lowering.scan(
      kind == .sum ? .sum : .product, x.shape, axis: axis, exclusive: isExclusive, reversed: isReversed
    ) { builder, index in builder.load(x.id, index).cast(to: x.element.computeType) }
    return try lowering.cast(result, to: x.element)
  }

  public static var examples: [OperatorExample] {
    [false, true].flatMap { isExclusive in
      [false, true].map { isReversed in
        var op = Cumulative(isReversed ? .product : .sum)
        op.isExclusive = isExclusive
        op.isReversed = isReversed
        return OperatorExample(
          op, [.random(TensorType(.f32, ["n", 3]), -1...1), .constant(.i64([], [isExclusive ? 0 : -1]))], sizes: [Symbol("n"): 4])
      }
    }
  }
}
