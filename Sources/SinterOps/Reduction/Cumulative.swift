import SinterCore
import SinterForms
import SinterIR

/// Sums or products of all elements up to each one along the axis that the second input names.
public struct Cumulative: Primitive {
  public static let name = "Cumulative"
  public static let summary = "Cumulative sums or products along an axis."

  /// How elements become one.
  public enum Kind: String, CaseIterable, Sendable {
    case sum, product
    var onnxName: String { self == .sum ? "CumSum" : "CumProd" }
  }

  /// How elements become one.
  public var kind = Kind.sum
  /// Whether the element itself does not count, so that the first result is 0, or 1 for products.
  public var isExclusive = false
  /// Whether elements count from the end of the axis.
  public var isReversed = false

  public init() {}
  /// Sums or products from the start, each element counted.
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

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    var attributes: [(name: String, value: OnnxAttribute)] = []
    if isExclusive { attributes.append(("exclusive", .int(1))) }
    if isReversed { attributes.append(("reverse", .int(1))) }
    return NodeSpecification(kind.onnxName, since: kind == .sum ? 11 : 26, attributes: attributes)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat || $0.isInteger }
    guard x.rank > 0 else {
      throw DiagnosticError(.user, "cumulative.rank", "the input must have at least one axis, but is \(x)")
    }
    try obligations.scalar(try inputs.indices(1), "the axis")
    if let axis = inputs.integers(1)?.first { _ = try normalizedAxis(axis, rank: x.rank) }
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, axis) = (try node.input(0), try node.input(1))
    if let known = node.facts.integers(1)?.first {
      return [try scan(x, try normalizedAxis(known, rank: x.rank), &lowering)]
    }
    // An axis that is known only at run time: along each, and the right one picked.
    let error = lowering.error("\(kind.onnxName): the input has %1 axes, so that there is no axis %2")
    let scans = try (0..<x.rank).map { try scan(x, $0, &lowering) }
    return [
      try lowering.element(x.shape) { builder, index in
        let given = builder.load(axis.id, axis.shape.map { _ in builder.constant(0, .i64) }).cast(to: .i64)
        let rank = builder.constant(x.rank, .i64)
        let named = builder.select(given < 0, given + rank, given).checked(below: rank, error: error)
        return scans.enumerated().dropFirst().reduce(builder.load(scans[0].id, index)) { result, scan in
          builder.select(named .== builder.constant(scan.offset, .i64), builder.load(scan.element.id, index), result)
        }
      }
    ]
  }

  private func scan(_ x: Operand, _ axis: Int, _ lowering: inout Lowering) throws -> Operand {
    let result = try lowering.scan(
      kind == .sum ? .sum : .product, x.shape, axis: axis, exclusive: isExclusive, reversed: isReversed
    ) { builder, index in builder.load(x.id, index).cast(to: x.element.computeType) }
    return try lowering.cast(result, to: x.element)
  }

  public static var examples: [OperatorExample] {
    let open = OperatorExample(
      Cumulative(), [.random(TensorType(.f32, ["n", 3]), -1...1), .given(.i64([1], [-1]))], sizes: [Symbol("n"): 4])
    return [open]
      + [false, true].flatMap { isExclusive in
        [false, true].map { isReversed in
          var op = Cumulative(isReversed ? .product : .sum)
          op.isExclusive = isExclusive
          op.isReversed = isReversed
          return OperatorExample(
            op, [.random(TensorType(.f32, ["n", 3]), -1...1), .constant(.i64([], [isExclusive ? 0 : -1]))],
            sizes: [Symbol("n"): 4])
        }
      }
  }
}

extension Cumulative: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    guard kind == .sum else { return [try ofFactors(node), nil] }
    var op = self
    op.isReversed.toggle()
    return [try node.gradient().applying(op, try node.input(1)), nil]
  }

  /// Of products, from the last to the first: s is the gradient of the product up to a place, with what later products hand to it; its factor has
  /// s times the product before, and the product before has s times the factor. So zeros are factors like others.
  private func ofFactors(_ node: GradientNode) throws -> GradientTensor {
    let (x, g) = (try node.input(0), try node.gradient())
    let axis = try normalizedAxis(try node.integers(1, "the axis")[0], rank: try x.rank)
    var before = self
    before.isExclusive = true
    let products = isExclusive ? node.output : try x.applying(before, try node.input(1))
    var type = try x.type
    type.shape.remove(at: axis)
    let tape = GradientTape(GraphBuilder(name: "gradient of a cumulative product"))
    func input(_ name: String) -> GradientTensor {
      GradientTensor(tape.builder.input(Fact(.tensor(type)), named: name), tape)
    }
    let (later, own, factor, product) = (input("later"), input("gradient"), input("factor"), input("product"))
    let sum = try isExclusive ? later : later + own
    let next = try isExclusive ? sum * factor + own : sum * factor
    tape.builder.output(next.id, named: "next")
    tape.builder.output(try (sum * product).id, named: "result")
    var scan = Scan()
    (scan.stateCount, scan.slicedCount) = (1, 3)
    (scan.inputAxes, scan.outputAxes) = ([axis, axis, axis], [axis])
    (scan.inputDirections, scan.outputDirections) = isReversed ? ([], []) : ([1, 1, 1], [1])
    let start = try x.zeros(sizes: (0..<(try x.rank)).filter { $0 != axis }.map { try x.size($0) })
    let results = try x.tape.builder.add(
      scan, [start.id, g.id, x.id, products.id], outputs: 2, bodies: [tape.builder.graph])
    return GradientTensor(results[1], x.tape)
  }
}
