import SinterCore
import SinterForms

/// Which sides of a product that are computed while the model runs are packed into panels before they are multiplied.
///
/// Packing reads and writes each element once; each is then multiplied as often as the other side is long, and read in order meanwhile. What
/// is read as it lies costs little as long as few panels stand side by side.
struct ComputedPacking {
  var left: Bool
  var right: Bool

  init(_ form: ContractForm, isRightConstant: Bool, isGrouped: Bool, _ context: ScheduleContext) {
    let rows = TaskSplit.estimate(form.m.reduce(1, *))
    let columns = TaskSplit.estimate(form.n.reduce(1, *))
    let depth = TaskSplit.estimate(form.k.reduce(1, *))
    let machine = context.machine
    let lanes = machine.lanes(form.accumulate)
    let batch = form.batch.count
    func access(_ body: Body, _ own: [Dim], picking: Int? = nil) -> AffineAccess? {
      let values = context.values
      return AffineAccess(body, axes: batch + own.count + form.k.count, picking: picking) { values[$0].type.shape }
    }
    /// Whether elements must be converted on the way.
    func isNarrow(_ access: AffineAccess) -> Bool { context.element(access.value) != form.accumulate }

    let isLong = depth >= Self.leastDepth && rows > RegisterTile.fewRows && columns >= 2 * lanes
    right = false
    if !isRightConstant, !isGrouped, isLong {
      let pays = rows >= machine.packedReuse
      if let access = access(form.rhs, form.n, picking: batch), !isNarrow(access) {
        let own = Array(access.strides[batch..<(batch + form.n.count)])
        let areNeighbours = CollapsedAxes(extents: form.n, strides: [own]).single?.strides[0] == 1
        // What one tile is as wide as lies in panels already.
        right = areNeighbours ? pays && columns > Self.widestTile * lanes : rows >= machine.packedReuse / 4
      } else {
        right = rows >= machine.packedReuse / 4
      }
    }
    left = false
    if isLong, rows >= 2 * RegisterTile.fewRows, columns >= machine.packedReuse {
      if let access = access(form.lhs, form.m) {
        let inner = CollapsedAxes(
          extents: form.k, strides: [Array(access.strides[(batch + form.m.count)...])]
        ).groups.last?.strides[0]
        let rowStride = CollapsedAxes(
          extents: form.m, strides: [Array(access.strides[batch..<(batch + form.m.count)])]
        ).groups.last?.strides[0].value
        // Rows so far apart share one set of the first-level cache, which may hold the lines of a whole tile.
        let collides =
          machine.level1Ways < Self.tallTile
          && rowStride.map { $0 > 0 && $0 * form.accumulate.bits / 8 % machine.level1Stride == 0 } ?? false
        left = isNarrow(access) || inner != 1 && (rowStride == 1 || !isRightConstant) || collides && !isRightConstant
      } else {
        left = true
      }
    }
  }

  private static let leastDepth = 16
  /// Rows.
  private static let tallTile = 12
  /// Vectors.
  private static let widestTile = 4
}
