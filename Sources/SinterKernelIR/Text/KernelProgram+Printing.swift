import SinterCore

/// The text form of a kernel program, which `KernelProgram(parsing:)` reads back:
///
///     kernels "mlp" {
///       range batch 1...64
///       error 0 "index %0 is out of range"
///       input "x": f32[batch, 784]
///       output "y": f32[batch, 10]
///       arena 4096
///       buffer @0 "x" f32[784*batch] input 0
///       buffer @1 "w" f32[7840] constant f32[10, 784] = #4be1f7aa03c5d210
///       buffer @2 "h" f32[128*batch] arena at 0
///       kernel "…" (…) sizes 0 { … }
///       call k0 (@0, @1[16*batch], @2) sizes (batch) tasks batch grain 4 flops 20*batch bytes 80*batch from ("/layer1")
///       invoke join (@4 of (batch), @2 of (batch), @3 of (batch)) with ()
///       for iteration1. in 12 {
///         call …
///       }
///     }
extension KernelProgram: CustomStringConvertible {
  package var description: String {
    var text = "kernels \(TensorText.quoted(name)) {\n"
    for symbol in ranges.keys.sorted() {
      if let range = ranges[symbol] { text += "  range \(symbol.name) \(range.lowerBound)...\(range.upperBound)\n" }
    }
    for (number, error) in errors.enumerated() { text += "  error \(number) \(TensorText.quoted(error))\n" }
    for known in texts.texts.dropFirst() { text += "  text \(TensorText.quoted(known))\n" }
    for obligation in obligations { text += "  require \(obligation.text)\n" }
    for port in inputs { text += "  input \(TensorText.quoted(port.name)): \(port.type)\n" }
    for port in outputs { text += "  output \(TensorText.quoted(port.name)): \(port.type)\n" }
    if let arenaBytes { text += "  arena \(arenaBytes)\n" }
    for id in buffers.indices { text += "  buffer \(id) \(Self.describe(buffers[id]))\n" }
    for kernel in kernels.elements {
      var printer = KernelPrinter(kernel: kernel, indent: "  ")
      printer.print()
      text += printer.text
    }
    Self.print(steps, indent: "  ", into: &text)
    return text + "}\n"
  }

  private static func origin(_ names: [String]) -> String {
    names.isEmpty ? "" : " from (" + names.map(TensorText.quoted).joined(separator: ", ") + ")"
  }

  private static func describe(_ buffer: Buffer) -> String {
    var text = "\(TensorText.quoted(buffer.name)) \(buffer.element)[\(buffer.count)] "
    switch buffer.storage {
    case .input(let port): text += "input \(port)"
    case .output(let port): text += "output \(port)"
    case .constant(let tensor): text += "constant \(tensor.type) = \(TensorText.describe(tensor))"
    case .arena: text += "arena"
    case .dynamic: text += "dynamic"
    }
    if let offset = buffer.offset { text += " at \(offset)" }
    return text + origin(buffer.origin)
  }

  private static func describe(_ place: Call.Argument) -> String {
    place.offset.value == 0 ? "\(place.buffer)" : "\(place.buffer)[\(place.offset)]"
  }

  private static func print(_ steps: [Step], indent: String, into text: inout String) {
    for step in steps {
      switch step {
      case .call(let call):
        let buffers = call.buffers.map(describe)
        text += indent + "call \(call.kernel) (" + buffers.joined(separator: ", ") + ")"
        text += " sizes (" + call.sizes.map(\.description).joined(separator: ", ") + ")"
        text += " tasks (\(call.tasks)) grain \(call.grain) flops (\(call.flops)) bytes (\(call.bytes))"
        text += origin(call.origin) + "\n"
      case .invoke(let invocation):
        let places = zip(invocation.buffers, invocation.counts).map { "\(describe($0)) of (\($1))" }
        text += indent + "invoke \(invocation.function.rawValue) (" + places.joined(separator: ", ") + ")"
        text += " with (" + invocation.parameters.map(\.description).joined(separator: ", ") + ")"
        text += origin(invocation.origin) + "\n"
      case .loop(let iteration, let count, let condition, let body):
        text += indent + "for \(iteration.name) in (\(count))\(condition.map { " while " + describe($0) } ?? "") {\n"
        print(body, indent: indent + "  ", into: &text)
        text += indent + "}\n"
      case .branch(let condition, let then, let otherwise):
        text += indent + "if \(describe(condition)) {\n"
        print(then, indent: indent + "  ", into: &text)
        text += indent + "} else {\n"
        print(otherwise, indent: indent + "  ", into: &text)
        text += indent + "}\n"
      case .define(let definitions):
        let parts = definitions.map { definition in
          switch definition.source {
          case .size(let size): "\(definition.symbol.name) as (\(size))"
          case .element(let place, let error): "\(definition.symbol.name) at \(describe(place)) or error \(error)"
          }
        }
        text += indent + "define " + parts.joined(separator: ", ") + "\n"
      case .require(let obligation): text += indent + "require \(obligation.text)\n"
      case .reserve(let buffer): text += indent + "reserve \(buffer)\n"
      case .grow(let buffer, let count): text += indent + "grow \(buffer) to (\(count))\n"
      case .output(let port): text += indent + "make \(port)\n"
      }
    }
  }
}
