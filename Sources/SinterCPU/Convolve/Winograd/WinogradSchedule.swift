import SinterCore
import SinterForms
import SinterKernelIR

/// A convolution, or the phases of a transposed one, by a `WinogradTransform` along one or two of its axes, in one kernel.
///
/// A task takes some patches of the image and some panels of columns. Block by block it transforms the patches' input, multiplies each place with
/// the transformed weights, panel by panel, and transforms the products back into places of the result, to which the epilogue applies. No padded
/// copy of the image is made: patches at its border read zeros by masks.
struct WinogradSchedule {
  let form: ConvolveForm
  let plan: WinogradPlan
  /// Of a transposed convolution.
  var transposed: [TransposedAxis] = []
  /// The panels in which constant weights are there already, for weights that are transformed in runs.
  var source: PanelLayout?

  private var layout: PanelLayout {
    PanelLayout(
      columns: plan.columns, depth: plan.places * plan.channels, lanes: plan.lanes, vectors: plan.tile.vectors)
  }

  /// The transformed weights: at compile time, or by a kernel where they are computed or the plan says so.
  private func weights(_ context: inout ScheduleContext) throws -> BufferID {
    guard let weights = context.constant(form.weight), !plan.transformsWeights else {
      return try WinogradFilters(form: form, plan: plan, transposed: transposed, layout: layout, source: source).run(
        &context)
    }
    let layout = layout
    let key = ScheduleContext.PackingKey(
      value: form.weight, base: 0, columnStride: layout.depth, depthOffsets: Array(0..<layout.depth), layout: layout,
      parts: plan.axes.flatMap { [$0.results, $0.parts] } + transposed.map(\.stride))
    let packed = context.packedConstant(key) {
      let parts = transformedFilters(weights).compactMap { filters in
        layout.pack(.f32([filters.count], filters), base: 0, columnStride: layout.depth, depthOffsets: key.depthOffsets)
      }
      return HostTensor(joining: parts, .f32)
    }
    guard let packed else {
      throw DiagnosticError(.bug, "convolve.pack", "weights of type \(weights.element) cannot be packed")
    }
    return packed
  }

  func run(_ context: inout ScheduleContext) throws {
    let packed = try weights(&context)
    let layout = layout
    let scratch = context.addScratch(
      .f32, count: plan.tasks * Dim(plan.scratch), named: "transformed", origin: context.values[context.result].origin)
    let scope = context.kernel(named: name)
    let shape = context.shape(context.result)
    let table = transposed.isEmpty ? nil : context.addConstant(transposed.table, named: "phases")
    WinogradKernel(
      scope: scope, form: form, plan: plan, transposed: transposed, table: table, layout: layout,
      inputShape: context.shape(form.input), shape: shape, result: context.result, image: scope.memory(form.input),
      weights: scope.memory(packed, element: .f32, .read), scratch: scope.memory(scratch, element: .f32, .readWrite)
    ).emit()
    let elements = shape.reduce(Dim(1), *)
    let read = context.shape(form.input).reduce(Dim(1), *) + Dim(layout.count * plan.phases)
    try context.append(
      scope, tasks: plan.tasks, grain: plan.grain,
      flops: plan.patches * Dim(plan.phases * 2 * plan.places * plan.channels * plan.columns),
      bytes: (elements + read) * 4)
  }

  private var name: String {
    func joined(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: "x") }
    return "winograd_f32_\(joined(plan.axes.map(\.results)))_\(joined(plan.axes.map(\.window)))"
      + "_s\(joined(plan.axes.map(\.stride)))_c\(plan.channels)_m\(plan.columns)_\(plan.tile.rows)x\(plan.width)"
  }
}
