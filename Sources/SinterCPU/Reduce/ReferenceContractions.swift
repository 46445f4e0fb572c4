import SinterCore
import SinterForms

extension ContractForm {
  /// The same sums as a plain reduction: what serves element types and shapes that no register tile does.
  func reduction(_ element: @escaping (FormValueID) -> ElementType) -> ReduceForm {
    let builder = BodyBuilder(elementType: element)
    let (b, m, n) = (batch.count, self.m.count, self.n.count)
    let axes = (0..<(b + m + n + k.count)).map { builder.axis($0) }
    let shared = Array(axes[(b + m + n)...])
    let left = builder.inline(lhs, axes: axes[..<b] + axes[b..<(b + m)] + shared)[0]
    let right = builder.inline(rhs, axes: axes[..<b] + axes[(b + m)..<(b + m + n)] + shared)[0]
    let product = left.cast(to: accumulate) * right.cast(to: accumulate)
    return ReduceForm(inner: k, combine: .sum, body: builder.body([product]), epilogue: epilogue)
  }
}

extension ConvolveForm {
  /// The same sums as a plain reduction over the window and the group's channels.
  func reduction(result: TensorType, _ type: (FormValueID) -> TensorType) -> ReduceForm {
    let (inputType, weightType) = (type(input), type(weight))
    let builder = BodyBuilder { $0 == input ? inputType.element : weightType.element }
    let rank = result.rank
    let spatial = window.count
    let axes = (0..<(rank + 1 + spatial)).map { builder.axis($0) }
    let first = channelsLast ? 1 : 2
    let m = axes[channelsLast ? rank - 1 : 1]
    // Channels of the input and of the result a group.
    let channels = isTransposed ? weightType.shape[0] / Dim(groups) : weightType.shape[1]
    let results = isTransposed ? weightType.shape[1] : weightType.shape[0] / Dim(groups)
    let c = axes[rank]
    let taps = Array(axes[(rank + 1)...])

    let groupSize = builder.size(results)
    let channel = groups == 1 ? c : m.floorDivided(by: groupSize) * builder.size(channels) + c
    var condition = builder.bool(true)
    var places: [Expr] = []
    for axis in 0..<spatial {
      let stride = builder.constant(strides[axis], .i64)
      let reach = taps[axis] * builder.constant(dilations[axis], .i64)
      let at: Expr
      if isTransposed {
        let reached = axes[first + axis] + builder.size(padsBegin[axis]) - reach
        if strides[axis] > 1 { condition = condition && (reached.modulo(stride) .== builder.constant(0, .i64)) }
        at = reached.floorDivided(by: stride)
      } else {
        at = axes[first + axis] * stride + reach - builder.size(padsBegin[axis])
      }
      condition = condition && (at >= 0) && (at < builder.size(inputType.shape[first + axis]))
      places.append(at)
    }
    let indices = channelsLast ? [axes[0]] + places + [channel] : [axes[0], channel] + places
    let x = builder.load(input, indices, where: condition).cast(to: accumulate)
    let place = !isTransposed ? [m, c] : groups == 1 ? [c, m] : [channel, m.modulo(groupSize)]
    let w = builder.load(weight, place + taps).cast(to: accumulate)
    return ReduceForm(
      inner: [channels] + window.map { Dim($0) }, combine: .sum, body: builder.body([x * w]), epilogue: epilogue)
  }
}
