import SinterOps

extension Tensor {
  /// The tensor as it is, through which no gradient flows.
  public func stopGradient() -> Tensor { applying(StopGradient()) }

  /// The same under PyTorch's name.
  public func detach() -> Tensor { stopGradient() }

  /// The gradients of this tensor, of its sum where it has several elements, with respect to others.
  public func gradients(withRespectTo tensors: Tensor...) -> [Tensor] {
    trace.gradients(of: self, withRespectTo: tensors)
  }
}
