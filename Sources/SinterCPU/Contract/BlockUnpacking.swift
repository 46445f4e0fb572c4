import SinterCore
import SinterKernelIR

/// Writes weights of few bits as floats, `(q − zero) · scale`, into memory of the task: what many rows are multiplied with before it is
/// overwritten by the next blocks.
struct BlockUnpacking {
  let scope: KernelScope
  /// Words of i32.
  let integers: Memory
  let scales: Memory
  /// Zero points in panels like the scales; nil: `constant`.
  let zeros: Memory?
  let constant: Int
  let panels: BlockPanels
  let lanes: Int
  let ahead: Int
  /// As many steps along the reduced axis as are unpacked at once, a row of a panel's width each.
  let target: Memory

  private var b: KernelBuilder { scope.builder }

  /// Steps along the reduced axis that are unpacked at once: whole blocks.
  static func step(block: Int) -> Int { Swift.max(1, 128 / block) * block }

  /// - Parameters:
  ///   - panel: the place of the panel's first scale.
  ///   - start: the first step, that of a block; `extent` steps follow.
  /// - Returns: where the first step lies in `target`.
  func emit(panel: Register, start: Register, extent: Int, vectors: Int) -> Register {
    let first = b.add(
      panel, b.multiply(b.binary(.floorDivide, start, b.index(panels.block)), panels.width))
    b.loop("unpacked", from: b.index(0), to: b.index(extent / panels.block)) { block in
      let at = b.add(first, b.multiply(block, panels.width))
      let places = (0..<vectors).map { b.add(at, $0 * lanes) }
      let factors = places.map { b.load(scales, at: $0, lanes: lanes) }
      let offsets = zeros.map { zeros in places.map { b.load(zeros, at: $0, lanes: lanes) } }
      b.loop("word", from: b.index(0), to: b.index(panels.words)) { word in
        let source = b.add(b.multiply(at, panels.words), b.multiply(word, panels.width))
        let row = b.add(b.multiply(block, panels.block), b.multiply(word, panels.perWord))
        for vector in 0..<vectors {
          let from = b.add(source, vector * lanes)
          b.prefetch(integers, at: b.add(from, ahead / 4))
          let packed = b.load(integers, at: from, lanes: lanes)
          for place in 0..<panels.perWord {
            let integer = panels.integer(place, of: packed, b, counting: zeros == nil ? constant : 0)
            var value = b.cast(integer, to: .f32)
            if let offsets { value = b.subtract(value, offsets[vector]) }
            let to = b.add(b.multiply(b.add(row, place), panels.width), vector * lanes)
            b.store(b.multiply(value, factors[vector]), target, at: to)
          }
        }
      }
    }
    return b.index(0)
  }
}

extension BlockPanels {
  /// The integers at a place along the reduced axis within words of i32, as i32, counted from `zero`.
  func integer(_ place: Int, of words: Register, _ b: KernelBuilder, counting zero: Int) -> Register {
    func constant(_ value: Int) -> Register { b.constant(.int(Int64(value)), .i32, lanes: b.type(words).lanes) }
    // Four neighbours are in different bytes, those after them in the bits above.
    let shift = place % 4 * 8 + place / 4 * bits
    let low = shift == 0 ? words : b.binary(.shiftRight, words, constant(shift))
    let integer = b.binary(.and, low, constant((1 << bits) - 1))
    return zero == 0 ? integer : b.subtract(integer, constant(zero))
  }
}
