import SinterIR

/// What metadata of nodes tell about where a node comes from: Sinter's own keys and those of PyTorch's exporter.
enum OnnxMetadata {
  static let path = "sinter.path"
  static let source = "sinter.source"
  private static let torchScopes = "pkg.torch.onnx.name_scopes"
  private static let torchTrace = "pkg.torch.onnx.stack_trace"

  static func origin(node name: String, _ entries: [OnnxFile.Entry]) -> Origin {
    var origin = Origin(node: name)
    for entry in entries {
      switch entry.key {
      case path: origin.path = entry.value
      case source: origin.source = entry.value
      case torchScopes where origin.path.isEmpty: origin.path = layer(ofScopes: entry.value)
      case torchTrace where origin.source.isEmpty: origin.source = line(ofTrace: entry.value)
      default: break
      }
    }
    return origin
  }

  /// The innermost module of a list such as `['', 'bert', 'bert.embeddings', 'layer_norm']`, whose last entry is the
  /// operation.
  private static func layer(ofScopes text: String) -> String {
    let scopes = text.split(separator: "'", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }
    return scopes.dropLast().last.map { String($0.element) } ?? ""
  }

  /// `file:line` of the innermost frame, the last `File "model.py", line 12, in forward`.
  private static func line(ofTrace text: String) -> String {
    guard let frame = text.split(separator: "\n").last(where: { $0.contains("File \"") && $0.contains(", line ") })
    else {
      return ""
    }
    let quoted = frame.split(separator: "\"", omittingEmptySubsequences: false)
    guard quoted.count >= 3 else { return "" }
    let number = quoted[2].drop { !$0.isNumber }.prefix { $0.isNumber }
    let file = quoted[1].split(separator: "/").last ?? quoted[1]
    return number.isEmpty ? "" : "\(file):\(number)"
  }
}
