extension OnnxFile {
  package struct Attribute: Sendable {
    package var name: String
    package var value: Value
    package var doc = ""

    package init(_ name: String, _ value: Value) {
      self.name = name
      self.value = value
    }

    package indirect enum Value: Sendable {
      case float(Float)
      case int(Int64)
      case string(String)
      case tensor(Tensor)
      case graph(Graph)
      case sparseTensor(SparseTensor)
      case type(DeclaredType)
      case floats([Float])
      case ints([Int64])
      case strings([String])
      case tensors([Tensor])
      case graphs([Graph])
      case sparseTensors([SparseTensor])
      case types([DeclaredType])
      /// Inside a function: the value of the function's attribute of that name, which has the kind given.
      case reference(String, Kind)
    }

    /// The kinds of attributes, with the numbers that files have.
    package enum Kind: Int32, Hashable, Sendable, CaseIterable {
      case float = 1
      case int = 2
      case string = 3
      case tensor = 4
      case graph = 5
      case floats = 6
      case ints = 7
      case strings = 8
      case tensors = 9
      case graphs = 10
      case sparseTensor = 11
      case sparseTensors = 12
      case type = 13
      case types = 14
    }
  }
}

extension OnnxFile.Attribute.Value {
  package var kind: OnnxFile.Attribute.Kind {
    switch self {
    case .float: .float
    case .int: .int
    case .string: .string
    case .tensor: .tensor
    case .graph: .graph
    case .sparseTensor: .sparseTensor
    case .type: .type
    case .floats: .floats
    case .ints: .ints
    case .strings: .strings
    case .tensors: .tensors
    case .graphs: .graphs
    case .sparseTensors: .sparseTensors
    case .types: .types
    case .reference(_, let kind): kind
    }
  }
}
