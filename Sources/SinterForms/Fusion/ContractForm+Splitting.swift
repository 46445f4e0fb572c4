import SinterCore

extension ContractForm {
  /// The same contraction with one summed axis taken apart, where a side divides its index: merging heads, `k / 64` and `k % 64`, is
  /// regular once k is two axes.
  ///
  /// The bodies are to be simplified after. Nil where no axis is divided by a factor of its size.
  func splittingDepth() -> ContractForm? {
    for (body, first) in [(lhs, batch.count + m.count), (rhs, batch.count + n.count)] {
      for expr in body.exprs {
        guard case .binary(let function, let a, let b) = expr.node, function == .floorDivide || function == .modulo,
          case .axis(let axis) = body[a].node, axis >= first
        else { continue }
        let factor: Dim
        switch body[b].node {
        case .constant(.int(let value)): factor = Dim(Int(value))
        case .size(let dim): factor = dim
        default: continue
        }
        guard let rest = k[axis - first].exactQuotient(by: factor), factor != 1, rest != 1 else { continue }
        var result = self
        result.k.replaceSubrange((axis - first)...(axis - first), with: [rest, factor])
        result.lhs = lhs.splitting(axis - first + batch.count + m.count, by: factor)
        result.rhs = rhs.splitting(axis - first + batch.count + n.count, by: factor)
        return result
      }
    }
    return nil
  }
}

extension Body {
  /// The body over one axis more: axis n becomes `n · factor + (n + 1)`.
  fileprivate func splitting(_ n: Int, by factor: Dim) -> Body {
    let count = (exprs.compactMap { if case .axis(let axis) = $0.node { axis } else { nil } }.max() ?? n) + 1
    var types: [FormValueID: ElementType] = [:]
    for expr in exprs { if case .load(let value, _, _, _) = expr.node { types[value] = expr.type } }
    let builder = BodyBuilder { types[$0] ?? .f32 }
    let axes = (0..<Swift.max(count, n + 1)).map { axis in
      axis < n
        ? builder.axis(axis)
        : axis > n ? builder.axis(axis + 1) : builder.axis(n) * builder.size(factor) + builder.axis(n + 1)
    }
    return builder.body(builder.inline(self, axes: axes))
  }
}
