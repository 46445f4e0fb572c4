import SinterCore
import SinterKernelIR

/// The loops that a form runs over, rearranged so that index arithmetic becomes plain: axes of one element vanish, axes
/// that arithmetic divides are split, and neighbours that every index walks as one are merged.
struct LoopSpace {
  struct Axis {
    var symbol: Symbol
    var extent: Dim
    /// Only neighbours of one group merge.
    var group: Int
  }

  private(set) var axes: [Axis]
  /// The axes as given, over the symbols of `axes`.
  private(set) var given: [Dim]
  /// All indices that matter, over the symbols of `axes`.
  private(set) var roots: [Dim] = []
  /// Indices of loops further out, which stay as they are.
  private let fixed: [Symbol: Dim]
  private let newSymbol: () -> Symbol

  /// - Parameters:
  ///   - groups: the extents as given, group after group.
  ///   - fixed: the extents of indices that are bound already.
  init(groups: [[Dim]], fixed: [Symbol: Dim] = [:], newSymbol: @escaping () -> Symbol) {
    self.newSymbol = newSymbol
    self.fixed = fixed
    axes = []
    given = []
    for (number, group) in groups.enumerated() {
      for extent in group {
        let symbol = newSymbol()
        axes.append(Axis(symbol: symbol, extent: extent, group: number))
        given.append(Dim(symbol))
      }
    }
  }

  var extents: [Symbol: Dim] {
    axes.reduce(into: fixed) { $0[$1.symbol] = $1.extent }
  }
  var simplifier: IndexSimplifier { IndexSimplifier(extents: extents) }

  func axes(inGroup group: Int) -> [Axis] { axes.filter { $0.group == group } }

  /// Rearranges the axes for the given indices.
  mutating func rearrange(for roots: [Dim]) {
    let simplifier = simplifier
    self.roots = roots.map(simplifier.simplified)
    dropSingles()
    for _ in 0..<8 { if !splitOne() { break } }
    while mergeOne() {}
  }

  private mutating func substitute(_ symbol: Symbol, by replacement: Dim) {
    let simplifier = simplifier
    func apply(_ dim: Dim) -> Dim {
      simplifier.simplified(dim.substituting { $0 == symbol ? replacement : nil })
    }
    given = given.map(apply)
    roots = roots.map(apply)
  }

  private mutating func dropSingles() {
    for axis in axes where axis.extent.value == 1 {
      axes.removeAll { $0.symbol == axis.symbol }
      substitute(axis.symbol, by: 0)
    }
  }

  /// Splits an axis that some index divides by a factor of its extent.
  private mutating func splitOne() -> Bool {
    for root in roots {
      for (symbol, divisor) in Self.divisions(in: root) {
        guard let at = axes.firstIndex(where: { $0.symbol == symbol }), divisor.value != 1,
          divisor != axes[at].extent, let outer = axes[at].extent.exactQuotient(by: divisor)
        else { continue }
        split(at, into: outer, of: divisor)
        return true
      }
    }
    return false
  }

  private mutating func split(_ at: Int, into outer: Dim, of inner: Dim) {
    let (symbol, group) = (axes[at].symbol, axes[at].group)
    let high = Axis(symbol: newSymbol(), extent: outer, group: group)
    let low = Axis(symbol: newSymbol(), extent: inner, group: group)
    axes.replaceSubrange(at...at, with: [high, low])
    substitute(symbol, by: Dim(high.symbol) * inner + Dim(low.symbol))
  }

  /// Cuts an axis into blocks, if it is a whole number of them: a block is done for all indices of the axis before it, then the next block.
  mutating func block(_ at: Int, by size: Int) {
    guard let outer = axes[at].extent.exactQuotient(by: Dim(size)) else { return }
    split(at, into: outer, of: Dim(size))
    axes.swapAt(at - 1, at)
  }

  /// Loop indices that stand alone under a quotient or remainder, with the divisor.
  private static func divisions(in dim: Dim) -> [(Symbol, Dim)] {
    var found: [(Symbol, Dim)] = []
    for term in dim.terms {
      for factor in term.factors {
        switch factor {
        case .symbol, .overflow: break
        case .quotient(let a, let b), .remainder(let a, let b):
          if let symbol = a.symbol, symbol.isIndex, b.symbols.allSatisfy({ !$0.isIndex }) { found.append((symbol, b)) }
          found += divisions(in: a)
        case .minimum(let a, let b), .maximum(let a, let b), .joint(let a, let b), .place(let a, let b),
          .scaled(let a, let b), .product(let a, let b):
          found += divisions(in: a) + divisions(in: b)
        }
      }
    }
    return found
  }

  /// Merges two neighbours if every index is one of `outer · extent + inner`.
  private mutating func mergeOne() -> Bool {
    for at in axes.indices.dropLast() where axes[at].group == axes[at + 1].group {
      let (outer, inner) = (axes[at], axes[at + 1])
      let simplifier = simplifier
      let merged = newSymbol()
      let walk = Dim(outer.symbol) * inner.extent + Dim(inner.symbol)
      var replaced: [Dim] = []
      var fits = true
      for root in roots {
        let alone = root.substituting { $0 == outer.symbol ? 0 : $0 == inner.symbol ? Dim(merged) : nil }
        let again = simplifier.simplified(alone.substituting { $0 == merged ? walk : nil })
        guard again == root else {
          fits = false
          break
        }
        replaced.append(alone)
      }
      guard fits else { continue }
      axes.replaceSubrange(
        at...(at + 1),
        with: [Axis(symbol: merged, extent: outer.extent * inner.extent, group: outer.group)])
      roots = replaced
      // The axes as given are found again by division; only indices that are roots are ever computed.
      let back = self.simplifier
      given = given.map { dim in
        back.simplified(
          dim.substituting { symbol in
            if symbol == outer.symbol { return Dim(merged) / inner.extent }
            if symbol == inner.symbol { return Dim(merged) % inner.extent }
            return nil
          })
      }
      return true
    }
    return false
  }
}
