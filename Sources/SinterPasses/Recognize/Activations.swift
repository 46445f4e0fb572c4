import SinterCore
import SinterIR
import SinterOps

extension RewriteRule {
  /// Activations that are products of their argument and a function of it.
  static let activations: [RewriteRule] = [
    RewriteRule("x/2 · (1 + erf(x/√2)) = gelu(x)", at: Binary.self) { op, site in
      try site.argumentOfProduct(op, scaledBy: 0.5) { x, other in
        guard let erf = site.operand(of: other, .add, with: 1), let inner = site.operand(of: erf, .erf) else {
          return false
        }
        return ProductOfFactors(of: inner, in: site).single(scaledBy: 0.5.squareRoot()) == x
      }.map { try site.add1(Gelu(), [$0]) }
    },
    RewriteRule("x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³))) = gelu_tanh(x)", at: Binary.self) { op, site in
      try site.argumentOfProduct(op, scaledBy: 0.5) { x, other in
        guard let tanh = site.operand(of: other, .add, with: 1), let inner = site.operand(of: tanh, .tanh) else {
          return false
        }
        let product = ProductOfFactors(of: inner, in: site)
        guard product.isScaled(by: 0.7978845608) else { return false }
        // Either x + 0.044715·x³ or x · (1 + 0.044715·x²).
        if product.factors.count == 1, let (a, b) = site.operands(of: product.factors[0], .add) {
          return (a == x && site.isPower(b, of: x, 3, scaledBy: 0.044715))
            || (b == x && site.isPower(a, of: x, 3, scaledBy: 0.044715))
        }
        guard let rest = product.removing(x)?.factors, rest.count == 1,
          let square = site.operand(of: rest[0], .add, with: 1)
        else { return false }
        return site.isPower(square, of: x, 2, scaledBy: 0.044715)
      }.map { try site.add1(Gelu(.tanh), [$0]) }
    },
    RewriteRule("x · sigmoid(α·x) = swish(x)", at: Binary.self) { op, site in
      var alpha = 1.0
      return try site.argumentOfProduct(op, scaledBy: 1) { x, other in
        guard let inner = site.operand(of: other, .sigmoid) else { return false }
        let product = ProductOfFactors(of: inner, in: site)
        alpha = product.coefficient
        return inner == x || product.factors == [x]
      }.map { x in
        var swish = Swish()
        swish.alpha = alpha
        return try site.add1(swish, [x])
      }
    },
    RewriteRule("x/6 · clip(x + 3, 0, 6) = hardswish(x)", at: Binary.self) { op, site in
      try site.argumentOfProduct(op, scaledBy: 1 / 6.0) { x, other in
        guard let (_, _, inputs) = site.producer(of: other, as: Clip.self), inputs.count == 3,
          site.number(inputs[1]) == 0,
          site.number(inputs[2]) == 6
        else { return false }
        return site.operand(of: inputs[0], .add, with: 3) == x
      }.map { try site.add1(Unary(.hardSwish), [$0]) }
    },
    RewriteRule("x · hardsigmoid(x, 1/6, 1/2) = hardswish(x)", at: Binary.self) { op, site in
      try site.argumentOfProduct(op, scaledBy: 1) { x, other in
        guard let (sigmoid, _, inputs) = site.producer(of: other, as: HardSigmoid.self) else { return false }
        return inputs[0] == x && abs(sigmoid.alpha - 1 / 6.0) < 1e-5 && sigmoid.beta == 0.5
      }.map { try site.add1(Unary(.hardSwish), [$0]) }
    },
    RewriteRule("x · tanh(softplus(x)) = mish(x)", at: Binary.self) { op, site in
      try site.argumentOfProduct(op, scaledBy: 1) { x, other in
        site.operand(of: site.operand(of: other, .tanh), .softplus) == x
      }.map { try site.add1(Unary(.mish), [$0]) }
    },
  ]
}

extension RewriteSite {
  /// Takes the node apart as coefficient · x · f, where `isFunction(x, f)` tells whether the other factor is the right function of x.
  fileprivate func argumentOfProduct(
    _ op: Binary, scaledBy coefficient: Double, _ isFunction: (_ x: ValueID, _ other: ValueID) -> Bool
  ) throws -> ValueID? {
    guard op.kind == .multiply || op.kind == .divide, let result = type(outputs[0]), result.element.isFloat else {
      return nil
    }
    let product = ProductOfFactors(of: outputs[0], in: self)
    guard product.factors.count == 2, product.isScaled(by: coefficient) else { return nil }
    for (x, other) in [(product.factors[0], product.factors[1]), (product.factors[1], product.factors[0])]
    where type(x) == result && isFunction(x, other) {
      return x
    }
    return nil
  }

  /// Whether a value is a number times x to the n.
  fileprivate func isPower(_ value: ValueID, of x: ValueID, _ n: Int, scaledBy coefficient: Double) -> Bool {
    let product = ProductOfFactors(of: value, in: self)
    guard product.isScaled(by: coefficient) else { return false }
    var degree = 0
    for factor in product.factors {
      if factor == x {
        degree += 1
      } else if let (base, exponent) = operands(of: factor, .power), let number = number(exponent) {
        guard base == x, number == number.rounded(), abs(number) < 64 else { return false }
        degree += Int(number)
      } else if let (a, b) = operands(of: factor, .multiply), a == x, b == x {
        degree += 2
      } else {
        return false
      }
    }
    return degree == n
  }
}
