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
    RewriteRule("reshape(x, computed sizes) = reshape(x, 0 and -1)", at: Reshape.self) { _, site in
      guard let x = site.input(0), site.constant(site.input(1)) == nil, let shape = site.type(site.outputs[0])?.shape
      else { return nil }
      return try site.reshaped(x, to: shape)
    },
    RewriteRule("reshape(reshape(x)) = reshape(x)", at: reshapes) { site in
      guard let inner = site.input(0), let id = site.graph.producer(of: inner), isReshape(site.graph.nodes[id].op),
        let x = site.graph.nodes[id].inputs[0], let shape = site.type(site.outputs[0])?.shape
      else { return nil }
      return try site.reshaped(x, to: shape).map { [$0] }
    },
    mergeTransposes,
    identityTranspose,
    // Not while a layout pass still moves transposes: a reshape would be in their way.
    RewriteRule("transpose(x) = reshape(x) where no element moves", at: Transpose.self) { _, site in
      guard let (x, permutation) = site.transpose(site.outputs[0]), let shape = site.type(x)?.shape,
        permutation.movesNothing(in: shape)
      else { return nil }
      return try site.reshaped(x, to: permutation.apply(shape))
    },
    RewriteRule("gather(x, a constant range) = slice(x)", at: Gather.self) { op, site in
      guard let x = site.input(0), let type = site.type(x), let indices = site.constant(site.input(1)),
        let picked = indices.integers, let first = picked.first, indices.rank <= 1
      else { return nil }
      let axis = op.axis < 0 ? op.axis + type.rank : op.axis
      guard let size = type.shape[axis].value, picked.allSatisfy({ $0 >= -size && $0 < size }) else { return nil }
      let places = picked.map { $0 < 0 ? $0 + size : $0 }
      let start = first < 0 ? first + size : first
      let step = places.count > 1 ? places[1] - places[0] : 1
      guard step > 0, places.enumerated().allSatisfy({ $1 == start + $0 * step }) else { return nil }
      func list(_ value: Int) -> ValueID { site.constant(.i64([1], [value])) }
      let slice = try site.add1(Slice(), [x, list(start), list(places[places.count - 1] + 1), list(axis), list(step)])
      return indices.rank == 1 ? slice : try site.add1(Squeeze(), [slice, list(axis)])
    },
  ]

  static let mergeTransposes = RewriteRule("transpose(transpose(x)) = transpose(x)", at: Transpose.self) { _, site in
    guard let (inner, outer) = site.transpose(site.outputs[0]), let (x, first) = site.transpose(inner) else {
      return nil
    }
    return try site.transposed(x, first.followed(by: outer))
  }

  static let identityTranspose = RewriteRule("transpose(x) = x", at: Transpose.self) { _, site in
    guard let (x, permutation) = site.transpose(site.outputs[0]), permutation.isIdentity else { return nil }
    return x
  }
}
