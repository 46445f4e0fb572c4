import SinterOps

extension Tensor {
  /// The tensor as it is, through which no gradient flows: PyTorch's `detach`.
  public func stopGradient() -> Tensor { applying(StopGradient()) }

  /// The gradients of this tensor, of its sum where it has several elements, with respect to others.
  public func gradients(withRespectTo tensors: Tensor...) -> [Tensor] {
    trace.gradients(of: self, withRespectTo: tensors)
  }
}
