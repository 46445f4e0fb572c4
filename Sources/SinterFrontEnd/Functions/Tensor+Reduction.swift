import SinterIR
import SinterOps

extension Tensor {
  private func reduce(_ kind: Reduce.Kind, _ axes: [Int], _ keepDims: Bool) -> Tensor {
    let op = Reduce(kind, keepsAxes: keepDims)
    return axes.isEmpty ? applying(op) : applying(op, integers(axes))
  }

  /// Sums over the given axes, all where none is given. Truth values are counted.
  public func sum(_ axes: Int..., keepDims: Bool = false) -> Tensor {
    (element == .bool ? cast(to: .i64) : self).reduce(.sum, axes, keepDims)
  }
  /// Means of numbers with fractions over the given axes, all where none is given.
  public func mean(_ axes: Int..., keepDims: Bool = false) -> Tensor {
    wholeNumbers("mean") ?? reduce(.mean, axes, keepDims)
  }
  /// Products over axes, over all of them where none is named.
  public func prod(_ axes: Int..., keepDims: Bool = false) -> Tensor { reduce(.product, axes, keepDims) }
  /// The greatest elements over axes, over all of them where none is named.
  public func max(_ axes: Int..., keepDims: Bool = false) -> Tensor { reduce(.maximum, axes, keepDims) }
  /// The least elements over axes, over all of them where none is named.
  public func min(_ axes: Int..., keepDims: Bool = false) -> Tensor { reduce(.minimum, axes, keepDims) }
  /// The logarithm of the sum of exponentials over axes, without overflow.
  public func logsumexp(_ axes: Int..., keepDims: Bool = false) -> Tensor {
    // Of the greatest element, so that nothing overflows; an infinite one counts as 0.
    let greatest = reduce(.maximum, axes, true).stopGradient()
    let shift = greatest.isInf().where(trace.scalar(0, like: self), greatest)
    let sum = (self - shift).exp().reduce(.sum, axes, true).log() + shift
    return keepDims ? sum : sum.reduce(.sum, axes, false)
  }

  /// The variance over the given axes; `correction` is taken from the number of elements (1: of samples, 0: of all there is).
  public func variance(_ axes: Int..., correction: Int = 1, keepDims: Bool = false) -> Tensor {
    variance(axes, correction, keepDims)
  }

  /// The standard deviation: the root of `variance`.
  public func std(_ axes: Int..., correction: Int = 1, keepDims: Bool = false) -> Tensor {
    variance(axes, correction, keepDims).rootAtLeastZero()
  }

  /// Why there is no mean of these elements: its type would have no room for fractions.
  private func wholeNumbers(_ name: String) -> Tensor? {
    guard element.isInteger || element == .bool, !isMistake else { return nil }
    return trace.fail(
      name, "the \(name) of \(type) has a fraction, which \(element) does not hold", like: self,
      hint: "convert it first: x.float().\(name)(…)")
  }

  /// The square root, whose gradient is 0 at 0, as that of PyTorch's `norm` and `std`.
  private func rootAtLeastZero() -> Tensor {
    let isZero = self .== 0
    return isZero.where(trace.scalar(0, like: self), isZero.where(trace.scalar(1, like: self), self).sqrt())
  }

  private func variance(_ axes: [Int], _ correction: Int, _ keepDims: Bool) -> Tensor {
    if let failed = wholeNumbers("variance") { return failed }
    let difference = self - reduce(.mean, axes, true)
    let squares = difference * difference
    guard correction != 0 else { return squares.reduce(.mean, axes, keepDims) }
    let count = elementCount(axes) - Double(correction)
    // Less than none is none.
    return squares.reduce(.sum, axes, keepDims) / count.clamp(min: 0)
  }

  /// How many elements lie along axes, in this tensor's type.
  func elementCount(_ axes: [Int]) -> Tensor {
    let chosen = axes.isEmpty ? Array(0..<rank) : axes.map(axis)
    let sizes = chosen.filter { shape.indices.contains($0) }.map { shape[$0] }
    let numbers = sizes.compactMap(\.value)
    if numbers.count == sizes.count { return trace.scalar(Double(numbers.reduce(1, *)), like: self) }
    if axes.isEmpty { return applying(Size()).cast(to: element) }
    return applying(Shape()).applying(Gather(axis: 0), integers(chosen)).applying(Reduce(.product, keepsAxes: false))
      .cast(to: element)
  }

  /// The p-norm over the given axes: (Σ |x|ᵖ)^(1/p); infinity gives the greatest magnitude. Where elements are 0, so is their gradient.
  public func norm(_ p: Double = 2, _ axes: Int..., keepDims: Bool = false) -> Tensor {
    switch p {
    case 1: return reduce(.l1, axes, keepDims)
    case 2: return (self * self).reduce(.sum, axes, keepDims).rootAtLeastZero()
    case .infinity: return abs().reduce(.maximum, axes, keepDims)
    case -.infinity: return abs().reduce(.minimum, axes, keepDims)
    case 0: return (self .!= 0).cast(to: element).reduce(.sum, axes, keepDims)
    default:
      func power(_ x: Tensor, _ exponent: Double) -> Tensor {
        let isZero = x .== 0
        return isZero.where(
          trace.scalar(exponent < 0 ? .infinity : 0, like: x),
          isZero.where(trace.scalar(1, like: x), x).pow(exponent))
      }
      return power(power(abs(), p).reduce(.sum, axes, keepDims), 1 / p)
    }
  }

  /// Rows along an axis over their p-norm, which is at least `epsilon`: `F.normalize`.
  public func normalized(_ axis: Int = 1, p: Double = 2, epsilon: Double = 1e-12) -> Tensor {
    self / norm(p, axis, keepDims: true).clamp(min: epsilon)
  }

  /// Whether an element over axes is not zero.
  public func any(_ axes: Int..., keepDims: Bool = false) -> Tensor { cast(to: .bool).reduce(.maximum, axes, keepDims) }
  /// Whether all elements over axes are not zero.
  public func all(_ axes: Int..., keepDims: Bool = false) -> Tensor { cast(to: .bool).reduce(.minimum, axes, keepDims) }

  private func position(_ kind: ArgReduce.Kind, _ axis: Int, _ keepDims: Bool) -> Tensor {
    var op = ArgReduce()
    op.kind = kind
    op.axis = axis
    op.keepsAxes = keepDims
    return applying(op)
  }

  /// The position of the greatest element along an axis; i64.
  public func argmax(_ axis: Int, keepDims: Bool = false) -> Tensor { position(.maximum, axis, keepDims) }
  /// Where the least element along an axis is.
  public func argmin(_ axis: Int, keepDims: Bool = false) -> Tensor { position(.minimum, axis, keepDims) }

  /// The position of the greatest of all elements; i64.
  public func argmax() -> Tensor { reshape(-1).argmax(0) }
  /// Where the least of all elements is, counted in row-major order.
  public func argmin() -> Tensor { reshape(-1).argmin(0) }

  /// Sums, or products, of all elements up to each one along an axis.
  public func cumsum(_ axis: Int) -> Tensor { applying(Cumulative(.sum), trace.constant(.i64([], [axis]))) }
  /// Products of all elements along an axis up to each.
  public func cumprod(_ axis: Int) -> Tensor { applying(Cumulative(.product), trace.constant(.i64([], [axis]))) }

  // MARK: Order

  /// The k greatest (or least) elements along an axis in order, and where they are.
  public func topk(_ k: Int, axis: Int = -1, largest: Bool = true) -> (values: Tensor, indices: Tensor) {
    var op = TopK()
    op.axis = axis
    op.isLargest = largest
    let results = trace.apply(op, [self, integers([k])], outputs: 2)
    return (results[0], results[1])
  }

  /// The elements in order along an axis, and where they were.
  public func sort(_ axis: Int = -1, descending: Bool = false) -> (values: Tensor, indices: Tensor) {
    guard shape.indices.contains(self.axis(axis)) else {
      let failed = trace.fail("sort", "axis \(axis) must lie in \(-rank) ..< \(rank), for \(type)", like: self)
      return (failed, failed)
    }
    var op = TopK()
    op.axis = axis
    op.isLargest = descending
    let results = trace.apply(op, [self, sizeTensor([size(axis)])], outputs: 2)
    return (results[0], results[1])
  }

  /// The order of elements along an axis, as indices.
  public func argsort(_ axis: Int = -1, descending: Bool = false) -> Tensor {
    sort(axis, descending: descending).indices
  }

  /// The greatest elements along an axis, and where they are.
  public func maxWithIndices(_ axis: Int, keepDims: Bool = false) -> (values: Tensor, indices: Tensor) {
    (max(axis, keepDims: keepDims), argmax(axis, keepDims: keepDims))
  }

  // MARK: Products

  /// The matrix product over the last two axes.
  public func matmul(_ other: Tensor) -> Tensor { applying(MatMul(), other) }
  /// The same for two matrices, and for two batches of them.
  public func mm(_ other: Tensor) -> Tensor { matmul(other) }
  /// The matrix product of batches: `matmul`.
  public func bmm(_ other: Tensor) -> Tensor { matmul(other) }
  /// The sum of products of two lists.
  public func dot(_ other: Tensor) -> Tensor { (self * other).sum() }
  /// The products of each element of a list with each of another.
  public func outer(_ other: Tensor) -> Tensor { unsqueeze(1) * other.unsqueeze(0) }
  /// The transpose of a matrix; of further axes the last two change places.
  public var mT: Tensor { transpose(-2, -1) }
}

/// Sums of products over named axes: `einsum("bij,bjk->bik", a, b)`.
public func einsum(_ equation: String, _ operands: Tensor...) -> Tensor {
  guard let first = operands.first else {
    let nothing = zeros()
    return nothing.trace.fail("einsum", "an einsum needs at least one operand", like: nothing)
  }
  let recording = operands.compactMap(\.recordingTrace).first ?? first.trace
  return recording.apply(Einsum(equation), operands.map { $0 })[0]
}
