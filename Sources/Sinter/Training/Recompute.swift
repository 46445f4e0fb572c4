import SinterIR

/// The result of a layer whose inner values are not kept for the backward pass but computed again there: less memory for one forward pass more of the
/// layer. PyTorch's `torch.utils.checkpoint.checkpoint`.
///
///     for block in blocks { h = recompute(block, h) }
///
/// Kept are the layer's input and its result. Gradients have the same bits, but where the forward pass fuses attention, whose weights it need not
/// keep then: there they are the same up to rounding. Dropout inside draws the same numbers again. Where layers are recomputed inside of others,
/// the outer ones count.
public func recompute(
  _ layer: some UnaryLayer, _ x: Tensor, file: StaticString = #fileID, line: UInt = #line
) -> Tensor {
  recompute(x) { layer($0, file: file, line: line) }
}

/// The same for any function of tensors.
///
/// - Parameter x: any tensor that the function is given.
public func recompute<R>(_ x: Tensor, _ body: (Tensor) -> R) -> R {
  x.trace.recomputing { body(x) }
}
