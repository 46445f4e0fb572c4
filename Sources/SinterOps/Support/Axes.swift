import SinterCore

/// An axis as ONNX counts it, from the front or, negative, from the back, as a position from the front.
func normalizedAxis(_ axis: Int, rank: Int, name: String = "axis") throws -> Int {
  let position = axis < 0 ? axis + rank : axis
  guard position >= 0, position < rank else {
    throw DiagnosticError(
      .user, "axis", "\(name) must lie in \(-rank) ..< \(rank) for \(rank) axes, but is \(axis)")
  }
  return position
}
