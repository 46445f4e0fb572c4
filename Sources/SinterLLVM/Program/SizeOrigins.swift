import SinterCore
import SinterKernelIR

/// Tells users where the sizes in a message come from: the dimensions of inputs that they gave.
struct SizeOrigins {
  private var places: [Symbol: String] = [:]

  init(_ program: KernelProgram) {
    for port in program.inputs {
      for (axis, dim) in port.type.shape.enumerated() {
        if let symbol = dim.symbol, places[symbol] == nil {
          places[symbol] = "dimension \(axis) of input '\(port.name)'"
        }
      }
    }
  }

  /// `3 (dimension 1 of input 'x')`, where `value` stands for the number; a size that is a number always is that.
  func value(_ size: Dim, _ value: String) -> String {
    if size.isConstant { return "\(size)" }
    if let symbol = size.symbol { return "\(value) (\(place(of: symbol)))" }
    let symbols = size.symbols.prefix(4)
    let text = "\(size)"
    let sum = text.utf8.count <= 120 ? text : "a size"
    return "\(value) (\(sum), " + symbols.map { "\($0.name) being \(place(of: $0))" }.joined(separator: ", ") + ")"
  }

  private func place(of symbol: Symbol) -> String {
    places[symbol] ?? (symbol.isFromData ? "known from data only" : "the size \(symbol.name)")
  }
}
