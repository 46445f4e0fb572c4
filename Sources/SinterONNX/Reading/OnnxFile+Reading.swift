internal import COnnx
import SinterCore

extension OnnxFile {
  /// The newest version of the file format (IR version) that Sinter knows.
  package static let newestIRVersion: Int64 = 14

  /// Reads a file. Contents of tensors stay ranges of the mapped file, or of the files beside it that the model names.
  ///
  /// Throws `DiagnosticError` with everything that is wrong with the file itself; what the model means is not looked
  /// at.
  package init(reading path: String) throws {
    let file = try MappedFile(path)
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    do {
      try self.init(bytes: file.bytes(0..<file.count), folder: folder)
    } catch let error as DiagnosticError {
      throw error.located(at: path)
    }
  }

  /// Reads a file's bytes. `folder` is where data outside of the file may lie; nil forbids them.
  package init(bytes: TensorBytes, folder: String?) throws {
    try bytes.withBytes { try FileSignature.check($0) }
    let structure = try bytes.withBytes { try WireScan($0).structure }
    guard let model = onnx__model_proto__unpack(nil, structure.count, structure) else {
      throw DiagnosticError(
        .user, "onnx.malformed", "the file is damaged or no ONNX model: protobuf-c cannot read it",
        hint: "fetch or export the file again")
    }
    defer { onnx__model_proto__free_unpacked(model, nil) }
    var reader = ProtoReader(bytes: bytes, folder: folder)
    self = try reader.model(model.pointee)
  }
}

/// Files that are often taken for ONNX models, told by their first bytes.
enum FileSignature {
  static func check(_ bytes: UnsafeRawBufferPointer) throws {
    guard !bytes.isEmpty else {
      throw DiagnosticError(
        .user, "onnx.empty", "the file is empty, where an ONNX model was expected",
        hint: "fetch or export the file again")
    }
    // A FlatBuffer has its name behind a first offset.
    if bytes.dropFirst(4).prefix(4).elementsEqual("ORTM".utf8) {
      throw DiagnosticError(
        .user, "onnx.not-onnx", "the file is a model in onnxruntime's own format (.ort), not an ONNX model",
        hint: "take the .onnx file that it was converted from: a .ort file is optimized for one runtime and processor")
    }
    if bytes.dropFirst(4).prefix(4).elementsEqual("TFL3".utf8) {
      throw DiagnosticError(
        .user, "onnx.not-onnx", "the file is a TensorFlow Lite model, not an ONNX model",
        hint: "convert it with tf2onnx: python -m tf2onnx.convert --tflite FILE --output model.onnx")
    }
    // The length of a text of JSON, and that.
    if bytes.dropFirst(8).first == UInt8(ascii: "{"), bytes.dropFirst(4).prefix(4).allSatisfy({ $0 == 0 }) {
      throw DiagnosticError(
        .user, "onnx.not-onnx", "the file holds tensors (safetensors), not an ONNX model",
        hint: "export the model that they belong to")
    }
    for (start, kind, hint) in known where bytes.prefix(start.count).elementsEqual(start) {
      throw DiagnosticError(.user, "onnx.not-onnx", "the file is \(kind), not an ONNX model", hint: hint)
    }
  }

  private static let known: [(start: [UInt8], kind: String, hint: String)] =
    [
      (
        [0x7F] + "ELF".utf8, "a compiled library or program",
        "give the model that it was made of; sinter inspect, run, profile and bench take compiled libraries"
      ),
      (
        [0x89] + "HDF".utf8, "HDF5, as Keras writes it",
        "export the model with model.export(\"model.onnx\", format=\"onnx\")"
      ),
      (Array("GGUF".utf8), "a GGUF model", "export the model that it was converted from"),
    ] + texts.map { (Array($0.start.utf8), $0.kind, $0.hint) }

  private static let texts: [(start: String, kind: String, hint: String)] = [
    ("version https://git-lfs", "a Git LFS pointer", "run `git lfs pull` to fetch the model itself"),
    ("PK\u{3}\u{4}", "a ZIP archive, such as a PyTorch checkpoint", "export the model with torch.onnx.export"),
    ("\u{1F}", "compressed", "unpack it first"),
    ("<", "a web page or XML", "fetch the model itself"),
    ("{", "JSON", "give the .onnx file"),
  ]
}
