import SinterCore
import SinterIR
import SinterOps

extension RewriteRule {
  /// Transposes that bring channels to the front move behind the operators that can work on either order. Each rule moves a transpose toward
  /// the outputs, or removes one.
  static let sinkTransposes: [RewriteRule] = [
    RewriteRule("f(first(x)) = first(f(x))", at: [], keepsOrigin: true) { site in
      guard let op = site.op as? any ElementwiseUnary, let x = site.channelsLast(behind: site.input(0)) else {
        return nil
      }
      return [try site.broughtFirst(try site.add1(op, [x]))]
    },
    RewriteRule(
      "f(first(x), y…) = first(f(x, last(y)…))",
      at: [
        Binary.self, Variadic.self, Compare.self, Where.self, PRelu.self, Cast.self, Clip.self, IsNaN.self, IsInf.self,
        Identity.self, Requantize.self, FlipTopBit.self, QLinearBinary.self,
      ], keepsOrigin: true
    ) { site in
      guard let result = site.type(site.outputs[0]), result.rank >= 3,
        site.inputs.contains(where: { site.channelsLast(behind: $0) != nil })
      else { return nil }
      var inputs: [ValueID?] = []
      for (index, input) in site.inputs.enumerated() {
        // The bounds of Clip are scalars of any rank.
        guard let input, !(site.op is Clip && index > 0) else {
          inputs.append(input)
          continue
        }
        guard let last = try site.broughtLast(input, rank: result.rank) else { return nil }
        inputs.append(last)
      }
      return [try site.broughtFirst(try site.add1(site.op, inputs))]
    },
    RewriteRule(
      "quantize(first(x)) = first(quantize(x))", at: [QuantizeLinear.self, DequantizeLinear.self], keepsOrigin: true
    ) { site in
      // One scale for all elements.
      guard let x = site.channelsLast(behind: site.input(0)), let scale = site.input(1), let type = site.type(scale),
        type.rank <= 1,
        type.count.value == 1
      else { return nil }
      return [try site.broughtFirst(try site.add1(site.op, [x] + site.inputs.dropFirst()))]
    },
    RewriteRule("concat(first(x)…) = first(concat(x…))", at: Concat.self, keepsOrigin: true) { op, site in
      guard let result = site.type(site.outputs[0]), result.rank >= 3,
        site.inputs.contains(where: { site.channelsLast(behind: $0) != nil })
      else { return nil }
      var inputs: [ValueID?] = []
      for case let input? in site.inputs {
        guard let last = try site.broughtLast(input, rank: result.rank) else { return nil }
        inputs.append(last)
      }
      let order = Permutation.toChannelsFirst(rank: result.rank).order
      let axis = op.axis < 0 ? op.axis + result.rank : op.axis
      return try site.broughtFirst(try site.add1(Concat(axis: order[axis]), inputs))
    },
    RewriteRule("split(first(x)) = first(split(x))", at: [Split.self], keepsOrigin: true) { site in
      guard var op = site.op as? Split, let x = site.channelsLast(behind: site.input(0)), let rank = site.type(x)?.rank
      else { return nil }
      op.axis = Permutation.toChannelsFirst(rank: rank).order[op.axis < 0 ? op.axis + rank : op.axis]
      return try site.add(op, [x] + site.inputs.dropFirst(), outputs: site.outputs.count).map {
        try site.broughtFirst($0)
      }
    },
    RewriteRule("slice(first(x)) = first(slice(x))", at: Slice.self, keepsOrigin: true) { op, site in
      guard let x = site.channelsLast(behind: site.input(0)), let rank = site.type(x)?.rank,
        let starts = site.input(1), let count = site.type(starts)?.shape.first?.value
      else { return nil }
      let given = site.graph.inputs(of: site.id)
      let axes: [Int]
      if given.has(3) {
        guard let known = given.integers(3) else { return nil }
        axes = known
      } else {
        axes = Array(0..<count)
      }
      let order = Permutation.toChannelsFirst(rank: rank).order
      guard axes.allSatisfy({ $0 >= -rank && $0 < rank }) else { return nil }
      var inputs = site.inputs
      while inputs.count < 4 { inputs.append(nil) }
      inputs[0] = x
      inputs[3] = site.constant(.i64([axes.count], axes.map { order[$0 < 0 ? $0 + rank : $0] }))
      return try site.broughtFirst(try site.add1(op, inputs))
    },
    RewriteRule("pad(first(x)) = first(pad(x))", at: Pad.self, keepsOrigin: true) { op, site in
      let given = site.graph.inputs(of: site.id)
      guard let x = site.channelsLast(behind: site.input(0)), let rank = site.type(x)?.rank, !given.has(3),
        let pads = given.integers(1), pads.count == 2 * rank
      else { return nil }
      // Axis j of the written order is axis order[j] of the other one.
      let order = Permutation.toChannelsLast(rank: rank).order
      let moved = order.map { pads[$0] } + order.map { pads[$0 + rank] }
      var inputs = site.inputs
      inputs[0] = x
      inputs[1] = site.constant(.i64([2 * rank], moved))
      return try site.broughtFirst(try site.add1(op, inputs))
    },
    RewriteRule("reduce(first(x)) = first(reduce(x))", at: Reduce.self, keepsOrigin: true) { op, site in
      guard let x = site.channelsLast(behind: site.input(0)), let rank = site.type(x)?.rank else { return nil }
      let given = site.graph.inputs(of: site.id)
      guard given.has(1), let axes = given.integers(1), !axes.isEmpty, axes.allSatisfy({ $0 >= -rank && $0 < rank })
      else { return nil }
      let order = Permutation.toChannelsFirst(rank: rank).order
      let written = axes.map { $0 < 0 ? $0 + rank : $0 }
      let moved = site.constant(.i64([axes.count], written.map { order[$0] }.sorted()))
      let result = try site.add1(op, [x, moved])
      if op.keepsAxes { return try site.broughtFirst(result) }
      // The axes that are left, as the written order has them, among those that are left in the other one.
      let left = order.indices.filter { !written.contains($0) }.map { order[$0] }
      let places = left.map { axis in left.count { $0 < axis } }
      return Permutation(places).isIdentity ? result : try site.transposed(result, Permutation(places))
    },
    RewriteRule("resize(first(x)) = first(resize(x))", at: Resize.self, keepsOrigin: true) { op, site in
      guard let x = site.channelsLast(behind: site.input(0)), let rank = site.type(x)?.rank else { return nil }
      let axes = op.axes ?? Array(0..<rank)
      guard axes.allSatisfy({ $0 >= -rank && $0 < rank }) else { return nil }
      let order = Permutation.toChannelsFirst(rank: rank).order
      var moved = op
      moved.axes = axes.map { order[$0 < 0 ? $0 + rank : $0] }
      return try site.broughtFirst(try site.add1(moved, [x] + site.inputs.dropFirst()))
    },
    RewriteRule("softmax(first(x)) = first(softmax(x))", at: Softmax.self, keepsOrigin: true) { op, site in
      guard let x = site.channelsLast(behind: site.input(0)), let rank = site.type(x)?.rank, op.axis >= -rank,
        op.axis < rank
      else { return nil }
      var moved = op
      moved.axis = Permutation.toChannelsFirst(rank: rank).order[op.axis < 0 ? op.axis + rank : op.axis]
      return try site.broughtFirst(try site.add1(moved, [x]))
    },
    RewriteRule(
      "reshape(first(x)) = first(reshape(x)) where only spatial axes change", at: [Reshape.self, Flatten.self],
      keepsOrigin: true
    ) { site in
      guard let x = site.channelsLast(behind: site.input(0)), let own = site.type(site.input(0))?.shape,
        let shape = site.type(site.outputs[0])?.shape, shape.count >= 3, shape[0] == own[0], shape[1] == own[1],
        let inside = try site.reshaped(x, to: [shape[0]] + shape[2...] + [shape[1]])
      else { return nil }
      return [try site.broughtFirst(inside)]
    },
  ]
}

extension RewriteSite {
  /// A value with channels last, brought to the written order.
  func broughtFirst(_ value: ValueID) throws -> ValueID {
    guard let rank = type(value)?.rank, rank >= 3 else { return value }
    return try transposed(value, .toChannelsFirst(rank: rank))
  }

  /// An operand of an operation on `rank` axes with its channels last: the input of its transpose, or a transpose of it. The latter is but
  /// another index where the operand is read, and is gone if the operand is transposed anyhow, as in a residual connection.
  func broughtLast(_ value: ValueID, rank: Int) throws -> ValueID? {
    if let x = channelsLast(behind: value), type(x)?.rank == rank { return x }
    guard let type = type(value) else { return nil }
    if type.count.value == 1 && type.rank <= 1 { return value }
    let permutation = Permutation.toChannelsLast(rank: rank)
    let padded = [Dim](repeating: 1, count: Swift.max(rank - type.rank, 0)) + type.shape
    guard padded.count == rank else { return nil }
    if let tensor = constant(value), let shape = TensorType(type.element, padded).staticShape {
      return try transposed(constant(tensor.reshaped(shape)), permutation)
    }
    // Of three axes, both orders are made by the same transpose: one that is put here would be taken for one to remove.
    guard rank > 3, let whole = try reshaped(value, to: padded) else { return nil }
    return try transposed(whole, permutation)
  }
}
