import SinterCore
import SinterForms
import SinterIR

/// Elements along axes combined into one. Inputs: data, axes (all where absent or empty, unless `noop_with_empty_axes`).
public struct Reduce: Primitive {
  public static let name = "Reduce"
  public static let summary = "Sums, means, extremes, products and norms over axes."

  /// How elements become one.
  public enum Kind: String, CaseIterable, Sendable {
    case sum, mean, maximum, minimum, product, l1, l2, logSum, logSumExp, sumSquare

    var onnxName: String {
      switch self {
      case .sum: "ReduceSum"
      case .mean: "ReduceMean"
      case .maximum: "ReduceMax"
      case .minimum: "ReduceMin"
      case .product: "ReduceProd"
      case .l1: "ReduceL1"
      case .l2: "ReduceL2"
      case .logSum: "ReduceLogSum"
      case .logSumExp: "ReduceLogSumExp"
      case .sumSquare: "ReduceSumSquare"
      }
    }

    /// The opset from which axes are an input.
    var since: Int { self == .sum ? 13 : 18 }

    /// The type that elements are combined in.
    func type(_ element: ElementType) -> ElementType {
      switch self {
      case .sum, .mean, .maximum, .minimum, .product, .l1, .sumSquare: element.computeType
      case .l2, .logSum, .logSumExp: element.isInteger ? .f64 : element.computeType
      }
    }

    func combine(_ element: ElementType) -> Combine {
      switch self {
      case .maximum: element == .bool ? .or : .maximum
      case .minimum: element == .bool ? .and : .minimum
      case .product: .product
      case .sum, .mean, .l1, .l2, .logSum, .logSumExp, .sumSquare: .sum
      }
    }

    func accepts(_ type: ElementType) -> Bool {
      type.isFloat || type.isInteger || (type == .bool && (self == .maximum || self == .minimum))
    }
  }

  /// How elements become one.
  public var kind = Kind.sum
  /// Whether axes stay with size 1, else they disappear.
  public var keepsAxes = true
  /// Whether nothing is combined where no axes are given; else all elements are.
  public var isNoopWithoutAxes = false

  public init() {}
  /// A combination over the axes of the second input, or over all.
  public init(_ kind: Kind, keepsAxes: Bool = true) {
    self.kind = kind
    self.keepsAxes = keepsAxes
  }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .sum)
    list.bool("keepdims", &keepsAxes, default: true)
    list.bool("noop_with_empty_axes", &isNoopWithoutAxes, default: false)
  }

  public static var onnx: [OnnxRule] {
    Kind.allCases.flatMap { kind in
      [
        OnnxRule.direct(Reduce.self, as: kind.onnxName, since: kind.since) { op, _ in op.kind = kind },
        OnnxRule(kind.onnxName, since: 1) { node, builder in
          let axes = node.ints("axes").map { builder.integers($0) }
          return try builder.add(
            Reduce(kind, keepsAxes: node.int("keepdims") ?? 1 != 0), [node.input(0)] + (axes.map { [$0] } ?? []))
        },
      ]
    }
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    var attributes: [(name: String, value: OnnxAttribute)] = []
    if !keepsAxes { attributes.append(("keepdims", .int(0))) }
    if isNoopWithoutAxes { attributes.append(("noop_with_empty_axes", .int(1))) }
    return NodeSpecification(kind.onnxName, since: kind.since, attributes: attributes)
  }

  /// The axes that go, in order; nil where they are known only at run time.
  private func axes(_ inputs: NodeInputs, rank: Int) throws -> [Int]? {
    var given: [Int] = []
    if inputs.has(1) {
      if try inputs.tensor(1).count != 0 {
        guard let numbers = inputs.integers(1) else { return nil }
        given = numbers
      }
    }
    if given.isEmpty { return isNoopWithoutAxes ? [] : Array(0..<rank) }
    return Set(try given.map { try normalizedAxis($0, rank: rank, name: "axes") }).sorted()
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x, kind.accepts)
    guard let axes = try axes(inputs, rank: x.rank) else {
      let count = try inputs.countOfAxes(1, rank: keepsAxes ? Fact.contentsLimit : x.rank)
      return [Fact(x.element, inputs.freshShape(rank: keepsAxes ? x.rank : x.rank - count))]
    }
    let shape = x.shape.enumerated().compactMap { axis, size in
      axes.contains(axis) ? (keepsAxes ? Dim(1) : nil) : size
    }
    return [Fact(x.element, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    guard let axes = try axes(node.facts, rank: x.rank) else {
      let scope = DynamicReduction(
        x: x, axes: NamedAxes(try node.input(1), rank: x.rank), shape: shape, keepsAxes: keepsAxes)
      try scope.defineSizes(&lowering)
      return [try reduce(scope, x, &lowering)]
    }
    return [try reduce(StaticReduction(x: x, axes: axes, shape: shape, keepsAxes: keepsAxes), x, &lowering)]
  }

  private func reduce(_ scope: some ReductionScope, _ x: Operand, _ lowering: inout Lowering) throws -> Operand {
    let type = kind.type(x.element)
    var shift: Operand?
    if kind == .logSumExp {
      // exp is kept from overflowing by the row's maximum, where that is finite.
      let greatest = try scope.reduce(.maximum, &lowering) { $0.cast(to: type) }
      shift = try lowering.element(scope.shape) { builder, index in
        let value = builder.load(greatest.id, index)
        let isFinite = value.unary(.abs) < builder.constant(.infinity, type)
        return builder.select(isFinite, value, builder.constant(0, type))
      }
    }
    let combined = try scope.reduce(kind.combine(x.element), &lowering, shift: shift) { element in
      let value = element.cast(to: type)
      switch kind {
      case .sum, .mean, .maximum, .minimum, .product, .logSum: return value
      case .l1: return type.kind == .unsigned ? value : value.unary(.abs)
      case .l2, .sumSquare: return value * value
      case .logSumExp: return value
      }
    }
    if combined.element == x.element && !kind.hasEpilogue { return combined }
    return try lowering.element(scope.shape) { builder, index in
      let value = builder.load(combined.id, index)
      switch kind {
      case .sum, .maximum, .minimum, .product, .l1, .sumSquare: return value.cast(to: x.element)
      case .mean:
        let count = scope.count(builder)
        // The mean of no integers is no number: what it is must not stop the program.
        let divisor = type.isInteger ? count.maximum(builder.constant(1, .i64)) : count
        return (value / divisor.cast(to: type)).cast(to: x.element)
      case .l2: return value.unary(.sqrt).cast(to: x.element)
      case .logSum: return value.unary(.log).cast(to: x.element)
      case .logSumExp:
        let log = value.unary(.log)
        return (shift.map { log + builder.load($0.id, index) } ?? log).cast(to: x.element)
      }
    }
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 3, 5]), 0.5...1.5)
    let sizes = [Symbol("n"): 4]
    return Kind.allCases.flatMap { kind in
      [
        OperatorExample(Reduce(kind), [x, .constant(.i64([1], [-1]))], sizes: sizes),
        OperatorExample(Reduce(kind, keepsAxes: false), [x, .constant(.i64([2], [0, 2]))], sizes: sizes),
      ]
    } + [
      OperatorExample(Reduce(.sum), [x], sizes: sizes),
      OperatorExample(Reduce(.mean), [.random(TensorType(.f16, [8, 4]), -1...1), .constant(.i64([1], [0]))]),
      OperatorExample(Reduce(.maximum), [.random(TensorType(.i32, [8, 4]), -9...9), .constant(.i64([1], [0]))]),
      OperatorExample(Reduce(.sum), [.random(TensorType(.f32, [2, 0, 4]), -9...9), .constant(.i64([1], [1]))]),
      OperatorExample(Reduce(.mean), [x, .given(.i64([2], [-1, 0]))], sizes: sizes),
      OperatorExample(Reduce(.logSumExp), [x, .given(.i64([1], [1]))], sizes: sizes),
      OperatorExample(Reduce(.maximum, keepsAxes: false), [x, .given(.i64([1], [1]))], sizes: sizes),
    ]
  }
}

extension Reduce.Kind {
  fileprivate var hasEpilogue: Bool {
    switch self {
    case .mean, .l2, .logSum, .logSumExp: true
    case .sum, .maximum, .minimum, .product, .l1, .sumSquare: false
    }
  }
}

extension Reduce: Differentiable {
  /// Elements that are the greatest or the least together share the gradient.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let x = try node.input(0)
    guard let axes = try axes(node.facts, rank: try x.rank) else {
      throw DiagnosticError(
        .limit, "gradient.dynamic", "axes (input 1) must be known ahead of time to be differentiated")
    }
    // With all axes kept, what broadcasts lies where it belongs.
    let y = keepsAxes ? node.output : try node.output.unsqueezed(axes)
    let g = try keepsAxes ? node.gradient() : node.gradient().unsqueezed(axes)
    func number(_ count: GradientTensor) throws -> GradientTensor { try count.cast(to: try x.element) }
    let result: GradientTensor
    switch kind {
    case .sum: result = g
    case .mean: result = try g * y.count() / x.count()
    case .maximum, .minimum:
      let hits = try number(x.compare(.equal, y))
      result = try g * hits / hits.sum(axes)
    case .product: result = try g * othersProduct(x, axes)
    case .l1: result = try g * x.unary(.sign)
    case .l2: result = try (g * x / y).dropped(where: y.compare(.equal, 0))
    case .logSum: result = try g / y.unary(.exp)
    case .logSumExp: result = try g * (x - y).unary(.exp)
    case .sumSquare: result = try g * x * 2
    }
    return [try result.expanded(like: x), nil]
  }

  /// For each element the product of all others that it is reduced with; not by division, since elements may be zero.
  private func othersProduct(_ x: GradientTensor, _ axes: [Int]) throws -> GradientTensor {
    var result: GradientTensor?
    var rest = x
    for axis in axes {
      let place = rest.tape.constant(.i64([], [axis]))
      func running(isReversed: Bool) throws -> GradientTensor {
        var op = Cumulative(.product)
        (op.isExclusive, op.isReversed) = (true, isReversed)
        return try rest.applying(op, place)
      }
      let others = try running(isReversed: false) * running(isReversed: true)
      result = try result.map { try $0 * others } ?? others
      rest = try rest.applying(Reduce(.product), rest.integers([axis]))
    }
    return try result ?? x.number(1)
  }
}
