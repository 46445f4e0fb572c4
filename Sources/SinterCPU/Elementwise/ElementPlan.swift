import SinterCore
import SinterForms
import SinterKernelIR

/// Loops over a dense result whose elements a body computes: used where the base of a scatter or a result is filled.
struct ElementPlan {
  let scope: KernelScope
  let body: Body
  let space: LoopSpace
  /// Where an element of the result lies.
  let flat: Dim
  let axes: [LoopSpace.Axis]

  /// - Parameters:
  ///   - strides: the result's, where it is not dense over `shape`.
  ///   - offset: the place of the first element in the result.
  init(_ body: Body, shape: [Dim], strides: [Dim]? = nil, offset: Dim = 0, scope: KernelScope) {
    self.scope = scope
    self.body = body
    var space = LoopSpace(groups: [shape], newSymbol: scope.newSymbol)
    let store = zip(space.given, strides ?? TensorType.strides(shape)).reduce(offset) { $0 + $1.0 * $1.1 }
    let indices = BodyIndices(
      body, axes: space.given, values: scope.values, simplifier: space.simplifier, newSymbol: scope.newSymbol)
    space.rearrange(for: indices.roots + [store])
    Self.blockShortRuns(of: body, in: &space, machine: scope.machine)
    self.space = space
    axes = space.axes
    flat = space.roots.last ?? 0
  }

  /// Has several rows be read beside each other where each gives a short run, and the next index of the axis further out goes on with it: panels of
  /// some columns are made so, row after row. All rows would pass by for one panel before the next one goes on with them: each is a page of its own,
  /// lines at the ends of runs would be read twice, and rows a large power of two apart share a few sets of the caches.
  private static func blockShortRuns(of body: Body, in space: inout LoopSpace, machine: Machine) {
    let bits = body.exprs.map { if case .load = $0.node { $0.type.bits } else { 0 } }.max() ?? 0
    guard space.axes.count >= 3, bits >= 8, let run = space.axes.last?.extent.value else { return }
    let line = Machine.lineBytes * 8 / bits
    let inner = Array(space.axes.suffix(3).map(\.symbol))
    let row = space.axes.count - 2
    let rows = space.axes[row].extent.value ?? .max
    guard run <= longestRun * line, rows > machine.level1 / 2 / Machine.lineBytes else { return }
    let goesOn = space.roots.dropLast().contains { root in
      let strides = inner.map { root.linear(in: $0)?.coefficient.value }
      return strides[2] == 1 && strides[0] == run && strides[1].map { $0 >= 2 * line } ?? false
    }
    if goesOn { space.block(row, by: blockedRows) }
  }
  private static let blockedRows = 8
  /// Lines.
  private static let longestRun = 8

  func name(_ kind: String, _ type: TensorType) -> String {
    "\(kind)_\(type.element)_"
      + (axes.isEmpty ? "1" : axes.map { Symbol.sanitizedName("\($0.extent)") }.joined(separator: "x"))
  }

  /// How the loops become tasks: some outer axes, and the axis behind them in parts where that makes tasks of a
  /// sensible size.
  private struct Split {
    var outerCount: Int
    /// Elements of axis `outerCount` that a task takes; nil: all.
    var part: Int?
    var perTask: Int
    var tasks: Dim
  }

  private func split(isPacked: Bool) -> Split {
    // Packed results share bytes between elements: one task writes them all.
    guard let inner = axes.last, !isPacked else {
      return Split(outerCount: 0, perTask: axes.reduce(1) { $0 * TaskSplit.estimate($1.extent) }, tasks: 1)
    }
    var outerCount = axes.count - 1
    var perTask = TaskSplit.estimate(inner.extent)
    while outerCount > 0, perTask * TaskSplit.estimate(axes[outerCount - 1].extent) <= 1024 {
      outerCount -= 1
      perTask *= TaskSplit.estimate(axes[outerCount].extent)
    }
    var part: Int?
    if outerCount == axes.count - 1, inner.extent.value.map({ $0 > 2 * TaskSplit.part }) ?? (axes.count == 1) {
      part = TaskSplit.part
      perTask = TaskSplit.part
    } else if outerCount > 0, perTask < 512 {
      outerCount -= 1
      part = 1024 / perTask
      perTask *= 1024 / perTask
    }
    let parts = part.map { axes[outerCount].extent.ceilDivided(by: Dim($0)) } ?? Dim(1)
    return Split(
      outerCount: outerCount, part: part, perTask: perTask, tasks: axes[..<outerCount].reduce(parts) { $0 * $1.extent })
  }

  /// The number of tasks that `write` makes.
  func tasks(isPacked: Bool) -> Dim { split(isPacked: isPacked).tasks }

  /// Writes the loops; `work` emits and stores one element or vector. `task` is the number of the task, the kernel's
  /// unless given.
  func write(
    name: String, element: ElementType, isPacked: Bool, task: Register? = nil,
    _ work: (BodyEmitter, BodyEmitter.Lanes?) -> Void
  ) -> (count: Dim, grain: Int) {
    let builder = scope.builder
    let emitter = BodyEmitter(body, scope: scope, axes: space.given, extents: space.extents)
    let cost = Swift.max(1, body.cost)
    guard let inner = axes.last else {
      work(emitter, nil)
      return (1, 1)
    }
    let split = split(isPacked: isPacked)
    let outer = axes[..<split.outerCount]
    let parts = split.part.map { [axes[split.outerCount].extent.ceilDivided(by: Dim($0))] } ?? []
    let numbers = scope.unflatten(task ?? builder.task, outer.map(\.extent) + parts)
    for (axis, register) in zip(outer, numbers) { scope.bind(axis.symbol, to: register) }
    var open = Set(outer.map(\.symbol))
    emitter.hoist(open, loads: true)
    let lanes = vectorWidth(element)
    let unroll = unroll(lanes: lanes, cost: cost)

    func nest(_ position: Int) {
      let axis = axes[position]
      var stretch = scope.stretch(axis.extent)
      if position == split.outerCount, let size = split.part, let number = numbers.last {
        stretch = scope.stretch(axis.extent, part: number, size: size)
      }
      guard position < axes.count - 1 else {
        scope.vectorLoop(name, over: stretch, lanes: lanes, unroll: unroll) { index, width, mask in
          scope.bind(inner.symbol, to: index)
          work(emitter, width == 1 && mask == nil ? nil : .init(inner.symbol, count: width, mask: mask))
        }
        return
      }
      builder.loop("\(name)\(position)", from: stretch.from, to: stretch.to) { index in
        emitter.scoped {
          scope.bind(axis.symbol, to: index)
          open.insert(axis.symbol)
          emitter.hoist(open, loads: true)
          nest(position + 1)
          open.remove(axis.symbol)
        }
      }
    }
    nest(split.outerCount)
    return (split.tasks, TaskSplit.grain(elementsPerTask: split.perTask, cost: cost))
  }

  /// Copies of the body in an iteration of the innermost loop: several of what is short, unless one has several vectors as it is, or checks.
  private func unroll(lanes: Int, cost: Int) -> Int {
    let mayFail = body.exprs.contains { if case .checked = $0.node { true } else { false } }
    let widest = body.exprs.map { if case .load = $0.node { $0.type.bits } else { 0 } }.max() ?? 0
    if mayFail || lanes * widest > 2 * scope.machine.vectorBits { return 1 }
    return cost <= 4 ? 4 : cost <= 12 ? 2 : 1
  }

  /// Lanes: a whole vector, or the next power of two above a short axis.
  private func vectorWidth(_ element: ElementType) -> Int {
    let most = body.lanes(scope.machine, result: element)
    guard let extent = axes.last?.extent.value else { return most }
    var width = 1
    while width < extent && width < most { width *= 2 }
    if width > extent && !scope.machine.hasMasks { width /= 2 }
    return width
  }
}
