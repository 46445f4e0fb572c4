import SinterCore

/// An ONNX file as plain values: what it says, before anything is made of it. Names and meanings of the fields are
/// those of the ONNX standard.
package struct OnnxFile: Sendable {
  package var irVersion: Int64
  package var operatorSets: [OperatorSet]
  package var producerName = ""
  package var producerVersion = ""
  package var domain = ""
  package var modelVersion: Int64 = 0
  package var doc = ""
  package var graph: Graph
  package var functions: [Function] = []
  package var metadata: [Entry] = []

  package init(irVersion: Int64, operatorSets: [OperatorSet], graph: Graph) {
    self.irVersion = irVersion
    self.operatorSets = operatorSets
    self.graph = graph
  }
}

extension OnnxFile {
  /// One version of one operator set. The domain of ONNX's own is `""`.
  package struct OperatorSet: Hashable, Sendable {
    package var domain: String
    package var version: Int64

    package init(_ domain: String, _ version: Int64) {
      self.domain = domain
      self.version = version
    }
  }

  /// A key with a value, as metadata are stored.
  package struct Entry: Hashable, Sendable {
    package var key: String
    package var value: String

    package init(_ key: String, _ value: String) {
      self.key = key
      self.value = value
    }
  }

  package struct Graph: Sendable {
    package var name: String
    package var nodes: [Node] = []
    package var inputs: [ValueInfo] = []
    package var outputs: [ValueInfo] = []
    /// Hints about values inside.
    package var values: [ValueInfo] = []
    package var initializers: [Tensor] = []
    package var sparseInitializers: [SparseTensor] = []
    package var quantization: [Annotation] = []
    package var doc = ""
    package var metadata: [Entry] = []

    package init(name: String) { self.name = name }
  }

  /// The names of the scale and the zero point of a quantized value.
  package struct Annotation: Hashable, Sendable {
    package var tensor: String
    package var parameters: [Entry]

    package init(tensor: String, parameters: [Entry]) {
      self.tensor = tensor
      self.parameters = parameters
    }
  }

  package struct Node: Sendable {
    package var name: String
    package var operatorType: String
    package var domain: String
    package var overload = ""
    /// Names of values; an empty name stands for an optional input that is not given.
    package var inputs: [String]
    package var outputs: [String]
    package var attributes: [Attribute]
    package var doc = ""
    package var metadata: [Entry] = []

    package init(
      _ operatorType: String, domain: String = "", name: String = "", inputs: [String], outputs: [String],
      attributes: [Attribute] = []
    ) {
      self.operatorType = operatorType
      self.domain = domain
      self.name = name
      self.inputs = inputs
      self.outputs = outputs
      self.attributes = attributes
    }
  }

  /// A subroutine that the model carries along; nodes of type `name` in `domain` stand for its body.
  package struct Function: Sendable {
    package var name: String
    package var domain: String
    package var overload = ""
    package var inputs: [String] = []
    package var outputs: [String] = []
    /// Attributes that a call has to give.
    package var attributes: [String] = []
    /// Attributes that a call may give, with the values that hold otherwise.
    package var defaults: [Attribute] = []
    package var nodes: [Node] = []
    package var values: [ValueInfo] = []
    package var operatorSets: [OperatorSet] = []
    package var doc = ""
    package var metadata: [Entry] = []

    package init(name: String, domain: String) {
      self.name = name
      self.domain = domain
    }
  }

  /// A value's name and what the file says of its type.
  package struct ValueInfo: Sendable {
    package var name: String
    package var type: DeclaredType?
    package var doc = ""
    package var metadata: [Entry] = []

    package init(_ name: String, _ type: DeclaredType?) {
      self.name = name
      self.type = type
    }
  }

  /// A tensor with its contents, which may be a range of the mapped file.
  package struct Tensor: Sendable {
    package var name: String
    package var value: HostTensor
    package var doc = ""
    package var metadata: [Entry] = []

    package init(_ name: String, _ value: HostTensor) {
      self.name = name
      self.value = value
    }
  }

  /// The elements that are not zero with their positions: flat ones, or a row of coordinates each. The name is that of
  /// `values`.
  package struct SparseTensor: Sendable {
    package var values: Tensor
    package var indices: Tensor
    package var shape: [Int]

    package init(values: Tensor, indices: Tensor, shape: [Int]) {
      self.values = values
      self.indices = indices
      self.shape = shape
    }
  }
}
