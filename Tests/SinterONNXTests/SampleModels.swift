import Glibc
import SinterCore
import SinterONNX

/// Small files for the tests, made with the writer.
enum SampleModels {
  /// A file that uses every part of the format that Sinter reads.
  static func everything() -> OnnxFile {
    var graph = OnnxFile.Graph(name: "main")
    graph.doc = "all parts of the format"
    graph.inputs = [
      .init("x", .tensor(.f32, [.symbol("batch"), .value(3), .unknown])),
      .init("s", .sequence(.tensor(.i64, nil))), .init("o", .optional(.tensor(.bool, []))),
      .init("m", .map(.string, .tensor(.f64, [.value(1)]))), .init("p", .sparseTensor(.f16, [.value(4)])),
      .init("q", .opaque(domain: "d", name: "n")), .init("u", nil),
    ]
    graph.outputs = [.init("y", .tensor(nil, nil))]
    graph.values = [.init("t", .tensor(.f32, [.value(3)]))]
    graph.initializers = [
      .init("w", .f32([2, 3], [1, 2, 3, 4, 5, 6])), .init("names", HostTensor(strings: ["a", "", "ü"], shape: [3])),
      .init("big", .f32([1000], (0..<1000).map { Float($0) })), .init("none", .f32([0, 7], [])),
      .init("half", HostTensor(.f16, [2], values: [UInt16(0x3c00), 0x4000])),
      .init("nibbles", HostTensor(.i4, [3], values: [UInt8(0x21), 0x03])),
    ]
    graph.sparseInitializers = [
      .init(values: .init("sp", .f32([1], [9])), indices: .init("", .i64([1], [5])), shape: [10])
    ]
    graph.quantization = [.init(tensor: "x", parameters: [.init("SCALE_TENSOR", "w")])]
    graph.metadata = [.init("k", "v")]
    var inner = OnnxFile.Graph(name: "body")
    inner.nodes = [.init("Identity", inputs: ["x"], outputs: ["z"])]
    inner.outputs = [.init("z", nil)]
    var node = OnnxFile.Node(
      "Everything", domain: "test", name: "all", inputs: ["x", "", "w"], outputs: ["t", "y"],
      attributes: [
        .init("f", .float(1.5)), .init("i", .int(-7)), .init("s", .string("text")),
        .init("t", .tensor(.init("", .i64([2], [3, 4])))), .init("g", .graph(inner)),
        .init("fs", .floats([1, 2, 3])), .init("is", .ints([1, -1, 1 << 40])), .init("ss", .strings(["a", "b"])),
        .init("ts", .tensors([.init("a", .f32([], [1]))])), .init("gs", .graphs([inner, inner])),
        .init("tp", .type(.sequence(.tensor(.f32, nil)))), .init("tps", .types([.tensor(.u8, [])])),
        .init("sp", .sparseTensor(graph.sparseInitializers[0])), .init("sps", .sparseTensors([])),
      ])
    node.overload = "o"
    node.doc = "node"
    node.metadata = [.init("a", "b")]
    graph.nodes = [node]
    var function = OnnxFile.Function(name: "F", domain: "test")
    function.inputs = ["a"]
    function.outputs = ["b"]
    function.attributes = ["alpha"]
    function.defaults = [.init("beta", .float(2))]
    function.nodes = [
      .init("Elu", inputs: ["a"], outputs: ["b"], attributes: [.init("alpha", .reference("alpha", .float))])
    ]
    function.operatorSets = [.init("", 20)]
    var file = OnnxFile(irVersion: 9, operatorSets: [.init("", 20), .init("test", 1)], graph: graph)
    file.producerName = "tests"
    file.producerVersion = "1"
    file.domain = "org.example"
    file.modelVersion = 3
    file.doc = "doc"
    file.functions = [function]
    file.metadata = [.init("author", "nobody")]
    return file
  }

  /// One product with a weight: a file in which each field matters.
  static func product() -> OnnxFile {
    var graph = OnnxFile.Graph(name: "g")
    graph.inputs = [.init("x", .tensor(.f32, [.symbol("n"), .value(2)]))]
    graph.outputs = [.init("y", .tensor(.f32, [.symbol("n"), .value(2)]))]
    graph.initializers = [.init("w", .f32([2, 2], [1, 2, 3, 4]))]
    graph.nodes = [.init("MatMul", name: "product", inputs: ["x", "w"], outputs: ["y"])]
    return OnnxFile(irVersion: 9, operatorSets: [.init("", 20)], graph: graph)
  }

  static func bytes(_ contents: [UInt8]) -> TensorBytes {
    TensorBytes(count: contents.count) { $0.copyBytes(from: contents) }
  }

  static func read(_ contents: [UInt8]) throws -> OnnxFile {
    try OnnxFile(bytes: bytes(contents), folder: nil)
  }

  /// The identifiers of what reading reports; empty where the file is good.
  static func problems(_ contents: [UInt8]) -> [String] {
    do {
      _ = try read(contents)
      return []
    } catch let error as DiagnosticError {
      return error.diagnostics.map(\.id)
    } catch {
      return ["\(error)"]
    }
  }
}

/// A folder that is removed with what is in it.
final class TemporaryFolder {
  let path: String

  init() {
    var template = Array("/tmp/sinter-onnx-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit {
    for name in ["m.onnx", "m.onnx.data", "w.bin", "link", "sub/w.bin", "sub", ""] { remove(path + "/" + name) }
  }

  func write(_ name: String, _ contents: [UInt8]) throws {
    let file = try AtomicFile(path + "/" + name)
    try contents.withUnsafeBytes { try file.append($0) }
    try file.commit()
  }
}
