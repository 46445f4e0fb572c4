import SinterIR

/// Which type the result of two types has, as PyTorch has it: floats before integers before truth values, then tensors with axes before those
/// without, then the wider one.
extension Tensor {
  /// Both with the type of the result.
  func promoted(with other: Tensor) -> (Tensor, Tensor) {
    guard element != other.element, !isMistake, !other.isMistake,
      let type = Self.promotedType((element, rank > 0), (other.element, other.rank > 0))
    else { return (self, other) }
    return (cast(to: type), other.cast(to: type))
  }

  /// In a type that holds a number: integers as f32 where it has a fraction, truth values as i64.
  func holding(_ number: Double) -> Tensor {
    if element.isFloat || isMistake { return self }
    if number != number.rounded() || !number.isFinite {
      return element.isInteger || element == .bool ? cast(to: .f32) : self
    }
    return element == .bool ? cast(to: .i64) : self
  }

  /// A number before a tensor.
  static func number(_ number: Double, before tensor: Tensor, _ apply: (Tensor, Tensor) -> Tensor) -> Tensor {
    let x = tensor.holding(number)
    return apply(x.trace.scalar(number, like: x), x)
  }

  /// What is left of a division by a number, which the type holds.
  func remainder(number: Double) -> Tensor { remainder(trace.scalar(number, like: self)) }

  /// Nil where no rule is known: then the operator tells.
  private static func promotedType(
    _ a: (type: ElementType, hasAxes: Bool), _ b: (type: ElementType, hasAxes: Bool)
  ) -> ElementType? {
    func rank(_ type: ElementType) -> Int? { type == .bool ? 0 : type.isInteger ? 1 : type.isFloat ? 2 : nil }
    guard let first = rank(a.type), let second = rank(b.type) else { return nil }
    if first != second { return first > second ? a.type : b.type }
    if a.hasAxes != b.hasAxes { return a.hasAxes ? a.type : b.type }
    let (narrow, wide) = a.type.bits <= b.type.bits ? (a.type, b.type) : (b.type, a.type)
    if first == 2 { return narrow.bits == wide.bits ? .f32 : wide }
    func isSigned(_ type: ElementType) -> Bool { [.i64, .i32, .i16, .i8].contains(type) }
    if isSigned(narrow) == isSigned(wide) { return wide }
    if isSigned(wide), narrow.bits < wide.bits { return wide }
    // A signed type that holds both.
    return wide.bits < 16 ? .i16 : wide.bits < 32 ? .i32 : .i64
  }
}
