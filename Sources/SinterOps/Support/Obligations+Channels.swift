import SinterCore
import SinterIR

extension Obligations {
  /// An input is a vector of as many elements as there are channels.
  mutating func matchChannels(_ inputs: NodeInputs, _ index: Int, _ channels: Dim, _ name: String) throws {
    let type = try inputs.tensor(index)
    guard type.rank == 1 else {
      throw DiagnosticError(.user, "operator.channels", "input \(index) must be [\(channels)], but is \(type)")
    }
    try equal(channels, type.shape[0], "numbers of \(name) and of elements of input \(index)")
  }
}
