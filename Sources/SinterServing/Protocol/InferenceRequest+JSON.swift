package import SinterCore

extension InferenceRequest {
  /// Reads the body of a request of HTTP: a JSON text, and behind it the bytes of the inputs that say they have some.
  ///
  /// - Parameter jsonLength: bytes of the text; nil where the body is nothing else.
  package init(body: TensorBytes, jsonLength: Int?, for model: ModelSignature) throws(Refusal) {
    let length = jsonLength ?? body.count
    guard length >= 0, length <= body.count else {
      throw .badRequest(
        "the header Inference-Header-Content-Length says \(length), but the body has \(body.count) bytes")
    }
    self.init(inputs: [])
    var problem: Refusal?
    var request = self
    body.withBytes { bytes in
      do throws(Refusal) {
        try request.read(JSONCursor(UnsafeRawBufferPointer(rebasing: bytes[..<length])), bytes, body, length, model)
      } catch {
        problem = error
      }
    }
    if let problem { throw problem }
    self = request
  }

  private mutating func read(
    _ text: JSONCursor, _ bytes: UnsafeRawBufferPointer, _ body: TensorBytes, _ length: Int, _ model: ModelSignature
  ) throws(Refusal) {
    var cursor = text
    var behind = length
    var request = self
    var hasInputs = false
    try cursor.object { name, cursor throws(Refusal) in
      switch name {
      case "id": request.id = try cursor.string()
      case "inputs":
        hasInputs = true
        try cursor.array { cursor throws(Refusal) in
          let input = try InputObject(&cursor, model)
          request.inputs.append((input.name, try input.tensor(bytes, body, &behind, model)))
        }
      case "outputs":
        var outputs: [RequestedOutput] = []
        try cursor.array { cursor throws(Refusal) in outputs.append(try RequestedOutput(&cursor)) }
        // No outputs are all outputs.
        request.outputs = outputs.isEmpty ? nil : outputs
      case "parameters":
        try cursor.object { name, cursor throws(Refusal) in
          switch name {
          case "binary_data_output": request.binaryOutputs = try cursor.bool()
          case "timeout":
            let timeout = try cursor.integer()
            guard timeout >= 0 else { throw .badRequest("a timeout of \(timeout) microseconds") }
            request.timeout = timeout == 0 ? nil : timeout
          default: try Parameters.skip(name, &cursor)
          }
        }
      default: try cursor.skipValue()
      }
    }
    try cursor.expectEnd()
    guard hasInputs else { throw .badRequest("the request to model '\(model.name)' has no \"inputs\"") }
    guard behind == bytes.count else {
      throw .badRequest("\(bytes.count - behind) bytes are left behind those of the inputs of model '\(model.name)'")
    }
    self = request
  }
}

/// What parameters ask for that is not there is refused; what only tunes other servers is skipped.
enum Parameters {
  static let refused: Set<String> = [
    "classification", "shared_memory_region", "shared_memory_byte_size", "shared_memory_offset", "sequence_id",
    "sequence_start", "sequence_end",
  ]

  static func check(_ name: String) throws(Refusal) {
    if refused.contains(name) { throw .badRequest("the parameter '\(name)' asks for what this server does not do") }
  }

  static func skip(_ name: String, _ cursor: inout JSONCursor) throws(Refusal) {
    // Clients send these with every request; their values ask for nothing.
    if ["sequence_id", "sequence_start", "sequence_end"].contains(name) {
      if cursor.takeWord("false") || cursor.takeWord("0") { return }
    }
    try check(name)
    try cursor.skipValue()
  }
}

extension InferenceRequest.RequestedOutput {
  fileprivate init(_ cursor: inout JSONCursor) throws(Refusal) {
    var (output, isNamed) = (Self(name: ""), false)
    try cursor.object { name, cursor throws(Refusal) in
      switch name {
      case "name":
        output.name = try cursor.string()
        isNamed = true
      case "parameters":
        try cursor.object { name, cursor throws(Refusal) in
          if name == "binary_data" { output.isBinary = try cursor.bool() } else { try Parameters.skip(name, &cursor) }
        }
      default: try cursor.skipValue()
      }
    }
    guard isNamed else { throw .badRequest("a requested output has no \"name\"") }
    self = output
  }
}

/// One input as the text describes it.
private struct InputObject {
  var name = ""
  var datatype: String?
  var shape: [Int]?
  /// Where the elements stand in the text, until they are read.
  var data: JSONCursor?
  /// The elements, where all that says how to read them stands before them, so that they are gone over once.
  var elements: HostTensor?
  var binarySize: Int?

  init(_ cursor: inout JSONCursor, _ model: ModelSignature) throws(Refusal) {
    var input = Self()
    var isNamed = false
    try cursor.object { name, cursor throws(Refusal) in
      switch name {
      case "name":
        input.name = try cursor.string()
        isNamed = true
      case "datatype": input.datatype = try cursor.string()
      case "shape":
        var shape: [Int] = []
        try cursor.array { cursor throws(Refusal) in shape.append(try cursor.integer()) }
        input.shape = shape
      case "data":
        _ = cursor.peek()
        input.data = cursor
        if isNamed, let datatype = input.datatype, let shape = input.shape {
          let (element, _) = try model.check(input: input.name, datatype: datatype, shape: shape)
          input.elements = try JSONElements.tensor(element, shape, &cursor, model.place(input.name))
        } else {
          try cursor.skipValue()
        }
      case "parameters":
        try cursor.object { name, cursor throws(Refusal) in
          if name == "binary_data_size" {
            input.binarySize = try cursor.integer()
          } else {
            try Parameters.skip(name, &cursor)
          }
        }
      default: try cursor.skipValue()
      }
    }
    guard isNamed else { throw .badRequest("an input has no \"name\"") }
    self = input
  }

  private init() {}

  /// - Parameter behind: where the next bytes stand; moved behind this input's.
  func tensor(
    _ bytes: UnsafeRawBufferPointer, _ body: TensorBytes, _ behind: inout Int, _ model: ModelSignature
  ) throws(Refusal) -> HostTensor {
    let place = model.place(name)
    guard let datatype else { throw .badRequest("\(place) has no \"datatype\"") }
    guard let shape else { throw .badRequest("\(place) has no \"shape\"") }
    let (element, count) = try model.check(input: name, datatype: datatype, shape: shape)
    switch (data, binarySize) {
    case (var data?, nil):
      if let elements { return elements }
      return try JSONElements.tensor(element, shape, &data, place)
    case (nil, let size?):
      guard size >= 0, size <= bytes.count - behind else {
        throw .badRequest("\(place): expected \(size) bytes behind the text, given \(bytes.count - behind)")
      }
      let range = behind..<behind + size
      behind += size
      if element == .string {
        let part = UnsafeRawBufferPointer(rebasing: bytes[range])
        return HostTensor(strings: try BytesCodec.decode(part, count: count, place), shape: shape)
      }
      guard size == element.byteCount(count) else {
        throw .badRequest(
          "\(place): \(element.byteCount(count)) bytes are what the shape \(shape) of \(datatype) takes, given \(size)")
      }
      guard let base = bytes.baseAddress else {
        return HostTensor(element, shape, bytes: TensorBytes(count: 0) { _ in })
      }
      let tensor = HostTensor(
        element, shape, bytes: TensorBytes(at: base + range.lowerBound, count: size, owner: body))
      try tensor.checkTruths(place)
      return tensor
    case (nil, nil):
      throw .badRequest("\(place) has neither \"data\" nor a \"binary_data_size\"")
    default: throw .badRequest("\(place) has both \"data\" and a \"binary_data_size\"")
    }
  }
}
