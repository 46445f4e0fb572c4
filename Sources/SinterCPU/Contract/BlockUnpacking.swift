import SinterCore
import SinterKernelIR

/// Writes weights of few bits as floats, `(q − zero) · scale`, into memory of the task: what many rows are multiplied with before it is
/// overwritten by the next blocks.
struct BlockUnpacking {
  let scope: KernelScope
  /// Words of i32.
  let weights: Memory
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
          b.prefetch(weights, at: b.add(from, ahead / 4))
          let packed = b.load(weights, at: from, lanes: lanes)
          for place in 0..<panels.perWord {
            var value = panels.number(place, of: packed, b, counting: zeros == nil ? constant : 0)
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
  /// The weights at a place along the reduced axis within words of i32, as f32, counted from `zero` where they are integers.
  func number(_ place: Int, of words: Register, _ b: KernelBuilder, counting zero: Int) -> Register {
    func constant(_ value: Int) -> Register { b.constant(.int(Int64(value)), .i32, lanes: b.type(words).lanes) }
    // Four neighbours are in different bytes, those after them in the bits above.
    let shift = place % 4 * 8 + place / 4 * bits
    let low = shift == 0 ? words : b.binary(.shiftRight, words, constant(shift))
    if let format = NarrowFloat.table(of: element), isFinite {
      return number(format, at: shift, of: words, b)
    }
    if element.isFloat {
      return b.cast(b.bitcast(b.cast(low, to: .u8), to: element), to: .f32)
    }
    let integer = b.binary(.and, low, constant((1 << bits) - 1))
    return b.cast(zero == 0 ? integer : b.subtract(integer, constant(zero)), to: .f32)
  }

  /// Finite floats whose bits begin at `shift` within words of i32, as f32.
  ///
  /// Put where f32 has them and counted from its bias, exponent and mantissa are g, which is the magnitude of a normal number; that of a subnormal
  /// one is 2g - n, less than g, where n is the smallest normal number: half of n stands for its zero. So both are min(g, 2g - n). A
  /// product with a power of two would do as well, but of subnormal numbers of f32, for which some processors take a hundred cycles.
  private func number(_ format: NarrowFloat, at shift: Int, of words: Register, _ b: KernelBuilder) -> Register {
    let lanes = b.type(words).lanes
    func integer(_ value: Int) -> Register { b.constant(.int(Int64(value)), .i32, lanes: lanes) }
    func float(_ value: Double) -> Register { b.constant(.float(value), .f32, lanes: lanes) }
    func moved(_ from: Int, _ to: Int) -> Register {
      if from == to { return words }
      return b.binary(from < to ? .shiftLeft : .shiftRight, words, integer(abs(to - from)))
    }
    let (mantissa, digits) = (Float.significandBitCount, bits - 1)
    let magnitude = b.binary(
      .and, moved(shift, mantissa - format.mantissaBits),
      integer(((1 << digits) - 1) << (mantissa - format.mantissaBits)))
    let g = b.bitcast(b.add(magnitude, integer((127 - format.bias) << mantissa)), to: .f32)
    let smallest = Double(sign: .plus, exponent: 1 - format.bias, significand: 1)
    let subnormal = b.multiplyAdd(g, float(2), float(-smallest))
    let value = b.select(b.compare(.less, g, subnormal), g, subnormal)
    let sign = b.binary(.and, moved(shift + digits, 31), integer(Int(Int32.min)))
    return b.bitcast(b.binary(.or, b.bitcast(value, to: .i32), sign), to: .f32)
  }
}
