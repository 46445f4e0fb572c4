import SinterCore
import SinterIR
import SinterOps

extension RewriteRule {
  /// Products with constant weights of few bits keep them packed, in the order in which they are read: as a `MatMulNBits`, or as a
  /// `Float8MatMul`.
  static let productsByBits = products { $0.bits < 8 }

  /// The same for bytes with a scale per block, before constants are folded: that would make floats of them.
  static let productsByBytes = products { $0.bits == 8 }

  private static func products(_ serves: @escaping @Sendable (ElementType) -> Bool) -> [RewriteRule] {
    [
      RewriteRule("matmul(x, dequantized w) = matmul by bits", at: MatMul.self) { _, site in
        guard let x = site.input(0), let w = site.input(1) else { return nil }
        return try site.productByBits(x, w, isTransposed: false, bias: nil, serves)
      },
      RewriteRule("gemm(x, dequantized w, b) = matmul by bits", at: Gemm.self) { op, site in
        guard let x = site.input(0), let w = site.input(1), !op.transA, op.alpha == 1, op.beta == 1 else { return nil }
        return try site.productByBits(x, w, isTransposed: op.transB, bias: site.input(2), serves)
      },
    ]
  }
}

extension RewriteSite {
  /// The product of x and weights [K, N], or [N, K] where they are transposed, plus a bias [N]; nil where the weights are not of few bits.
  fileprivate func productByBits(
    _ x: ValueID, _ w: ValueID, isTransposed: Bool, bias: ValueID?, _ serves: (ElementType) -> Bool
  ) throws -> ValueID? {
    var (source, isTransposed) = (w, isTransposed)
    if let (transpose, _, inputs) = producer(of: w, as: Transpose.self), let inner = inputs[0], type(inner)?.rank == 2,
      transpose.perm.map({ $0 == [1, 0] }) ?? true
    {
      (source, isTransposed) = (inner, !isTransposed)
    }
    guard let (op, _, inputs) = producer(of: source, as: DequantizeLinear.self), type(source)?.element == .f32,
      type(x)?.element == .f32, type(x)?.rank ?? 0 >= 1, type(inputs[0]).map({ serves($0.element) }) ?? false
    else { return nil }
    let zero = inputs.count > 2 ? inputs[2] : nil
    guard zero == nil || constant(zero) != nil,
      let packed = PackedWeights(
        op, weights: constant(inputs[0]), scale: constant(inputs[1]), zero: constant(zero), isTransposed: isTransposed)
    else { return nil }
    if let bias, type(bias) != TensorType(.f32, [Dim(packed.columns)]) { return nil }
    let constants = [packed.weights, packed.scales, packed.zeroPoints].map { $0.map { constant($0) } }
    if packed.element.isFloat {
      var product = Float8MatMul()
      product.inner = packed.depth
      let result = try add1(product, [x] + constants.prefix(2))
      return try bias.map { try add1(Binary(.add), [result, $0]) } ?? result
    }
    var product = MatMulNBits()
    (product.inner, product.columns) = (packed.depth, packed.columns)
    (product.bits, product.blockSize) = (packed.element.bits, packed.blockSize)
    return try add1(product, [x] + constants + [nil, bias])
  }
}

/// Weights of few bits, as a `MatMulNBits` or a `Float8MatMul` has them.
private struct PackedWeights {
  /// Integers of few bits, or floats of 8.
  var element: ElementType
  var depth: Int, columns: Int
  var blockSize: Int
  /// Bytes of integers without sign [N, blocks, bytes of a block], or floats [N, blocks, block].
  var weights: HostTensor?
  var scales: HostTensor?
  /// Nil where all are the middle of the range, and of floats.
  var zeroPoints: HostTensor?

  private var blocks: Int { (depth + blockSize - 1) / blockSize }

  /// Nil where blocks do not lie along K, for other types, and for bytes that have no blocks or are few: as floats these are faster.
  init?(
    _ op: DequantizeLinear, weights: HostTensor?, scale: HostTensor?, zero: HostTensor?, isTransposed: Bool
  ) {
    guard let given = weights, let scale = scale?.floats, given.shape.count == 2,
      zero.map({ $0.element == given.element }) ?? true, let (weights, zero, factor) = Self.numbers(given, zero)
    else { return nil }
    if given.element.bits == 8 {
      guard op.blockSize > 0, ElementType.f32.byteCount(given.count) > RewriteRule.freeBytes else { return nil }
    }
    element = weights.element
    let (bits, isSigned) = (element.bits, element.kind == .signed)
    let factors = scale.map { $0 * factor }
    (depth, columns) = isTransposed ? (weights.shape[1], weights.shape[0]) : (weights.shape[0], weights.shape[1])
    let depthAxis = isTransposed ? 1 : 0
    let axis = op.axis < 0 ? op.axis + 2 : op.axis
    guard depth > 0, columns > 0, axis == 0 || axis == 1 else { return nil }
    if op.blockSize > 0 {
      guard axis == depthAxis, op.blockSize >= 16, op.blockSize.nonzeroBitCount == 1 else { return nil }
      blockSize = op.blockSize
    } else {
      guard factors.count == 1 || axis != depthAxis else { return nil }
      blockSize = [128, 64, 32, 16].first { [depth] in depth % $0 == 0 } ?? 32
    }

    // The entry of a column and a block in the scales and the zero points.
    let (blocks, width, ownColumns) = ((depth + blockSize - 1) / blockSize, blockSize, columns)
    let isBlocked = op.blockSize > 0
    func entry(_ column: Int, _ block: Int) -> Int {
      if isBlocked { return isTransposed ? column * blocks + block : block * ownColumns + column }
      return factors.count == 1 ? 0 : column
    }
    scales = .f32([columns, blocks], (0..<columns).flatMap { n in (0..<blocks).map { factors[entry(n, $0)] } })

    // Signed integers become unsigned ones by their highest bit.
    let flip: UInt8 = isSigned ? 1 << UInt8(bits - 1) : 0
    let source = PackedIntegers(weights, flip: flip)
    let (stepK, stepN) = isTransposed ? (1, depth) : (columns, 1)
    let perByte = 8 / bits
    let ownDepth = depth
    let packed = source.repacked(rows: columns * blocks, width: width / perByte, bits: bits) { row, place in
      let k = row % blocks * width + place
      return k < ownDepth ? k * stepK + row / blocks * stepN : nil
    }
    if element.isFloat {
      self.weights = HostTensor(element, [columns, blocks, width], bytes: packed)
      return
    }
    self.weights = HostTensor(.u8, [columns, blocks, width / perByte], bytes: packed)

    let middle: UInt8 = 1 << UInt8(bits - 1)
    let zeros = zero.map { PackedIntegers($0, flip: flip) }
    let offsets = (zeros?.all ?? [flip])
    if offsets.allSatisfy({ $0 == middle }) { return }
    let rowBytes = (blocks + perByte - 1) / perByte
    let all = PackedIntegers(
      unpacked: (0..<columns).flatMap { n in
        (0..<blocks).map { offsets.count == 1 ? offsets[0] : offsets[entry(n, $0)] }
      })
    let entries = all.repacked(rows: columns, width: rowBytes, bits: bits) { row, place in
      place < blocks ? row * blocks + place : nil
    }
    zeroPoints = HostTensor(.u8, [columns, rowBytes], bytes: entries)
  }
}

extension PackedWeights {
  /// Weights and zero points as integers or as floats of 8 bits, and what these are multiplied with; nil for other types.
  fileprivate static func numbers(
    _ weights: HostTensor, _ zero: HostTensor?
  ) -> (weights: HostTensor, zero: HostTensor?, factor: Float)? {
    if weights.element.isInteger, weights.element.bits <= 8 { return (weights, zero, 1) }
    // Nothing is taken off floats.
    guard weights.element.isFloat, weights.element.bits <= 8, zero?.doubles?.allSatisfy({ $0 == 0 }) ?? true
    else { return nil }
    guard weights.element == .f4e2m1, let numbers = weights.doubles else { return (weights, nil, 1) }
    // Halves of integers from -12 to 12.
    return (HostTensor(.i8, weights.shape, values: numbers.map { Int8(2 * $0) }), nil, 0.5)
  }
}

/// Integers of a few bits each, one after another, without sign; or the bits of floats.
private struct PackedIntegers {
  private var bytes: [UInt8]
  private let bits: Int
  private let flip: UInt8
  private let count: Int

  init(_ tensor: HostTensor, flip: UInt8) {
    bytes = tensor.bytes.withBytes { Array($0) }
    bits = tensor.element.bits
    count = tensor.count
    self.flip = flip
  }

  init(unpacked values: [UInt8]) {
    (bytes, bits, flip, count) = (values, 8, 0, values.count)
  }

  subscript(index: Int) -> UInt8 {
    if bits == 8 { return bytes[index] ^ flip }
    let perByte = 8 / bits
    let mask = UInt8(1 << bits) - 1
    return (bytes[index / perByte] >> UInt8(index % perByte * bits) & mask) ^ flip
  }

  var all: [UInt8] { (0..<count).map { self[$0] } }

  /// Rows of so many bytes, whose integers are those at the places that `source` gives, zero where it gives none.
  func repacked(rows: Int, width: Int, bits: Int, source: (Int, Int) -> Int?) -> TensorBytes {
    let perByte = 8 / bits
    return TensorBytes(count: rows * width) { memory in
      let target = memory.bindMemory(to: UInt8.self)
      for row in 0..<rows {
        for at in 0..<width {
          var byte: UInt8 = 0
          for place in 0..<perByte {
            if let index = source(row, at * perByte + place) { byte |= self[index] << UInt8(place * bits) }
          }
          target[row * width + at] = byte
        }
      }
    }
  }
}

extension HostTensor {
  /// Scales as the f32 that they are multiplied as; nil of those that are computed with in another type.
  fileprivate var floats: [Float]? { element.computeType == .f32 ? doubles?.map { Float($0) } : nil }
}
