import SinterCore

/// How weights of few bits lie in memory: panels of `width` columns, all equally wide; within a panel block after block along the reduced axis.
///
/// Of a block, 32 bits of a column lie side by side: four bytes, for four neighbours along the axis in their lowest bits, the next four in the
/// bits above, and so on. One vector of such words serves a vector of columns. Scales and zero points lie in panels of their own, a number a
/// column and block.
struct BlockPanels: Hashable {
  var columns: Int, blocks: Int, block: Int
  /// What the weights are.
  var element: ElementType
  /// Whether none of them is infinite or NaN.
  var isFinite = true
  var width: Int

  var bits: Int { element.bits }
  /// Weights of a word.
  var perWord: Int { 32 / bits }
  /// Words that a block takes of a column.
  var words: Int { block / perWord }
  var panels: Int { (columns + width - 1) / width }
  /// Scales a panel.
  var panelStep: Int { blocks * width }

  /// Packs weights [columns, blocks, block], of which the first of a byte is in its lowest bits, into words of a type. Columns that there are
  /// not are zero.
  func pack(_ weights: HostTensor, as words: ElementType) -> HostTensor {
    let bytes = TensorBytes(count: panels * panelStep * self.words * 4) { memory in
      weights.bytes.withBytes { source in
        guard let from = source.baseAddress?.assumingMemoryBound(to: UInt8.self),
          let to = memory.baseAddress?.assumingMemoryBound(to: UInt8.self)
        else { return }
        let perByte = 8 / bits
        let (mask, ownBits) = (UInt8(truncatingIfNeeded: (1 << bits) - 1), bits)
        let (columnBytes, blockBytes) = (blocks * block / perByte, block / perByte)
        for panel in 0..<panels {
          let first = panel * width
          let real = Swift.min(width, columns - first)
          for item in 0..<blocks {
            for word in 0..<self.words {
              let target = to + ((panel * blocks + item) * self.words + word) * width * 4
              for column in 0..<real {
                let origin = from + (first + column) * columnBytes + item * blockBytes + word * 4
                for byte in 0..<4 {
                  var packed: UInt8 = 0
                  for step in 0..<perByte {
                    // The place within the word's run of weights.
                    let place = step * 4 + byte
                    let weight = origin[place / perByte] >> UInt8(place % perByte * ownBits) & mask
                    packed |= weight << UInt8(step * ownBits)
                  }
                  target[column * 4 + byte] = packed
                }
              }
            }
          }
        }
      }
    }
    return HostTensor(words, [bytes.count * 8 / words.bits], bytes: bytes)
  }

  /// Packs numbers [columns, blocks].
  func pack(_ numbers: [Float]) -> HostTensor {
    let bytes = TensorBytes(count: panels * panelStep * 4) { memory in
      let target = memory.bindMemory(to: Float.self)
      for column in 0..<columns {
        let at = column / width * panelStep + column % width
        for item in 0..<blocks { target[at + item * width] = numbers[column * blocks + item] }
      }
    }
    return HostTensor(.f32, [panels * panelStep], bytes: bytes)
  }
}
