internal import COnnx
import SinterCore
import SinterIR

extension ProtoReader {
  /// Nil where it was reported.
  mutating func attribute(_ proto: Onnx__AttributeProto) -> OnnxFile.Attribute? {
    let name = text(proto.name)
    return at("attribute \(name)") { reader in
      guard let value = reader.attributeValue(proto) else { return nil }
      var attribute = OnnxFile.Attribute(name, value)
      attribute.doc = text(proto.doc_string)
      return attribute
    }
  }

  private mutating func attributeValue(_ proto: Onnx__AttributeProto) -> OnnxFile.Attribute.Value? {
    guard let kind = attributeKind(proto) else { return nil }
    let reference = text(proto.ref_attr_name)
    if !reference.isEmpty { return .reference(reference, kind) }
    switch kind {
    case .float: return .float(proto.f)
    case .int: return .int(proto.i)
    case .string: return utf8(proto.s).map { .string($0) }
    case .tensor: return present(proto.t).map { .tensor(tensor($0.pointee)) }
    case .graph: return present(proto.g).map { .graph(graph($0.pointee)) }
    case .sparseTensor: return present(proto.sparse_tensor).map { .sparseTensor(sparseTensor($0.pointee)) }
    case .type: return present(proto.tp).flatMap { declaredType($0.pointee) }.map { .type($0) }
    case .floats: return .floats(Array(UnsafeBufferPointer(start: proto.floats, count: proto.n_floats)))
    case .ints: return .ints(Array(UnsafeBufferPointer(start: proto.ints, count: proto.n_ints)))
    case .strings:
      return .strings(UnsafeBufferPointer(start: proto.strings, count: proto.n_strings).compactMap { utf8($0) })
    case .tensors: return .tensors(list(proto.n_tensors, proto.tensors).map { tensor($0.pointee) })
    case .graphs: return .graphs(list(proto.n_graphs, proto.graphs).map { graph($0.pointee) })
    case .sparseTensors:
      return .sparseTensors(list(proto.n_sparse_tensors, proto.sparse_tensors).map { sparseTensor($0.pointee) })
    case .types: return .types(list(proto.n_type_protos, proto.type_protos).compactMap { declaredType($0.pointee) })
    }
  }

  /// The kind that the file says; in old files, which do not say it, the kind of the field that is there.
  private mutating func attributeKind(_ proto: Onnx__AttributeProto) -> OnnxFile.Attribute.Kind? {
    let number = Int32(bitPattern: proto.type.rawValue)
    if number != 0 {
      let kind = OnnxFile.Attribute.Kind(rawValue: number)
      if kind == nil {
        report("onnx.attribute-type", "\(number) is no type of an attribute", hint: "export the model again")
      }
      return kind
    }
    let candidates: [(Bool, OnnxFile.Attribute.Kind)] = [
      (proto.has_f != 0, .float), (proto.has_i != 0, .int), (proto.has_s != 0, .string), (proto.t != nil, .tensor),
      (proto.g != nil, .graph), (proto.n_floats > 0, .floats), (proto.n_ints > 0, .ints),
      (proto.n_strings > 0, .strings), (proto.n_tensors > 0, .tensors), (proto.n_graphs > 0, .graphs),
    ]
    let kinds = candidates.filter(\.0).map(\.1)
    if kinds.count == 1 { return kinds[0] }
    report("onnx.attribute-type", "the attribute does not say its type", hint: "export the model again")
    return nil
  }

  private mutating func present<T>(_ pointer: UnsafeMutablePointer<T>?) -> UnsafeMutablePointer<T>? {
    if pointer == nil { report("onnx.attribute-value", "the attribute has no value", hint: "export the model again") }
    return pointer
  }

  mutating func utf8(_ data: ProtobufCBinaryData) -> String? {
    let bytes = UnsafeBufferPointer(start: data.data, count: data.len)
    let text = String(validating: bytes, as: UTF8.self)
    if text == nil { report("onnx.text", "text is not UTF-8", hint: "export the model with UTF-8 text") }
    return text
  }

  mutating func declaredType(_ proto: Onnx__TypeProto) -> DeclaredType? {
    switch proto.value_case {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
      guard let tensor = proto.tensor_type?.pointee else { return nil }
      return .tensor(elementType(tensor.elem_type), shape(tensor.shape))
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
      guard let tensor = proto.sparse_tensor_type?.pointee else { return nil }
      return .sparseTensor(elementType(tensor.elem_type), shape(tensor.shape))
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
      return .sequence(proto.sequence_type?.pointee.elem_type.flatMap { declaredType($0.pointee) })
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
      return .optional(proto.optional_type?.pointee.elem_type.flatMap { declaredType($0.pointee) })
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
      guard let map = proto.map_type?.pointee else { return nil }
      return .map(elementType(map.key_type), map.value_type.flatMap { declaredType($0.pointee) })
    case ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE:
      guard let opaque = proto.opaque_type?.pointee else { return nil }
      return .opaque(domain: text(opaque.domain), name: text(opaque.name))
    default:
      return nil
    }
  }

  /// Nil where the file leaves it open, and where it was reported.
  mutating func elementType(_ number: Int32) -> ElementType? {
    if number == 0 { return nil }
    let type = ElementType(onnx: Int(number))
    if type == nil {
      switch number {
      case 27, 28:
        report(
          "onnx.element-type", "6-bit floats (element type \(number)) are not supported", kind: .limit,
          hint: "store the tensor as f8e4m3fn or f16")
      default: report("onnx.element-type", "\(number) is no element type", hint: "export the model again")
      }
    }
    return type
  }

  private mutating func shape(_ pointer: UnsafeMutablePointer<Onnx__TensorShapeProto>?) -> [DeclaredDim]? {
    guard let proto = pointer?.pointee else { return nil }
    return list(proto.n_dim, proto.dim).map { dim in
      switch dim.pointee.value_case {
      case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE:
        // Some exporters write -1 for a size that is not known.
        return dim.pointee.dim_value < 0 ? .unknown : .value(dim.pointee.dim_value)
      case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM:
        let name = text(dim.pointee.dim_param)
        return name.isEmpty ? .unknown : .symbol(name)
      default:
        return .unknown
      }
    }
  }
}
