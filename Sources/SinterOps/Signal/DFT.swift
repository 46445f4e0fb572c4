import SinterCore
import SinterIR
import SinterKernel

/// The discrete Fourier transform along an axis. The input's last axis holds real parts, or real and imaginary ones; so does the
/// result's. Inputs: x, the length (the axis'; longer ones are filled up with zeros), the axis (-2).
///
/// Computed as the sum that defines it, which takes a time proportional to the square of the length.
public struct DFT: Primitive {
  public static let name = "DFT"
  public static let summary = "The discrete Fourier transform along an axis."

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
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 20) }

  /// The axes that the transform may be along, with its length and the result's shape for each: one, unless the axis is known only at run
  /// time and several agree with what is declared.
  private func plans(_ inputs: NodeInputs) throws -> [(axis: Int, length: Dim, result: [Dim])] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat }
    guard x.rank >= 2, let parts = x.shape.last?.value, parts == 1 || parts == 2 else {
      throw DiagnosticError(.user, "dft.parts", "the last axis must have size 1 (real) or 2 (complex), but the input is \(x)")
    }
    func plan(_ axis: Int) -> (axis: Int, length: Dim, result: [Dim]) {
      var size = x.shape[axis]
      if isInverse && isOnesided { size = (size - 1) * 2 }
      if inputs.has(1), let given = inputs.contents(1)?.first { size = given }
      var result = x.shape
      result[axis] = isOnesided && !isInverse ? size / 2 + 1 : size
      result[x.rank - 1] = isInverse && isOnesided ? 1 : 2
      return (axis, size, result)
    }
    guard inputs.has(2) else { return [plan(x.rank - 2)] }
    if let given = inputs.integers(2)?.first { return [plan(try normalizedAxis(given, rank: x.rank))] }
    let agreeing = (0..<(x.rank - 1)).map { plan($0) }.filter { $0.result == inputs.declaredShape() }
    if agreeing.isEmpty { _ = try inputs.knownIntegers(2, "axis") }
    return agreeing
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let element = try inputs.tensor(0).element
    return try plans(inputs).prefix(1).map { Fact(element, $0.result) }
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let plans = try plans(node.facts)
    var value = try transform(x, plans[0], &lowering)
    for plan in plans.dropFirst() {
      let (before, next, axis) = (value, try transform(x, plan, &lowering), try node.input(2))
      value = try lowering.element(plan.result) { builder, index in
        let named = builder.load(axis.id, axis.shape.map { _ in builder.constant(0, .i64) }).cast(to: .i64)
        let isThis =
          (named .== builder.constant(plan.axis, .i64)) || (named .== builder.constant(plan.axis - x.rank, .i64))
        return builder.select(isThis, builder.load(next.id, index), builder.load(before.id, index))
      }
    }
    return [value]
  }

  /// Sums and angles in f64: they cancel.
  private func transform(
    _ x: Operand, _ plan: (axis: Int, length: Dim, result: [Dim]), _ lowering: inout Lowering
  ) throws -> Operand {
    let (axis, length, result) = plan
    let isComplex = x.shape[x.rank - 1] == 2
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
        return builder.load(x.id, own, where: inside).cast(to: .f64)
      }
      let real = part(0)
      let (cosine, sine) = (angle.unary(.cos), angle.unary(.sin))
      var realResult = real * cosine
      var imaginaryResult = real * sine
      if isComplex {
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
      OperatorExample(half, [.random(TensorType(.f32, ["n", 7, 1]), -1...1), .constant(.i64([], [8]))], sizes: [Symbol("n"): 2]),
      OperatorExample(inverse, [.random(TensorType(.f32, [5, 2, 2]), -1...1), .absent, .constant(.i64([], [0]))]),
    ]
  }
}

extension GraphBuilder {
  /// One integer as a tensor of no axes.
  fileprivate mutating func scalarInteger(_ value: Int) -> ValueID { constant(.i64([], [value])) }
}
