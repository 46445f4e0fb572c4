import SinterCore
import SinterIR
import SinterOps

extension RewriteRule {
  /// Operators that leave all elements in their places and only name other sizes.
  private static let reshapes: [any Operator.Type] = [Reshape.self, Flatten.self, Squeeze.self, Unsqueeze.self]

  private static func isReshape(_ op: any Operator) -> Bool {
    op is Reshape || op is Flatten || op is Squeeze || op is Unsqueeze
  }

  /// What reshapes and transposes do to one another. Few of them are left, and layout passes see through the rest.
  static let shapeIdentities: [RewriteRule] = [
    RewriteRule("reshape(x) = x", at: reshapes + [Expand.self, Slice.self, Pad.self, Concat.self]) { site in
      guard let x = site.input(0), let type = site.type(x), site.outputs.count == 1, type == site.type(site.outputs[0])
      else { return nil }
      switch site.op {
      case is Slice:
        // Equal sizes tell that all is taken, but not in which order.
        let inputs = site.graph.inputs(of: site.id)
        guard !inputs.has(4) || inputs.integers(4)?.allSatisfy({ $0 > 0 }) == true else { return nil }
      case is Pad:
        guard site.graph.inputs(of: site.id).integers(1)?.allSatisfy({ $0 == 0 }) == true else { return nil }
      case is Concat:
        guard site.inputs.count == 1 else { return nil }
      default: break
      }
      return [x]
    },
    RewriteRule("reshape(reshape(x)) = reshape(x)", at: reshapes) { site in
      guard let inner = site.input(0), let id = site.graph.producer(of: inner), isReshape(site.graph.nodes[id].op),
        let x = site.graph.nodes[id].inputs[0], let shape = site.type(site.outputs[0])?.shape
      else { return nil }
      return try site.reshaped(x, to: shape).map { [$0] }
    },
    RewriteRule("transpose(transpose(x)) = transpose(x)", at: Transpose.self) { _, site in
      guard let (inner, outer) = site.transpose(site.outputs[0]), let (x, first) = site.transpose(inner) else { return nil }
      return try site.transposed(x, first.followed(by: outer))
    },
    RewriteRule("transpose(x) = x, or a reshape where no element moves", at: Transpose.self) { _, site in
      guard let (x, permutation) = site.transpose(site.outputs[0]), let shape = site.type(x)?.shape else { return nil }
      if permutation.isIdentity { return x }
      guard permutation.movesNothing(in: shape) else { return nil }
      return try site.reshaped(x, to: permutation.apply(shape))
    },
  ]
}
