import Sinter
import SinterIR

/// A graph as TensorFlow's `GraphDef`, of which TensorBoard draws names, operators, edges and shapes. Layers are scopes: what `fc.norm` does is called
/// `fc/norm/…`.
struct GraphRecord {
  let bytes: [UInt8]

  init(_ graph: Graph) {
    var message = WireMessage()
    var names: [ValueID: String] = [:]
    var taken: Set<String> = []

    /// A name of the characters that TensorFlow allows, which none has yet.
    func unused(_ wanted: String) -> String {
      let clean = String(wanted.map { $0.isASCII && ($0.isLetter || $0.isNumber || "_./-".contains($0)) ? $0 : "_" })
      let base = clean.isEmpty ? "value" : clean
      var name = base, number = 0
      while !taken.insert(name).inserted {
        number += 1
        name = "\(base)_\(number)"
      }
      return name
    }
    func node(_ name: String, _ op: String, _ inputs: [String], _ types: [ValueType]) {
      message.message(1) { node in
        node.text(1, name)
        node.text(2, op)
        for input in inputs { node.text(3, input) }
        node.message(5) { entry in
          entry.text(1, "_output_shapes")
          entry.message(2) { value in
            value.message(1) { list in for type in types { list.message(7) { Self.shape(type, into: &$0) } } }
          }
        }
      }
    }
    func constant(_ value: ValueID) -> String {
      if let name = names[value] { return name }
      let name = unused("constants/" + (graph.values[value].name.isEmpty ? "\(value)" : graph.values[value].name))
      names[value] = name
      node(name, "Const", [], [graph.type(of: value)])
      return name
    }

    for port in graph.inputs {
      let name = unused(port.name.replacing(".", with: "/"))
      names[port.value] = name
      node(name, "Placeholder", [], [graph.type(of: port.value)])
    }
    for id in graph.order {
      let step = graph.nodes[id]
      let inputs = step.inputs.compactMap { $0 }.map { names[$0] ?? constant($0) }
      let op =
        step.op.onnxNode(graph.inputs(step.inputs, outputs: step.outputs.count))?.opType ?? type(of: step.op).name
      let path = (step.origin.first?.path ?? "").replacing(".", with: "/")
      let name = unused(path.isEmpty ? op : "\(path)/\(op)")
      for (index, output) in step.outputs.enumerated() { names[output] = index == 0 ? name : "\(name):\(index)" }
      node(name, op, inputs, step.outputs.map { graph.type(of: $0) })
    }
    for port in graph.outputs {
      node(
        unused("outputs/" + port.name), "Output", [names[port.value] ?? constant(port.value)],
        [graph.type(of: port.value)])
    }
    message.message(4) { $0.integer(1, 22) }
    bytes = message.bytes
  }

  private static func shape(_ type: ValueType, into message: inout WireMessage) {
    guard let tensor = type.tensor else {
      message.integer(3, 1)
      return
    }
    for size in tensor.shape {
      message.message(2) { dim in
        dim.integer(1, size.value ?? -1)
        if size.value == nil { dim.text(2, "\(size)") }
      }
    }
  }
}
