internal import COnnx
import SinterCore
import SinterIR

/// Builds protobuf-c's structures for a file and has them packed. Contents of large tensors stay apart, to be streamed.
final class ProtoBuilder {
  /// Contents below this size are packed with the structure.
  private static let payloadThreshold = 1024

  private let arena = ProtoArena()
  /// Where large contents go to a file beside the model: its name.
  private let externalDataName: String?
  private var payloads: [TensorBytes] = []
  private var packed: [UInt8] = []
  private var diagnostics: [Diagnostic] = []
  /// The end of the external data so far.
  private var externalEnd = 0

  /// The bytes of all payloads together.
  var payloadBytes: Int { payloads.reduce(0) { $0 + $1.count } }

  init(_ file: OnnxFile, externalDataName: String?) throws {
    self.externalDataName = externalDataName
    let model = self.model(file)
    if !diagnostics.isEmpty { throw DiagnosticError(diagnostics) }
    let size = onnx__model_proto__get_packed_size(model)
    packed = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      count = onnx__model_proto__pack(model, buffer.baseAddress)
    }
  }

  /// The model file.
  func pieces() throws -> [FilePiece] {
    do {
      return try WireSplice.pieces(packed, externalDataName == nil ? payloads : [])
    } catch {
      throw DiagnosticError(.bug, "onnx.splice", "the packed model does not read back: \(error.message)")
    }
  }

  /// The file beside it, each tensor at a multiple of the page size.
  func externalPieces() -> [FilePiece] {
    var end = 0
    var pieces: [FilePiece] = []
    for payload in payloads {
      let offset = Self.aligned(end)
      if offset > end { pieces.append(.structure([UInt8](repeating: 0, count: offset - end))) }
      pieces.append(.payload(payload))
      end = offset + payload.count
    }
    return pieces
  }

  private static func aligned(_ offset: Int) -> Int { (offset + 4095) / 4096 * 4096 }

  private func model(_ file: OnnxFile) -> UnsafeMutablePointer<Onnx__ModelProto> {
    let proto = arena.new(onnx__model_proto__init)
    proto.pointee.has_ir_version = 1
    proto.pointee.ir_version = file.irVersion
    proto.pointee.producer_name = arena.text(file.producerName)
    proto.pointee.producer_version = arena.text(file.producerVersion)
    proto.pointee.domain = arena.text(file.domain)
    proto.pointee.has_model_version = file.modelVersion != 0 ? 1 : 0
    proto.pointee.model_version = file.modelVersion
    proto.pointee.doc_string = arena.text(file.doc)
    proto.pointee.graph = graph(file.graph)
    (proto.pointee.n_opset_import, proto.pointee.opset_import) = operatorSets(file.operatorSets)
    (proto.pointee.n_metadata_props, proto.pointee.metadata_props) = entries(file.metadata)
    (proto.pointee.n_functions, proto.pointee.functions) = arena.pointers(file.functions.map { function($0) })
    return proto
  }

  private func operatorSets(_ sets: [OnnxFile.OperatorSet]) -> (
    Int, UnsafeMutablePointer<UnsafeMutablePointer<Onnx__OperatorSetIdProto>?>
  ) {
    arena.pointers(
      sets.map { set in
        let proto = arena.new(onnx__operator_set_id_proto__init)
        proto.pointee.domain = arena.required(set.domain)
        proto.pointee.has_version = 1
        proto.pointee.version = set.version
        return proto
      })
  }

  private func entries(_ entries: [OnnxFile.Entry]) -> (
    Int, UnsafeMutablePointer<UnsafeMutablePointer<Onnx__StringStringEntryProto>?>
  ) {
    arena.pointers(
      entries.map { entry in
        let proto = arena.new(onnx__string_string_entry_proto__init)
        proto.pointee.key = arena.required(entry.key)
        proto.pointee.value = arena.required(entry.value)
        return proto
      })
  }

  private func texts(_ texts: [String]) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) {
    arena.pointers(texts.map { arena.required($0) })
  }

  private func graph(_ graph: OnnxFile.Graph) -> UnsafeMutablePointer<Onnx__GraphProto> {
    let proto = arena.new(onnx__graph_proto__init)
    proto.pointee.name = arena.text(graph.name)
    proto.pointee.doc_string = arena.text(graph.doc)
    (proto.pointee.n_node, proto.pointee.node) = arena.pointers(graph.nodes.map { node($0) })
    (proto.pointee.n_initializer, proto.pointee.initializer) = arena.pointers(graph.initializers.map { tensor($0) })
    (proto.pointee.n_sparse_initializer, proto.pointee.sparse_initializer) = arena.pointers(
      graph.sparseInitializers.map { sparseTensor($0) })
    (proto.pointee.n_input, proto.pointee.input) = arena.pointers(graph.inputs.map { valueInfo($0) })
    (proto.pointee.n_output, proto.pointee.output) = arena.pointers(graph.outputs.map { valueInfo($0) })
    (proto.pointee.n_value_info, proto.pointee.value_info) = arena.pointers(graph.values.map { valueInfo($0) })
    (proto.pointee.n_quantization_annotation, proto.pointee.quantization_annotation) = arena.pointers(
      graph.quantization.map { annotation in
        let proto = arena.new(onnx__tensor_annotation__init)
        proto.pointee.tensor_name = arena.text(annotation.tensor)
        (proto.pointee.n_quant_parameter_tensor_names, proto.pointee.quant_parameter_tensor_names) = entries(
          annotation.parameters)
        return proto
      })
    (proto.pointee.n_metadata_props, proto.pointee.metadata_props) = entries(graph.metadata)
    return proto
  }

  private func node(_ node: OnnxFile.Node) -> UnsafeMutablePointer<Onnx__NodeProto> {
    let proto = arena.new(onnx__node_proto__init)
    (proto.pointee.n_input, proto.pointee.input) = texts(node.inputs)
    (proto.pointee.n_output, proto.pointee.output) = texts(node.outputs)
    proto.pointee.name = arena.text(node.name)
    proto.pointee.op_type = arena.required(node.operatorType)
    proto.pointee.domain = arena.text(node.domain)
    proto.pointee.overload = arena.text(node.overload)
    proto.pointee.doc_string = arena.text(node.doc)
    (proto.pointee.n_attribute, proto.pointee.attribute) = arena.pointers(node.attributes.map { attribute($0) })
    (proto.pointee.n_metadata_props, proto.pointee.metadata_props) = entries(node.metadata)
    return proto
  }

  private func function(_ function: OnnxFile.Function) -> UnsafeMutablePointer<Onnx__FunctionProto> {
    let proto = arena.new(onnx__function_proto__init)
    proto.pointee.name = arena.required(function.name)
    proto.pointee.domain = arena.required(function.domain)
    proto.pointee.overload = arena.text(function.overload)
    proto.pointee.doc_string = arena.text(function.doc)
    (proto.pointee.n_input, proto.pointee.input) = texts(function.inputs)
    (proto.pointee.n_output, proto.pointee.output) = texts(function.outputs)
    (proto.pointee.n_attribute, proto.pointee.attribute) = texts(function.attributes)
    (proto.pointee.n_attribute_proto, proto.pointee.attribute_proto) = arena.pointers(
      function.defaults.map { attribute($0) })
    (proto.pointee.n_node, proto.pointee.node) = arena.pointers(function.nodes.map { node($0) })
    (proto.pointee.n_value_info, proto.pointee.value_info) = arena.pointers(function.values.map { valueInfo($0) })
    (proto.pointee.n_opset_import, proto.pointee.opset_import) = operatorSets(function.operatorSets)
    (proto.pointee.n_metadata_props, proto.pointee.metadata_props) = entries(function.metadata)
    return proto
  }

  private func attribute(_ attribute: OnnxFile.Attribute) -> UnsafeMutablePointer<Onnx__AttributeProto> {
    let proto = arena.new(onnx__attribute_proto__init)
    proto.pointee.name = arena.required(attribute.name)
    proto.pointee.doc_string = arena.text(attribute.doc)
    proto.pointee.has_type = 1
    proto.pointee.type = Onnx__AttributeProto__AttributeType(rawValue: UInt32(attribute.value.kind.rawValue))
    switch attribute.value {
    case .float(let value):
      proto.pointee.has_f = 1
      proto.pointee.f = value
    case .int(let value):
      proto.pointee.has_i = 1
      proto.pointee.i = value
    case .string(let value):
      proto.pointee.has_s = 1
      proto.pointee.s = arena.data(value)
    case .tensor(let value): proto.pointee.t = tensor(value)
    case .graph(let value): proto.pointee.g = graph(value)
    case .sparseTensor(let value): proto.pointee.sparse_tensor = sparseTensor(value)
    case .type(let value): proto.pointee.tp = declaredType(value)
    case .floats(let values): (proto.pointee.n_floats, proto.pointee.floats) = arena.array(values)
    case .ints(let values): (proto.pointee.n_ints, proto.pointee.ints) = arena.array(values)
    case .strings(let values):
      (proto.pointee.n_strings, proto.pointee.strings) = arena.array(values.map { arena.data($0) })
    case .tensors(let values):
      (proto.pointee.n_tensors, proto.pointee.tensors) = arena.pointers(values.map { tensor($0) })
    case .graphs(let values):
      (proto.pointee.n_graphs, proto.pointee.graphs) = arena.pointers(values.map { graph($0) })
    case .sparseTensors(let values):
      (proto.pointee.n_sparse_tensors, proto.pointee.sparse_tensors) = arena.pointers(values.map { sparseTensor($0) })
    case .types(let values):
      (proto.pointee.n_type_protos, proto.pointee.type_protos) = arena.pointers(values.map { declaredType($0) })
    case .reference(let name, _): proto.pointee.ref_attr_name = arena.required(name)
    }
    return proto
  }

  private func tensor(_ tensor: OnnxFile.Tensor) -> UnsafeMutablePointer<Onnx__TensorProto> {
    let proto = arena.new(onnx__tensor_proto__init)
    proto.pointee.name = arena.text(tensor.name)
    proto.pointee.doc_string = arena.text(tensor.doc)
    (proto.pointee.n_metadata_props, proto.pointee.metadata_props) = entries(tensor.metadata)
    let value = tensor.value
    proto.pointee.has_data_type = 1
    proto.pointee.data_type = Int32(value.element.onnx)
    (proto.pointee.n_dims, proto.pointee.dims) = arena.array(value.shape.map { Int64($0) })
    if value.element == .string {
      (proto.pointee.n_string_data, proto.pointee.string_data) = arena.array(value.strings.map { arena.data($0) })
      return proto
    }
    let expected = value.element.byteCount(value.count)
    guard value.bytes.count == expected else {
      diagnostics.append(
        Diagnostic(
          .bug, "onnx.contents",
          "the tensor \(value.element)\(value.shape) needs \(expected) bytes, but its contents are \(value.bytes.count)",
          at: ["tensor \(tensor.name)"]))
      return proto
    }
    if value.bytes.count < Self.payloadThreshold {
      let (count, pointer) = arena.array(value.bytes.withBytes { Array($0) })
      proto.pointee.has_raw_data = 1
      proto.pointee.raw_data = ProtobufCBinaryData(len: count, data: pointer)
    } else {
      addPayload(value.bytes, to: proto)
    }
    return proto
  }

  private func addPayload(_ bytes: TensorBytes, to proto: UnsafeMutablePointer<Onnx__TensorProto>) {
    payloads.append(bytes)
    guard let externalDataName else {
      let lifted = arena.new(onnx__tensor_proto__lifted__init)
      lifted.pointee.field = UInt32(TensorField.raw)
      lifted.pointee.offset = UInt64(payloads.count - 1)
      (proto.pointee.n_lifted, proto.pointee.lifted) = arena.pointers([lifted])
      return
    }
    let offset = Self.aligned(externalEnd)
    externalEnd = offset + bytes.count
    proto.pointee.has_data_location = 1
    proto.pointee.data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL
    (proto.pointee.n_external_data, proto.pointee.external_data) = entries([
      .init("location", externalDataName), .init("offset", "\(offset)"), .init("length", "\(bytes.count)"),
    ])
  }

  private func sparseTensor(_ tensor: OnnxFile.SparseTensor) -> UnsafeMutablePointer<Onnx__SparseTensorProto> {
    let proto = arena.new(onnx__sparse_tensor_proto__init)
    proto.pointee.values = self.tensor(tensor.values)
    proto.pointee.indices = self.tensor(tensor.indices)
    (proto.pointee.n_dims, proto.pointee.dims) = arena.array(tensor.shape.map { Int64($0) })
    return proto
  }

  private func valueInfo(_ info: OnnxFile.ValueInfo) -> UnsafeMutablePointer<Onnx__ValueInfoProto> {
    let proto = arena.new(onnx__value_info_proto__init)
    proto.pointee.name = arena.required(info.name)
    proto.pointee.type = info.type.map { declaredType($0) }
    proto.pointee.doc_string = arena.text(info.doc)
    (proto.pointee.n_metadata_props, proto.pointee.metadata_props) = entries(info.metadata)
    return proto
  }

  private func declaredType(_ type: DeclaredType) -> UnsafeMutablePointer<Onnx__TypeProto> {
    let proto = arena.new(onnx__type_proto__init)
    switch type {
    case .tensor(let element, let shape):
      let tensor = arena.new(onnx__type_proto__tensor__init)
      tensor.pointee.has_elem_type = 1
      tensor.pointee.elem_type = Int32(element?.onnx ?? 0)
      tensor.pointee.shape = shape.map { self.shape($0) }
      proto.pointee.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
      proto.pointee.tensor_type = tensor
    case .sparseTensor(let element, let shape):
      let tensor = arena.new(onnx__type_proto__sparse_tensor__init)
      tensor.pointee.has_elem_type = 1
      tensor.pointee.elem_type = Int32(element?.onnx ?? 0)
      tensor.pointee.shape = shape.map { self.shape($0) }
      proto.pointee.value_case = ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE
      proto.pointee.sparse_tensor_type = tensor
    case .sequence(let element):
      let sequence = arena.new(onnx__type_proto__sequence__init)
      sequence.pointee.elem_type = element.map { declaredType($0) }
      proto.pointee.value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE
      proto.pointee.sequence_type = sequence
    case .optional(let element):
      let optional = arena.new(onnx__type_proto__optional__init)
      optional.pointee.elem_type = element.map { declaredType($0) }
      proto.pointee.value_case = ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE
      proto.pointee.optional_type = optional
    case .map(let key, let value):
      let map = arena.new(onnx__type_proto__map__init)
      map.pointee.has_key_type = 1
      map.pointee.key_type = Int32(key?.onnx ?? 0)
      map.pointee.value_type = value.map { declaredType($0) }
      proto.pointee.value_case = ONNX__TYPE_PROTO__VALUE_MAP_TYPE
      proto.pointee.map_type = map
    case .opaque(let domain, let name):
      let opaque = arena.new(onnx__type_proto__opaque__init)
      opaque.pointee.domain = arena.text(domain)
      opaque.pointee.name = arena.text(name)
      proto.pointee.value_case = ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE
      proto.pointee.opaque_type = opaque
    }
    return proto
  }

  private func shape(_ dims: [DeclaredDim]) -> UnsafeMutablePointer<Onnx__TensorShapeProto> {
    let proto = arena.new(onnx__tensor_shape_proto__init)
    (proto.pointee.n_dim, proto.pointee.dim) = arena.pointers(
      dims.map { dim in
        let proto = arena.new(onnx__tensor_shape_proto__dimension__init)
        switch dim {
        case .value(let value):
          proto.pointee.value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
          proto.pointee.dim_value = value
        case .symbol(let name):
          proto.pointee.value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
          proto.pointee.dim_param = arena.required(name)
        case .unknown: break
        }
        return proto
      })
    return proto
  }
}
