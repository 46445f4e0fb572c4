package import SinterCore
package import SinterModel

/// What requests to a model are held against: its ports by name.
package struct ModelSignature: Sendable {
  package let name: String
  package let inputs: [Port]
  package let outputs: [Port]

  package init(name: String, inputs: [Port], outputs: [Port]) {
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
  }

  /// What keeps the model from being served, in words; nil where nothing does.
  package var problem: String? {
    for (kind, ports) in [("input", inputs), ("output", outputs)] {
      for port in ports {
        if port.kind != .tensor {
          return "\(kind) '\(port.name)' is no tensor: the protocol knows neither sequences nor maps"
        }
        if port.element?.protocolName == nil {
          return "\(kind) '\(port.name)' is \(port), and the protocol has no name for such elements"
        }
        if kind == "output", port.isOptional {
          return "output '\(port.name)' may be absent, which cannot be represented in the protocol"
        }
      }
    }
    return nil
  }

  func place(_ input: String) -> String { "input '\(input)' of model '\(name)'" }

  /// The port and the number of elements of an input that a client describes.
  ///
  /// - Throws: where the model has no such input, or one of another type or shape.
  package func check(
    input: String, datatype: String, shape: [Int]
  ) throws(Refusal) -> (element: ElementType, count: Int) {
    guard let port = inputs.first(where: { $0.name == input }), let element = port.element else {
      let known = inputs.map { "'\($0.name)'" }.joined(separator: ", ")
      throw .badRequest("model '\(name)' has no input '\(input)'; it takes \(known.isEmpty ? "none" : known)")
    }
    let expected = element.protocolName ?? ""
    guard datatype == expected else {
      throw .badRequest("\(place(input)): expected elements of type \(expected), given \(datatype)")
    }
    guard let count = elementCount(shape) else {
      throw .badRequest("\(place(input)): \(shape) is no shape, or has more elements than can be counted")
    }
    // Numbers of bytes have to be countable too.
    guard count <= Int.max / 16 else {
      throw .badRequest("\(place(input)): the shape \(shape) has more elements than memory has bytes")
    }
    if let sizes = port.shape {
      guard sizes.count == shape.count else {
        throw .badRequest("\(place(input)): expected \(sizes.count) dimensions as in \(port), given the shape \(shape)")
      }
      for (axis, (size, given)) in zip(sizes, shape).enumerated() {
        if case .fixed(let size) = size, size != given {
          throw .badRequest("\(place(input)): dimension \(axis) is \(given), expected \(size) as in \(port)")
        }
      }
    }
    return (element, count)
  }

  /// A value a port, in the order of ports.
  ///
  /// - Throws: where an input is given twice, or one is missing that has to be there.
  package func values(_ request: InferenceRequest) throws(Refusal) -> [HostValue] {
    var values = [HostValue?](repeating: nil, count: inputs.count)
    for (name, tensor) in request.inputs {
      guard let index = inputs.firstIndex(where: { $0.name == name }) else { continue }
      guard values[index] == nil else { throw .badRequest("\(place(name)) is given twice") }
      values[index] = .tensor(tensor)
    }
    var all: [HostValue] = []
    for (value, port) in zip(values, inputs) {
      if let value {
        all.append(value)
      } else if port.isOptional {
        all.append(.none)
      } else {
        throw .badRequest("\(place(port.name)) is missing: it has to be \(port)")
      }
    }
    return all
  }

  /// The outputs to answer with, by index, each with whether it comes as bytes.
  package func requested(_ request: InferenceRequest) throws(Refusal) -> [(index: Int, isBinary: Bool)] {
    guard let asked = request.outputs else { return outputs.indices.map { ($0, request.binaryOutputs) } }
    var result: [(index: Int, isBinary: Bool)] = []
    for output in asked {
      guard let index = outputs.firstIndex(where: { $0.name == output.name }) else {
        let known = outputs.map { "'\($0.name)'" }.joined(separator: ", ")
        throw .badRequest("model '\(name)' has no output '\(output.name)'; it gives \(known)")
      }
      result.append((index, output.isBinary ?? request.binaryOutputs))
    }
    return result
  }
}

extension Port {
  /// The shape as the protocol says it: -1 for what is not known ahead of time.
  package var protocolShape: [Int] {
    guard let shape else { return [-1] }
    return shape.map { if case .fixed(let size) = $0 { size } else { -1 } }
  }
}

extension HostTensor {
  /// Truth values are bytes that are 0 or 1; kernels rely on it.
  func checkTruths(_ place: @autoclosure () -> String) throws(Refusal) {
    guard element == .bool else { return }
    let odd = bytes.withBytes { bytes in bytes.firstIndex { $0 > 1 }.map { ($0, bytes[$0]) } }
    if let (index, value) = odd {
      throw .badRequest("\(place()): element \(index) is \(value), expected 0 or 1")
    }
  }
}
