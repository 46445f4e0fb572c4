import SinterCore
import SinterIR

/// A sum of two tensors, and of a bias, normalized row by row. Inputs: x, what is added to it, with broadcasting over the first axes, gamma, beta
/// (0), a bias (0). The fourth result is the sum; the second and third, which only training has, are the mean and the inverse deviation of rows.
public struct SkipLayerNormalization: Composite {
  public static let name = "SkipLayerNormalization"
  public static let summary = "A residual sum, normalized to mean 0 and variance 1, or by its mean square."

  /// What is added to a row's variance, or mean square, before its root is taken.
  public var epsilon = 1e-12
  /// Whether rows are divided by their root mean square, without beta: the inputs are x, what is added, gamma, a bias.
  public var isSimplified = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.float("epsilon", &epsilon, default: 1e-12)
    list.bool("simplified", &isSimplified, default: false)
  }
  public static var onnx: [OnnxRule] {
    [
      .direct(SkipLayerNormalization.self, domain: .microsoft),
      .direct(SkipLayerNormalization.self, as: "SkipSimplifiedLayerNormalization", domain: .microsoft) { op, _ in
        op.isSimplified = true
      },
    ]
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let (x, skip) = (try inputs.tensor(0), try inputs.tensor(1))
    guard x.rank >= 2, skip.rank <= x.rank else {
      throw DiagnosticError(
        .user, "normalization.rank",
        "the first input must have two axes or three, and the second no more, but they are \(x) and \(skip)")
    }
    let size = x.shape[x.rank - 1]
    try builder.require(by: Self.name) { obligations in
      let leading = [Dim](repeating: 1, count: x.rank - skip.rank) + skip.shape
      for axis in x.shape.indices {
        let subject = "sizes of \(x) and of what is added to it, \(skip), along axis \(axis),"
        // The last two axes are those of the rows.
        if axis + 2 < x.rank {
          try obligations.broadcasts(leading[axis], to: x.shape[axis], subject)
        } else {
          try obligations.equal(leading[axis], x.shape[axis], subject)
        }
      }
      for index in 2..<5 where inputs.has(index) {
        let type = try inputs.tensor(index)
        guard type.rank == 1 else {
          throw DiagnosticError(
            .user, "normalization.parameter", "input \(index) must be a list of \(size), but is \(type)")
        }
        try obligations.equal(
          type.shape[0], size, "number of entries of input \(index) \(type) and elements of a row of \(x)")
      }
    }
    let (beta, bias) = isSimplified ? (nil, inputs.id(3)) : (inputs.id(3), inputs.id(4))
    var sum = try builder.add1(Binary(.add), [try inputs.value(0), try inputs.value(1)])
    if let bias { sum = try builder.add1(Binary(.add), [sum, bias]) }
    if isSimplified {
      var norm = RMSNormalization()
      norm.epsilon = epsilon
      let result = try builder.add1(norm, [sum, try inputs.value(2)])
      if inputs.outputCount < 2 { return [result] }
      let inverse = try SimplifiedLayerNormalization.inverseRoot(of: sum, norm, into: &builder)
      // Nothing is subtracted: the mean is given as zero.
      let never = try builder.add1(Compare(.less), [inverse, inverse])
      let mean = try builder.add1(Cast(to: try builder.type(inverse).element), [never])
      return [result, mean, inverse, sum]
    }
    var norm = LayerNormalization()
    norm.epsilon = epsilon
    return try builder.add(norm, [sum, try inputs.value(2), beta], outputs: 3) + [sum]
  }

  public static var examples: [OperatorExample] {
    func floats(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    var simplified = SkipLayerNormalization()
    simplified.isSimplified = true
    let sizes = [Symbol("b"): 2, Symbol("s"): 3]
    return [
      OperatorExample(
        SkipLayerNormalization(),
        [floats(["b", "s", 8]), floats([1, "s", 8]), floats([8]), floats([8]), floats([8])], outputs: 4, sizes: sizes),
      OperatorExample(
        simplified, [floats(["b", "s", 8]), floats(["b", "s", 8]), floats([8])], sizes: sizes),
    ]
  }
}
