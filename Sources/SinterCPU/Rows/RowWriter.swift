import SinterCore
import SinterForms
import SinterKernelIR

/// Writes the members of a row group for one row.
struct RowWriter {
  /// Where a member's elements lie: in memory of the whole value, or of one row.
  struct Home {
    var memory: Memory
    var isRow: Bool
  }

  let scope: KernelScope
  /// The row's axes, bound.
  let rows: [LoopSpace.Axis]
  let machine: Machine
  var homes: [FormValueID: Home] = [:]
  /// Expressions that reductions keep for later members.
  var kept: [FormValueID: RowSharing.Kept] = [:]

  private var builder: KernelBuilder { scope.builder }
  private var fixed: [Symbol: Dim] { rows.reduce(into: [:]) { $0[$1.symbol] = $1.extent } }

  /// The first element of the row in a value of some shape.
  private func base(_ shape: [Dim]) -> Dim {
    zip(rows, TensorType.strides(shape)).reduce(Dim(0)) { $0 + Dim($1.0.symbol) * $1.1 }
  }

  mutating func write(_ member: RowGroup.Member, type: TensorType) {
    switch member.form {
    case .element(let form): element(member.value, form, type)
    case .reduce(let form): reduce(member.value, form, type)
    case .contract, .attend, .convolve, .scan, .scatter, .sort, .call: break
    }
  }

  private func element(_ value: FormValueID, _ form: ElementForm, _ type: TensorType) {
    guard let home = homes[value] else { return }
    let rest = Array(type.shape[rows.count...])
    var space = LoopSpace(groups: [rest], fixed: fixed, newSymbol: scope.newSymbol)
    func axes() -> [Dim] { rows.map { Dim($0.symbol) } + space.given }
    let store = zip(axes(), TensorType.strides(type.shape)).reduce(Dim(0)) { $0 + $1.0 * $1.1 }
    let indices = BodyIndices(
      form.body, axes: axes(), values: scope.values, simplifier: space.simplifier, newSymbol: scope.newSymbol)
    space.rearrange(for: indices.roots + [store])
    let first = base(type.shape)
    let flat = space.simplifier.simplified((space.roots.last ?? 0) - (home.isRow ? first : 0))
    let emitter = BodyEmitter(form.body, scope: scope, axes: axes(), extents: space.extents)
    let lanes = form.body.lanes(machine, result: type.element)

    func nest(_ left: ArraySlice<LoopSpace.Axis>) {
      func put(_ lanes: BodyEmitter.Lanes?) {
        emitter.store(emitter.emit(lanes: lanes)[0], to: home.memory, at: flat, lanes: lanes)
      }
      guard let axis = left.first else { return put(nil) }
      if left.count == 1 {
        emitter.scoped {
          emitter.hoist(Set(rows.map(\.symbol)), loads: axis.extent.value.map { $0 > 0 } ?? false)
          scope.vectorLoop("n", over: scope.stretch(axis.extent), lanes: lanes, unroll: form.body.cost <= 8 ? 2 : 1) {
            scope.bind(axis.symbol, to: $0)
            put($1 == 1 && $2 == nil ? nil : .init(axis.symbol, count: $1, mask: $2))
          }
        }
        return
      }
      builder.loop("m", from: builder.index(0), to: scope.dim(axis.extent)) { index in
        emitter.scoped {
          scope.bind(axis.symbol, to: index)
          nest(left.dropFirst())
        }
      }
    }
    nest(space.axes[...])
    scope.redirect(value, to: .memory(home.memory, base: home.isRow ? first : 0))
  }

  private func reduce(_ value: FormValueID, _ form: ReduceForm, _ type: TensorType) {
    // The result's axes behind the row have one element.
    let ones = [Dim](repeating: 0, count: type.rank - rows.count)
    var space = LoopSpace(groups: [form.inner], fixed: fixed, newSymbol: scope.newSymbol)
    func axes() -> [Dim] { rows.map { Dim($0.symbol) } + ones + space.given }
    func place() -> Dim {
      zip(space.given, TensorType.strides(form.inner)).reduce(Dim(0)) { $0 + $1.0 * $1.1 }
    }
    let indices = BodyIndices(
      form.body, axes: axes(), values: scope.values, simplifier: space.simplifier, newSymbol: scope.newSymbol)
    space.rearrange(
      for: indices.roots + (form.combine.isIndex || kept[value] != nil ? [place()] : []))
    var keeping: (expr: ExprID, memory: Memory, flat: Dim)?
    if let item = kept[value], let home = homes[item.value] {
      let shape = rows.map(\.extent) + form.inner
      let start = base(shape)
      let whole = space.simplifier.simplified(place())
      keeping = (item.expr, home.memory, home.isRow ? whole : start + whole)
      scope.redirect(item.value, to: .memory(home.memory, base: home.isRow ? start : 0))
    }
    let reducer = ReduceWriter(
      form.body, combine: form.combine, scope: scope, axes: axes(), inner: space.axes,
      position: space.simplifier.simplified(place()), extents: space.extents, keeping: keeping)
    let lanes = form.body.lanes(machine, result: form.body[form.body.results[0]].type)
    var result = reducer.alongInner(lanes: lanes)
    if let epilogue = form.epilogue {
      let emitter = BodyEmitter(
        epilogue, scope: scope, axes: rows.map { Dim($0.symbol) } + ones, extents: fixed)
      result = emitter.emit(accumulators: [result])[0]
    }
    result = builder.cast(result, to: type.element)
    if let home = homes[value] { builder.store(result, home.memory, at: scope.index(base(type.shape))) }
    scope.redirect(value, to: .register(result))
  }
}
