import SinterCore
import SinterKernelIR

/// A port as a header tells it.
struct HeaderPort {
  var name: String
  /// Nil for what is passed as a SinterValue: a sequence, an optional, a map.
  var tensor: TensorType?
  /// `f32[batch, 10]`, `seq(f32[?, 4])?`.
  var description: String

  init(_ port: CallerPort, _ tensors: [KernelProgram.Port]) {
    name = port.name
    guard let structure = port.structure else {
      tensor = tensors[port.positions.lowerBound].type
      description = tensor.map { "\($0)".filter { $0 != "$" } } ?? ""
      return
    }
    description = structure.description(tensors.map(\.type))
  }
}
