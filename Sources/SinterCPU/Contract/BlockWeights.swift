import SinterCore
import SinterForms

/// Constant weights of few bits that are multiplied as `(q − zero) · scale`, with a zero point and a scale for each block of a column along the
/// reduced axis: the right side of a contraction over [blocks, block].
struct BlockWeights {
  /// What the integers are counted from.
  enum Zero {
    /// The same everywhere.
    case constant(Int)
    /// [columns, blocks].
    case each([Float])
  }

  let value: FormValueID
  /// Integers without sign of 2, 4 or 8 bits, [columns, blocks, block].
  let integers: HostTensor
  let columns: Int, blocks: Int, block: Int
  /// [columns, blocks].
  let scales: [Float]
  let zero: Zero

  var bits: Int { integers.element.bits }

  /// Nil where the right side is anything else.
  init?(_ form: ContractForm, _ context: ScheduleContext) {
    guard form.accumulate == .f32, form.batch.isEmpty, form.k.count == 2, let blocks = form.k[0].value,
      let block = form.k[1].value, let columns = form.n.reduce(Dim(1), *).value, columns > 0, blocks > 0
    else { return nil }
    let body = form.rhs
    guard case .binary(.multiply, let a, let b) = body[body.results[0]].node else { return nil }
    let (moved, factor) = body.isConverted(a) ? (a, b) : (b, a)
    var (integer, offset) = (body.uncast(moved), ExprID?.none)
    if case .binary(.subtract, let q, let z) = body[integer].node { (integer, offset) = (body.uncast(q), body.uncast(z)) }
    let reader = BlockReader(body: body, axes: form.n + form.k, context: context)
    guard let q = reader.constant(integer), [.u2, .u4, .u8].contains(q.tensor.element),
      block % (4 * (8 / q.tensor.element.bits)) == 0, q.isDense(form.n + form.k),
      let scales = reader.blockwise(factor, columns: columns, blocks: blocks)
    else { return nil }
    if let offset, case .constant(.int(let number)) = body[offset].node {
      zero = .constant(Int(number))
    } else if let offset {
      guard let each = reader.blockwise(offset, columns: columns, blocks: blocks) else { return nil }
      zero = .each(each)
    } else {
      zero = .constant(0)
    }
    (value, integers) = (q.access.value, q.tensor)
    (self.columns, self.blocks, self.block, self.scales) = (columns, blocks, block, scales)
  }
}

/// Reads constants that a body over columns, blocks and places in a block loads.
private struct BlockReader {
  let body: Body
  let axes: [Dim]
  let context: ScheduleContext

  struct Constant {
    var access: AffineAccess
    var tensor: HostTensor

    /// Whether elements lie in the order of the axes.
    func isDense(_ axes: [Dim]) -> Bool {
      access.base == 0
        && zip(axes, zip(access.strides, TensorType.strides(axes))).allSatisfy { $0 == 1 || $1.0 == $1.1 }
    }
  }

  func constant(_ expr: ExprID) -> Constant? {
    guard case .load(_, _, nil, _) = body[expr].node else { return nil }
    let load = Body(exprs: body.exprs, results: [expr])
    let values = context.values
    guard let access = AffineAccess(load, axes: axes.count, shape: { values[$0].type.shape }),
      let tensor = context.constant(access.value)
    else { return nil }
    return Constant(access: access, tensor: tensor)
  }

  /// A number for each column and block; nil where it depends on the place in the block.
  func blockwise(_ expr: ExprID, columns: Int, blocks: Int) -> [Float]? {
    let expr = body.uncast(expr)
    switch body[expr].node {
    case .constant(.float(let value)): return [Float](repeating: Float(value), count: columns * blocks)
    case .constant(.int(let value)): return [Float](repeating: Float(value), count: columns * blocks)
    default: break
    }
    guard let found = constant(expr), let numbers = found.tensor.doubles, let base = found.access.base.value
    else { return nil }
    let strides = found.access.strides.compactMap(\.value)
    let groups = CollapsedAxes(extents: Array(axes.dropLast(2)), strides: [Array(found.access.strides.dropLast(2))])
    guard strides.count == axes.count, axes[axes.count - 1] == 1 || strides[axes.count - 1] == 0,
      let column = groups.single?.strides[0].value
    else { return nil }
    let block = strides[axes.count - 2]
    return (0..<columns).flatMap { n in (0..<blocks).map { Float(numbers[base + n * column + $0 * block]) } }
  }
}

extension Body {
  /// What is left of an expression without conversions of its type.
  func uncast(_ id: ExprID) -> ExprID {
    if case .cast(let inner) = self[id].node { uncast(inner) } else { id }
  }

  /// Whether an expression is a number that was an integer.
  func isConverted(_ id: ExprID) -> Bool {
    let inner = uncast(id)
    if self[inner].type.isInteger { return true }
    if case .binary(.subtract, let a, _) = self[inner].node { return self[uncast(a)].type.isInteger }
    return false
  }
}
