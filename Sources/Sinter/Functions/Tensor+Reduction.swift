import SinterIR
import SinterOps

extension Tensor {
  private func reduce(_ kind: Reduce.Kind, _ axes: [Int], _ keepDims: Bool) -> Tensor {
    let op = Reduce(kind, keepsAxes: keepDims)
    return axes.isEmpty ? applying(op) : applying(op, integers(axes))
  }

  /// Sums over the given axes, all where none is given.
  public func sum(_ axes: Int..., keepDims: Bool = false) -> Tensor { reduce(.sum, axes, keepDims) }
  public func mean(_ axes: Int..., keepDims: Bool = false) -> Tensor { reduce(.mean, axes, keepDims) }
  public func max(_ axes: Int..., keepDims: Bool = false) -> Tensor { reduce(.maximum, axes, keepDims) }
  public func min(_ axes: Int..., keepDims: Bool = false) -> Tensor { reduce(.minimum, axes, keepDims) }

  /// The position of the greatest element along an axis; i64.
  public func argmax(_ axis: Int, keepDims: Bool = false) -> Tensor {
    var op = ArgReduce()
    op.kind = .maximum
    op.axis = axis
    op.keepsAxes = keepDims
    return applying(op)
  }

  public func softmax(_ axis: Int = -1) -> Tensor { applying(SinterOps.Softmax(.soft, axis: axis)) }
  public func logSoftmax(_ axis: Int = -1) -> Tensor { applying(SinterOps.Softmax(.logarithmic, axis: axis)) }

  /// The matrix product over the last two axes.
  public func matmul(_ other: Tensor) -> Tensor { applying(MatMul(), other) }
}
