import SinterCore
import SinterForms
import SinterKernelIR

/// Transforms weights while the model runs, those that are computed and constant ones that a library has as they are: a kernel of its own ahead
/// of the convolution, from plain panels [panel, tap…, channel, width] to the panels that a `WinogradKernel` reads, with a place of the patch and a part of the taps instead of each tap.
///
/// Each vector holds the same tap of as many filters as it has lanes; the transform's matrices are applied along each axis in registers. What it
/// costs are its stores: several times the plain weights.
struct WinogradFilters {
  let form: ConvolveForm
  let plan: WinogradPlan
  let transposed: [TransposedAxis]
  let layout: PanelLayout
  /// The panels in which constant weights are there already.
  let source: PanelLayout?

  /// Channels that a task transforms of its panel.
  private static let taskChannels = 16

  private var axes: [WinogradAxis] { plan.axes }
  private var channels: Int { plan.channels / axes.parts }

  /// Writes the kernel and its call.
  /// - Returns: the transformed weights, phase after phase.
  func run(_ context: inout ScheduleContext) throws -> BufferID {
    let plain = try plainPanels(&context)
    let target = context.addScratch(
      .f32, count: Dim(layout.count * plan.phases), named: "transformed weights",
      origin: context.values[context.result].origin)
    let scope = context.kernel(
      named:
        "winograd_filters_\(joined(axes.map(\.results)))_\(joined(axes.map(\.window)))_c\(channels)_m\(plan.columns)")
    let b = scope.builder
    let from = plain.memory.memory(scope), to = scope.memory(target, element: .f32, .readWrite)
    let blocks = (channels + Self.taskChannels - 1) / Self.taskChannels
    let panel = b.binary(.floorDivide, b.task, b.index(blocks))
    let first = b.multiply(b.binary(.modulo, b.task, b.index(blocks)), Self.taskChannels)
    let last = b.binary(.minimum, b.add(first, Self.taskChannels), b.index(channels))
    func transform(vectors: Int) {
      b.loop("channel", from: first, to: last) { channel in
        b.loop("vector", from: b.index(0), to: b.index(vectors)) { vector in
          let lane = b.multiply(vector, plan.lanes)
          let (start, width) = plain.layout.vector(b.add(b.multiply(panel, layout.vectors), vector), b)
          let place = b.add(
            b.add(b.multiply(panel, layout.width * layout.depth), b.multiply(channel, vectors * plan.lanes)), lane)
          emit(
            scope, from, at: b.add(start, b.binary(.multiply, channel, width)), sourceWidth: width, to, at: place,
            width: vectors * plan.lanes)
        }
      }
    }
    let full = b.index(layout.fullPanels)
    if layout.fullPanels > 0 { b.when(b.compare(.less, panel, full)) { transform(vectors: layout.vectors) } }
    if layout.tailColumns > 0 { b.when(b.compare(.equal, panel, full)) { transform(vectors: layout.tailVectors) } }
    let vectors = plan.panels * plan.tile.vectors
    let cycles = Self.cycles(axes, phases: plan.phases) * Double(Self.taskChannels * plan.tile.vectors)
    try context.append(
      scope, tasks: Dim(plan.panels * blocks), grain: Swift.max(1, Int(Double(context.machine.threadCycles) / cycles)),
      flops: Dim(vectors * plan.lanes * channels * Int(Self.cycles(axes, phases: plan.phases))),
      bytes: Dim((layout.count * plan.phases + channels * plan.columns * form.window.reduce(1, *)) * 4))
    return target
  }

  /// Loads, sums and stores of one vector of filters, as cycles.
  static func cycles(_ axes: [WinogradAxis], phases: Int) -> Double {
    let products = axes.places * axes.parts
    return Double(phases) * (2.5 * Double(products) + Double(axes.reduce(1) { $0 * $1.window }))
  }

  /// The weights as they are, tap after tap.
  private func plainPanels(_ context: inout ScheduleContext) throws -> (memory: Factor, layout: PanelLayout) {
    let depth = form.window.reduce(channels, *)
    if let weights = context.constant(form.weight) {
      let fits = source.flatMap { $0.lanes == plan.lanes && $0.columns == plan.columns ? $0 : nil }
      let layout =
        fits ?? PanelLayout(columns: plan.columns, depth: depth, lanes: plan.lanes, vectors: layout.vectors)
      let packed = try form.packedWeights(weights, layout, &context)
      return (Factor(source: .packed(packed, .f32), base: 0, strides: []), layout)
    }
    let b = context.bodyBuilder()
    let index = (0..<(form.window.count + 2)).map { b.axis($0) }
    let (column, taps, channel) = (index[0], Array(index[1..<(index.count - 1)]), index[index.count - 1])
    let body = b.body([b.load(form.weight, (transposed.isEmpty ? [column, channel] : [channel, column]) + taps)])
    let made = try context.panels(
      body, outer: [], own: [Dim(plan.columns)], depth: (form.window + [channels]).map { Dim($0) },
      width: layout.width, element: .f32, named: "weight panels")
    // All of them are alike, the last one as well.
    let alike = PanelLayout(
      columns: plan.panels * layout.width, depth: depth, lanes: plan.lanes, vectors: layout.vectors)
    return (Factor(source: .value(made.value), base: 0, strides: []), alike)
  }

  /// One vector of filters.
  private func emit(
    _ scope: KernelScope, _ from: Memory, at source: Register, sourceWidth: Register, _ to: Memory,
    at target: Register, width: Int
  ) {
    let b = scope.builder
    for (phase, taps) in phases.enumerated() {
      for (part, places) in combinations(axes.map { Array(0..<$0.parts) }).enumerated() {
        let own = zip(axes, places).map { $0.taps(part: $1) }
        let values = combinations(own.map { $0.map(\.tap) }).map { tap in
          let number = zip(tap, axes).reduce(0) { $0 * $1.1.window + $1.0 }
          let row = b.multiply(sourceWidth, taps[number] * channels)
          return b.load(from, at: b.add(source, row), lanes: plan.lanes)
        }
        for (place, value) in apply(own.map { $0.map(\.index) }, values, b).enumerated() {
          let row = (place * axes.parts + part) * channels
          b.store(value, to, at: b.add(target, phase * layout.count + row * width))
        }
      }
    }
  }

  /// The taps of each phase's convolution, row-major, as taps of the form.
  private var phases: [[Int]] {
    transposed.isEmpty ? [Array(0..<form.window.reduce(1, *))] : transposed.parts(window: form.window)
  }

  /// The products' factors from taps: the transforms' matrices along each axis, of whose columns those are taken that the part has taps for.
  private func apply(_ columns: [[Int]], _ taps: [Register], _ b: KernelBuilder) -> [Register] {
    var values = taps
    var extents = columns.map(\.count)
    for (axis, transform) in axes.map(\.transform).enumerated() {
      guard let transform else { continue }
      let map = LinearMap(transform.filter.map { row in columns[axis].map { row[$0] } }, b)
      values = map.along(axis, of: &extents, values)
    }
    return values
  }

  private func joined(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: "x") }
}

extension PanelLayout {
  /// Where a vector of columns begins in panels without groups, and from there each step's width.
  fileprivate func vector(_ number: Register, _ b: KernelBuilder) -> (start: Register, width: Register) {
    let panel = b.binary(.floorDivide, number, b.index(vectors))
    let start = b.add(
      b.multiply(panel, width * depth), b.multiply(b.binary(.modulo, number, b.index(vectors)), lanes))
    if tailVectors == 0 { return (start, b.index(width)) }
    let isFull = b.compare(.less, panel, b.index(fullPanels))
    return (start, b.select(isFull, b.index(width), b.index(tailVectors * lanes)))
  }
}

extension WinogradAxis {
  /// The taps of one part: their places among the transform's, and among the axis's. A part may have fewer than the transform.
  func taps(part: Int) -> [(index: Int, tap: Int)] {
    guard let transform else { return [(0, part)] }
    return (0..<transform.taps).map { (index: $0, tap: $0 * stride + part) }.filter { $0.tap < window }
  }
}

extension LinearMap {
  /// Vectors with the matrix applied along one axis; row-major before and after.
  ///
  /// - Parameter extents: how many vectors there are along each axis; changed to what there are afterwards.
  func along(_ axis: Int, of extents: inout [Int], _ values: [Register]) -> [Register] {
    let (outer, extent) = (extents[..<axis].reduce(1, *), extents[axis])
    let inner = extents[(axis + 1)...].reduce(1, *)
    extents[axis] = matrix.count
    return (0..<outer).flatMap { o in
      let lines = (0..<inner).map { i in self((0..<extent).map { values[(o * extent + $0) * inner + i] }) }
      return lines.first.map { $0.indices.flatMap { place in lines.map { $0[place] } } } ?? []
    }
  }
}

/// One element of each, in all ways, the last changing fastest.
func combinations(_ choices: [[Int]]) -> [[Int]] {
  choices.reduce([[]]) { combinations, choices in
    combinations.flatMap { combination in choices.map { combination + [$0] } }
  }
}
