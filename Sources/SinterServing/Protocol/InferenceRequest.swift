package import SinterCore

/// What a client asks of a model, whichever protocol it came by.
package struct InferenceRequest: Sendable {
  package var id: String?
  /// By the names of ports, in the order in which they were sent.
  package var inputs: [(name: String, tensor: HostTensor)]
  /// The outputs to answer with; all where nil.
  package var outputs: [RequestedOutput]?
  /// Whether outputs that say nothing else come as bytes behind the JSON text.
  package var binaryOutputs = false
  /// Microseconds that the client waits; nil where it does not say.
  package var timeout: Int?

  package struct RequestedOutput: Hashable, Sendable {
    package var name: String
    /// Whether it comes as bytes behind the JSON text; nil where the request as a whole says.
    package var isBinary: Bool?

    package init(name: String, isBinary: Bool? = nil) {
      self.name = name
      self.isBinary = isBinary
    }
  }

  package init(
    id: String? = nil, inputs: [(name: String, tensor: HostTensor)], outputs: [RequestedOutput]? = nil,
    timeout: Int? = nil
  ) {
    self.id = id
    self.inputs = inputs
    self.outputs = outputs
    self.timeout = timeout
  }
}

/// What comes back.
package struct InferenceAnswer: Sendable {
  package var model: String
  package var version: String
  package var id: String?
  package var outputs: [Output]

  package struct Output: Sendable {
    package var name: String
    package var tensor: HostTensor
    package var isBinary: Bool
  }
}
