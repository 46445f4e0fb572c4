import SinterCore
import SinterForms

/// Constant weights of few bits, integers or floats, that are multiplied as `(q − zero) · scale`, with a zero point and a scale for each block of
/// a column along the reduced axis: the right side of a contraction over [blocks, block].
struct BlockWeights {
  /// What the numbers are counted from.
  enum Zero {
    /// The same everywhere.
    case constant(Int)
    /// [columns, blocks].
    case each([Float])
  }

  let value: FormValueID
  /// Integers without sign of 2, 4 or 8 bits, or floats of 8, [columns, blocks, block].
  let numbers: HostTensor
  let columns: Int, blocks: Int, block: Int
  /// How many of the last reduced axes make up a block.
  let blockAxes: Int
  /// [columns, blocks].
  let scales: [Float]
  let zero: Zero

  var element: ElementType { numbers.element }

  /// Whether none of them is infinite or NaN.
  var isFinite: Bool {
    guard element.isFloat else { return true }
    let areFinite = (0..<256).map { NarrowFloat.decode($0, as: element).isFinite }
    return numbers.bytes.withBytes { $0.allSatisfy { areFinite[Int($0)] } }
  }

  /// Nil where the right side is anything else.
  init?(_ form: ContractForm, _ context: ScheduleContext) {
    guard form.accumulate == .f32, form.batch.isEmpty, form.k.count >= 2, form.k.allSatisfy(\.isConstant),
      let columns = form.n.reduce(Dim(1), *).value, columns > 0
    else { return nil }
    let body = form.rhs
    guard case .binary(.multiply, let a, let b) = body[body.results[0]].node else { return nil }
    let (moved, factor) = body.isConverted(a) ? (a, b) : (b, a)
    var (number, offset) = (body.uncast(moved), ExprID?.none)
    if case .binary(.subtract, let q, let z) = body[number].node {
      (number, offset) = (body.uncast(q), body.uncast(z))
    }
    let reader = BlockReader(body: body, own: form.n.count, axes: form.n + form.k, context: context)
    guard let q = reader.constant(number), Self.packs(q.tensor.element), q.isDense(form.n + form.k) else { return nil }
    // A block is as much as has one scale and one zero point.
    let parts = [factor] + (offset.map { [$0] } ?? [])
    let inner = parts.map { reader.blockAxes($0, reduced: form.k.count) }.min() ?? 0
    let outer = form.k.count - inner
    guard let blocks = form.k[..<outer].reduce(Dim(1), *).value, let block = form.k[outer...].reduce(Dim(1), *).value,
      blocks > 0, block > 0, block % (4 * (8 / q.tensor.element.bits)) == 0,
      let scales = reader.blockwise(factor, columns: columns, blocks: form.k[..<outer])
    else { return nil }
    if let offset, case .constant(.int(let number)) = body[offset].node {
      zero = .constant(Int(number))
    } else if let offset {
      guard let each = reader.blockwise(offset, columns: columns, blocks: form.k[..<outer]) else { return nil }
      zero = .each(each)
    } else {
      zero = .constant(0)
    }
    (value, numbers, blockAxes) = (q.access.value, q.tensor, inner)
    (self.columns, self.blocks, self.block, self.scales) = (columns, blocks, block, scales)
  }

  /// Whether numbers of a type stay packed.
  private static func packs(_ element: ElementType) -> Bool {
    element.kind == .unsigned && element.bits <= 8 || element.isFloat && element.bits == 8
  }
}

/// Reads constants that a body over columns, blocks and places in a block loads.
private struct BlockReader {
  let body: Body
  /// How many axes the columns have; reduced ones follow.
  let own: Int
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

  /// How many of the last reduced axes a number does not depend on: all but the first, if on none.
  func blockAxes(_ expr: ExprID, reduced: Int) -> Int {
    guard let strides = constant(body.uncast(expr))?.access.strides else { return reduced - 1 }
    let count = zip(axes[own...], strides[own...]).reversed().prefix { $0 == 1 || $1 == 0 }.count
    return Swift.min(count, reduced - 1)
  }

  /// A number for each column and block, where `blocks` are the reduced axes outside of blocks.
  func blockwise(_ expr: ExprID, columns: Int, blocks: ArraySlice<Dim>) -> [Float]? {
    let expr = body.uncast(expr)
    guard let count = blocks.reduce(Dim(1), *).value else { return nil }
    switch body[expr].node {
    case .constant(.float(let value)): return [Float](repeating: Float(value), count: columns * count)
    case .constant(.int(let value)): return [Float](repeating: Float(value), count: columns * count)
    default: break
    }
    guard let found = constant(expr), let numbers = found.tensor.doubles, let base = found.access.base.value
    else { return nil }
    let strides = found.access.strides
    let outer = CollapsedAxes(extents: Array(axes[..<own]), strides: [Array(strides[..<own])])
    let inner = CollapsedAxes(
      extents: Array(blocks), strides: [Array(strides[own..<(own + blocks.count)])])
    guard let column = outer.single?.strides[0].value, let block = inner.single?.strides[0].value else { return nil }
    return (0..<columns).flatMap { n in (0..<count).map { Float(numbers[base + n * column + $0 * block]) } }
  }
}

extension Body {
  /// What is left of an expression without conversions of its type.
  func uncast(_ id: ExprID) -> ExprID {
    if case .cast(let inner) = self[id].node { uncast(inner) } else { id }
  }

  /// Whether an expression is a number that was an integer or a float of few bits.
  func isConverted(_ id: ExprID) -> Bool {
    func isPacked(_ type: ElementType) -> Bool { type.isInteger || type.isFloat && type.bits <= 8 }
    let inner = uncast(id)
    if isPacked(self[inner].type) { return true }
    if case .binary(.subtract, let a, _) = self[inner].node { return isPacked(self[uncast(a)].type) }
    return false
  }
}
