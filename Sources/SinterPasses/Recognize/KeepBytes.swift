import SinterCore
import SinterIR
import SinterOps

extension Pass {
  /// Products of dequantized bytes become products of bytes.
  public static let keepBytes = Pass(
    "keep-bytes",
    "Has products and convolutions between DequantizeLinear and QuantizeLinear work on the bytes themselves."
  ) { graph, log in
    try graph.rewrite(RewriteRule.keepBytes + RewriteRule.productsByBytes, log: &log)
  }
}

extension RewriteRule {
  /// What dequantizes moves toward the outputs, behind whatever only moves elements, until it meets a product, which then takes the bytes, or
  /// what quantizes again.
  static let keepBytes: [RewriteRule] = [
    RewriteRule("conv(s·(x − z), t·(w − y)) = s·t·conv(x − z, w − y)", at: Conv.self) { op, site in
      guard !op.channelsLast, let x = site.dequantized(0), let w = site.dequantized(1), x.isUniform,
        let rank = site.type(x.value)?.rank,
        w.isUniform || w.axis == 0, site.constant(w.value) != nil, let scale = try site.product(x.scale, w.scale)
      else { return nil }
      let sum = try site.add1(ConvInteger(op), [x.value, w.value, x.zero, w.zero])
      return try site.rescaled(sum, by: scale, bias: site.input(2), rank: rank, axis: 1)
    },
    RewriteRule("matmul(s·(a − z), t·(b − y)) = s·t·matmul(a − z, b − y)", at: MatMul.self) { op, site in
      guard let a = site.dequantized(0), let b = site.dequantized(1), a.isUniform, site.constant(b.value) != nil,
        let rank = site.type(b.value)?.rank, b.isUniform || rank == 2 && (b.axis == 1 || b.axis == -1),
        let scale = try site.product(a.scale, b.scale)
      else { return nil }
      let sum = try site.add1(MatMulInteger(), [a.value, b.value, a.zero, b.zero])
      return try site.rescaled(sum, by: scale, bias: nil, rank: rank, axis: rank - 1)
    },
    RewriteRule("gemm(s·(a − z), t·(b − y), c) = s·t·matmul(a − z, b − y) + c", at: Gemm.self) { op, site in
      guard op.alpha == 1, op.beta == 1, !op.transA, let a = site.dequantized(0), let b = site.dequantized(1),
        a.isUniform,
        site.constant(b.value) != nil, b.isUniform || b.axis == (op.transB ? 0 : 1) || b.axis == (op.transB ? -2 : -1),
        let scale = try site.product(a.scale, b.scale)
      else { return nil }
      let right = op.transB ? try site.add1(Transpose([1, 0]), [b.value]) : b.value
      let sum = try site.add1(MatMulInteger(), [a.value, right, a.zero, b.zero])
      return try site.rescaled(sum, by: scale, bias: site.input(2), rank: 2, axis: 1)
    },

    RewriteRule("quantize(x · s) = requantize(x, s / t) for 32-bit sums", at: QuantizeLinear.self) { op, site in
      guard op.blockSize == 0, op.precision == 0, let x = site.input(0), site.isUsedOnce(x),
        let (real, factor) = site.operands(of: x, .multiply),
        let (cast, _, sums) = site.producer(of: real, as: Cast.self), cast.to == .f32, let sum = sums[0],
        site.isUsedOnce(real),
        let type = site.type(sum), type.element == .i32, site.type(x)?.shape == type.shape,
        let scales = site.constant(factor)?.floats,
        let target = site.constant(site.input(1))?.floats, target.count == 1, let zero = site.input(2),
        let bytes = site.type(zero),
        bytes.element == .u8 || bytes.element == .i8
      else { return nil }
      let multiplier = HostTensor.f32(site.constant(factor)?.shape ?? [], scales.map { $0 / target[0] })
      return try site.add1(Requantize(), [sum, site.constant(multiplier), zero])
    },
    RewriteRule("quantize(s·(a − y) + t·(b − z), u) = quantize((a − y)·s/u + (b − z)·t/u, 1)", at: QuantizeLinear.self)
    {
      op, site in
      guard let (a, b, scale) = site.pair(op, .add) else { return nil }
      let parts = try [a, b].map { try site.scaled(try site.centered($0), by: $0.scale / scale) }
      let sum = try site.add1(Binary(.add), parts)
      return try site.add1(op, [sum, site.constant(.f32([], [1]))] + site.inputs.dropFirst(2))
    },
    RewriteRule("quantize(s·(a − y) · t·(b − z), u) = quantize((a − y)·(b − z)·s·t/u, 1)", at: QuantizeLinear.self) {
      op, site in
      guard let (a, b, scale) = site.pair(op, .multiply) else { return nil }
      let product = try site.add1(Binary(.multiply), try [a, b].map { try site.centered($0) })
      let scaled = try site.scaled(product, by: a.scale * b.scale / scale)
      return try site.add1(op, [scaled, site.constant(.f32([], [1]))] + site.inputs.dropFirst(2))
    },
    // Rounding once more adds nothing to the error of the function.
    RewriteRule("quantize(sigmoid(x), s) = quantize(sigmoid(x) · 1/s, 1)", at: QuantizeLinear.self) { op, site in
      guard op.blockSize == 0, op.precision == 0, let x = site.input(0), site.isUsedOnce(x),
        site.operand(of: x, .sigmoid) != nil || site.operand(of: x, .tanh) != nil, site.type(x)?.element == .f32,
        let scale = site.constant(site.input(1))?.floats, scale.count == 1, scale[0] > 0
      else { return nil }
      let one = site.constant(.f32([], [1]))
      return try site.add1(op, [try site.scaled(x, by: 1 / scale[0]), one] + site.inputs.dropFirst(2))
    },
    RewriteRule("quantize(relu(x)) = max(quantize(x), zero)", at: QuantizeLinear.self) { op, site in
      guard op.blockSize == 0, let x = site.input(0), site.isUsedOnce(x), let inner = site.operand(of: x, .relu),
        let zero = site.input(2), let type = site.type(zero), type.count.value == 1,
        type.element == .u8 || type.element == .i8,
        let number = site.constant(zero)?.integers?.first
      else { return nil }
      let quantized = try site.add1(op, [inner] + site.inputs.dropFirst())
      if number == (type.element == .u8 ? 0 : -128) { return quantized }
      return try site.add1(Variadic(.maximum), [quantized, zero])
    },
    RewriteRule("quantize(clip(x, a, b)) = clip(quantize(x), quantize(a), quantize(b))", at: QuantizeLinear.self) {
      op, site in
      guard op.blockSize == 0, let x = site.input(0), site.isUsedOnce(x),
        let (clip, _, inputs) = site.producer(of: x, as: Clip.self),
        let inner = inputs[0], let scale = site.constant(site.input(1))?.floats, scale.count == 1,
        let zero = site.input(2),
        let type = site.type(zero), type.element == .u8 || type.element == .i8, let offset = site.number(zero)
      else { return nil }
      let range = type.element.integerRange
      let ends = (Double(range.lowerBound), Double(range.upperBound))
      var bounds: [ValueID?] = []
      for (index, end) in [(1, ends.0), (2, ends.1)] {
        guard index < inputs.count, let input = inputs[index] else {
          bounds.append(nil)
          continue
        }
        guard let number = site.number(input), !number.isNaN else { return nil }
        let exact = Double((Float(number) / scale[0]).rounded(.toNearestOrEven)) + offset
        let bound = Swift.min(Swift.max(exact, ends.0), ends.1)
        bounds.append(bound == end ? nil : site.constant(try HostTensor(scalar: bound, type.element)))
      }
      let quantized = try site.add1(op, [inner] + site.inputs.dropFirst())
      return bounds.allSatisfy({ $0 == nil }) ? quantized : try site.add1(clip, [quantized] + bounds)
    },

    RewriteRule("quantize(dequantize(x)) = x", at: QuantizeLinear.self) { op, site in
      guard op.blockSize == 0, let x = site.dequantized(0), x.isUniform,
        site.type(x.value)?.element == site.type(site.outputs[0])?.element,
        site.isSame(x.scale, site.input(1)), site.isSame(x.zero, site.input(2))
      else { return nil }
      return x.value
    },
    RewriteRule(
      "move(dequantize(x)) = dequantize(move(x))",
      at: [
        Reshape.self, Flatten.self, Transpose.self, Squeeze.self, Unsqueeze.self, Slice.self, Expand.self, MaxPool.self,
      ], keepsOrigin: true
    ) { site in
      guard site.outputs.dropFirst().allSatisfy({ site.useCount($0) == 0 }), let x = site.dequantized(0), x.isUniform,
        !(site.op is MaxPool) || site.constant(x.scale)?.uniformValue.map({ $0 > 0 }) ?? false
      else { return nil }
      let moved = try site.add(site.op, [x.value] + site.inputs.dropFirst(), outputs: site.outputs.count)
      return [try site.add1(x.op, [moved[0], x.scale, x.zero])] + site.outputs.dropFirst()
    },
    RewriteRule("concat(dequantize(x)…) = dequantize(concat(x…))", at: Concat.self, keepsOrigin: true) { op, site in
      let parts = site.inputs.indices.compactMap { site.dequantized($0) }
      guard let first = parts.first, parts.count == site.inputs.count,
        parts.allSatisfy({
          $0.isUniform && site.type($0.value)?.element == site.type(first.value)?.element
            && site.isSame($0.scale, first.scale)
            && site.isSame($0.zero, first.zero)
        })
      else { return nil }
      return try site.add1(first.op, [try site.add1(op, parts.map(\.value)), first.scale, first.zero])
    },
  ]
}

/// Bytes that a node reads through a DequantizeLinear to f32.
private struct Dequantized {
  var op: DequantizeLinear
  var value: ValueID
  var scale: ValueID
  var zero: ValueID?
  /// One scale for all elements.
  var isUniform: Bool
  var axis: Int { op.axis }
}

extension RewriteSite {
  fileprivate func dequantized(_ index: Int) -> Dequantized? { dequantized(input(index)) }

  fileprivate func dequantized(_ real: ValueID?) -> Dequantized? {
    guard let (op, _, inputs) = producer(of: real, as: DequantizeLinear.self), op.blockSize == 0,
      let value = inputs[0],
      let scale = inputs[1], let type = type(value), type.element == .u8 || type.element == .i8,
      let entries = self.type(scale),
      entries.element == .f32, self.type(real)?.element == .f32
    else { return nil }
    let zero = inputs.count > 2 ? inputs[2] : nil
    return Dequantized(op: op, value: value, scale: scale, zero: zero, isUniform: entries.count.value == 1)
  }

  /// Bytes with one constant scale and zero point.
  fileprivate typealias Scaled = (value: ValueID, scale: Float, zero: Float)

  /// What a QuantizeLinear to bytes takes, where it is a sum or a product of bytes with constant scales: both, and the result's scale.
  fileprivate func pair(_ op: QuantizeLinear, _ kind: Binary.Kind) -> (a: Scaled, b: Scaled, scale: Float)? {
    func scaled(_ real: ValueID) -> Scaled? {
      guard let bytes = dequantized(real), bytes.isUniform, let scale = constant(bytes.scale)?.floats?.first else {
        return nil
      }
      guard let zero = bytes.zero else { return (bytes.value, scale, 0) }
      return number(zero).map { (bytes.value, scale, Float($0)) }
    }
    guard op.blockSize == 0, op.precision == 0, let x = input(0), isUsedOnce(x),
      let (first, second) = operands(of: x, kind), let a = scaled(first), let b = scaled(second),
      let scale = constant(input(1))?.floats, scale.count == 1, let element = type(outputs[0])?.element,
      element == .u8 || element == .i8
    else { return nil }
    return (a, b, scale[0])
  }

  /// Bytes without their zero point, as floats.
  fileprivate func centered(_ bytes: Scaled) throws -> ValueID {
    let real = try add1(Cast(to: .f32), [bytes.value])
    return bytes.zero == 0 ? real : try add1(Binary(.subtract), [real, constant(.f32([], [bytes.zero]))])
  }

  fileprivate func scaled(_ value: ValueID, by factor: Float) throws -> ValueID {
    try add1(Binary(.multiply), [value, constant(.f32([], [factor]))])
  }

  /// The product of two constant scales as a list or a number.
  fileprivate func product(_ a: ValueID, _ b: ValueID) throws -> ValueID? {
    guard let x = constant(a)?.floats, let y = constant(b)?.floats, x.count == 1 else { return nil }
    let values = y.map { x[0] * $0 }
    return constant(.f32(values.count == 1 ? [] : [values.count], values))
  }

  /// 32-bit sums as floats: with a bias that is bytes of the same scale added first, and any other one afterwards.
  ///
  /// - Parameters:
  ///   - rank: of the result, as far as lists along `axis` are concerned.
  fileprivate func rescaled(_ sum: ValueID, by scale: ValueID, bias: ValueID?, rank: Int, axis: Int) throws -> ValueID {
    func along(_ list: ValueID) throws -> ValueID {
      guard let type = type(list), type.rank == 1, type.count != 1, rank - axis > 1 else { return list }
      if let tensor = constant(list) {
        return constant(tensor.reshaped(tensor.shape + [Int](repeating: 1, count: rank - axis - 1)))
      }
      return try add1(Unsqueeze(), [list, constant(.i64([rank - axis - 1], Array(1..<(rank - axis))))])
    }
    var sum = sum
    var rest = bias
    if let (op, _, inputs) = producer(of: bias, as: DequantizeLinear.self), op.blockSize == 0, let value = inputs[0],
      type(value)?.element == .i32, inputs.count < 3 || number(inputs[2]) == 0 || inputs[2] == nil,
      let own = constant(inputs[1])?.floats,
      let wanted = constant(scale)?.floats, own.count == wanted.count || own.count == 1,
      wanted.indices.allSatisfy({ abs(own[own.count == 1 ? 0 : $0] - wanted[$0]) <= 1e-5 * abs(wanted[$0]) })
    {
      sum = try add1(Binary(.add), [sum, try along(value)])
      rest = nil
    }
    let real = try add1(Binary(.multiply), [try add1(Cast(to: .f32), [sum]), try along(scale)])
    return try rest.map { try add1(Binary(.add), [real, try along($0)]) } ?? real
  }

  /// Whether two values are the same, or constants of the same contents.
  fileprivate func isSame(_ a: ValueID?, _ b: ValueID?) -> Bool {
    if a == b { return true }
    guard let x = constant(a), let y = constant(b), x.element == y.element, x.count == y.count else { return false }
    return x.bytes.withBytes { p in y.bytes.withBytes { q in p.count == q.count && p.elementsEqual(q) } }
  }
}

extension HostTensor {
  fileprivate var floats: [Float]? { element == .f32 ? array(of: Float.self) : nil }
}
