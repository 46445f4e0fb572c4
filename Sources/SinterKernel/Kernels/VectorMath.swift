import SinterCore

extension KernelBuilder {
  /// A function of one argument, as plain arithmetic where a polynomial is known for its type, else as the statement, which is a call of
  /// libm a lane.
  public func math(_ function: UnaryFunction, _ x: Register) -> Register { unary(function, x) }

  public func math(_ function: BinaryFunction, _ a: Register, _ b: Register) -> Register { binary(function, a, b) }
}
