internal import COpenBLAS
import SinterCore

extension FormInterpreter {
  /// - Parameter accumulators: what the bodies of the sides mention as such.
  func contract(
    _ form: ContractForm, _ shape: [Int], _ memory: FormMemory, accumulators: [FormMemory.Stored] = []
  ) throws -> FormMemory.Stored {
    let batch = try memory.sizes(form.batch)
    let m = try memory.sizes(form.m)
    let n = try memory.sizes(form.n)
    let k = try memory.sizes(form.k)
    let rows = m.reduce(1, *)
    let columns = n.reduce(1, *)
    let depth = k.reduce(1, *)
    let batches = batch.reduce(1, *)
    guard shape.reduce(1, *) == batches * rows * columns else {
      throw DiagnosticError(.bug, "form.contract", "products over \(batch + m + n) do not fit the shape \(shape)")
    }
    let lhs = try ContractSide(
      form.lhs, batch: batch.count, extents: batch + m + k, size: rows * depth, form, memory, accumulators)
    let rhs = try ContractSide(
      form.rhs, batch: batch.count, extents: batch + n + k, size: columns * depth, form, memory, accumulators)
    let type = form.accumulate
    let bytes = try TensorBytes(limited: type.byteCount(batches * rows * columns)) { out in
      guard let base = out.baseAddress, rows > 0, columns > 0, depth > 0 else { return }
      for b in 0..<batches {
        let (x, y) = (try lhs.compute(b), try rhs.compute(b))
        let target = base + b * rows * columns * (type.bits / 8)
        try Product.multiply(type, x, y, target, rows: rows, columns: columns, depth: depth, columnStride: columns)
      }
    }
    return FormMemory.Stored(element: type, shape: shape, bytes: bytes)
  }

  func convolve(_ form: ConvolveForm, _ shape: [Int], _ memory: FormMemory) throws -> FormMemory.Stored {
    let input = try memory.value(form.input)
    let weight = try memory.value(form.weight)
    let rank = form.window.count
    let spatialAt = form.channelsLast ? 1 : 2
    let channelAt = form.channelsLast ? rank + 1 : 1
    guard input.shape.count == rank + 2, weight.shape.count == rank + 2, shape.count == rank + 2, form.groups > 0 else {
      throw DiagnosticError(
        .bug, "form.convolve", "the ranks of \(input.shape), \(weight.shape) and \(shape) do not fit")
    }
    let inSizes = Array(input.shape[spatialAt..<(spatialAt + rank)])
    let outSizes = Array(shape[spatialAt..<(spatialAt + rank)])
    let channels = input.shape[channelAt] / form.groups
    let features = shape[channelAt] / form.groups
    let taps = form.window.reduce(1, *)
    let depth = channels * taps
    let positions = outSizes.reduce(1, *)
    guard input.shape[channelAt] == channels * form.groups, shape[channelAt] == features * form.groups,
      weight.count == features * form.groups * depth, input.shape[0] == shape[0]
    else {
      throw DiagnosticError(
        .bug, "form.convolve", "\(input.shape), \(weight.shape) and \(shape) do not fit with \(form.groups) groups")
    }
    let pads = try form.padsBegin.map { try memory.size($0) }
    let inSpatial = inSizes.reduce(1, *)
    let type = form.accumulate
    let size = type.bits / 8
    let data = try converted(input, to: type, memory)
    var weights = try converted(weight, to: type, memory)
    if form.isTransposed { weights = Self.resultsFirst(weights, groups: form.groups, channels, features, taps) }

    // For each output position and tap, the input position, or -1 outside.
    var sources = [Int](repeating: 0, count: positions * taps)
    for position in 0..<positions {
      let place = Self.unravel(position, outSizes)
      for tap in 0..<taps {
        let offset = Self.unravel(tap, form.window)
        var source = 0
        for axis in 0..<rank {
          var at: Int
          if form.isTransposed {
            at = place[axis] + pads[axis] - offset[axis] * form.dilations[axis]
            at = at % form.strides[axis] == 0 ? at / form.strides[axis] : -1
          } else {
            at = place[axis] * form.strides[axis] - pads[axis] + offset[axis] * form.dilations[axis]
          }
          guard at >= 0, at < inSizes[axis] else {
            source = -1
            break
          }
          source = source * inSizes[axis] + at
        }
        sources[position * taps + tap] = source
      }
    }

    // Columns are gathered for so many positions at a time that they stay near 4 MB.
    let block = Swift.max(1, Swift.min(positions, (1 << 20) / Swift.max(depth, 1)))
    let column = UnsafeMutableRawPointer.allocate(byteCount: Swift.max(block * depth * size, 1), alignment: 64)
    let product = UnsafeMutableRawPointer.allocate(byteCount: Swift.max(block * features * size, 1), alignment: 64)
    defer {
      column.deallocate()
      product.deallocate()
    }
    let images = shape[0]
    let bytes = try TensorBytes(limited: type.byteCount(shape.reduce(1, *))) { out in
      guard let base = out.baseAddress, depth > 0, positions > 0, features > 0 else { return }
      for image in 0..<images {
        for group in 0..<form.groups {
          for first in stride(from: 0, to: positions, by: block) {
            let count = Swift.min(block, positions - first)
            func gather<T: BitwiseCopyable>(_ zero: T) {
              let from = data.base.assumingMemoryBound(to: T.self)
              let to = column.assumingMemoryBound(to: T.self)
              for position in 0..<count {
                for channel in 0..<channels {
                  let at = group * channels + channel
                  let row = to + (position * channels + channel) * taps
                  for tap in 0..<taps {
                    let source = sources[(first + position) * taps + tap]
                    row[tap] =
                      source < 0
                      ? zero
                      : form.channelsLast
                        ? from[(image * inSpatial + source) * channels * form.groups + at]
                        : from[(image * channels * form.groups + at) * inSpatial + source]
                  }
                }
              }
            }
            func place<T: BitwiseCopyable>(_: T.Type) {
              let from = product.assumingMemoryBound(to: T.self)
              let to = base.assumingMemoryBound(to: T.self)
              let all = features * form.groups
              for position in 0..<count {
                for feature in 0..<features {
                  let at = group * features + feature
                  let target =
                    form.channelsLast
                    ? (image * positions + first + position) * all + at
                    : (image * all + at) * positions + first + position
                  to[target] = from[position * features + feature]
                }
              }
            }
            switch size {
            case 1: gather(UInt8(0))
            case 2: gather(UInt16(0))
            case 4: gather(UInt32(0))
            default: gather(UInt64(0))
            }
            try Product.multiply(
              type, UnsafeRawPointer(column), weights.base + group * features * depth * size, product, rows: count,
              columns: features, depth: depth, columnStride: features)
            switch size {
            case 1: place(UInt8.self)
            case 2: place(UInt16.self)
            case 4: place(UInt32.self)
            default: place(UInt64.self)
            }
          }
        }
      }
    }
    return FormMemory.Stored(element: type, shape: shape, bytes: bytes)
  }

  /// Weights [groups · c, m, taps] as [groups · m, c, taps].
  private static func resultsFirst(
    _ weights: FormMemory.Stored, groups: Int, _ channels: Int, _ features: Int, _ taps: Int
  ) -> FormMemory.Stored {
    let size = weights.element.bits / 8 * taps
    let bytes = TensorBytes(count: groups * channels * features * size) { out in
      guard let base = out.baseAddress else { return }
      for group in 0..<groups {
        for channel in 0..<channels {
          for feature in 0..<features {
            let from = (group * channels + channel) * features + feature
            let to = (group * features + feature) * channels + channel
            (base + to * size).copyMemory(from: weights.base + from * size, byteCount: size)
          }
        }
      }
    }
    return FormMemory.Stored(element: weights.element, shape: weights.shape, bytes: bytes)
  }

  private static func unravel(_ position: Int, _ sizes: [Int]) -> [Int] {
    var rest = position
    var place = [Int](repeating: 0, count: sizes.count)
    for axis in sizes.indices.reversed() {
      place[axis] = rest % sizes[axis]
      rest /= sizes[axis]
    }
    return place
  }

  private func converted(
    _ value: FormMemory.Stored, to type: ElementType, _ memory: FormMemory
  ) throws -> FormMemory.Stored {
    if value.element == type { return value }
    let body = Body(
      exprs: [
        .init(node: .accumulator(0), type: value.element), .init(node: .cast(ExprID(0)), type: type),
      ], results: [ExprID(1)])
    return try materialize(body, value.shape, memory, accumulators: [value])
  }
}

/// One side of a contraction, laid out for the product, a batch at a time.
private final class ContractSide {
  private let evaluator: BodyEvaluator
  private let size: Int
  private let type: ElementType
  private let storage: UnsafeMutableRawPointer
  /// The same for all batches.
  private let isShared: Bool
  private var isComputed = false

  init(
    _ body: Body, batch: Int, extents: [Int], size: Int, _ form: ContractForm, _ memory: FormMemory,
    _ accumulators: [FormMemory.Stored]
  ) throws {
    evaluator = try BodyEvaluator(body, extents: extents, memory: memory, accumulators: accumulators)
    self.size = size
    type = form.accumulate
    guard evaluator.type(ofResult: 0) == type else {
      throw DiagnosticError(
        .bug, "form.contract", "a side gives \(evaluator.type(ofResult: 0)), but products are computed in \(type)")
    }
    isShared = !body.exprs.contains {
      switch $0.node {
      case .axis(let n): n < batch
      case .accumulator: true
      case .constant, .size, .load, .unary, .binary, .compare, .select, .cast, .bitcast, .checked: false
      }
    }
    storage = .allocate(byteCount: Swift.max(type.byteCount(size), 1), alignment: 64)
  }

  deinit { storage.deallocate() }

  func compute(_ batch: Int) throws -> UnsafeRawPointer {
    if isComputed && isShared { return UnsafeRawPointer(storage) }
    isComputed = true
    let first = batch * size
    try evaluator.forEachChunk(in: first..<(first + size)) { start, count in
      try evaluator.encode(0, count: count, to: storage, at: start - first)
    }
    return UnsafeRawPointer(storage)
  }
}

private enum Product {
  /// out[rows × columns] = lhs[rows × depth] · rhs[columns × depth]ᵀ. Narrow floats are rounded once, integers wrap.
  static func multiply(
    _ type: ElementType, _ lhs: UnsafeRawPointer, _ rhs: UnsafeRawPointer, _ out: UnsafeMutableRawPointer, rows: Int,
    columns: Int, depth: Int, columnStride: Int
  ) throws {
    let (m, n, k) = (Int32(rows), Int32(columns), Int32(depth))
    switch type {
    case .f32:
      cblas_sgemm(
        CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, lhs.assumingMemoryBound(to: Float.self), k,
        rhs.assumingMemoryBound(to: Float.self), k, 0, out.assumingMemoryBound(to: Float.self), Int32(columnStride))
    case .f64:
      cblas_dgemm(
        CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, lhs.assumingMemoryBound(to: Double.self), k,
        rhs.assumingMemoryBound(to: Double.self), k, 0, out.assumingMemoryBound(to: Double.self), Int32(columnStride))
    case .i64, .u64: integers(Int64.self, lhs, rhs, out, rows, columns, depth, columnStride)
    case .i32, .u32: integers(Int32.self, lhs, rhs, out, rows, columns, depth, columnStride)
    case .i16, .u16: integers(Int16.self, lhs, rhs, out, rows, columns, depth, columnStride)
    case .i8, .u8: integers(Int8.self, lhs, rhs, out, rows, columns, depth, columnStride)
    case .f16, .bf16, .bool, .string, .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1, .i4,
      .u4, .i2, .u2:
      throw DiagnosticError(.bug, "form.contract", "products are not computed in \(type)")
    }
  }

  private static func integers<T: FixedWidthInteger & BitwiseCopyable>(
    _: T.Type, _ lhs: UnsafeRawPointer, _ rhs: UnsafeRawPointer, _ out: UnsafeMutableRawPointer, _ rows: Int,
    _ columns: Int, _ depth: Int, _ columnStride: Int
  ) {
    let x = lhs.assumingMemoryBound(to: T.self)
    let y = rhs.assumingMemoryBound(to: T.self)
    let z = out.assumingMemoryBound(to: T.self)
    for row in 0..<rows {
      for column in 0..<columns {
        var sum: T = 0
        let (a, b) = (x + row * depth, y + column * depth)
        for i in 0..<depth { sum = sum &+ a[i] &* b[i] }
        z[row * columnStride + column] = sum
      }
    }
  }
}
