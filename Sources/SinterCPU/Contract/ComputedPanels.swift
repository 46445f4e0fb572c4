import SinterCore
import SinterForms
import SinterKernelIR

/// A side of a product that is computed while the model runs, copied by a kernel of its own into the order in which tiles read it.
///
/// The copy is [outer…, panel, depth…, width]: a panel holds `width` neighbouring columns (of the left side: rows), one step along the reduced
/// axes after the other. What fills up the last panel may be anything. Where an operation takes several neighbours along the only reduced axis at
/// once, these lie side by side, [outer…, panel, steps, width, neighbours], and zeros fill up the last step.
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
  ///   - interleave: how many neighbours along the only reduced axis lie side by side.
  mutating func panels(
    _ body: Body, outer: [Dim], own: [Dim], depth: [Dim], width: Int, element: ElementType,
    interleave: Int = 1, named name: String
  ) throws -> ComputedPanels {
    let count = own.reduce(Dim(1), *)
    let panelCount = count.ceilDivided(by: Dim(width))
    // A side that is the same for all indices of an axis is packed once.
    let used = Set(body.exprs.compactMap { expr -> Int? in if case .axis(let axis) = expr.node { axis } else { nil } })
    let outer = outer.indices.map { used.contains($0) ? outer[$0] : 1 }
    let steps = interleave == 1 ? depth : depth.map { $0.ceilDivided(by: Dim(interleave)) }
    let shape = outer + [panelCount] + steps + [Dim(width)] + (interleave == 1 ? [] : [Dim(interleave)])
    let b = bodyBuilder()
    let axes = shape.indices.map { b.axis($0) }
    let widthAxis = outer.count + 1 + steps.count
    let place = axes[outer.count] * b.constant(width, .i64) + axes[widthAxis]
    var exists = count == panelCount * Dim(width) ? nil : place < b.size(count)
    var reduced = Array(axes[(outer.count + 1)..<widthAxis])
    if interleave > 1 {
      reduced = reduced.map { $0 * b.constant(interleave, .i64) + axes[widthAxis + 1] }
      if zip(steps, depth).contains(where: { $0 * Dim(interleave) != $1 }) {
        let isInside = reduced[0] < b.size(depth[0])
        exists = exists.map { $0 && isInside } ?? isInside
      }
    }
    var places: [Expr] = []
    var rest = place
    for (position, extent) in own.enumerated().reversed() {
      places.append(position == 0 ? rest : rest.modulo(b.size(extent)))
      rest = rest.floorDivided(by: b.size(extent))
    }
    let indices = Array(axes[..<outer.count]) + places.reversed() + reduced
    let copy = b.body([b.inline(body, axes: indices, where: exists)[0].cast(to: element)])
    let value = try materialize(copy, shape: shape, named: name)
    let panelStep = steps.reduce(Dim(width * interleave), *)
    return ComputedPanels(
      value: value, width: width,
      outerStrides: zip(TensorType.strides(outer), outer.indices).map {
        used.contains($1) ? $0 * panelCount * panelStep : 0
      },
      panelStep: panelStep, depthStrides: TensorType.strides(depth))
  }
}
