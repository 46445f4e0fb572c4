package import SinterCore

extension InferenceAnswer {
  /// The body of a reply of HTTP.
  ///
  /// - Returns: the bytes, and how many of them are the JSON text where others follow.
  package func body() throws(Refusal) -> (bytes: [UInt8], jsonLength: Int?) {
    var writer = JSONWriter()
    var behind: [UInt8] = []
    try writer.object { writer throws(Refusal) in
      writer.field("model_name", model)
      writer.field("model_version", version)
      if let id { writer.field("id", id) }
      writer.name("outputs")
      try writer.array { writer throws(Refusal) in
        for output in outputs { try output.write(&writer, model, behind: &behind) }
      }
    }
    guard outputs.contains(where: \.isBinary) else { return (writer.bytes, nil) }
    return (writer.bytes + behind, writer.bytes.count)
  }
}

extension InferenceAnswer.Output {
  fileprivate func write(_ writer: inout JSONWriter, _ model: String, behind: inout [UInt8]) throws(Refusal) {
    var bytes = behind
    try writer.object { writer throws(Refusal) in
      writer.field("name", name)
      writer.field("datatype", tensor.element.protocolName ?? "")
      try writer.field("shape", tensor.shape)
      if isBinary {
        let start = bytes.count
        tensor.appendBytes(to: &bytes)
        writer.name("parameters")
        try writer.object { writer throws(Refusal) in
          writer.name("binary_data_size")
          writer.value(bytes.count - start)
        }
      } else {
        writer.name("data")
        try writer.elements(tensor, "output '\(name)' of model '\(model)'")
      }
    }
    behind = bytes
  }
}

extension HostTensor {
  /// The elements as the protocol's bytes.
  package func appendBytes(to target: inout [UInt8]) {
    if element == .string {
      BytesCodec.encode(strings, into: &target)
    } else {
      bytes.withBytes { target.append(contentsOf: $0) }
    }
  }
}
