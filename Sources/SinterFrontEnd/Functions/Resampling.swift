import SinterIR
import SinterOps

/// How `pad` fills what it adds: PyTorch's `mode`.
public enum PaddingMode: String, Sendable {
  case constant, reflect, replicate, circular

  var operatorMode: Pad.Mode {
    switch self {
    case .constant: .constant
    case .reflect: .reflect
    case .replicate: .edge
    case .circular: .wrap
    }
  }
}

/// How `interpolate` finds what lies between: PyTorch's `mode`; `linear` is that of one, two and three axes.
public enum Interpolation: String, Sendable { case nearest, nearestExact, linear, bicubic, area }

extension Tensor {
  /// Elements added around, before and after each axis from the last one on, as PyTorch has it: `[left, right, top, bottom]`. Negative numbers
  /// remove.
  public func pad(_ amounts: [Int], mode: PaddingMode = .constant, value: Double = 0) -> Tensor {
    guard amounts.count % 2 == 0, amounts.count / 2 <= rank else {
      return trace.fail(
        "pad", "\(amounts) is not a pair of numbers for each of the last axes of \(type)", like: self)
    }
    let axes = amounts.count / 2
    if axes == 0 || amounts.allSatisfy({ $0 == 0 }) { return self }
    var begins = [Int](repeating: 0, count: rank), ends = begins
    for axis in 0..<axes {
      begins[rank - 1 - axis] = amounts[2 * axis]
      ends[rank - 1 - axis] = amounts[2 * axis + 1]
    }
    let filling = mode == .constant && value != 0 ? trace.scalar(value, like: self) : nil
    return applying(Pad(mode.operatorMode), integers(begins + ends), filling)
  }

  /// An image, or a line, or a volume, [n, channels, …], at another size: `F.interpolate`. Either the sizes or the factors are given.
  public func interpolate(
    size: [Int]? = nil, scale: [Double]? = nil, mode: Interpolation = .nearest, alignCorners: Bool = false,
    antialias: Bool = false
  ) -> Tensor {
    let spatial = rank - 2
    func wrong(_ text: String) -> Tensor { trace.fail("interpolate", text, like: self) }
    guard spatial >= 1 else { return wrong("\(type) has no axes behind batch and channels") }
    guard (size == nil) != (scale == nil) else { return wrong("one of size and scale must be given") }
    if let size, size.count != spatial || size.contains(where: { $0 < 1 }) {
      return wrong("size must be \(spatial) positive numbers for \(type), but is \(size)")
    }
    if let scale, scale.count != spatial || scale.contains(where: { !($0 > 0) || !$0.isFinite }) {
      return wrong("scale must be \(spatial) positive numbers for \(type), but is \(scale)")
    }
    if mode == .area {
      if let size { return adaptiveAveragePool(size.map { $0 }) }
      let sizes = zip(shape[2...], scale ?? []).compactMap { size, factor in size.value.map { Int(Double($0) * factor) }
      }
      return sizes.count == spatial ? adaptiveAveragePool(sizes) : wrong("sizes of \(type) must be numbers")
    }
    var op = SinterOps.Resize()
    op.axes = Array(2..<rank)
    switch mode {
    case .nearest:
      op.mode = .nearest
      op.coordinates = .asymmetric
      op.rounding = .floor
    case .nearestExact:
      op.mode = .nearest
      op.coordinates = .halfPixel
      op.rounding = .roundPreferCeil
    case .linear, .bicubic, .area:
      op.mode = mode == .bicubic ? .cubic : .linear
      op.coordinates = alignCorners ? .alignCorners : .halfPixel
      op.antialias = antialias
      op.excludeOutside = antialias
    }
    let scales = scale.map { trace.constant(.f32([spatial], $0.map { Float($0) })) }
    return trace.apply(op, [self, nil, scales, size.map { integers($0) }])[0]
  }

  /// The same for one factor along all axes.
  public func interpolate(
    scale: Double, mode: Interpolation = .nearest, alignCorners: Bool = false, antialias: Bool = false
  ) -> Tensor {
    interpolate(
      scale: [Double](repeating: scale, count: Swift.max(0, rank - 2)), mode: mode, alignCorners: alignCorners,
      antialias: antialias)
  }

  /// This image at the places that a grid [n, h, w, 2] names, in coordinates from -1 to 1, x first: `F.grid_sample`.
  public func gridSample(
    _ grid: Tensor, mode: GridSample.Mode = .linear, padding: GridSample.Padding = .zeros, alignCorners: Bool = false
  ) -> Tensor {
    var op = GridSample()
    op.mode = mode
    op.padding = padding
    op.alignsCorners = alignCorners
    return applying(op, grid)
  }

  /// Channels moved into squares of `factor` by `factor` places: [n, c·f², h, w] to [n, c, h·f, w·f].
  public func pixelShuffle(_ factor: Int) -> Tensor {
    guard factor > 0 else {
      return trace.fail("pixel_shuffle", "the factor must be positive, but is \(factor)", like: self)
    }
    var op = DepthToSpace()
    op.blockSize = factor
    op.mode = .columnRowDepth
    return applying(op)
  }

  /// Squares of `factor` by `factor` places moved into channels, in the order of `pixelShuffle`.
  public func pixelUnshuffle(_ factor: Int) -> Tensor {
    guard factor > 0, rank == 4, let height = size(2).value, let width = size(3).value, height % factor == 0,
      width % factor == 0
    else {
      return trace.fail("pixel_unshuffle", "the sides of \(type) are not multiples of \(factor)", like: self)
    }
    let (rows, columns) = (height / factor, width / factor)
    let parts = reshape([size(0), size(1), Dim(rows), Dim(factor), Dim(columns), Dim(factor)]).permute(0, 1, 3, 5, 2, 4)
    return parts.reshape([size(0), size(1) * Dim(factor * factor), Dim(rows), Dim(columns)])
  }

  // MARK: Adaptive pools

  /// Means of parts such that the result has the given sizes: part i of an axis of s elements goes from ⌊i·s/n⌋ to ⌈(i+1)·s/n⌉.
  func adaptiveAveragePool(_ sizes: [Int?]) -> Tensor {
    adaptive(sizes, whole: GlobalPool(.average)) { window in
      var op = AveragePool()
      op.window = window
      return applying(op)
    } along: { x, axis, size, count in
      // The means as a product with a matrix.
      var matrix = [Double](repeating: 0, count: size * count)
      for (part, range) in Tensor.parts(size, count).enumerated() {
        for place in range { matrix[place * count + part] = 1 / Double(range.count) }
      }
      let weights = x.trace.constant(HostTensor(x.element, [size, count], doubles: matrix))
      return x.movedAxis(from: axis, to: -1).matmul(weights).movedAxis(from: -1, to: axis)
    }
  }

  func adaptiveMaxPool(_ sizes: [Int?]) -> Tensor {
    adaptive(sizes, whole: GlobalPool(.maximum)) { window in
      var op = MaxPool()
      op.window = window
      return applying(op)
    } along: { x, axis, size, count in
      cat(
        Tensor.parts(size, count).map {
          x.slice(axis, from: $0.lowerBound, to: $0.upperBound).max(axis, keepDims: true)
        },
        axis: axis)
    }
  }

  private static func parts(_ size: Int, _ count: Int) -> [Swift.Range<Int>] {
    (0..<count).map { ($0 * size / count)..<((($0 + 1) * size + count - 1) / count) }
  }

  private func adaptive(
    _ sizes: [Int?], whole: GlobalPool, _ pool: (Window) -> Tensor,
    along: (_ x: Tensor, _ axis: Int, _ size: Int, _ count: Int) -> Tensor
  ) -> Tensor {
    let spatial = rank - 2
    guard spatial >= 1, sizes.count == spatial, sizes.allSatisfy({ $0.map { $0 > 0 } ?? true }) else {
      return trace.fail(
        "pool", "sizes must be \(Swift.max(0, spatial)) positive numbers for \(type), but are \(sizes)", like: self)
    }
    if sizes.allSatisfy({ $0 == 1 }) { return applying(whole) }
    let known = shape[2...].compactMap(\.value)
    guard known.count == spatial else {
      return trace.fail("pool", "the sizes of \(type) must be numbers for results of \(sizes)", like: self)
    }
    let counts = zip(sizes, known).map { $0 ?? $1 }
    if counts == known { return self }
    if zip(known, counts).allSatisfy({ $0 % $1 == 0 && $0 > 0 }) {
      var window = Window()
      window.kernel = zip(known, counts).map { $0 / $1 }
      window.strides = window.kernel
      return pool(window)
    }
    guard !known.contains(0) else {
      return trace.fail("pool", "\(type) has no elements to be pooled", like: self)
    }
    return counts.indices.reduce(self) { x, axis in
      known[axis] == counts[axis] ? x : along(x, axis + 2, known[axis], counts[axis])
    }
  }
}
