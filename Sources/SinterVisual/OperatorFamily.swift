/// The kinds of operators that drawings tell apart by colour.
package enum OperatorFamily: String, CaseIterable {
  case contraction, normalization, pooling, elementwise, reduction, shape, indexing, recurrent, control, other

  /// The family of an operator by its name; operators of users are `other`.
  package init(operator name: String) {
    switch name {
    case "MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum", "Attention", "MultiHeadAttention", "MatMulInteger",
      "ConvInteger":
      self = .contraction
    case "BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization", "LRN", "Softmax",
      "LpNormalization":
      self = .normalization
    case "MaxPool", "AveragePool", "GlobalPool", "LpPool", "Resize": self = .pooling
    case "Unary", "Binary", "Compare", "Where", "Clip", "Cast", "Variadic", "Gelu", "Elu", "Selu", "Celu", "LeakyRelu",
      "PRelu",
      "HardSigmoid", "Swish", "Identity", "Dropout", "Shrink", "ThresholdedRelu":
      self = .elementwise
    case "Reduce", "ArgReduce", "Cumulative", "TopK": self = .reduction
    case "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Expand", "Shape", "Size", "Concat", "Split",
      "Slice",
      "Pad", "Tile", "DepthToSpace", "SpaceToDepth":
      self = .shape
    case "Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND", "OneHot": self = .indexing
    case "LSTM", "GRU", "RNN": self = .recurrent
    case "If", "Loop", "Scan": self = .control
    default: self = .other
    }
  }

  /// The fill colour, as DOT has it.
  package var color: String {
    switch self {
    case .contraction: "#ffd8a8"
    case .normalization: "#d0bfff"
    case .pooling: "#99e9f2"
    case .elementwise: "#b2f2bb"
    case .reduction: "#eebefa"
    case .shape: "#e9ecef"
    case .indexing: "#ffec99"
    case .recurrent: "#ffc9c9"
    case .control: "#fcc2d7"
    case .other: "#dee2e6"
    }
  }
}
