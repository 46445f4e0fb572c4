import SinterCore

/// Weights [K, N] of a product, or [N, K] where they are transposed, in four bits with sign: each block of so many along K has a scale.
struct BlockWeights {
  let shape: [Int]
  /// The axis that blocks lie along.
  let axis: Int
  let block: Int
  /// One for each block, like the weights with blocks in place of the axis.
  private(set) var scales: [Float]
  /// -8 ... 7, like the weights.
  private(set) var values: [Int8]

  /// Parts of a block's greatest magnitude that the greatest integer may stand for; the one with the least squared error is taken.
  private static let parts: [Float] = [1, 0.95, 0.9, 0.85, 0.8, 0.75]

  init(_ weights: HostTensor, axis: Int, block: Int) {
    let numbers = weights.array(of: Float.self)
    (shape, self.axis, self.block) = (weights.shape, axis, block)
    values = [Int8](repeating: 0, count: numbers.count)
    let (depth, columns) = (shape[axis], shape[1 - axis])
    let blocks = (depth + block - 1) / block
    scales = [Float](repeating: 1, count: blocks * columns)
    for column in 0..<columns {
      for index in 0..<blocks {
        let places = (index * block..<min(depth, (index + 1) * block)).map { place(depth: $0, column: column) }
        let (scale, integers) = Self.quantized(places.map { numbers[$0] })
        scales[axis == 0 ? index * columns + column : column * blocks + index] = scale
        for (place, integer) in zip(places, integers) { values[place] = integer }
      }
    }
  }

  var depth: Int { shape[axis] }
  var columns: Int { shape[1 - axis] }
  var blocks: Int { (depth + block - 1) / block }

  private func place(depth: Int, column: Int) -> Int {
    axis == 0 ? depth * shape[1] + column : column * shape[1] + depth
  }

  /// A block's scale, and its integers.
  private static func quantized(_ numbers: [Float]) -> (Float, [Int8]) {
    let largest = numbers.reduce(0) { max($0, abs($1)) }
    var best = (error: Double.infinity, scale: Float(1), integers: [Int8](repeating: 0, count: numbers.count))
    for part in parts {
      let scale = largest * part / 7
      if scale < .leastNormalMagnitude { break }
      var error = 0.0
      let integers = numbers.map { number in
        let integer = max(-8, min(7, (number / scale).rounded(.toNearestOrEven)))
        let difference = Double(integer) * Double(scale) - Double(number)
        error += difference * difference
        return Int8(integer)
      }
      if error < best.error { best = (error, scale, integers) }
    }
    return (best.scale, best.integers)
  }

  /// The integers, two per byte.
  var tensor: HostTensor { HostTensor(.i4, shape, integers: values.map { Int64($0) }) }

  var scaleTensor: HostTensor { .f32(axis == 0 ? [blocks, columns] : [columns, blocks], scales) }

  /// What the integers stand for.
  var dequantized: [Float] {
    values.enumerated().map { index, value in
      let (row, column) = (index / shape[1], index % shape[1])
      let at = axis == 0 ? row / block * columns + column : row * blocks + column / block
      return Float(value) * scales[at]
    }
  }

  /// The bytes of a `MatMulNBits` [N, blocks, block / 2]: without sign around 8, the first of two in the low bits.
  var packed: HostTensor {
    let width = block / 2
    return HostTensor(
      .u8, [columns, blocks, width],
      bytes: TensorBytes(count: columns * blocks * width) { memory in
        let bytes = memory.bindMemory(to: UInt8.self)
        for column in 0..<columns {
          for at in 0..<(blocks * width) {
            let pair = (0..<2).map { half -> UInt8 in
              let k = 2 * at + half
              return k < depth ? UInt8(values[place(depth: k, column: column)] + 8) : 8
            }
            bytes[column * blocks * width + at] = pair[0] | pair[1] << 4
          }
        }
      })
  }

  /// The scales of a `MatMulNBits` [N, blocks].
  var packedScales: HostTensor {
    if axis == 1 { return scaleTensor }
    return .f32([columns, blocks], (0..<columns).flatMap { n in (0..<blocks).map { scales[$0 * columns + n] } })
  }
}
