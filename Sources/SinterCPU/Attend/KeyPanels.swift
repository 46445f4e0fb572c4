import SinterCore
import SinterKernelIR

/// Packs the keys of a block into panels as a register tile reads them: a panel's keys side by side, one row of them a step along the
/// depth.
///
/// Keys that lie with their depth side by side are loaded as they lie and turned in registers. A panel that is not full repeats the
/// last key: what comes of it is not used.
struct KeyPanels {
  let scope: KernelScope
  let layout: PanelLayout
  let accumulate: ElementType
  /// Where keys lie, and elements from one key to the next and from one step along the depth to the next: one of them is 1.
  let source: Memory
  let keyStride: Dim
  let depthStride: Dim
  let panels: Memory

  private var b: KernelBuilder { scope.builder }

  /// - Parameters:
  ///   - first: the offset of the block's first key.
  ///   - count: the keys of the block; `known` where it is a number, which then is that of the layout.
  func pack(first: Register, count: Register, known: Int?) {
    let lanes = layout.lanes
    func fill(panel: Register, vectors: Int, isFull: Bool) {
      let target = b.multiply(panel, layout.width * layout.depth)
      b.loop("pack", from: b.index(0), to: b.index(vectors)) { vector in
        let key = b.add(b.multiply(panel, layout.width), b.multiply(vector, lanes))
        let to = b.add(target, b.multiply(vector, lanes))
        if depthStride == 1 {
          transpose(first: first, key: key, count: count, isFull: isFull, to: to, step: vectors * lanes)
        } else {
          copy(first: first, key: key, count: count, isFull: isFull, to: to, step: vectors * lanes)
        }
      }
    }
    if let known {
      // A panel whose keys are all there needs no care for the last one.
      if layout.fullPanels > 0 {
        b.loop("panel", from: b.index(0), to: b.index(layout.fullPanels)) {
          fill(panel: $0, vectors: layout.vectors, isFull: true)
        }
      }
      if layout.tailColumns > 0 {
        fill(panel: b.index(layout.fullPanels), vectors: layout.tailVectors, isFull: known % lanes == 0)
      }
      return
    }
    let used = b.binary(.floorDivide, b.add(count, layout.width - 1), b.index(layout.width))
    b.loop("panel", from: b.index(0), to: used) { fill(panel: $0, vectors: layout.vectors, isFull: false) }
  }

  /// As many keys as a vector has lanes, transposed in registers.
  private func transpose(first: Register, key: Register, count: Register, isFull: Bool, to: Register, step: Int) {
    let lanes = layout.lanes
    let last = b.subtract(count, b.index(1))
    let offsets = (0..<lanes).map { lane in
      let own = b.add(key, lane)
      return b.add(first, b.multiply(isFull ? own : b.binary(.minimum, own, last), scope.dim(keyStride)))
    }
    func square(_ depth: Register, rows: Int) {
      let mask = rows == lanes ? nil : scope.prefixMask(b.index(rows), lanes: lanes)
      let turned = b.transposed(
        offsets.map { b.cast(b.load(source, at: b.add($0, depth), lanes: lanes, mask: mask), to: accumulate) })
      for row in 0..<rows { b.store(turned[row], panels, at: b.add(to, b.multiply(b.add(depth, row), step))) }
    }
    let whole = layout.depth / lanes * lanes
    if whole > 0 { b.loop("depth", from: b.index(0), to: b.index(whole), step: lanes) { square($0, rows: lanes) } }
    if layout.depth > whole { square(b.index(whole), rows: layout.depth - whole) }
  }

  /// As many keys as a vector has lanes, which lie side by side.
  private func copy(first: Register, key: Register, count: Register, isFull: Bool, to: Register, step: Int) {
    let lanes = layout.lanes
    let mask = isFull ? nil : scope.prefixMask(b.subtract(count, key), lanes: lanes)
    let from = b.add(first, key)
    b.loop("depth", from: b.index(0), to: b.index(layout.depth)) { depth in
      let at = b.add(from, b.multiply(depth, scope.dim(depthStride)))
      b.store(
        b.cast(b.load(source, at: at, lanes: lanes, mask: mask), to: accumulate), panels,
        at: b.add(to, b.multiply(depth, step)))
    }
  }
}
