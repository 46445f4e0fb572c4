import SinterCore
import SinterForms
import SinterIR

/// The discrete Fourier transform along an axis. The input's last axis holds real parts, or real and imaginary ones; so does the
/// result's. Inputs: x, the length (the axis'; longer ones are filled up with zeros), the axis (-2).
///
/// Computed as the sum that defines it, which takes a time proportional to the square of the length.
public struct DFT: Primitive {
  public static let name = "DFT"
  public static let summary = "The discrete Fourier transform along an axis."

  /// Whether a spectrum becomes a signal; the result is then divided by the length.
  public var isInverse = false
  /// Whether only the first half of the spectrum is given (forward) or taken (inverse), the other one mirroring it.
  public var isOnesided = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("inverse", &isInverse, default: false)
    list.bool("onesided", &isOnesided, default: false)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(DFT.self, since: 20),
      OnnxRule("DFT", since: 17) { node, builder in
        var op = DFT()
        var reader = OnnxAttributeReader(node)
        op.attributes(&reader)
        try reader.finish()
        return try builder.add(op, [node.input(0), node.input(1), builder.scalarInteger(node.int("axis") ?? 1)])
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 20) }

  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(1)] }

  private struct Plan {
    var axis: Int
    var length: Dim
    var result: [Dim]
  }

  /// The transform along the axis; along each axis, where it is known only at run time.
  private func plans(_ inputs: NodeInputs, _ obligations: inout Obligations) throws -> [Plan] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat }
    guard x.rank >= 2, let parts = x.shape.last else {
      throw DiagnosticError(.user, "dft.parts", "the input must have an axis besides that of the parts, but is \(x)")
    }
    if isInverse && isOnesided {
      try obligations.equal(parts, 2, "size of the last axis of \(x), a one-sided spectrum, and 2")
    } else {
      try obligations.isComplexOrReal(parts, of: x)
    }
    let given = inputs.has(1) ? try inputs.size(1, "dft_length", atLeast: 1, requiring: &obligations) : nil
    func plan(_ axis: Int) -> Plan {
      var size = x.shape[axis]
      if isInverse && isOnesided { size = (size - 1) * 2 }
      if let given { size = given }
      var result = x.shape
      result[axis] = isOnesided && !isInverse ? size / 2 + 1 : size
      result[x.rank - 1] = isInverse && isOnesided ? 1 : 2
      return Plan(axis: axis, length: size, result: result)
    }
    if inputs.has(2) {
      try obligations.scalar(try inputs.indices(2), "the axis")
      guard let number = inputs.integers(2)?.first else { return (0..<(x.rank - 1)).map { plan($0) } }
      let axis = try normalizedAxis(number, rank: x.rank)
      guard axis < x.rank - 1 else {
        throw DiagnosticError(
          .user, "dft.axis", "the axis must not be that of the parts, which is the last one of \(x), but is \(number)")
      }
      return [plan(axis)]
    }
    return [plan(x.rank - 2)]
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let plans = try plans(inputs, &obligations)
    if plans.count > 1 {
      let shape = inputs.freshShape(rank: x.rank) { axis in
        plans.allSatisfy { $0.result[axis] == plans[0].result[axis] } ? plans[0].result[axis] : nil
      }
      return [Fact(x.element, shape)]
    }
    let plan = plans[0]
    if plan.result[plan.axis] != x.shape[plan.axis] {
      // Where there is a result there must be an element.
      let least = isInverse && isOnesided ? 1 : Dim.min(plan.result.reduce(1, *), 1)
      try obligations.atLeast(x.shape[plan.axis], least, "size of axis \(plan.axis) of \(x)")
    }
    return [Fact(x.element, plan.result)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    var settled = Obligations()
    let plans = try plans(node.facts, &settled)
    if plans.count == 1 { return [try transform(x, plans[0], &lowering)] }
    let (axes, shape) = (NamedAxes(try node.input(2), rank: x.rank), try node.output().shape)
    try lowering.defineSizes(shape, of: "the result, whose axis is none or empty,") { builder, position in
      plans.reduce(builder.constant(-1, .i64)) { size, plan in
        let isRight = axes.isAxis(builder, 0, plan.axis) && (builder.size(x.shape[plan.axis]) > 0)
        return builder.select(isRight, builder.size(plan.result[position]), size)
      }
    }
    let error = lowering.error("DFT: axis %0 is none, or that of the parts")
    let transforms = try plans.map { try transform(x, $0, &lowering) }
    return [
      try lowering.element(shape) { builder, index in
        let given = builder.load(axes.operand.id, axes.operand.shape.map { _ in builder.constant(0, .i64) }).cast(
          to: .i64)
        let named = builder.select(given < 0, given + builder.constant(x.rank, .i64), given).checked(
          below: builder.constant(x.rank - 1, .i64), error: error)
        return zip(plans, transforms).reduce(builder.constant(0, x.element)) { result, pair in
          let isThis = named .== builder.constant(pair.0.axis, .i64)
          return builder.select(isThis, builder.load(pair.1.id, index, where: isThis), result)
        }
      }
    ]
  }

  /// Sums and angles in f64: they cancel.
  private func transform(
    _ x: Operand, _ plan: Plan, _ lowering: inout Lowering
  ) throws -> Operand {
    let (axis, length, result) = (plan.axis, plan.length, plan.result)
    let parts = x.shape[x.rank - 1]
    let sign: Double = isInverse ? 1 : -1
    // A one-sided spectrum of length n / 2 + 1 stands for n numbers.
    let mirrors = isInverse && isOnesided
    let sum = try lowering.reduce(.sum, result, over: [length]) { builder, index, inner in
      let n = builder.size(length)
      let phase = (index[axis] * inner[0]).modulo(n)
      let angle = phase.cast(to: .f64) * (sign * 2 * Double.pi) / n.cast(to: .f64)
      let isMirrored = mirrors ? inner[0] >= builder.size(x.shape[axis]) : builder.bool(false)
      let place = builder.select(isMirrored, n - inner[0], inner[0])
      let inside = place < builder.size(x.shape[axis])
      func part(_ which: Int) -> Expr {
        var own = index
        own[axis] = place
        own[x.rank - 1] = builder.constant(which, .i64)
        if which == 0 || parts == 2 { return builder.load(x.id, own, where: inside).cast(to: .f64) }
        return builder.load(x.id, own, where: inside && (builder.size(parts) > 1)).cast(to: .f64)
      }
      let real = part(0)
      let (cosine, sine) = (angle.unary(.cos), angle.unary(.sin))
      var realResult = real * cosine
      var imaginaryResult = real * sine
      if parts != 1 {
        let imaginary = mirrors ? builder.select(isMirrored, -part(1), part(1)) : part(1)
        realResult = realResult - imaginary * sine
        imaginaryResult = imaginaryResult + imaginary * cosine
      }
      return builder.select(index[x.rank - 1] .== builder.constant(0, .i64), realResult, imaginaryResult)
    }
    return try lowering.element(result) { builder, index in
      let value = builder.load(sum.id, index)
      return (isInverse ? value / builder.size(length).cast(to: .f64) : value).cast(to: x.element)
    }
  }

  public static var examples: [OperatorExample] {
    var half = DFT()
    half.isOnesided = true
    var inverse = DFT()
    inverse.isInverse = true
    return [
      OperatorExample(DFT(), [.random(TensorType(.f32, ["n", 6, 1]), -1...1)], sizes: [Symbol("n"): 2]),
      OperatorExample(
        half, [.random(TensorType(.f32, ["n", 7, 1]), -1...1), .constant(.i64([], [8]))], sizes: [Symbol("n"): 2]),
      OperatorExample(inverse, [.random(TensorType(.f32, [5, 2, 2]), -1...1), .absent, .constant(.i64([], [0]))]),
      OperatorExample(
        half, [.random(TensorType(.f32, ["m", "n", 1]), -1...1), .given(.i64([], [4])), .given(.i64([1], [-3]))],
        sizes: [Symbol("m"): 3, Symbol("n"): 2]),
      OperatorExample(
        DFT(), [.random(TensorType(.f32, ["m", "n", 2]), -1...1), .absent, .given(.i64([], [1]))],
        sizes: [Symbol("m"): 3, Symbol("n"): 2]),
      OperatorExample(
        DFT(), [.random(TensorType(.f32, ["m", "n", "p"]), -1...1)],
        sizes: [Symbol("m"): 3, Symbol("n"): 2, Symbol("p"): 2]),
    ]
  }
}

extension Obligations {
  /// An axis that holds real parts, or real and imaginary ones.
  mutating func isComplexOrReal(_ parts: Dim, of x: TensorType) throws {
    try divisible(
      2, by: parts, "number of parts of a complex number, of which the last axis of \(x) holds one or both,")
  }
}

extension GraphBuilder {
  /// One integer as a tensor of no axes.
  fileprivate mutating func scalarInteger(_ value: Int) -> ValueID { constant(.i64([], [value])) }
}

extension DFT: Differentiable {
  /// The transform the other way round, without its division or with it.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    let rank = try x.rank
    let axis = node.has(2) ? try normalizedAxis(try node.integers(2, "the axis")[0], rank: rank) : rank - 2
    guard let parts = try x.shape[rank - 1].value else {
      throw DiagnosticError(
        .limit, "gradient.dynamic", "the number of parts of \(try x.type) must be known ahead of time")
    }
    let length =
      try node.has(1)
      ? node.input(1).cast(to: .i64).applying(Reshape(), x.integers([1]))
      : isInverse && isOnesided ? node.output.size(axis) : x.size(axis)
    let count = try length.cast(to: try x.element)
    var back = DFT()
    back.isInverse = !isInverse
    // Frequencies that a one-sided transform leaves out have none.
    var result = try g.applying(back, length.squeezed([0]), x.tape.constant(.i64([], [axis])))
    result = try isInverse ? result / count : result * count
    if isInverse && isOnesided {
      // Those that also stand for their mirror images count twice.
      let places = try result.positions(along: axis)
      let mirrored = try length - x.size(axis)
      let isTwice = try places.compare(.greater, x.integers([0]))
        .applying(Binary(.and), try places.applying(Compare(.lessOrEqual), mirrored))
      let factor = try isTwice.cast(to: try x.element) + 1.0
      result = try result * factor.unsqueezed((0..<rank).filter { $0 != axis })
    }
    if parts == 1 { result = try result.split(into: 2, along: rank - 1)[0] }
    if try result.shape[axis] != x.shape[axis] { result = try result.resized(axis, to: x.size(axis)) }
    return [result, nil, nil]
  }
}
