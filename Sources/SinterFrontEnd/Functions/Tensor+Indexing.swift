import SinterIR
import SinterOps

extension Tensor {
  /// Rows of this table for a tensor of indices, of any shape.
  ///
  /// - Parameter countsFromEnd: whether negative indices do, as NumPy has it; else they are an error.
  public func gather(_ indices: Tensor, axis: Int = 0, countsFromEnd: Bool = true) -> Tensor {
    var gather = Gather(axis: axis)
    gather.countsFromEnd = countsFromEnd
    return applying(gather, indices)
  }

  /// Slices along an axis, picked by a list of indices: PyTorch's `index_select`.
  public func indexSelect(_ axis: Int, _ indices: Tensor) -> Tensor { applying(Gather(axis: axis), indices) }

  /// One element along an axis for each index, whose place along the other axes is its own: PyTorch's `gather`.
  public func gatherElements(_ axis: Int, _ indices: Tensor) -> Tensor {
    var op = GatherElements()
    op.axis = axis
    return applying(op, indices)
  }

  private func scattering(_ axis: Int, _ indices: Tensor, _ updates: Tensor, _ reduction: ScatterReduction) -> Tensor {
    var op = ScatterElements()
    op.axis = axis
    op.reduction = reduction
    return applying(op, indices, updates)
  }

  /// A copy with elements replaced: each update goes to the place that its index names along an axis.
  public func scatter(_ axis: Int, _ indices: Tensor, _ updates: Tensor) -> Tensor {
    scattering(axis, indices, updates, .none)
  }

  /// The same with one number in place of the updates.
  public func scatter(_ axis: Int, _ indices: Tensor, _ value: Double) -> Tensor {
    scattering(axis, indices, trace.scalar(value, like: self).expand(like: indices), .none)
  }

  /// A copy to which updates are added.
  public func scatterAdd(_ axis: Int, _ indices: Tensor, _ updates: Tensor) -> Tensor {
    scattering(axis, indices, updates, .add)
  }

  /// Slices of `updates` added at indices along an axis: PyTorch's `index_add`.
  public func indexAdd(_ axis: Int, _ indices: Tensor, _ updates: Tensor) -> Tensor {
    let place = self.axis(axis)
    guard indices.rank == 1, shape.indices.contains(place) else {
      return trace.fail("index_add", "\(indices.type) is no list of indices along axis \(axis) of \(type)", like: self)
    }
    var sizes = [Dim](repeating: 1, count: rank)
    sizes[place] = indices.size(0)
    return scattering(axis, indices.reshape(sizes).expand(like: updates), updates, .add)
  }

  /// The indices as vectors with one element set; the last axis has `classes` places. Of type i64, as in PyTorch.
  public func oneHot(_ classes: Int) -> Tensor {
    applying(OneHot(), trace.constant(.i64([], [classes])), integers([0, 1]))
  }

  /// The elements where a tensor of `bool` of the same shape holds, as a list whose length the data tell.
  public func maskedSelect(_ mask: Tensor) -> Tensor {
    var op = Compress()
    op.axis = 0
    return reshape(-1).applying(op, mask.reshape(-1))
  }

  /// The indices of all elements that are not zero, one row each.
  public func nonzero() -> Tensor { applying(NonZero()).transpose(0, 1) }

  // MARK: Tensors in the shape of another

  /// One number everywhere, in this tensor's shape, of its element type unless another is given.
  public func fullLike(_ value: Double, element: ElementType? = nil) -> Tensor {
    let number = trace.scalar(value, like: self)
    return (element.map { number.cast(to: $0) } ?? number).applying(Expand(), sizeTensor(shape))
  }
  /// Zeros in this tensor's shape.
  public func zerosLike(element: ElementType? = nil) -> Tensor { fullLike(0, element: element) }
  /// Ones in this tensor's shape.
  public func onesLike(element: ElementType? = nil) -> Tensor { fullLike(1, element: element) }

  // MARK: Random numbers, other ones in every step of training

  /// Uniform in 0 ..< 1, in this tensor's shape.
  public func randLike() -> Tensor { trace.uniform(like: self).cast(to: element.isFloat ? element : .f32) }

  /// Mean 0 and variance 1, in this tensor's shape; by Box and Muller.
  public func randnLike() -> Tensor {
    let (a, b) = (trace.uniform(like: self), trace.uniform(like: self))
    let normal = ((1 - a).log() * -2).sqrt() * (b * (2 * Double.pi)).cos()
    return normal.cast(to: element.isFloat ? element : .f32)
  }

  /// Whole numbers in a range, in this tensor's shape; i64.
  public func randintLike(_ range: Swift.Range<Int>) -> Tensor {
    (trace.uniform(like: self) * Double(range.count)).floor().clamp(max: Double(Swift.max(0, range.count - 1)))
      .cast(to: .i64) + Double(range.lowerBound)
  }

  /// 1 with the probability that each element is, else 0.
  public func bernoulli() -> Tensor {
    let drawn = trace.uniform(like: self)
    return (drawn < cast(to: .f32)).cast(to: element)
  }

  /// Indices drawn by weights along the last axis, which need not add up to one, with replacement: [rows, classes] or [classes] give
  /// [rows, count] or [count]; i64.
  public func multinomial(_ count: Int) -> Tensor {
    guard rank == 1 || rank == 2 else {
      return trace.fail("multinomial", "the weights must be [classes] or [rows, classes], but are \(type)", like: self)
    }
    let weights = (rank == 1 ? unsqueeze(0) : self).cast(to: .f32)
    let sums = weights.cumsum(1)
    // One number each row and draw.
    let frame = weights.slice(1, from: 0, to: 1).applying(Tile(), integers([1, count]))
    let drawn = trace.uniform(like: frame) * sums.slice(1, from: -1)
    let below = (sums.unsqueeze(1) <= drawn.unsqueeze(2)).cast(to: .i64).sum(-1)
    let last = size(-1).value.map { below.clamp(max: Double(Swift.max(0, $0 - 1))) } ?? below
    return rank == 1 ? last.squeeze(0) : last
  }
}

/// Elements of `a` where a tensor of `bool` holds, of `b` elsewhere.
public func `where`(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor { condition.where(a, b) }
/// Elements of `a` where the condition holds, elsewhere a number.
public func `where`(_ condition: Tensor, _ a: Tensor, _ b: Double) -> Tensor {
  let a = a.holding(b)
  return condition.where(a, a.trace.scalar(b, like: a))
}
/// A number where the condition holds, elsewhere elements of `b`.
public func `where`(_ condition: Tensor, _ a: Double, _ b: Tensor) -> Tensor {
  let b = b.holding(a)
  return condition.where(b.trace.scalar(a, like: b), b)
}
