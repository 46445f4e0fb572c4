internal import COnnx
import SinterCore

/// Makes plain values of the messages that protobuf-c unpacked from a scanned file, and gathers what is wrong with
/// them.
struct ProtoReader {
  /// The whole file, in which lifted contents lie.
  let bytes: TensorBytes
  var external: ExternalData
  var diagnostics: [Diagnostic] = []
  /// Where what was said of a file stands in `diagnostics`, and of how many other tensors it holds.
  private var told: [Diagnostic: Int] = [:]
  private var otherPlaces: [Int: Int] = [:]
  /// Where the reader is, outermost first.
  var places: [String] = []

  init(bytes: TensorBytes, folder: String?) {
    self.bytes = bytes
    external = ExternalData(folder: folder)
  }

  mutating func report(_ id: String, _ message: String, kind: Diagnostic.Kind = .user, hint: String? = nil) {
    diagnostics.append(Diagnostic(kind, id, message, at: places.reversed(), hint: hint))
  }

  /// Tells what keeps a file from being read at the first tensor that lies in it, with the number of the others.
  mutating func reportOnce(_ error: DiagnosticError) {
    for diagnostic in error.diagnostics {
      if let index = told[diagnostic] {
        otherPlaces[index, default: 0] += 1
        continue
      }
      told[diagnostic] = diagnostics.count
      diagnostics += DiagnosticError([diagnostic]).located(places).diagnostics
    }
  }

  /// All that was reported.
  var allDiagnostics: [Diagnostic] {
    var all = diagnostics
    for (index, count) in otherPlaces {
      all[index].places.append("and \(count) other \(count == 1 ? "tensor" : "tensors")")
    }
    return all
  }

  /// Runs `body` with a place added to what it reports.
  mutating func at<R>(_ place: String, _ body: (inout ProtoReader) -> R) -> R {
    places.append(place)
    defer { places.removeLast() }
    return body(&self)
  }

  mutating func model(_ proto: Onnx__ModelProto) throws -> OnnxFile {
    guard let graph = proto.graph else {
      throw DiagnosticError(
        .user, "onnx.no-graph", "the file is damaged or no ONNX model: it holds no graph",
        hint: "fetch or export the file again")
    }
    if proto.ir_version < 1 {
      report("onnx.ir-version", "the file does not say its IR version", hint: "export the model again")
    } else if proto.ir_version > OnnxFile.newestIRVersion {
      report(
        "onnx.ir-version",
        "IR version \(proto.ir_version) is newer than \(OnnxFile.newestIRVersion), the newest that is known",
        kind: .limit, hint: "export the model with an older IR version")
    }
    var sets = operatorSets(proto.n_opset_import, proto.opset_import)
    if sets.isEmpty {
      // Required since the third version of the format.
      if proto.ir_version >= 3 {
        report(
          "onnx.opset", "the file does not say which opset its operators follow (opset_import)",
          hint: "fetch or export the file again")
      }
      sets = [.init("", 1)]
    }
    var file = OnnxFile(irVersion: proto.ir_version, operatorSets: sets, graph: self.graph(graph.pointee))
    file.producerName = text(proto.producer_name)
    file.producerVersion = text(proto.producer_version)
    file.domain = text(proto.domain)
    file.modelVersion = proto.model_version
    file.doc = text(proto.doc_string)
    file.metadata = entries(proto.n_metadata_props, proto.metadata_props)
    file.functions = list(proto.n_functions, proto.functions).map { function($0.pointee) }
    if !diagnostics.isEmpty { throw DiagnosticError(allDiagnostics) }
    return file
  }

  private mutating func operatorSets(
    _ count: Int, _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<Onnx__OperatorSetIdProto>?>?
  ) -> [OnnxFile.OperatorSet] {
    let sets = list(count, pointer).map { OnnxFile.OperatorSet(domain($0.pointee.domain), $0.pointee.version) }
    var seen: [String: Int64] = [:]
    for set in sets {
      let shown = set.domain.isEmpty ? "ai.onnx" : set.domain
      if set.version < 1 || set.version > Int64(Int32.max) {
        report(
          "onnx.opset", "\(set.version) is no version of the operators of \(shown)", hint: "export the model again")
      }
      if let other = seen.updateValue(set.version, forKey: set.domain), other != set.version {
        report(
          "onnx.opset", "two versions, \(other) and \(set.version), are imported of the operators of \(shown)",
          hint: "import one version for each domain")
      }
    }
    return sets
  }

  mutating func graph(_ proto: Onnx__GraphProto) -> OnnxFile.Graph {
    var graph = OnnxFile.Graph(name: text(proto.name))
    return at("graph \(graph.name)") { reader in
      graph.doc = text(proto.doc_string)
      graph.initializers = list(proto.n_initializer, proto.initializer).map { pointer in
        reader.at("initializer \(text(pointer.pointee.name))") { $0.tensor(pointer.pointee) }
      }
      graph.sparseInitializers = list(proto.n_sparse_initializer, proto.sparse_initializer).map { pointer in
        reader.at("sparse initializer") { $0.sparseTensor(pointer.pointee) }
      }
      graph.inputs = list(proto.n_input, proto.input).map { reader.valueInfo($0.pointee) }
      graph.outputs = list(proto.n_output, proto.output).map { reader.valueInfo($0.pointee) }
      graph.values = list(proto.n_value_info, proto.value_info).map { reader.valueInfo($0.pointee) }
      graph.nodes = list(proto.n_node, proto.node).map { reader.node($0.pointee) }
      graph.quantization = list(proto.n_quantization_annotation, proto.quantization_annotation).map {
        OnnxFile.Annotation(
          tensor: text($0.pointee.tensor_name),
          parameters: entries($0.pointee.n_quant_parameter_tensor_names, $0.pointee.quant_parameter_tensor_names))
      }
      graph.metadata = entries(proto.n_metadata_props, proto.metadata_props)
      return graph
    }
  }

  private mutating func function(_ proto: Onnx__FunctionProto) -> OnnxFile.Function {
    var function = OnnxFile.Function(name: text(proto.name), domain: domain(proto.domain))
    return at("function \(function.name)") { reader in
      function.overload = text(proto.overload)
      function.inputs = texts(proto.n_input, proto.input)
      function.outputs = texts(proto.n_output, proto.output)
      function.attributes = texts(proto.n_attribute, proto.attribute)
      function.defaults = list(proto.n_attribute_proto, proto.attribute_proto).compactMap {
        reader.attribute($0.pointee)
      }
      function.nodes = list(proto.n_node, proto.node).map { reader.node($0.pointee) }
      function.values = list(proto.n_value_info, proto.value_info).map { reader.valueInfo($0.pointee) }
      function.operatorSets = reader.operatorSets(proto.n_opset_import, proto.opset_import)
      function.doc = text(proto.doc_string)
      function.metadata = entries(proto.n_metadata_props, proto.metadata_props)
      return function
    }
  }

  private mutating func node(_ proto: Onnx__NodeProto) -> OnnxFile.Node {
    var node = OnnxFile.Node(
      text(proto.op_type), domain: domain(proto.domain), name: text(proto.name),
      inputs: texts(proto.n_input, proto.input), outputs: texts(proto.n_output, proto.output))
    node.overload = text(proto.overload)
    node.doc = text(proto.doc_string)
    node.metadata = entries(proto.n_metadata_props, proto.metadata_props)
    if proto.n_attribute > 0 {
      node.attributes = at("node \(node.label)") { reader in
        list(proto.n_attribute, proto.attribute).compactMap { reader.attribute($0.pointee) }
      }
    }
    return node
  }

  mutating func valueInfo(_ proto: Onnx__ValueInfoProto) -> OnnxFile.ValueInfo {
    var info = OnnxFile.ValueInfo(text(proto.name), nil)
    if let type = proto.type {
      info.type = at("value \(info.name)") { $0.declaredType(type.pointee) }
    }
    info.doc = text(proto.doc_string)
    info.metadata = entries(proto.n_metadata_props, proto.metadata_props)
    return info
  }
}

extension OnnxFile.Node {
  /// How messages call the node: by its name, or by what it computes.
  package var label: String {
    if !name.isEmpty { return "\(operatorType) \(name)" }
    if let output = outputs.first(where: { !$0.isEmpty }) { return "\(operatorType) that computes \(output)" }
    return operatorType
  }
}

func list<T>(_ count: Int, _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<T>?>?) -> [UnsafeMutablePointer<T>] {
  guard let pointer else { return [] }
  return UnsafeBufferPointer(start: pointer, count: count).compactMap { $0 }
}

func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
  guard let pointer, pointer.pointee != 0 else { return "" }
  return String(cString: pointer)
}

func texts(_ count: Int, _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> [String] {
  guard let pointer else { return [] }
  return UnsafeBufferPointer(start: pointer, count: count).map { text($0) }
}

func entries(
  _ count: Int, _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<Onnx__StringStringEntryProto>?>?
) -> [OnnxFile.Entry] {
  list(count, pointer).map { OnnxFile.Entry(text($0.pointee.key), text($0.pointee.value)) }
}

/// ONNX's own domain has two names, of which Sinter uses the empty one.
func domain(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
  let name = text(pointer)
  return name == "ai.onnx" ? "" : name
}
