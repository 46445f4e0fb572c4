import Glibc
import SinterCore

/// Files beside a model that hold contents of its tensors. Each is mapped once.
struct ExternalData {
  /// Nil where the model came without a folder.
  private let folder: String?
  private var resolvedFolder: String?
  private var files: [String: MappedFile] = [:]

  init(folder: String?) { self.folder = folder }

  /// The bytes that `entries` (`location`, `offset`, `length`) point to, which must be `count`.
  mutating func bytes(_ entries: [OnnxFile.Entry], count: Int) throws -> TensorBytes {
    var location = ""
    var offset = 0
    var length: Int?
    for entry in entries {
      switch entry.key {
      case "location": location = entry.value
      case "offset": offset = try number(entry)
      case "length": length = try number(entry)
      default: break
      }
    }
    if let length, length != count {
      throw DiagnosticError(
        .user, "onnx.external-length", "the tensor needs \(count) bytes, but its external data say they are \(length)",
        hint: "export the model again")
    }
    let file = try open(location)
    guard offset <= file.count, count <= file.count - offset else {
      throw DiagnosticError(
        .user, "onnx.external-short",
        "the tensor needs \(count) bytes at offset \(offset) of \(location), which has only \(file.count) bytes",
        hint: "fetch \(location) again; it may be incomplete")
    }
    return file.bytes(offset..<(offset + count))
  }

  private func number(_ entry: OnnxFile.Entry) throws -> Int {
    guard let value = Int(entry.value), value >= 0 else {
      throw DiagnosticError(
        .user, "onnx.external-number",
        "the \(entry.key) of external data must be a number from 0, but is \"\(entry.value)\"",
        hint: "export the model again")
    }
    return value
  }

  private mutating func open(_ location: String) throws -> MappedFile {
    if let file = files[location] { return file }
    let outside = DiagnosticError(
      .user, "onnx.external-outside", "external data at \"\(location)\" lie outside the model's folder",
      hint: "put the file beside the model and name it by a relative path")
    guard !location.isEmpty else {
      throw DiagnosticError(
        .user, "onnx.external-location", "external data have no location", hint: "export the model again")
    }
    guard let folder else {
      throw DiagnosticError(
        .user, "onnx.external-folder", "external data at \"\(location)\" cannot be found without the model's folder",
        hint: "read the model from a file")
    }
    guard !location.hasPrefix("/"), !location.split(separator: "/").contains("..") else { throw outside }
    if resolvedFolder == nil { resolvedFolder = Self.resolve(folder) }
    guard let root = resolvedFolder, let path = Self.resolve(root + "/" + location) else {
      throw DiagnosticError(
        .user, "onnx.external-missing", "external data at \"\(location)\" are missing from the model's folder",
        hint: "fetch \(location) and put it beside the model")
    }
    // Links may lead anywhere; what counts is where the file is.
    guard path.hasPrefix(root == "/" ? "/" : root + "/") else { throw outside }
    let file = try MappedFile(path)
    files[location] = file
    return file
  }

  private static func resolve(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
