import SinterCore
import SinterForms
import SinterKernelIR

/// The order of elements along an axis, a task per row.
///
/// The first few of many, and short rows, are inserted into a sorted list. Long rows are merged, from runs of one
/// element up. Both are stable.
enum SortSchedule {
  /// The longest list that elements are inserted into.
  private static let listLimit = 64

  static func schedule(_ form: SortForm, context: inout ScheduleContext) throws {
    let type = context.type(context.result)
    if type.count.value == 0 { return }
    let scope = context.kernel(named: "sort")
    let builder = scope.builder
    let output = scope.memory(context.result, .write)
    let others = type.shape.indices.filter { $0 != form.axis }
    let numbers = scope.unflatten(builder.task, others.map { type.shape[$0] })
    var axes = [Dim](repeating: 0, count: type.rank)
    var extents: [Symbol: Dim] = [:]
    for (axis, number) in zip(others, numbers) {
      let symbol = scope.bind(number)
      axes[axis] = Dim(symbol)
      extents[symbol] = type.shape[axis]
    }
    let along = scope.newSymbol()
    extents[along] = form.extent
    axes[form.axis] = Dim(along)
    let strides = TensorType.strides(type.shape)
    let base = others.reduce(Dim(0)) { $0 + axes[$1] * strides[$1] }
    let row = Row(
      form: form, scope: scope, emitter: BodyEmitter(form.body, scope: scope, axes: axes, extents: extents),
      along: along, output: output, base: base, stride: strides[form.axis], count: type.shape[form.axis])
    if let count = row.count.value, count <= listLimit,
      TaskSplit.estimate(form.extent) >= 4 * count || form.extent.value == count
    {
      row.insert(listOf: count)
    } else {
      let rows = others.reduce(Dim(1)) { $0 * type.shape[$1] }
      let keys = context.addScratch(row.key, count: rows * form.extent * 2, named: "keys")
      let order = context.addScratch(.i64, count: rows * form.extent * 2, named: "order")
      row.merge(
        keys: scope.memory(keys, element: row.key, .readWrite), order: scope.memory(order, element: .i64, .readWrite))
    }
    let length = TaskSplit.estimate(form.extent)
    try context.append(
      scope, tasks: others.reduce(Dim(1)) { $0 * type.shape[$1] },
      grain: TaskSplit.grain(elementsPerTask: length, cost: 64),
      bytes: context.bytes(reading: form.body.operands, writing: context.result),
      name: "sort_\(form.isDescending ? "down" : "up")_"
        + type.shape.map { Symbol.sanitizedName("\($0)") }.joined(separator: "x") + "_of_"
        + Symbol.sanitizedName("\(form.extent)"))
  }

  private struct Row {
    let form: SortForm
    let scope: KernelScope
    let emitter: BodyEmitter
    let along: Symbol
    let output: Memory
    /// Where the row's results lie.
    let base, stride: Dim
    /// How many of them there are.
    let count: Dim

    var builder: KernelBuilder { scope.builder }
    var key: ElementType {
      let type = form.body[form.body.results[0]].type
      return type == .bool ? .u8 : type.computeType
    }

    /// The key at a place of the row.
    private func element(_ index: Register) -> Register {
      emitter.scoped {
        scope.bind(along, to: index)
        return builder.cast(emitter.emit()[0], to: key)
      }
    }

    /// Whether `a` belongs before `b`, wherever they stand.
    private func precedes(_ a: Register, _ b: Register) -> Register {
      let (x, y) = form.isDescending ? (b, a) : (a, b)
      let less = builder.compare(.less, x, y)
      guard key.isFloat else { return less }
      return builder.binary(
        .or, less, builder.binary(.and, builder.unary(.isNaN, y), builder.unary(.not, builder.unary(.isNaN, x))))
    }

    private func put(_ order: Register, at place: Register) {
      let symbol = scope.bind(place)
      builder.store(order, output, at: scope.index(base + Dim(symbol) * stride))
    }

    /// Keeps the first `length` elements in order while going through all.
    func insert(listOf length: Int) {
      let keys = builder.local("keys", key, count: length)
      let order = builder.local("order", .i64, count: length)
      let zero = builder.index(0)
      let one = builder.index(1)
      let full = builder.index(length)
      builder.loop("k", from: zero, to: scope.dim(form.extent), carrying: [zero]) { index, state in
        let held = state[0]
        let value = element(index)
        // Elements in the list that the new one precedes move up by one, from the last down.
        let last = builder.binary(.maximum, builder.subtract(held, one), zero)
        let isFull = builder.compare(.equal, held, full)
        let enters = builder.branch(
          isFull, then: { [precedes(value, builder.load(keys, at: last))] },
          otherwise: { [builder.constant(.bool(true), .bool)] })[0]
        builder.when(enters) {
          let start = builder.binary(.minimum, held, builder.index(length - 1))
          // `place` stops moving at the first element that stays before the new one.
          let place = builder.loop("shift", from: zero, to: start, carrying: [start]) { iteration, moving in
            let candidate = builder.subtract(builder.subtract(start, iteration), one)
            let isOpen = builder.compare(.equal, builder.subtract(moving[0], one), candidate)
            let old = builder.load(keys, at: candidate)
            let moves = builder.binary(.and, isOpen, precedes(value, old))
            builder.when(moves) {
              builder.store(old, keys, at: moving[0])
              builder.store(builder.load(order, at: candidate), order, at: moving[0])
            }
            return [builder.select(moves, candidate, moving[0])]
          }[0]
          builder.store(value, keys, at: place)
          builder.store(index, order, at: place)
        }
        return [builder.binary(.minimum, builder.add(held, one), full)]
      }
      builder.loop("out", from: zero, to: full) { index in put(builder.load(order, at: index), at: index) }
    }

    /// Bottom-up merge sort between the two halves of a row's scratch.
    func merge(keys: Memory, order: Memory) {
      let zero = builder.index(0)
      let one = builder.index(1)
      let length = scope.dim(form.extent)
      let start = builder.multiply(builder.task, scope.dim(form.extent * 2))
      builder.loop("keys", from: zero, to: length) { index in
        let at = builder.add(start, index)
        builder.store(element(index), keys, at: at)
        builder.store(index, order, at: at)
      }
      var passes = 48
      if let count = form.extent.value {
        passes = 0
        while 1 << passes < count { passes += 1 }
      }
      let final = builder.loop(
        "pass", from: zero, to: builder.index(passes), carrying: [one, start, builder.add(start, length)]
      ) { _, state in
        builder.branch(
          builder.compare(.less, state[0], length),
          then: {
            pass(width: state[0], from: state[1], to: state[2], length: length, keys: keys, order: order)
            return [builder.multiply(state[0], 2), state[2], state[1]]
          }, otherwise: { state })
      }
      builder.loop("out", from: zero, to: scope.dim(count)) { index in
        put(builder.load(order, at: builder.add(final[1], index)), at: index)
      }
    }

    private func pass(width: Register, from: Register, to: Register, length: Register, keys: Memory, order: Memory) {
      let zero = builder.index(0)
      let one = builder.index(1)
      let pair = builder.multiply(width, 2)
      let pairs = builder.binary(.floorDivide, builder.add(length, builder.subtract(pair, one)), pair)
      builder.loop("pair", from: zero, to: pairs) { number in
        let first = builder.multiply(number, pair)
        let middle = builder.binary(.minimum, builder.add(first, width), length)
        let end = builder.binary(.minimum, builder.add(first, pair), length)
        builder.loop("merge", from: first, to: end, carrying: [first, middle]) { place, state in
          let hasLeft = builder.compare(.less, state[0], middle)
          let hasRight = builder.compare(.less, state[1], end)
          // Reads stay inside the row where a side has run out.
          let left = builder.add(from, builder.binary(.minimum, state[0], builder.subtract(length, one)))
          let right = builder.add(from, builder.binary(.minimum, state[1], builder.subtract(length, one)))
          let (a, b) = (builder.load(keys, at: left), builder.load(keys, at: right))
          let takesRight = builder.binary(
            .and, hasRight, builder.binary(.or, builder.unary(.not, hasLeft), precedes(b, a)))
          let at = builder.add(to, place)
          builder.store(builder.select(takesRight, b, a), keys, at: at)
          builder.store(
            builder.load(order, at: builder.select(takesRight, right, left)), order, at: at)
          return [
            builder.select(takesRight, state[0], builder.add(state[0], one)),
            builder.select(takesRight, builder.add(state[1], one), state[1]),
          ]
        }
      }
    }
  }
}
