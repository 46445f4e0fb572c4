import SinterCore
import SinterForms
import SinterKernelIR

/// A side of a product that is computed while the model runs, copied by a kernel of its own into the order in which tiles read it.
///
/// The copy is [outer…, panel, depth…, width]: a panel holds `width` neighbouring columns (of the left side: rows), one step along the reduced
/// axes after the other. What fills up the last panel may be anything.
struct ComputedPanels {
  var value: FormValueID
  /// Columns, or rows, of a panel.
  var width: Int
  /// Elements from one index of each outer axis to the next.
  var outerStrides: [Dim]
  /// Elements from one panel to the next.
  var panelStep: Dim
  /// What a step along each reduced axis adds to the number of steps.
  var depthStrides: [Dim]
}

extension ScheduleContext {
  /// Copies a side into panels.
  ///
  /// - Parameters:
  ///   - body: over `outer`, `own` and `depth`, in that order.
  ///   - own: the columns of a right side, the rows of a left side.
  ///   - element: the type in which the panels hold it.
  mutating func panels(
    _ body: Body, outer: [Dim], own: [Dim], depth: [Dim], width: Int, element: ElementType, named name: String
  ) throws -> ComputedPanels {
    let count = own.reduce(Dim(1), *)
    let panelCount = count.ceilDivided(by: Dim(width))
    // A side that is the same for all indices of an axis is packed once.
    let used = Set(body.exprs.compactMap { expr -> Int? in if case .axis(let axis) = expr.node { axis } else { nil } })
    let outer = outer.indices.map { used.contains($0) ? outer[$0] : 1 }
    let shape = outer + [panelCount] + depth + [Dim(width)]
    let b = bodyBuilder()
    let axes = shape.indices.map { b.axis($0) }
    let place = axes[outer.count] * b.constant(width, .i64) + axes[shape.count - 1]
    let exists = count == panelCount * Dim(width) ? nil : place < b.size(count)
    var places: [Expr] = []
    var rest = place
    for (position, extent) in own.enumerated().reversed() {
      places.append(position == 0 ? rest : rest.modulo(b.size(extent)))
      rest = rest.floorDivided(by: b.size(extent))
    }
    let indices = Array(axes[..<outer.count]) + places.reversed() + Array(axes[(outer.count + 1)..<(shape.count - 1)])
    let copy = b.body([b.inline(body, axes: indices, where: exists)[0].cast(to: element)])
    let value = try materialize(copy, shape: shape, named: name)
    let steps = depth.reduce(Dim(1), *)
    let panelStep = steps * Dim(width)
    return ComputedPanels(
      value: value, width: width,
      outerStrides: zip(TensorType.strides(outer), outer.indices).map {
        used.contains($1) ? $0 * panelCount * panelStep : 0
      },
      panelStep: panelStep, depthStrides: TensorType.strides(depth))
  }
}
