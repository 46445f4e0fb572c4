package import SinterCore

/// What `/predictions/NAME` takes and gives, in TorchServe's way: lists inside lists, without types or shapes.
package enum Prediction {
  /// The inputs that a body holds: of a model with one input the lists themselves, of any model an object with a member for each input; or, where
  /// `isBinary`, the bytes of the one input, of whose shape all but one size are known.
  package static func inputs(
    _ body: TensorBytes, isBinary: Bool, for model: ModelSignature
  ) throws(Refusal) -> InferenceRequest {
    if isBinary { return try binary(body, model) }
    var inputs: [(name: String, tensor: HostTensor)] = []
    var problem: Refusal?
    body.withBytes { bytes in
      do throws(Refusal) {
        var cursor = JSONCursor(bytes)
        if cursor.peek() == UInt8(ascii: "{") {
          try cursor.object { name, cursor throws(Refusal) in
            inputs.append((name, try tensor(name, &cursor, model)))
          }
        } else {
          guard model.inputs.count == 1 else {
            throw .badRequest(
              "model '\(model.name)' takes \(model.inputs.count) inputs: send an object with a member for each")
          }
          inputs.append((model.inputs[0].name, try tensor(model.inputs[0].name, &cursor, model)))
        }
        try cursor.expectEnd()
      } catch {
        problem = error
      }
    }
    if let problem { throw problem }
    return InferenceRequest(inputs: inputs)
  }

  private static func tensor(
    _ name: String, _ cursor: inout JSONCursor, _ model: ModelSignature
  ) throws(Refusal) -> HostTensor {
    let port = model.inputs.first { $0.name == name }
    let datatype = port?.element?.protocolName ?? "?"
    // Of an input that there is not, nothing is looked at: it is refused by its name.
    let shape = port == nil ? [] : try JSONElements.shape(cursor, rank: port?.shape?.count)
    let (element, _) = try model.check(input: name, datatype: datatype, shape: shape)
    return try JSONElements.tensor(element, shape, &cursor, model.place(name))
  }

  private static func binary(_ body: TensorBytes, _ model: ModelSignature) throws(Refusal) -> InferenceRequest {
    guard model.inputs.count == 1, let element = model.inputs[0].element, let sizes = model.inputs[0].shape,
      element != .string, let datatype = element.protocolName
    else {
      throw .badRequest("model '\(model.name)' does not take one input of numbers: send JSON")
    }
    let port = model.inputs[0]
    var shape = sizes.map { if case .fixed(let size) = $0 { size } else { -1 } }
    let unknown = shape.indices.filter { shape[$0] < 0 }
    let known = shape.filter { $0 >= 0 }.reduce(element.bits / 8, *)
    guard unknown.count <= 1, unknown.isEmpty || known > 0 else {
      throw .badRequest("\(model.place(port.name)) is \(port), whose sizes bytes alone do not tell: send JSON")
    }
    if let axis = unknown.first {
      guard body.count % known == 0 else {
        throw .badRequest(
          "\(model.place(port.name)): \(body.count) bytes are no multiple of \(known), as \(port) has it")
      }
      shape[axis] = body.count / known
    }
    let (_, count) = try model.check(input: port.name, datatype: datatype, shape: shape)
    guard body.count == element.byteCount(count) else {
      throw .badRequest(
        "\(model.place(port.name)): expected \(element.byteCount(count)) bytes for \(port), given \(body.count)")
    }
    let tensor = HostTensor(element, shape, bytes: body)
    try tensor.checkTruths(model.place(port.name))
    return InferenceRequest(inputs: [(port.name, tensor)])
  }

  /// The outputs as JSON: of one output its lists, of several an object.
  package static func body(_ answer: InferenceAnswer) throws(Refusal) -> [UInt8] {
    var writer = JSONWriter()
    func place(_ output: InferenceAnswer.Output) -> String { "output '\(output.name)' of model '\(answer.model)'" }
    if answer.outputs.count == 1 {
      try writer.elements(answer.outputs[0].tensor, isNested: true, place(answer.outputs[0]))
    } else {
      try writer.object { writer throws(Refusal) in
        for output in answer.outputs {
          writer.name(output.name)
          try writer.elements(output.tensor, isNested: true, place(output))
        }
      }
    }
    return writer.bytes
  }
}
