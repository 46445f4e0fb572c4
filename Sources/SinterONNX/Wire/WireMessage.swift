/// The messages of `onnx.proto` and what the scan has to know about their fields.
enum WireMessage: UInt8 {
  case model, operatorSet, entry, graph, annotation, node, attribute, function
  case tensor, segment, sparseTensor, shape, dimension, valueInfo
  case type, tensorType, sequenceType, mapType, optionalType, sparseTensorType, opaqueType

  /// The highest number that a field of any message has, plus one.
  static let fieldLimit = 32

  /// Whether a tensor may be inside, so that the rewritten message has another length.
  var mayHoldTensors: Bool {
    switch self {
    case .model, .graph, .node, .attribute, .function, .tensor, .sparseTensor: true
    case .operatorSet, .entry, .annotation, .segment, .shape, .dimension, .valueInfo, .type, .tensorType,
      .sequenceType, .mapType, .optionalType, .sparseTensorType, .opaqueType:
      false
    }
  }
}

/// One field of a message.
struct WireField {
  enum Kind {
    /// An integer or an enumeration.
    case varint
    /// Four bytes.
    case fixed32
    /// Text that identifies something and has to be right.
    case text
    /// Text for people; what is not UTF-8 in it is replaced.
    case note
    case bytes
    case message(WireMessage)
    /// A tensor's contents as they lie in memory.
    case rawPayload
    /// A tensor's contents, packed: elements of a fixed size or integers of varying length.
    case packedPayload(WireType)
  }

  let name: StaticString
  let kind: Kind
  let isRepeated: Bool

  static func one(_ name: StaticString, _ kind: Kind) -> WireField {
    WireField(name: name, kind: kind, isRepeated: false)
  }
  static func many(_ name: StaticString, _ kind: Kind) -> WireField {
    WireField(name: name, kind: kind, isRepeated: true)
  }
}

/// The four ways in which a field is laid out in a file. Two more (groups) were given up before ONNX began.
enum WireType: UInt8 {
  case varint = 0
  case fixed64 = 1
  case lengthPrefixed = 2
  case fixed32 = 5
}

extension WireMessage {
  /// The field with a number; nil for one that Sinter does not read.
  func field(_ number: Int) -> WireField? {
    switch self {
    case .model:
      switch number {
      case 1: .one("ir_version", .varint)
      case 2: .one("producer_name", .note)
      case 3: .one("producer_version", .note)
      case 4: .one("domain", .note)
      case 5: .one("model_version", .varint)
      case 6: .one("doc_string", .note)
      case 7: .one("graph", .message(.graph))
      case 8: .many("opset_import", .message(.operatorSet))
      case 14: .many("metadata_props", .message(.entry))
      case 25: .many("functions", .message(.function))
      default: nil
      }
    case .operatorSet:
      switch number {
      case 1: .one("domain", .text)
      case 2: .one("version", .varint)
      default: nil
      }
    case .entry:
      switch number {
      case 1: .one("key", .note)
      case 2: .one("value", .note)
      default: nil
      }
    case .graph:
      switch number {
      case 1: .many("node", .message(.node))
      case 2: .one("name", .note)
      case 5: .many("initializer", .message(.tensor))
      case 10: .one("doc_string", .note)
      case 11: .many("input", .message(.valueInfo))
      case 12: .many("output", .message(.valueInfo))
      case 13: .many("value_info", .message(.valueInfo))
      case 14: .many("quantization_annotation", .message(.annotation))
      case 15: .many("sparse_initializer", .message(.sparseTensor))
      case 16: .many("metadata_props", .message(.entry))
      default: nil
      }
    case .annotation:
      switch number {
      case 1: .one("tensor_name", .text)
      case 2: .many("quant_parameter_tensor_names", .message(.entry))
      default: nil
      }
    case .node:
      switch number {
      case 1: .many("input", .text)
      case 2: .many("output", .text)
      case 3: .one("name", .note)
      case 4: .one("op_type", .text)
      case 5: .many("attribute", .message(.attribute))
      case 6: .one("doc_string", .note)
      case 7: .one("domain", .text)
      case 8: .one("overload", .text)
      case 9: .many("metadata_props", .message(.entry))
      default: nil
      }
    case .attribute:
      switch number {
      case 1: .one("name", .text)
      case 2: .one("f", .fixed32)
      case 3: .one("i", .varint)
      case 4: .one("s", .bytes)
      case 5: .one("t", .message(.tensor))
      case 6: .one("g", .message(.graph))
      case 7: .many("floats", .fixed32)
      case 8: .many("ints", .varint)
      case 9: .many("strings", .bytes)
      case 10: .many("tensors", .message(.tensor))
      case 11: .many("graphs", .message(.graph))
      case 13: .one("doc_string", .note)
      case 14: .one("tp", .message(.type))
      case 15: .many("type_protos", .message(.type))
      case 20: .one("type", .varint)
      case 21: .one("ref_attr_name", .text)
      case 22: .one("sparse_tensor", .message(.sparseTensor))
      case 23: .many("sparse_tensors", .message(.sparseTensor))
      default: nil
      }
    case .function:
      switch number {
      case 1: .one("name", .text)
      case 4: .many("input", .text)
      case 5: .many("output", .text)
      case 6: .many("attribute", .text)
      case 7: .many("node", .message(.node))
      case 8: .one("doc_string", .note)
      case 9: .many("opset_import", .message(.operatorSet))
      case 10: .one("domain", .text)
      case 11: .many("attribute_proto", .message(.attribute))
      case 12: .many("value_info", .message(.valueInfo))
      case 13: .one("overload", .text)
      case 14: .many("metadata_props", .message(.entry))
      default: nil
      }
    case .tensor:
      switch number {
      case 1: .many("dims", .varint)
      case 2: .one("data_type", .varint)
      case 3: .one("segment", .message(.segment))
      case 4: .many("float_data", .packedPayload(.fixed32))
      case 5: .many("int32_data", .packedPayload(.varint))
      case 6: .many("string_data", .bytes)
      case 7: .many("int64_data", .packedPayload(.varint))
      case 8: .one("name", .text)
      case 9: .one("raw_data", .rawPayload)
      case 10: .many("double_data", .packedPayload(.fixed64))
      case 11: .many("uint64_data", .packedPayload(.varint))
      case 12: .one("doc_string", .note)
      case 13: .many("external_data", .message(.entry))
      case 14: .one("data_location", .varint)
      case 16: .many("metadata_props", .message(.entry))
      default: nil
      }
    case .segment:
      switch number {
      case 1: .one("begin", .varint)
      case 2: .one("end", .varint)
      default: nil
      }
    case .sparseTensor:
      switch number {
      case 1: .one("values", .message(.tensor))
      case 2: .one("indices", .message(.tensor))
      case 3: .many("dims", .varint)
      default: nil
      }
    case .shape:
      switch number {
      case 1: .many("dim", .message(.dimension))
      default: nil
      }
    case .dimension:
      switch number {
      case 1: .one("dim_value", .varint)
      case 2: .one("dim_param", .text)
      case 3: .one("denotation", .note)
      default: nil
      }
    case .valueInfo:
      switch number {
      case 1: .one("name", .text)
      case 2: .one("type", .message(.type))
      case 3: .one("doc_string", .note)
      case 4: .many("metadata_props", .message(.entry))
      default: nil
      }
    case .type:
      switch number {
      case 1: .one("tensor_type", .message(.tensorType))
      case 4: .one("sequence_type", .message(.sequenceType))
      case 5: .one("map_type", .message(.mapType))
      case 6: .one("denotation", .note)
      case 7: .one("opaque_type", .message(.opaqueType))
      case 8: .one("sparse_tensor_type", .message(.sparseTensorType))
      case 9: .one("optional_type", .message(.optionalType))
      default: nil
      }
    case .tensorType, .sparseTensorType:
      switch number {
      case 1: .one("elem_type", .varint)
      case 2: .one("shape", .message(.shape))
      default: nil
      }
    case .sequenceType, .optionalType:
      switch number {
      case 1: .one("elem_type", .message(.type))
      default: nil
      }
    case .mapType:
      switch number {
      case 1: .one("key_type", .varint)
      case 2: .one("value_type", .message(.type))
      default: nil
      }
    case .opaqueType:
      switch number {
      case 1: .one("domain", .note)
      case 2: .one("name", .note)
      default: nil
      }
    }
  }
}
