import SinterCore
import SinterIR

extension GraphImporter {
  /// The body of a function in place of a node that calls it.
  mutating func inline(_ function: OnnxFile.Function, _ call: OnnxFile.Node) throws -> [OnnxValue?] {
    guard call.inputs.count <= function.inputs.count, call.outputs.count <= function.outputs.count else {
      throw DiagnosticError(
        .user, "onnx.call",
        "the function \(function.name) has \(function.inputs.count) inputs and \(function.outputs.count) results, but the call "
          + "has \(call.inputs.count) and \(call.outputs.count)", hint: "export the model again")
    }
    var attributes: [String: OnnxFile.Attribute.Value] = [:]
    for attribute in function.defaults { attributes[attribute.name] = attribute.value }
    for attribute in call.attributes {
      if let value = resolved(attribute.value) { attributes[attribute.name] = value }
    }
    // What is left out stays absent in the body, as its own nodes' optional inputs do.
    var bound: [String: Binding] = [:]
    var absent: Set<String> = []
    for (index, name) in function.inputs.enumerated() {
      if index < call.inputs.count, !call.inputs[index].isEmpty, let given = onnxValue(call.inputs[index]) {
        bound[name] = given.tensor.map { .value($0) } ?? .structured(given)
      } else {
        absent.insert(name)
      }
    }
    let outer = (context, names, callPath, functionAttributes, declared)
    let origin = builder.origin
    defer {
      (context, names, callPath, functionAttributes, declared) = outer
      builder.origin = origin
    }
    context = context.inside(function)
    names = bound
    callPath = (builder.origin.first?.node ?? function.name) + "/"
    functionAttributes = attributes
    declared = [:]
    add(function.nodes.map { absent.isEmpty ? $0 : $0.withoutInputs(absent) })
    return call.outputs.indices.map { index in
      let name = function.outputs[index]
      if names[name] == nil, !call.outputs[index].isEmpty, !absent.contains(name) {
        report(
          Diagnostic(
            .user, "onnx.dangling", "the result \(name) of the function \(function.name) is computed by no node",
            at: origin.map(\.description), hint: "export the model again"))
      }
      return onnxValue(name)
    }
  }

  /// The value of an attribute, those of the function around filled in; nil where the call leaves it out.
  func resolved(_ value: OnnxFile.Attribute.Value) -> OnnxFile.Attribute.Value? {
    if case .reference(let name, _) = value { return functionAttributes?[name] }
    return value
  }

  /// What a `Constant` node holds.
  func constant(_ node: OnnxFile.Node) throws -> HostTensor {
    let given = node.attributes.compactMap { attribute in resolved(attribute.value).map { (attribute.name, $0) } }
    guard given.count == 1 else {
      throw DiagnosticError(
        .user, "onnx.constant", "a constant must have one value, but has \(given.count)", hint: "export the model again"
      )
    }
    switch given[0] {
    case ("value", .tensor(let tensor)): return tensor.value
    case ("sparse_value", .sparseTensor(let tensor)): return try tensor.dense()
    case ("value_float", .float(let value)): return .f32([], [value])
    case ("value_floats", .floats(let values)): return .f32([values.count], values)
    case ("value_int", .int(let value)): return HostTensor(.i64, [], values: [value])
    case ("value_ints", .ints(let values)): return HostTensor(.i64, [values.count], values: values)
    case ("value_string", .string(let value)): return HostTensor(strings: [value], shape: [])
    case ("value_strings", .strings(let values)): return HostTensor(strings: values, shape: [values.count])
    case (let name, let value):
      throw DiagnosticError(
        .user, "onnx.constant", "a constant's attribute \(name) must not be of the kind \(value.kind)",
        hint: "export the model again")
    }
  }
}

extension OnnxFile.Node {
  /// The node with optional inputs left out that the call of its function leaves out.
  fileprivate func withoutInputs(_ absent: Set<String>) -> OnnxFile.Node {
    var copy = self
    copy.inputs = inputs.map { absent.contains($0) ? "" : $0 }
    return copy
  }
}

extension OnnxAttribute {
  /// An attribute of a file as operators see it.
  init(_ value: OnnxFile.Attribute.Value) throws {
    switch value {
    case .int(let value): self = .int(Int(value))
    case .float(let value): self = .float(Double(value))
    case .string(let value): self = .string(value)
    case .tensor(let tensor): self = .tensor(tensor.value)
    case .sparseTensor(let tensor): self = .tensor(try tensor.dense())
    case .ints(let values): self = .ints(values.map { Int($0) })
    case .floats(let values): self = .floats(values.map { Double($0) })
    case .strings(let values): self = .strings(values)
    case .type(let declared):
      var dims = DimReader([])
      self = try dims.valueType(declared, port: "type").map { .type($0) } ?? .other("open type")
    case .graph, .graphs, .tensors, .sparseTensors, .types, .reference: self = .other("\(value.kind)")
    }
  }
}

extension OnnxFile.SparseTensor {
  /// The most bytes that a sparse tensor may take once the zeros are there.
  static let denseLimit = 1 << 31

  /// The tensor with its zeros.
  func dense() throws -> HostTensor {
    let place = values.name.isEmpty ? "sparse tensor" : "sparse tensor \(values.name)"
    do {
      return try dense(place)
    } catch let error as DiagnosticError {
      throw error.located(at: place)
    }
  }

  private func dense(_ place: String) throws -> HostTensor {
    func wrong(_ message: String) -> DiagnosticError {
      DiagnosticError(.user, "onnx.sparse", message, at: [place], hint: "export the model again")
    }
    let (element, count) = (values.value.element, values.value.count)
    guard values.value.rank == 1, indices.value.element == .i64 else {
      throw wrong(
        "values must have one axis and positions be i64, but they are \(values.value.type) and \(indices.value.type)")
    }
    let total = shape.reduce(1, *)
    guard element.byteCount(total) <= Self.denseLimit, element.bits >= 8 else {
      throw DiagnosticError(
        .limit, "onnx.sparse", "a sparse tensor of \(element)\(shape) is not supported", at: [place],
        hint: "store it in parts below 2 GB, of elements of a byte or more")
    }
    let positions: [Int] = indices.value.array()
    let rows = indices.value.shape == [count, shape.count]
    guard rows || indices.value.shape == [count] else {
      throw wrong("positions must be \([count]) or \([count, shape.count]), but are \(indices.value.shape)")
    }
    let flat = try (0..<count).map { index -> Int in
      if !rows || shape.count == 1 && indices.value.rank == 1 {
        guard positions[index] >= 0, positions[index] < total else {
          throw wrong("position \(positions[index]) lies outside of \(shape)")
        }
        return positions[index]
      }
      var position = 0
      for (axis, size) in shape.enumerated() {
        let coordinate = positions[index * shape.count + axis]
        guard coordinate >= 0, coordinate < size else {
          throw wrong("position \(coordinate) lies outside of axis \(axis) of \(shape)")
        }
        position = position * size + coordinate
      }
      return position
    }
    if element == .string {
      let (size, overflows) = total.multipliedReportingOverflow(by: MemoryLayout<String>.stride)
      try MemoryLimit.require(overflows ? .max : size)
      var strings = [String](repeating: "", count: total)
      for (index, position) in flat.enumerated() { strings[position] = values.value.strings[index] }
      return HostTensor(strings: strings, shape: shape)
    }
    let width = element.bits / 8
    let bytes = try TensorBytes(limited: element.byteCount(total)) { memory in
      values.value.bytes.withBytes { source in
        for (index, position) in flat.enumerated() {
          UnsafeMutableRawBufferPointer(rebasing: memory[(position * width)..<((position + 1) * width)])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[(index * width)..<((index + 1) * width)]))
        }
      }
    }
    return HostTensor(element, shape, bytes: bytes)
  }
}
