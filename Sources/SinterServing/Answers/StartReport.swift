/// What a server says in one line of JSON once it takes requests: its name and version, the addresses it listens at, and the models with their
/// ports as `GET /v2/models/NAME` has them.
package enum StartReport {
  package static func line(_ versions: [ServedVersion], addresses: [String]) throws(Refusal) -> String {
    var writer = JSONWriter()
    try writer.object { writer throws(Refusal) in
      writer.field("name", ServerFacts.name)
      writer.field("version", ServerFacts.version)
      try writer.field("listening", addresses)
      writer.name("models")
      try writer.array { writer throws(Refusal) in
        for served in versions {
          try writer.object { writer throws(Refusal) in
            writer.field("name", served.signature.name)
            writer.field("version", served.version)
            try writer.ports(of: served.signature)
            if let why = served.whyNoBatches { writer.field("runs_one_by_one", why) }
          }
        }
      }
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}

extension JSONWriter {
  /// The fields `inputs` and `outputs` of an object.
  mutating func ports(of signature: ModelSignature) throws(Refusal) {
    for (name, ports) in [("inputs", signature.inputs), ("outputs", signature.outputs)] {
      self.name(name)
      try array { writer throws(Refusal) in
        for port in ports {
          try writer.object { writer throws(Refusal) in
            writer.field("name", port.name)
            writer.field("datatype", port.element?.protocolName ?? "")
            try writer.field("shape", port.protocolShape)
          }
        }
      }
    }
  }
}
