import SinterCore
import SinterIR
import SinterOps

extension RewriteRule {
  /// Normalizations of rows. The bare form has a scale of ones, which a product behind it replaces.
  static let normalizations: [RewriteRule] = [
    RewriteRule("(x - mean(x)) / √(variance(x) + ε) = layernorm(x)", at: Binary.self) { op, site in
      guard let (centered, variance, epsilon) = site.dividedByRoot(op),
        let (x, mean) = site.operands(of: centered, .subtract),
        let (meanOf, meanAxis) = site.rowMean(mean), meanOf == x,
        let (square, axis) = site.rowMean(variance), meanAxis == axis, site.isSquare(square, of: centered),
        let type = site.type(x), site.outputs.first.flatMap({ site.type($0) }) == type,
        let scale = site.ones(type, from: axis)
      else { return nil }
      var norm = LayerNormalization()
      norm.axis = axis - type.rank
      norm.epsilon = epsilon
      return try site.add1(norm, [x, site.constant(scale)])
    },
    RewriteRule("x / √(mean(x²) + ε) = rmsnorm(x)", at: Binary.self) { op, site in
      guard let (x, mean, epsilon) = site.dividedByRoot(op), let (square, axis) = site.rowMean(mean),
        site.isSquare(square, of: x), let type = site.type(x), site.outputs.first.flatMap({ site.type($0) }) == type,
        let scale = site.ones(type, from: axis)
      else { return nil }
      var norm = RMSNormalization()
      norm.axis = axis - type.rank
      norm.epsilon = epsilon
      return try site.add1(norm, [x, site.constant(scale)])
    },
    RewriteRule("norm(x, 1) · c = norm(x, c)", at: Binary.self) { op, site in
      guard op.kind == .multiply, let a = site.input(0), let b = site.input(1) else { return nil }
      for (value, scale) in [(a, b), (b, a)] {
        guard site.isUsedOnce(value), let id = site.graph.producer(of: value),
          let ones = site.graph.nodes[id].inputs.dropFirst().first,
          site.number(ones) == 1, let wanted = site.type(ones), site.type(scale) == wanted
        else { continue }
        let node = site.graph.nodes[id]
        if let norm = node.op as? LayerNormalization, node.inputs.count == 2 {
          return try site.add1(norm, [node.inputs[0], scale])
        }
        if let norm = node.op as? RMSNormalization { return try site.add1(norm, [node.inputs[0], scale]) }
      }
      return nil
    },
    RewriteRule("layernorm(x, c) + b = layernorm(x, c, b)", at: Binary.self) { op, site in
      guard op.kind == .add, let a = site.input(0), let b = site.input(1) else { return nil }
      for (value, bias) in [(a, b), (b, a)] {
        guard let (norm, id, inputs) = site.producer(of: value, as: LayerNormalization.self), site.isUsedOnce(value),
          inputs.count == 2, site.graph.nodes[id].outputs.count == 1, let scale = site.type(inputs[1]),
          site.type(bias) == scale
        else { continue }
        return try site.add1(norm, inputs + [bias])
      }
      return nil
    },
  ]
}

extension RewriteSite {
  /// a, m and ε, where the node is a / √(m + ε), a · (1 / √(m + ε)) or a · (m + ε)^-½.
  fileprivate func dividedByRoot(_ op: Binary) -> (a: ValueID, mean: ValueID, epsilon: Double)? {
    guard let a = input(0), let b = input(1), type(a)?.element.isFloat == true else { return nil }
    func shifted(_ value: ValueID?) -> (ValueID, Double)? {
      guard let (x, y) = operands(of: value, .add) else { return nil }
      if let epsilon = number(y) { return (x, epsilon) }
      return number(x).map { (y, $0) }
    }
    func root(_ value: ValueID?) -> (ValueID, Double)? {
      if let inner = operand(of: value, .sqrt) { return shifted(inner) }
      guard let (base, exponent) = operands(of: value, .power), number(exponent) == 0.5 else { return nil }
      return shifted(base)
    }
    func inverseRoot(_ value: ValueID?) -> (ValueID, Double)? {
      if let inner = operand(of: value, .reciprocal) { return root(inner) }
      if let (one, inner) = operands(of: value, .divide), number(one) == 1 { return root(inner) }
      guard let (base, exponent) = operands(of: value, .power), number(exponent) == -0.5 else { return nil }
      return shifted(base)
    }
    switch op.kind {
    case .divide: return root(b).map { (a, $0.0, $0.1) }
    case .multiply: return inverseRoot(b).map { (a, $0.0, $0.1) } ?? inverseRoot(a).map { (b, $0.0, $0.1) }
    default: return nil
    }
  }

  /// The argument and first axis of a mean over all axes from one on, which stay with size 1.
  fileprivate func rowMean(_ value: ValueID) -> (x: ValueID, axis: Int)? {
    guard let (op, id, inputs) = producer(of: value, as: Reduce.self), op.kind == .mean, op.keepsAxes,
      let x = inputs[0],
      let rank = type(x)?.rank, let axes = graph.inputs(of: id).integers(1), !axes.isEmpty
    else { return nil }
    let sorted = Set(axes.map { $0 < 0 ? $0 + rank : $0 }).sorted()
    guard sorted == Array((rank - sorted.count)..<rank), sorted[0] >= 0 else { return nil }
    return (x, sorted[0])
  }

  fileprivate func isSquare(_ value: ValueID, of x: ValueID) -> Bool {
    if let (a, b) = operands(of: value, .multiply) { return a == x && b == x }
    if let (base, exponent) = operands(of: value, .power) { return base == x && number(exponent) == 2 }
    return false
  }

  /// Ones of the shape that a row has from an axis on; nil where sizes are open.
  fileprivate func ones(_ type: TensorType, from axis: Int) -> HostTensor? {
    guard let shape = TensorType(type.element, Array(type.shape[axis...])).staticShape else { return nil }
    let count = shape.reduce(1, *)
    switch type.element {
    case .f32: return .f32(shape, [Float](repeating: 1, count: count))
    case .f64: return HostTensor(.f64, shape, values: [Double](repeating: 1, count: count))
    case .f16: return HostTensor(.f16, shape, values: [Float16](repeating: 1, count: count))
    default: return nil
    }
  }
}
